"""A person's rest: what a face shows of AUs when it does nothing, and how much more it shows then.

Networks read single pictures, so that low brows at rest are read as some AU4, whoever has them.
The rest of a face is taken from a picture of it, or from the film itself: per AU the intensity that
one frame in ten does not exceed. Some people smile all through a film. So what a film says of rest
is believed up to `MOST` only, the end of level A: what is more is an expression that never ended.

What is above rest is smoothed by the median of three frames. That takes single frames out and moves
no onset: a step stays where it is.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.aus import AUSet
from actionunits.files import atomic

MOST = 1.5
"""Largest intensity that a film is believed to be of somebody's rest."""
LEAST = 10
"""Frames of a face from which its rest can be told."""
_SHARE = 0.1  # of the frames, that rest or nearly so
_LARGEST = 5.0
_STEP = 0.02  # of intensity, to which rests are told at constant memory
_CHUNK = 4096  # rows

Key = tuple[str, str]
"""Input and face."""


class Neutral(NamedTuple):
    """Whose rest intensities are compared with."""

    rest: NDArray[np.floating] | None = None  # (A,) off a picture; None: of each face in its film


def above(intensity: NDArray[np.floating], rest: NDArray[np.floating]) -> NDArray[np.floating]:
    """Intensities above rest: 0 at rest, and 5 where the intensity is 5.

    Args:
        intensity: (..., A) on 0..5.
        rest: (..., A) below 5.

    Returns:
        (..., A) on 0..5.
    """
    room = np.maximum(_LARGEST - rest, _STEP)
    more: NDArray[np.floating] = np.clip((intensity - rest) / room, 0, 1) * _LARGEST
    return more


class _Seen:
    """How often each intensity was read off a face."""

    def __init__(self, aus: int) -> None:
        self._counts = np.zeros((aus, round(_LARGEST / _STEP) + 1), np.int64)

    def add(self, intensity: NDArray[np.floating]) -> None:
        """Take in (T, A) frames."""
        places = np.clip(np.rint(intensity / _STEP), 0, self._counts.shape[1] - 1).astype(np.int64)
        np.add.at(self._counts, (np.arange(places.shape[1])[None], places), 1)

    def rest(self) -> NDArray[np.floating] | None:
        """(A,) rest; None of a face that was seen too shortly."""
        frames = int(self._counts[0].sum())
        if frames < LEAST:
            return None
        reached = self._counts.cumsum(1) >= np.ceil(_SHARE * frames)
        rest: NDArray[np.floating] = np.minimum(reached.argmax(1) * _STEP, MOST)
        return rest


def rest_of(intensity: NDArray[np.floating]) -> NDArray[np.floating] | None:
    """Rest of a face in a film.

    Args:
        intensity: (T, A) on 0..5.

    Returns:
        (A,) to 0.02 and at most `MOST`; None where there are fewer than `LEAST` frames.
    """
    seen = _Seen(intensity.shape[1])
    seen.add(intensity)
    return seen.rest()


def corrected(table: pd.DataFrame, aus: AUSet, neutral: Neutral) -> pd.DataFrame:
    """Table with the columns ``AU12_n`` filled: intensities above rest.

    They stay empty where a face is seen in fewer than `LEAST` frames, as in single pictures, unless
    the rest is known, and where there is no intensity.

    Args:
        table: of `tables.Rows`, all rows of the inputs in it.
        aus: its label axis.
        neutral: whose rest.
    """
    rests = dict(_rests(iter([table]), aus)) if neutral.rest is None else {}
    return _smoothed(_filled(table, aus, neutral, rests), aus)


def fill(part: Path, aus: AUSet, neutral: Neutral) -> None:
    """Fill those columns in a CSV file that has all its rows, at constant memory.

    Args:
        part: the file; all other cells stay as they are.
        aus: label axis of its rows.
        neutral: whose rest.

    Raises:
        OSError: the file cannot be written anew.
    """
    rests = dict(_rests(_chunks(part), aus)) if neutral.rest is None else {}
    with atomic(part) as temporary, temporary.open("wb") as file:
        header = True
        for rows in _with_neighbours(_filled(c, aus, neutral, rests) for c in _chunks(part)):
            known = rows.known.iloc[rows.wanted]
            done = _smoothed(rows.known, aus).iloc[rows.wanted] if len(known) else known
            file.write(done.to_csv(index=False, header=header, lineterminator="\n").encode())
            header = False
        file.flush()
        os.fsync(file.fileno())


class _Part(NamedTuple):
    """Rows that follow each other, and which of them have all their neighbours among them."""

    known: pd.DataFrame
    wanted: slice


def _with_neighbours(chunks: Iterator[pd.DataFrame]) -> Iterator[_Part]:
    """Chunks with the frame before each and without their last frame, which the next one has."""
    held, told = pd.DataFrame(), 0  # rows, of which so many have been handed out
    for chunk in chunks:
        known = pd.concat([held, chunk], ignore_index=True)
        frames = (known[["input", "frame"]] != known[["input", "frame"]].shift()).any(axis=1)
        starts = [0, 0, *np.flatnonzero(frames)]
        yield _Part(known, slice(told, starts[-1]))
        held, told = known.iloc[starts[-2] :], starts[-1] - starts[-2]
    yield _Part(held.reset_index(drop=True), slice(told, None))


def _smoothed(table: pd.DataFrame, aus: AUSet) -> pd.DataFrame:
    """Median of each face's frame, the one before and the one after, where there are such."""
    names = [f"{column}_n" for column in aus.columns()]
    numbers = table[["input", "face_id"]].assign(frame=pd.to_numeric(table["frame"]))
    of_faces = table[names].groupby([table["input"], table["face_id"]], dropna=False)
    frames = numbers.groupby(["input", "face_id"], dropna=False)["frame"]
    around = [table[names].to_numpy(np.float64)]
    for step in (1, -1):
        beside = of_faces.shift(step).to_numpy(np.float64)
        is_next = (numbers["frame"] - frames.shift(step)).to_numpy() == step
        usable = is_next[:, None] & ~np.isnan(beside)
        around.append(np.where(usable, beside, around[0]))
    values = np.median(around, axis=0)
    return table.assign(**dict(zip(names, values.T, strict=True)))


def _chunks(part: Path) -> Iterator[pd.DataFrame]:
    yield from pd.read_csv(part, dtype=str, keep_default_na=False, chunksize=_CHUNK)


def _rests(
    chunks: Iterator[pd.DataFrame], aus: AUSet
) -> Iterator[tuple[Key, NDArray[np.floating]]]:
    """Rest of each face that is seen long enough; the rows of an input stand together."""
    seen: dict[Key, _Seen] = {}
    last = ""
    for chunk in chunks:
        good = chunk[(chunk["success"].astype(str) == "1") & _told(chunk, aus)]
        for (name, face), rows in good.groupby(["input", "face_id"], sort=False):
            key = str(name), str(face)
            if key[0] != last:
                yield from _told_of(seen)
                seen, last = {}, key[0]
            seen.setdefault(key, _Seen(len(aus))).add(_intensity(rows, aus))
    yield from _told_of(seen)


def _told_of(seen: dict[Key, _Seen]) -> Iterator[tuple[Key, NDArray[np.floating]]]:
    for key, each in seen.items():
        rest = each.rest()
        if rest is not None:
            yield key, rest


def _filled(
    table: pd.DataFrame, aus: AUSet, neutral: Neutral, rests: dict[Key, NDArray[np.floating]]
) -> pd.DataFrame:
    intensity = _intensity(table, aus)
    if neutral.rest is None:
        unknown = np.full(len(aus), np.nan)
        faces = zip(table["input"], table["face_id"].astype(str), strict=True)
        rest = np.array([rests.get(key, unknown) for key in faces]).reshape(-1, len(aus))
    else:
        rest = np.broadcast_to(neutral.rest, intensity.shape)
    values = above(intensity, rest).round(3)
    names = [f"{column}_n" for column in aus.columns()]
    return table.assign(**dict(zip(names, values.T, strict=True)))


def _told(table: pd.DataFrame, aus: AUSet) -> pd.Series:
    first = table[f"{aus.columns()[0]}_r"]
    return first.notna() & (first.astype(str) != "")


def _intensity(table: pd.DataFrame, aus: AUSet) -> NDArray[np.floating]:
    columns = table[[f"{column}_r" for column in aus.columns()]]
    values: NDArray[np.floating] = columns.apply(pd.to_numeric).to_numpy(np.float64)
    return values
