"""``python -m actionunits``: the command ``au``, in the form that ``torchrun`` starts."""

from actionunits.cli import main

main()
