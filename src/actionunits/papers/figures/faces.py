"""Which faces a figure shows: those of the user's pictures and videos, or frames of a data set."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actionunits import datasets, media
from actionunits.aus import AUSet
from actionunits.data.faces import Faces
from actionunits.data.splits import train_test
from actionunits.data.table import FrameTable
from actionunits.detect.predict import Predictor
from actionunits.errors import DataError, UserError
from actionunits.faces.given import Aligned
from actionunits.faces.synface import SynFace
from actionunits.papers.figures.trained import Report, Trained

EMBEDDED = "synfacs"


class Strip(NamedTuple):
    """Consecutive frames of one face; a picture has one frame. N frames, M of them shown."""

    crops: Tensor  # (N, 3, size, size) uint8, as the model wants them
    shown: NDArray[np.int64]  # (M,) which of the N are shown, the others are their neighbours
    names: tuple[str, ...]  # (M)
    seconds: NDArray[np.floating]  # (M,) from the start of their source
    truth: NDArray[np.floating]  # (M, A) occurrence 0 or 1, NaN where it is not known


@dataclass(frozen=True)
class Choice:
    """What the user wants to see.

    Attributes:
        paths: pictures, videos, folders; with none, frames of a data set.
        aligned: the pictures are aligned faces already.
        frames: of each video, so many from its start are read.
        data: name of the data set.
        root: its file or folder, if not that of the run or the embedded one.
        fold: its test fold; None is that of the run.
        subject: only frames of this one.
        rows: frames to show of each video, or of the data set.
    """

    paths: tuple[str, ...] = ()
    aligned: bool = False
    frames: int = 300
    data: str = EMBEDDED
    root: str | None = None
    fold: int | None = None
    subject: str | None = None
    rows: int = 6


def varied(trained: Trained, choice: Choice, report: Report) -> Iterator[Strip]:
    """A few faces that differ: `rows` frames of each video or of the data set, all of pictures.

    Of a data set the first is the frame with most AUs, then each time the one whose AUs differ most
    from those that are chosen, of a person who is not chosen yet as long as there is one.

    Raises:
        UserError: there is no face to show; the first problem of those that were reported.
    """
    if choice.paths:
        yield from _of_files(trained, choice, report, choice.rows)
    else:
        table = _table(trained, choice)
        yield from _of_rows(trained, table, _differing(table, trained.aus, choice.rows))


def sequences(trained: Trained, choice: Choice, report: Report) -> Iterator[Strip]:
    """All that was read of pictures and videos, or one task of the data set: that of most AUs.

    Raises:
        UserError: there is no face to show; the first problem of those that were reported.
    """
    if choice.paths:
        yield from _of_files(trained, choice, report, None)
    else:
        table = _table(trained, choice)
        key = table.rows[["subject", "task"]]
        first = key.iloc[_differing(table, trained.aus, 1)[0]]
        yield from _of_rows(trained, table, np.flatnonzero((key == first).all(axis=1)))


def spread(trained: Trained, choice: Choice, limit: int) -> Iterator[Strip]:
    """At most `limit` frames of a data set, evenly spread over it.

    Raises:
        DataError: the data set cannot be read.
    """
    table = _table(trained, choice)
    yield from _of_rows(trained, table, _even(len(table), limit))


def _even(count: int, wanted: int | None) -> NDArray[np.int64]:
    """At most `wanted` of `count` positions, from the first to the last; all with None."""
    wanted = count if wanted is None else min(wanted, count)
    return np.linspace(0, count - 1, wanted).round().astype(np.int64)


def _of_files(
    trained: Trained, choice: Choice, report: Report, rows: int | None
) -> Iterator[Strip]:
    problems: list[UserError] = []

    def keep(problem: UserError) -> None:
        problems.append(problem)
        report(problem)

    detector = Aligned() if choice.aligned else SynFace()
    predictor = Predictor(
        trained.model,
        trained.aus,
        trained.thresholds,
        detector=detector,
        template=trained.card.template,
    )
    found = False
    for source in media.sources(choice.paths, keep):
        for strip in _of_source(predictor, source, choice.frames, rows, keep):
            found = True
            yield strip
    if not found:
        raise problems[0] if problems else UserError("there is no picture or video to show")


class _Sighting(NamedTuple):
    number: int
    seconds: float
    crop: Tensor  # (3, size, size)


def _of_source(
    predictor: Predictor, source: str, frames: int, rows: int | None, report: Report
) -> list[Strip]:
    """Every face of a picture, or the main one of a video, in a strip each time it is there."""
    before: list[UserError] = []

    def keep(problem: UserError) -> None:
        before.append(problem)
        report(problem)

    still = media.is_still(source)
    runs: list[list[_Sighting]] = []
    seen, last = 0, -2
    with closing(predictor.faces([source], keep)) as parts:
        for frame, faces, crops in parts:
            seen += 1
            for face, crop in zip(faces, crops, strict=True):
                if not still and face.track:
                    continue
                if still or frame.number != last + 1:
                    runs.append([])
                shown = torch.from_numpy(crop).permute(2, 0, 1)
                runs[-1].append(_Sighting(frame.number, frame.seconds, shown))
                last = frame.number
            if seen >= frames:
                break
    if not runs and not before:
        report(UserError(f"{source}: no face found, so it is left out of the figure"))
    return _strips(runs, Path(source).name, len(predictor.aus), still, rows)


def _strips(
    runs: list[list[_Sighting]], name: str, aus: int, still: bool, rows: int | None
) -> list[Strip]:
    lengths = [len(run) for run in runs]
    chosen = np.zeros(sum(lengths), dtype=bool)
    chosen[_even(len(chosen), None if still else rows)] = True
    strips = []
    for position, run in enumerate(runs):
        start = sum(lengths[:position])
        shown = np.flatnonzero(chosen[start : start + len(run)])
        if not len(shown):
            continue
        seconds = np.array([run[i].seconds for i in shown])
        face = f" face {position}" if still and len(runs) > 1 else ""
        names = [f"{name}{face}" if still else f"{name} {t:.2f} s" for t in seconds]
        unknown = np.full((len(shown), aus), np.nan)
        crops = torch.stack([sighting.crop for sighting in run])
        strips.append(Strip(crops, shown, tuple(names), seconds, unknown))
    return strips


def _table(trained: Trained, choice: Choice) -> FrameTable:
    """Frames that a figure of a data set is of: by default those that the run did not learn."""
    own = trained.card.recipe.data
    # Weights travel without the corpus that they learned from; the embedded one is then shown.
    there = choice.root or own.root is None or Path(own.root).exists()
    same = choice.data == own.name and bool(there)
    root, coding = (own.root, own.coding) if same else (None, None)
    table = datasets.load(choice.data, choice.root or root, coding)
    fold = choice.fold
    if fold is None and same:
        fold = trained.card.fold
    if fold is not None:
        table = train_test(table, fold)[1]
    if choice.subject is not None:
        mine = (table.rows["subject"] == choice.subject).to_numpy()
        if not mine.any():
            people = ", ".join(table.subjects())
            raise DataError(f"--subject: {choice.subject} is not among those to show: {people}")
        table = table.subset(mine)
    return table


def _truth(table: FrameTable, aus: AUSet) -> NDArray[np.float32]:
    """(N, A) occurrence; NaN for AUs that the data set does not code."""
    coded = AUSet(tuple(au for au in aus if au in table.aus.aus))
    truth = np.full((len(table), len(aus)), np.nan, np.float32)
    truth[:, [aus.index(n) for n in coded.numbers]] = table.select(coded).occurrence()
    return truth


def _differing(table: FrameTable, aus: AUSet, count: int) -> NDArray[np.int64]:
    occurs = np.nan_to_num(_truth(table, aus))
    people = table.rows["subject"].to_numpy()
    chosen = [int(occurs.sum(1).argmax())]
    apart = np.full(len(table), np.inf)
    new = np.ones(len(table), dtype=bool)
    for _ in range(min(count, len(table)) - 1):
        apart = np.minimum(apart, np.abs(occurs - occurs[chosen[-1]]).sum(1))
        apart[chosen[-1]] = -1
        new &= people != people[chosen[-1]]
        chosen.append(int((apart + (len(aus) + 1) * (new & (apart >= 0))).argmax()))
    return np.array(chosen)


def _of_rows(trained: Trained, table: FrameTable, chosen: NDArray[np.int64]) -> Iterator[Strip]:
    """Strips of chosen rows, with the neighbours that the model sees beside them."""
    spec, truth = trained.spec, _truth(table, trained.aus)
    context = spec.context
    order, run, first, last = _runs(table)
    at = np.flatnonzero(np.isin(order, chosen))
    needed = np.zeros(len(order), dtype=bool)
    around = at[:, None] + np.arange(-context, context + 1)
    needed[around.clip(first[at, None], last[at, None])] = True
    places = np.flatnonzero(needed)
    cuts = np.flatnonzero((np.diff(places) > 1) | (np.diff(run[places]) > 0)) + 1
    pictures = Faces(table.images, table.rows["image"].to_numpy(np.int64), spec.align)
    corner = (spec.align - spec.size) // 2
    inside = slice(corner, corner + spec.size)
    keys = table.rows[["subject", "task", "frame"]].astype(str).agg("/".join, axis=1)
    seconds = (table.rows["seconds"] if "seconds" in table.rows else table.rows["frame"]).to_numpy()
    for part in np.split(places, cuts):
        shown = np.flatnonzero(np.isin(part, at))
        rows = order[part[shown]]
        yield Strip(
            crops=pictures(order[part])[:, :, inside, inside],
            shown=shown,
            names=tuple(keys.iloc[rows]),
            seconds=seconds[rows].astype(float),
            truth=truth[rows],
        )


def _runs(table: FrameTable) -> tuple[NDArray[np.int64], ...]:
    """Rows in the order of time, and for each the number, first and last place of its run."""
    rows = table.rows[["subject", "task", "frame"]].reset_index(drop=True)
    rows = rows.sort_values(["subject", "task", "frame"])
    same = (rows[["subject", "task"]] == rows[["subject", "task"]].shift()).all(axis=1)
    starts = np.flatnonzero(~(same & (rows["frame"].diff() == 1)))
    ends = np.append(starts[1:], len(rows)) - 1
    run = np.repeat(np.arange(len(starts)), ends - starts + 1)
    return rows.index.to_numpy(), run, starts[run], ends[run]
