"""The terminal, or whatever stands in its place."""

from rich.console import Console


def terminal(*, error: bool = False) -> Console:
    """Standard output, or standard error, for tables and notes.

    Names of files and people are printed as they are, whatever brackets and colons they have.
    """
    return Console(stderr=error, markup=False, emoji=False, highlight=False)
