"""Options that several commands have."""

from collections.abc import Sequence

from actionunits.errors import UserError


def numbers(text: str | None) -> Sequence[int] | None:
    """FACS numbers of an option such as ``1,4,12``.

    Raises:
        UserError: it is something else.
    """
    try:
        return None if text is None else [int(number) for number in text.split(",")]
    except ValueError:
        raise UserError(f"--aus: expected FACS numbers such as 1,4,12, got {text!r}") from None
