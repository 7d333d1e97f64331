"""Tables of findings: written to a file, or their beginning on the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd

    from actionunits.errors import UserError

_SHOWN = 40  # rows on the terminal
_WHOLE = ("face_id", "frame")  # numbers in the files
_LEFT = {"AU", "condition", "configuration", "why"}  # columns of text


def check(inputs: list[Path], out: Path | None, **seconds: float) -> None:
    """Refuse what a command had better not write, and times that make no sense.

    Raises:
        UserError: `out` is a wrong place, see `check_output`, or a time is not 0 to 3600.
    """
    from actionunits.cli.outputs import check_output
    from actionunits.errors import UserError

    if out is not None:
        check_output(out, inputs, (".csv", ".tsv", ".parquet"))
    for name, value in seconds.items():
        if not 0 <= value <= 3600:
            raise UserError(f"--{name}: expected 0 to 3600 seconds, got {value:g}")


def check_rate(fps: float | None) -> None:
    """Refuse a rate of frames that makes no sense.

    Raises:
        UserError: it is not more than 0, up to 10000.
    """
    from actionunits.errors import UserError

    if fps is not None and not 0 < fps <= 10_000:
        raise UserError(f"--fps: expected more than 0, up to 10000, got {fps:g}")


def end(problems: "list[UserError]") -> None:
    """End as a command does of which some inputs went wrong, if some did.

    Raises:
        ExceptionGroup: of the problems.
    """
    if problems:
        raise ExceptionGroup(f"inputs that went wrong: {len(problems)}", problems)


def write(table: "pd.DataFrame", out: Path, what: str) -> None:
    """Write a table as CSV, as text with tabs, or as Parquet, by its suffix."""
    from actionunits.errors import counted
    from actionunits.files import atomic, writing

    whole = {name: "Int64" for name in _WHOLE if name in table and (table[name] % 1 == 0).all()}
    rounded = table.round(4).astype(whole)
    with writing(out), atomic(out) as file:
        if out.suffix.lower() == ".parquet":
            rounded.to_parquet(file, index=False)
        else:
            rounded.to_csv(file, index=False, sep="\t" if out.suffix.lower() == ".tsv" else ",")
    typer.echo(f"{counted(len(table), what)}; written: {out}", err=True)


def show(table: "pd.DataFrame", what: str, most: int = _SHOWN) -> None:
    """Show the beginning of a table, with a heading a face."""
    from actionunits.cli.terminal import terminal
    from actionunits.errors import counted, printable

    shown = table.round(4).head(most).rename(columns={"events_per_minute": "per minute"})
    for (name, face), part in shown.groupby(["input", "face_id"], sort=False):
        title = f"{printable(Path(str(name)).name)}, face {int(str(face).partition('.')[0])}"
        grid(part.drop(columns=["input", "face_id"]), title)
    more = f"{len(shown)} of {counted(len(table), what)}; --out FILE writes all"
    terminal().print(more if len(table) > len(shown) else counted(len(table), what))


def grid(table: "pd.DataFrame", title: str) -> None:
    """Show a table."""
    from rich import box
    from rich.table import Table

    from actionunits.cli.terminal import terminal

    told = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    for column, cells in zip(map(str, table), zip(*rows, strict=True), strict=True):
        if column in _LEFT:  # wraps where the terminal is narrow; numbers never do
            told.add_column(column, overflow="fold")
        else:
            widest = max(map(len, [*cells, *column.split()]))
            told.add_column(column, justify="right", min_width=widest)
    for row in rows:
        told.add_row(*row)
    terminal().print(told)


def note(notes: "list[str] | tuple[str, ...]") -> None:
    """Say on standard error what a reader of the tables should know."""
    from actionunits.errors import printable

    for text in dict.fromkeys(notes):
        typer.echo(f"au: {printable(text)}", err=True)


def _cell(value: object) -> str:
    import pandas as pd

    from actionunits.errors import printable

    if value is pd.NA:
        return ""
    if isinstance(value, float):
        return "" if value != value else f"{value:.2f}".rstrip("0").rstrip(".")  # NaN is empty
    return printable(str(value))
