"""``au agree`` and ``au prototypes``: findings beside those of people and of papers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actionunits.cli.findings import Fps, Gap, Out, Shortest, Tables, Tier, Trials

if TYPE_CHECKING:
    import pandas as pd

    from actionunits.findings.agreement import Agreement

_LIKE = 12  # configurations that the terminal shows of a face


def agree(
    table: Annotated[
        Path, typer.Argument(help="Table of au detect, OpenFace or py-feat; or codes; or a folder.")
    ],
    codes: Annotated[
        Path,
        typer.Argument(
            help="Codes of a person: .eaf, .boris, .opf, .TextGrid, exports of them or of The "
            "Observer, a list of start, end, code, or a sheet of frames; or a folder."
        ),
    ],
    out: Out = None,
    tolerance: Annotated[
        float, typer.Option(help="Seconds between the onsets of events that are the same.")
    ] = 0.5,
    shift: Annotated[float, typer.Option(help="Seconds to add to the times of CODES.")] = 0.0,
    start: Annotated[float, typer.Option(help="Seconds: what is before was not coded.")] = 0.0,
    end: Annotated[
        float | None, typer.Option(help="Seconds: what is from here on was not coded.")
    ] = None,
    aus: Annotated[
        str | None,
        typer.Option(help="AUs that a list of events was coded for, such as 4,12, if it has none."),
    ] = None,
    known_as: Annotated[
        Path | None, typer.Option("--map", help="CSV of label and au: what labels in CODES mean.")
    ] = None,
    face: Annotated[int | None, typer.Option(help="Number of the face that was coded.")] = None,
    occurs: Annotated[
        float, typer.Option(help="Intensity from which an AU occurs in a sheet of 0 to 5.")
    ] = 1.0,
    people: Annotated[
        Path | None, typer.Option(help="CSV of input and person, for the intervals.")
    ] = None,
    gap: Gap = 0.2,
    shortest: Shortest = 0.1,
    fps: Fps = None,
) -> None:
    """Compare a table with the codes of a person, or those of two persons, AU by AU.

    By frame kappa, PABAK, F1 and ICC(3,1), by event precision, recall and F1, with intervals of
    95 %. What is not defined, such as the kappa of an AU that never occurs, is empty, and it is
    said why.
    """
    import math

    from actionunits.cli import findings_shown as shown
    from actionunits.cli.options import numbers
    from actionunits.errors import UserError
    from actionunits.findings.agreement import agreement, read_people
    from actionunits.findings.codes.coded import read_map
    from actionunits.findings.coding import read_coding
    from actionunits.findings.pairing import aligned

    inputs = [table, codes, *(file for file in (known_as, people) if file is not None)]
    shown.check_rate(fps)
    shown.check(inputs, out, tolerance=tolerance, gap=gap, shortest=shortest)
    if end is not None and end <= start:
        raise UserError(f"--end: expected more than --start, {start:g}, got {end:g}")
    if not 0 < occurs <= 5:
        raise UserError(f"--occurs: expected more than 0, up to 5, got {occurs:g}")
    meant = None if known_as is None else read_map(known_as)
    persons = None if people is None else read_people(people)
    first, second = (read_coding(p, meant, occurs=occurs, fps=fps) for p in (table, codes))
    both = aligned(
        first,
        second,
        face=face,
        shift=shift,
        start=start,
        end=math.inf if end is None else end,
        fps=fps,
        aus=tuple(f"AU{number:02d}" for number in numbers(aus) or ()),
    )
    found = agreement(both, tolerance=tolerance, gap=gap, shortest=shortest, people=persons)
    shown.note(both.notes)
    if out is None:
        _show(found, tolerance)
    else:
        shown.write(found.table, out, "row")


def _show(found: "Agreement", tolerance: float) -> None:
    """Show agreement by frame, and by event."""
    import pandas as pd

    from actionunits.cli import findings_shown as shown
    from actionunits.cli.terminal import terminal

    table = found.table

    def told(name: str) -> "pd.Series[str]":
        ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        return pd.Series([_between(*each) for each in ends], table.index)

    frames = table[["AU"]].assign(frames=_counted(table["frames"]))
    for short, name in (("1st", "first"), ("2nd", "second")):
        frames[short] = [_share(value) for value in table[name]]
    for name in ("kappa", "pabak", "f1", "icc"):
        frames[name] = told(name)
    shown.grid(frames.loc[:, ~(frames == "").all()], "By frame")
    events = table[["AU"]]
    for name, column in (("1st", "events_first"), ("2nd", "events_second"), ("matched",) * 2):
        events = events.assign(**{name: _counted(table[column])})
    for name, column in (("precision", "precision"), ("recall", "recall"), ("f1", "event_f1")):
        events = events.assign(**{name: told(column)})
    shown.grid(events, "By event")
    why = table[table["why"] != ""][["AU", "why"]]
    if len(why):
        shown.grid(why, "Little or nothing to tell")
    terminal().print(
        f"Events are the same if they overlap or begin within {tolerance:g} seconds.\n"
        f"Behind a value is its interval of 95 %, over {found.units}; {found.caution}.\n"
        "Where there is none, these are fewer than five, or all alike.",
        soft_wrap=True,
    )


def _between(value: float, low: float, high: float) -> str:
    if value != value:
        return ""
    return _short(value) if low != low else f"{_short(value)} {_short(low)}–{_short(high)}"


def _short(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"


def _counted(values: "pd.Series[int]") -> "pd.Series[str]":
    return values.astype("str").replace("<NA>", "")


def _share(value: float) -> str:
    return "" if value != value else f"{100 * value:.0f} %"


def prototypes(
    tables: Tables,
    out: Out = None,
    frames: Annotated[
        Path | None, typer.Option(help="CSV or Parquet to write: the likeness of every frame.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet to write: when all of a configuration shows."),
    ] = None,
    own: Annotated[
        Path | None, typer.Option("--prototypes", help="YAML of configurations of your own.")
    ] = None,
    trials: Trials = None,
    tier: Tier = None,
    gap: Gap = 0.2,
    shortest: Shortest = 0.1,
    fps: Fps = None,
) -> None:
    """Tell how like published configurations of AUs a face is, such as 6+12.

    Likeness is 0 to 1: AUs that show and are in the configuration, over those that are either. What
    a configuration means is for its source to say, not for this table.
    """
    from actionunits.cli import findings_shown as shown
    from actionunits.errors import UserError
    from actionunits.findings.frames import several
    from actionunits.findings.likeness import compared
    from actionunits.findings.prototypes import published, read_prototypes
    from actionunits.findings.summary import read_trials, unsummed

    if tier is not None and trials is None:
        raise UserError("--tier: of which file? give it by --trials")
    inputs = [*tables, *(file for file in (own, trials) if file is not None)]
    shown.check_rate(fps)
    for place in (out, frames, events):
        shown.check(inputs, place, gap=gap, shortest=shortest)
    configurations = published() if own is None else read_prototypes(own)
    windows = None if trials is None else read_trials(trials, tier)
    problems: list[UserError] = []
    read = several(tables, fps, report=problems.append)
    found = compared(read, configurations, windows, gap=gap, shortest=shortest)
    shown.note([*found.notes, *unsummed(read, windows)])
    if frames is not None:
        shown.write(found.frames, frames, "row")
    if events is not None:
        shown.write(found.events, events, "event")
    if out is not None:
        shown.write(found.summary, out, "row")
    elif frames is None and events is None:
        by = ["input", "face_id", *(["condition"] if trials is not None else [])]
        told = found.summary[found.summary["peak"] > 0]
        told = told.drop(columns=["source", "frames", "seconds", "sd"])
        # the most alike first, and last PSPI, which has a scale of its own
        told = told.assign(_sum=told["complete"].isna(), _less=-told["mean"])
        told = told.sort_values([*by, "_sum", "_less"], kind="stable", ignore_index=True)
        few = told.groupby([*by, "_sum"], sort=False).head(_LIKE)
        shown.show(few.drop(columns=["_sum", "_less"]), "configuration")
    shown.end(problems)
