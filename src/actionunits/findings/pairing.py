"""Two codings of the same faces, brought to the same frames."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from actionunits.errors import UserError
from actionunits.files.names import listed
from actionunits.findings.coding import Coding, Key
from actionunits.findings.frames import Frames
from actionunits.findings.placing import at, grid


class Aligned(NamedTuple):
    """Two codings on the same frames; what either did not code is NaN in it.

    Attributes:
        first: of the first coding; its videos are named without folders and suffix.
        second: of the second; the same rows and AUs.
        notes: what was left out, and what was taken for what.
    """

    first: Frames
    second: Frames
    notes: tuple[str, ...]


def aligned(
    first: Coding,
    second: Coding,
    *,
    face: int | None = None,
    shift: float = 0.0,
    start: float = 0.0,
    end: float = np.inf,
    fps: float | None = None,
    aus: tuple[str, ...] = (),
) -> Aligned:
    """Bring two codings to the same frames.

    They are paired by video, by name without folders and suffix, and by face. Where one does not
    say which face it is of, it is that which the other sees in most frames. The frames are
    those of the coding that has fewer a second; of the other each takes the nearest, if it is not
    further than half a frame. A frame lies in a stretch if its middle does, and a point in time in
    one frame. Two lists of events are compared on frames of their own.

    Args:
        first: such as what a program reads.
        second: such as what a person coded.
        face: which of the first the second is of.
        shift: seconds that are added to the times of the second.
        start: seconds; what is before was not coded.
        end: seconds; what is from here on was not coded.
        fps: frames a second for lists of events, and for sheets that have numbers of frames alone.
        aus: that a list of events was coded for, in addition to those that it has.

    Raises:
        UserError: no video is in both, or the times of a sheet are not known.
    """
    ours, theirs = first.faces(), second.faces()
    sizes = [{key: one.size() for key, one in faces.items()} for faces in (ours, theirs)]
    pairs, notes = _pairs(first.name, second.name, sizes[0], sizes[1], face)
    parts: list[tuple[pd.DataFrame, ...]] = []
    shared: dict[str, None] = {}
    for key, other in pairs:
        a, b = ours[key], theirs[other]
        a, b = _timed(a, b, fps), _timed(b, a, fps)
        times, step = grid(a, b, shift, fps)
        keep = (times >= start) & (times < end)
        times = times[keep]
        sides = [at(a, times, step, 0.0, aus), at(b, times, step, shift, aus)]
        of = {"input": key[0], "face_id": key[1]}
        rows = pd.DataFrame({**of, "timestamp": times, "frame": np.nan})
        parts.append((rows.assign(success=True), *sides[0], *sides[1]))
        shared |= dict.fromkeys(sides[0][0].columns.intersection(sides[1][0].columns))
    columns = sorted(shared)
    if not columns:
        raise UserError(f"no AU is in both {first.name} and {second.name}")
    for one, places in ((first, (1,)), (second, (3,))):
        own = {au for part in parts for place in places for au in part[place].columns}
        if alone := sorted(own - shared.keys()):
            notes.append(f"only in {one.name}: {', '.join(alone)}")
    tables = [pd.concat(part, ignore_index=True) for part in zip(*parts, strict=True)]
    rows, *values = (tables[0], *(table.reindex(columns=columns) for table in tables[1:]))
    return Aligned(
        Frames(rows, values[0], values[1], _graded(first)),
        Frames(rows, values[2], values[3], _graded(second)),
        (*first.notes, *second.notes, *notes),
    )


def _graded(one: Coding) -> bool:
    if one.frames is not None:
        return one.frames.graded
    assert one.coded is not None
    return bool(one.coded.rows["intensity"].notna().any())


def _pairs(
    first: str, second: str, ours: dict[Key, int], theirs: dict[Key, int], face: int | None
) -> tuple[list[tuple[Key, Key]], list[str]]:
    """Keys in each of what is in both, and notes on what is in one alone."""
    stems = [dict.fromkeys(stem for stem, _ in keys) for keys in (ours, theirs)]
    notes = []
    if len(stems[0]) == len(stems[1]) == 1:
        videos = [(next(iter(stems[0])), next(iter(stems[1])))]
        if videos[0][0] != videos[0][1]:
            notes.append(f"taken for the same video: {videos[0][0]} and {videos[0][1]}")
    else:
        videos = [(stem, stem) for stem in stems[0] if stem in stems[1]]
        for one, these, others in ((first, stems[0], stems[1]), (second, stems[1], stems[0])):
            if alone := [stem for stem in these if stem not in others]:
                notes.append(f"only in {one}: {listed(alone)}")
    if not videos:
        names = [listed(list(own)) or "none" for own in stems]
        raise UserError(
            f"no video is in both: {first} has {names[0]}, {second} has {names[1]}; name files of "
            "codes as their videos"
        )
    of: list[dict[str, dict[int, int]]] = [{}, {}]
    for keys, found in zip((ours, theirs), of, strict=True):
        for (video, each), count in keys.items():
            found.setdefault(video, {})[each] = count
    pairs = []
    for a, b in videos:
        mine, their = of[0][a], of[1][b]
        for fa, fb in _faces(mine, their, face, a, notes):
            pairs.append(((a, fa), (b, fb)))
    if not pairs:
        raise UserError(f"face {face} is in none of {first}; give another number by --face")
    return pairs, notes


def _faces(
    ours: dict[int, int], theirs: dict[int, int], face: int | None, name: str, notes: list[str]
) -> Iterator[tuple[int, int]]:
    """Faces of one video that are the same: in the first coding and in the second."""
    most = [max(faces, key=lambda key: faces[key]) for faces in (ours, theirs)]
    if face is not None:
        if face in ours:
            yield face, face if face in theirs else most[1]
        return
    shared = [each for each in theirs if each in ours]
    if shared and len(ours) > 1:
        yield from ((each, each) for each in shared)
        return
    if max(len(ours), len(theirs)) > 1:
        notes.append(f"{name}: of several faces, the one that is seen most; --face says another")
    yield most[0], most[1]


def _timed(one: Coding, other: Coding, fps: float | None) -> Coding:
    """A sheet with numbers of frames alone gets times: those of the other's frames, or by rate."""
    if one.frames is None or one.frames.rows["timestamp"].notna().any():
        return one
    rows = one.frames.rows
    number = rows["frame"]
    known = (
        None if other.frames is None else other.frames.rows.dropna(subset=["frame", "timestamp"])
    )
    if known is not None and len(known):
        first = known["frame"].min()
        late = 1 if number.min() == 0 and first == 1 else 0  # one counts from 0, the other from 1
        times = known.drop_duplicates("frame").set_index("frame")["timestamp"]
        told = (number + late).map(times)
    elif fps is not None:
        told = (number - (0 if number.min() == 0 else 1)) / fps
    else:
        raise UserError(
            f"{one.name}: has numbers of frames and no times; give the rate of the video by --fps"
        )
    timed = one.frames._replace(rows=rows.assign(timestamp=told))
    return one._replace(frames=timed.take(np.flatnonzero(told.notna().to_numpy())))
