"""``au events`` and ``au summary``: from rows of frames to findings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass

Tables = Annotated[
    list[Path],
    typer.Argument(help="Tables of au detect, OpenFace or py-feat, CSV or Parquet; or folders."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="CSV, TSV or Parquet to write; without it the terminal shows some."),
]
Fps = Annotated[float | None, typer.Option(help="Frames a second, for tables without timestamps.")]
Gap = Annotated[float, typer.Option(help="Seconds: what is apart by less is one event.")]
Shortest = Annotated[float, typer.Option(help="Seconds: shorter events are left out.")]
Trials = Annotated[
    Path | None,
    typer.Option(
        help="CSV of start, end (seconds), condition, and input where videos differ; or a file of "
        "ELAN, BORIS, Datavyu, Praat or The Observer."
    ),
]
Tier = Annotated[
    str | None, typer.Option(help="Of --trials, the tier or behaviour that names conditions.")
]


def events(
    tables: Tables,
    out: Annotated[
        Path | None,
        typer.Option(
            help="CSV, TSV or Parquet to write; or .eaf (ELAN), .TextGrid (Praat), .opf (Datavyu), "
            ".boris; or with --to a folder. Without it the terminal shows some."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="elan, praat, datavyu or boris: a file a video into the folder --out."),
    ] = None,
    gap: Gap = 0.2,
    shortest: Shortest = 0.1,
    fps: Fps = None,
) -> None:
    """List the events of each AU: onset, apex, offset, duration, peak.

    An event is a run of frames in which an AU occurs, by face; times in seconds, strength as
    intensity 0 to 5, or as a probability where a table has no intensities.
    """
    from actionunits.cli import findings_shown as shown
    from actionunits.errors import UserError, counted
    from actionunits.findings.codes import write as programs
    from actionunits.findings.events import events as found
    from actionunits.findings.frames import several

    if to is not None and to not in programs.PROGRAMS:
        raise UserError(f"--to: expected {', '.join(programs.PROGRAMS)}, got {to!r}")
    if to is not None and out is None:
        raise UserError("--to: give the folder or file to write by --out")
    program = to or (None if out is None else programs.program(out))
    shown.check_rate(fps)
    if program is None:
        shown.check(tables, out, gap=gap, shortest=shortest)
    else:
        shown.check(tables, None, gap=gap, shortest=shortest)
        assert out is not None
        _check_program(out, program, tables)
    problems: list[UserError] = []
    frames = several(tables, fps, report=problems.append)
    listed = found(frames, gap=gap, shortest=shortest)
    if out is None:
        shown.show(listed, "event")
    elif program is None:
        shown.write(listed, out, "event")
    else:
        written = programs.write(listed, frames, out, program)
        place = written[0] if len(written) == 1 else f"{counted(len(written), 'file')} in {out}"
        typer.echo(f"{counted(len(listed), 'event')}; written: {place}", err=True)
    shown.end(problems)


def _check_program(out: Path, program: str, tables: list[Path]) -> None:
    """Refuse a file of another program, before anything is computed."""
    from actionunits.cli.outputs import check_output
    from actionunits.errors import UserError
    from actionunits.findings.codes.write import PROGRAMS

    if out.suffix.lower() == PROGRAMS[program].lower():
        check_output(out, tables)
    elif out.suffix and not out.is_dir():
        raise UserError(f"{out}: expected a folder, or the name of a file {PROGRAMS[program]}")
    elif out.exists() and not out.is_dir():
        raise UserError(f"{out}: expected a folder, this is a file")


def summary(
    tables: Tables,
    out: Out = None,
    trials: Trials = None,
    tier: Tier = None,
    gap: Gap = 0.2,
    shortest: Shortest = 0.1,
    fps: Fps = None,
) -> None:
    """Sum up each AU by file and face, or by condition: share of the time, mean, SD, events.

    A row a face, condition and AU, as statistics programs want them.
    """
    from actionunits.cli import findings_shown as shown
    from actionunits.errors import UserError
    from actionunits.findings.frames import several
    from actionunits.findings.summary import read_trials, unsummed
    from actionunits.findings.summary import summary as summed

    if tier is not None and trials is None:
        raise UserError("--tier: of which file? give it by --trials")
    inputs = [*tables, *([] if trials is None else [trials])]
    shown.check_rate(fps)
    shown.check(inputs, out, gap=gap, shortest=shortest)
    windows = None if trials is None else read_trials(trials, tier)
    problems: list[UserError] = []
    frames = several(tables, fps, report=problems.append)
    table = summed(frames, windows, gap=gap, shortest=shortest)
    shown.note(unsummed(frames, windows))
    if out is None:
        shown.show(table, "row")
    else:
        shown.write(table, out, "row")
    shown.end(problems)
