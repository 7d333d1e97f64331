"""``au events`` and ``au summary``: from rows of frames to findings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

Tables = Annotated[
    list[Path],
    typer.Argument(help="Tables of au detect, OpenFace or py-feat, CSV or Parquet."),
]
Out = Annotated[
    Path | None, typer.Option(help="CSV or Parquet to write; without it the terminal shows some.")
]
Fps = Annotated[float | None, typer.Option(help="Frames a second, for tables without timestamps.")]
Gap = Annotated[float, typer.Option(help="Seconds: what is apart by less is one event.")]
Shortest = Annotated[float, typer.Option(help="Seconds: shorter events are left out.")]
_SHOWN = 40  # rows on the terminal


def events(
    tables: Tables, out: Out = None, gap: Gap = 0.2, shortest: Shortest = 0.1, fps: Fps = None
) -> None:
    """List the events of each AU: onset, apex, offset, duration, peak.

    An event is a run of frames in which an AU occurs, by face; times in seconds, strength as
    intensity 0 to 5, or as a probability where a table has no intensities.
    """
    from actionunits.findings.events import events as found
    from actionunits.findings.frames import several

    _check(tables, out, gap, shortest, fps)
    _tell(found(several(tables, fps), gap=gap, shortest=shortest), out, "event")


def summary(
    tables: Tables,
    out: Out = None,
    trials: Annotated[
        Path | None,
        typer.Option(help="CSV of start, end (seconds), condition, and input where videos differ."),
    ] = None,
    gap: Gap = 0.2,
    shortest: Shortest = 0.1,
    fps: Fps = None,
) -> None:
    """Sum up each AU by file and face, or by condition: share of the time, mean, SD, events.

    A row a face, condition and AU, as statistics programs want them.
    """
    from actionunits.findings.frames import several
    from actionunits.findings.summary import read_trials
    from actionunits.findings.summary import summary as summed

    _check([*tables, *([] if trials is None else [trials])], out, gap, shortest, fps)
    windows = None if trials is None else read_trials(trials)
    _tell(summed(several(tables, fps), windows, gap=gap, shortest=shortest), out, "row")


def _check(
    inputs: list[Path], out: Path | None, gap: float, shortest: float, fps: float | None
) -> None:
    from actionunits.cli.outputs import check_output
    from actionunits.errors import UserError

    if out is not None:
        check_output(out, inputs, (".csv", ".parquet"))
    for name, value in (("gap", gap), ("shortest", shortest)):
        if not 0 <= value <= 3600:
            raise UserError(f"--{name}: expected 0 to 3600 seconds, got {value:g}")
    if fps is not None and not 0 < fps <= 10_000:
        raise UserError(f"--fps: expected more than 0, up to 10000, got {fps:g}")


def _tell(table: "pd.DataFrame", out: Path | None, what: str) -> None:
    """Write a table, or show its beginning."""
    from actionunits.cli.terminal import terminal
    from actionunits.errors import counted, printable
    from actionunits.files import atomic, writing

    rounded = table.round(4)
    if out is not None:
        with writing(out), atomic(out) as file:
            if out.suffix.lower() == ".parquet":
                rounded.to_parquet(file, index=False)
            else:
                rounded.to_csv(file, index=False)
        typer.echo(f"{counted(len(table), what)}; written: {out}", err=True)
        return
    from rich import box
    from rich.table import Table

    shown = rounded.head(_SHOWN).rename(columns={"events_per_minute": "per minute"})
    console = terminal()
    for (name, face), part in shown.groupby(["input", "face_id"], sort=False):
        title = f"{printable(Path(str(name)).name)}, face {int(str(face).partition('.')[0])}"
        told = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
        part = part.drop(columns=["input", "face_id"])
        for column in part:
            told.add_column(
                str(column), justify="left" if column in {"AU", "condition"} else "right"
            )
        for row in part.itertuples(index=False):
            told.add_row(*(_cell(value) for value in row))
        console.print(told)
    more = f"{len(shown)} of {counted(len(table), what)}; --out FILE writes all"
    console.print(more if len(table) > len(shown) else counted(len(table), what))


def _cell(value: object) -> str:
    from actionunits.errors import printable

    if isinstance(value, float):
        return "" if value != value else f"{value:.2f}".rstrip("0").rstrip(".")  # NaN is empty
    return printable(str(value))
