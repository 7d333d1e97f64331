"""What the page says of each file and face: figures, tables and pictures, ready to be laid out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from actionunits.errors import counted
from actionunits.report import drawn, live, marks, stills
from actionunits.report.data import File, Track, cuts, track, warnings
from actionunits.report.written import Weights

FILES = 12
"""Files that have a section of their own."""

_FACES, _TRACKS = 6, 24  # that have figures: of a file, and of all
_EVENTS = 200  # of a face that are listed
_FINEST, _COARSEST, _BUDGET = 2000, 300, 5000  # columns of curves: of a face, and of all


class Face(NamedTuple):
    """One face on the page."""

    id: str
    number: int
    facts: str
    figures: Mapping[str, Any] | None  # for Bokeh; None of a still
    drawings: list[Markup]  # none of a still
    resolution: str
    stills: list[dict[str, Any]]
    summary: list[dict[str, Any]]
    together: list[dict[str, Any]]
    events: list[dict[str, Any]]
    more_events: int


class Section(NamedTuple):
    """One file on the page."""

    id: str
    name: str
    facts: list[tuple[str, str]]
    warnings: list[str]
    faces: list[Face]
    more: str


def sections(
    files: Sequence[File], videos: Sequence[Path], progress: stills.Progress
) -> list[Section]:
    """Sections of the first files, with figures of the faces that are seen longest.

    Args:
        files: that were read.
        videos: in which pictures are looked for, besides those that tables name.
        progress: is told what is being done.
    """
    count = min(len(files), FILES)
    most = min(_FACES, _TRACKS // max(count, 1))
    shown = [file.faces[:most] for file in files[:count]]
    columns = int(np.clip(_BUDGET // max(sum(map(len, shown)), 1), _COARSEST, _FINEST))
    return [
        _section(f"file{i + 1}", file, faces, stills.video_of(file, videos), columns, progress)
        for i, (file, faces) in enumerate(zip(files, shown, strict=False))
    ]


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(2.31), duration(600)
    ('2.3 s', '10 min 0 s')
    """
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s"


def weights(of: Weights) -> str:
    """The weights of a table in words."""
    if not of.names:
        return "not known: the table is another program's, or of weights that are not at hand"
    if len(of.names) > 1:
        return f"one of {', '.join(of.names)}: the table tells too little"
    return f"{of.names[0]} (what occurs agrees with its thresholds)"


def _section(
    name: str,
    file: File,
    numbers: Sequence[int],
    video: Path | None,
    columns: int,
    progress: stills.Progress,
) -> Section:
    tracks = [track(file, number) for number in numbers]
    wanted = [peak for each in tracks for peak in stills.peaks(file, each)]
    wanted.sort(key=lambda peak: peak.seconds)
    said = warnings(file)
    pictures: list[stills.Still] = []
    shots = cuts(file)
    if video is not None and tracks:
        seen = stills.look(video, file, wanted, progress)
        pictures, shots = seen.stills, seen.cuts
        if seen.problem or len(pictures) < len(wanted):
            why = seen.problem or f"{video}: it has no frames at some of the table's times"
            said.append(f"Some pictures are missing: {why}.")
    elif tracks:
        said.append(
            f"There are no pictures, since the video is not where the table says, {file.source}: "
            "put it back there, or name it after the table, au report TABLE VIDEO."
        )
    elif not any("No face" in each for each in said):
        said.append("No face was read in any frame: there is nothing to report but that.")
    facts = [
        ("File", file.source),
        ("Table", "none: read from the file itself" if file.table is None else str(file.table)),
        ("Duration", duration(file.duration) if file.step else "a still"),
        ("Frames", f"{len(file.times):,}"),
        ("Faces", f"{len(file.faces):,}"),
        ("Weights", weights(file.weights)),
    ]
    if file.step:
        facts.append(("Cuts", _cuts(shots, video is not None)))
    more = ""
    if len(file.faces) > len(numbers):
        more = (
            f"{counted(len(file.faces), 'face')}, of which the {len(numbers)} seen longest are "
            "shown; au summary has all."
        )
    faces = [
        _face(f"{name}face{each.face}", file, each, shots, pictures, columns) for each in tracks
    ]
    return Section(name, file.name, facts, said, faces, more)


def _cuts(shots: NDArray[np.float64], looked: bool) -> str:
    how = "found in the video" if looked else "told by faces that all change their numbers at once"
    return f"{len(shots)}, {how}" if len(shots) else "none"


def _face(
    name: str,
    file: File,
    of: Track,
    shots: NDArray[np.float64],
    pictures: Sequence[stills.Still],
    columns: int,
) -> Face:
    seen = file.summary[file.summary["face_id"] == of.face]
    frames = int(seen["frames"].iloc[0]) if len(seen) else 0
    moving = bool(file.step)
    facts = f"Read in {counted(frames, 'frame')} of {len(file.times):,}"
    if moving:
        facts += f", {duration(seen['seconds'].iloc[0] if len(seen) else 0)}"
    resolution = ""
    if len(file.times) > 2 * columns:
        resolution = (
            f"Curves are drawn at {columns:,} places of {file.duration / columns:.2f} s, with the "
            "lowest and the highest value of each, so that no peak is lost; the table has every "
            "frame."
        )
    own = file.events[file.events["face_id"] == of.face]
    listed = own.nlargest(_EVENTS, "peak", keep="first") if len(own) > _EVENTS else own
    listed = listed.sort_values("onset", kind="stable")
    return Face(
        *(name, of.face, facts),
        live.figures(file, of, shots, columns, f"{name}live") if moving else None,
        drawn.drawings(file, of, shots) if moving else [],
        *(resolution, [_still(file, each) for each in pictures if each.peak.face == of.face]),
        *(_summary(file, seen, own), together(file, of)),
        _rows(listed.assign(AU=[marks.title(au, file.weights) for au in listed["AU"]])),
        len(own) - len(listed),
    )


def _still(file: File, still: stills.Still) -> dict[str, Any]:
    aus = [
        marks.title(au, file.weights) + ("" if np.isnan(value) else f" {value:.1f}")
        for au, value in still.peak.aus.items()
    ]
    when = f"at {still.peak.seconds:.2f} s" if file.step else ""
    return {
        "source": drawn.data_uri(still.jpeg, "image/jpeg"),
        "alt": f"Face {still.peak.face} {when}: peak of {', '.join(aus)}",
        "when": when,
        "aus": aus,
        "size": still.size,
    }


def _summary(file: File, seen: pd.DataFrame, events: pd.DataFrame) -> list[dict[str, Any]]:
    """A row an AU, with what the page says of it."""
    aus = seen["AU"]
    return _rows(
        seen.assign(
            label=[marks.number(au, file.weights) for au in aus],
            name=aus.map(marks.name),
            threshold=aus.map(file.weights.thresholds),
            lasting=aus.map(events.groupby("AU")["duration"].median()),
            share=seen["mean"] / marks.top(file),
        )
    )


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def together(file: File, of: Track) -> list[dict[str, Any]]:
    """Of the frames in which an AU occurs, the share in which each other one does too.

    Returns:
        A row an AU that occurs: ``label``, ``name``, ``frames``, and ``cells`` in the same order of
        AUs, each with its ``share`` 0 to 1 and ``style``.
    """
    present = np.nan_to_num(of.present)
    occurs = np.flatnonzero(present.sum(axis=0) > 0)
    both = present[:, occurs].T @ present[:, occurs]
    alone = np.diag(both)
    shares = both / alone[:, None] if len(occurs) else both
    rows = []
    for i, place in enumerate(occurs.tolist()):
        cells = [{"share": share, "style": marks.cell(share)} for share in shares[i].tolist()]
        au = file.aus[place]
        label = marks.number(au, file.weights)
        rows.append(
            {"label": label, "name": marks.name(au), "frames": int(alone[i]), "cells": cells}
        )
    return rows
