"""The page: one HTML file that asks nothing of the network."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bokeh.resources import INLINE
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from actionunits.errors import UserError, counted, printable
from actionunits.files import atomic, writing
from actionunits.findings.summary import read_trials
from actionunits.report import drawn, marks
from actionunits.report.data import File, Table, files
from actionunits.report.groups import (
    MEASURES,
    Comparison,
    assigned,
    compare,
    conditions,
    read_groups,
)
from actionunits.report.sections import FILES, duration, sections
from actionunits.report.stills import Progress
from actionunits.report.written import Weights

_HERE = Path(__file__).parent
_SIDES = ("A", "B")  # groups that nobody has named
_LISTED = 500  # files in the overview
_LIMITS = (0.5, 1, 2, 3, 5)  # of forest plots
_MEASURED = {"mean": "Mean {}", "present": "Share of the time in which the AU occurs, 0 to 1"}


def write(
    tables: Sequence[Table],
    out: Path | str,
    *,
    against: Sequence[Table] = (),
    groups: Path | str | pd.DataFrame | None = None,
    trials: Path | str | pd.DataFrame | None = None,
    tier: str | None = None,
    videos: Sequence[Path | str] = (),
    fps: float | None = None,
    gap: float = 0.2,
    shortest: float = 0.1,
    model: str | Path | None = None,
    progress: Progress = lambda what, done: None,
) -> list[UserError]:
    """Write a report on tables of frames: one HTML file that opens offline and prints.

    It has the timeline of each face with events, a heat map, which AUs occur together, pictures of
    their peaks where the video is at hand, when the face is away or read with little confidence, a
    summary, and a comparison of two groups where there are two.

    Args:
        tables: of `au detect`, OpenFace or py-feat: files, or tables as `Predictor.predict` gives
            them.
        out: the file, ``.html``.
        against: tables of a second group, with which the first ones are compared.
        groups: or a table of ``input`` and ``group``, see `groups.read_groups`.
        trials: or when two conditions were, which are compared within files, see
            `findings.summary.read_trials`.
        tier: of trials, see there.
        videos: that the tables are of. Others are looked for where the column ``input`` says, from
            the current folder and from that of the table.
        fps: frames a second, for tables without times.
        gap: seconds, of events, see `findings.events`.
        shortest: seconds, of events.
        model: weights that wrote the tables, if they are not of the package.
        progress: is called with the name of a video and how much of it is done, 0 to 1.

    Returns:
        Why some tables could not be read; the page, which says so too, has the others.

    Raises:
        UserError: no table is given, groups are given twice, they or trials do not fit, or `out`
            cannot be written.
        DataError: no table can be read.
        CheckpointError: there is no such model.
    """
    ways = {
        "--against": len(against),
        "--groups": groups is not None,
        "--trials": trials is not None,
    }
    if len(given := [way for way, used in ways.items() if used]) > 1:
        raise UserError(f"groups: given by {' and by '.join(given)}; leave one of them out")
    out = Path(out)
    problems: list[UserError] = []
    read = files(
        [*tables, *against],
        fps,
        gap=gap,
        shortest=shortest,
        model=model,
        report=problems.append,
    )
    compared, notes = None, list[str]()
    if len(against):
        compared = compare(read, _sides(read, len(tables), problems))
    elif groups is not None:
        table = groups if isinstance(groups, pd.DataFrame) else read_groups(Path(groups))
        members, notes = assigned(read, table)
        compared = compare(read, members)
    elif trials is not None:
        when = trials if isinstance(trials, pd.DataFrame) else read_trials(Path(trials), tier)
        parts, members, notes = conditions(read, when, gap=gap, shortest=shortest)
        compared = compare(parts, members)
    told = sections(read, [Path(video) for video in videos], progress)
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    # Bokeh's references are to what stands before them
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "separators": (",", ":")}
    environment.globals["forest"] = drawn.forest
    environment.filters |= {"number": _number, "percent": _percent}
    # a file without a face fits all weights, and says nothing of those of the others
    sure = [file.weights for file in read if len(file.weights.names) == 1]
    starred = frozenset[str]().union(
        *(each.experimental for each in sure or [file.weights for file in read])
    )
    figures = [face.figures for each in told for face in each.faces if face.figures is not None]
    page = environment.get_template("page.html").render(
        title=f"Report: {read[0].name}"
        if len(read) == 1
        else f"Report: {counted(len(read), 'file')}",
        version=version("actionunits"),
        style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),
        script=Markup((_HERE / "page.js").read_text(encoding="utf-8")),
        bokeh=Markup(_bokeh()) if figures else "",
        figures=figures,
        graded=any(file.frames.graded for file in read),
        starred=bool(starred),
        overview=_overview(read, Weights(experimental=starred)),
        unlisted=max(len(read) - _LISTED, 0),
        unshown=max(len(read) - FILES, 0),
        comparison=None if compared is None else _told(compared, Weights(experimental=starred)),
        notes=notes,
        problems=[printable(str(problem)) for problem in problems],
        sections=told,
        gap=gap,
        shortest=shortest,
    )
    with writing(out), atomic(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return problems


def _number(value: float | None, places: int = 2) -> str:
    """A number for people; a dash where it is not known."""
    if value is None or np.isnan(value):
        return "\N{EN DASH}"
    text = f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: no minus before nothing
    return text.replace("-", "\N{MINUS SIGN}")


def _percent(share: float | None) -> str:
    text = _number(None if share is None else 100 * share, 0)
    return text if share is None or np.isnan(share) else f"{text}\N{NO-BREAK SPACE}%"


def _bokeh() -> str:
    """The library that draws: only its core."""
    script: str = INLINE.js_raw[INLINE.components.index("bokeh")]
    return script.replace("</script", "<\\/script")


def _overview(read: Sequence[File], weights: Weights) -> dict[str, Any]:
    """A row a file: what it is, and how often each AU occurs on the face seen longest."""
    aus = sorted({au for file in read for au in file.aus})
    rows = []
    for position, file in enumerate(read[:_LISTED]):
        own = file.summary[file.summary["face_id"] == (file.faces or [-1])[0]]
        share = own.set_index("AU")["present"].reindex(aus).to_numpy(float)
        rows.append(
            {
                "name": file.name,
                "link": f"#file{position + 1}" if position < FILES else "",
                "duration": duration(file.duration) if file.step else "still",
                "frames": len(file.times),
                "faces": len(file.faces),
                "share": [
                    None if np.isnan(each) else {"value": each, "style": marks.cell(each)}
                    for each in share.tolist()
                ],
            }
        )
    return {
        "aus": [{"label": f"AU{int(au[2:])}", "name": marks.name(au)} for au in aus],
        "rows": rows,
    }


def _sides(read: Sequence[File], first: int, problems: Sequence[UserError]) -> pd.DataFrame:
    """Two groups, as `assigned` has them: files of tables before the `first` of the second."""
    second = [file.given >= first for file in read]
    if empty := [name for side, name in enumerate(_SIDES) if bool(side) not in second]:
        why = f": {problems[0]}" if problems else ""
        raise UserError(f"groups: group {empty[0]} has no table that can be read{why}")
    group = [_SIDES[side] for side in second]
    names = [file.name for file in read]
    return pd.DataFrame({"file": range(len(read)), "group": group, "unit": names, "face_id": -1})


def _told(found: Comparison, weights: Weights) -> dict[str, Any]:
    parts = []
    strength = "intensity, 0 to 5" if found.graded else "probability, 0 to 1"
    for measure in MEASURES:
        table = found.table[found.table["measure"] == measure]
        furthest = np.nanmax(np.abs(table[["low", "high"]].to_numpy()), initial=0)
        limit = next((limit for limit in _LIMITS if limit >= furthest), _LIMITS[-1])
        rows = [
            {
                **row,
                "label": marks.number(row["AU"], weights),
                "name": marks.name(row["AU"]),
                "differs": row["low_all"] > 0 or row["high_all"] < 0,
            }
            for row in table.to_dict("records")
        ]
        parts.append(
            {
                "what": _MEASURED[measure].format(strength),
                "rows": rows,
                "limit": limit,
                "scale": drawn.forest_scale(limit),
            }
        )
    told = found.table["g"].notna()
    return {
        "names": found.names,
        "units": found.units,
        "parts": parts,
        "warnings": found.warnings,
        "paired": found.paired,
        "lacking": int((~told).sum()),
        "count": int(told.sum()),
    }
