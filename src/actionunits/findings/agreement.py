"""How far two codings agree, AU by AU, frame by frame and event by event.

The measures are those that papers on FACS and on observation report: those of `measures`, and
precision, recall and F1 of events. A measure that is not defined is NaN, and the column ``why``
says why.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.errors import UserError
from actionunits.files.lists import columns, filled
from actionunits.files.names import listed
from actionunits.findings.codes.stretches import stem
from actionunits.findings.events import events
from actionunits.findings.frames import KEY
from actionunits.findings.matching import matched
from actionunits.findings.measures import Array, f1, icc, kappa, pabak
from actionunits.findings.pairing import Aligned

MEAN = "mean"
"""What stands for an AU in the row of means over AUs."""
MEASURES = ("kappa", "pabak", "f1", "icc", "precision", "recall", "event_f1")
"""That have intervals, ``kappa_low`` and ``kappa_high``."""

_FEW = 5  # units, of fewer of which a bootstrap tells nothing
_MANY = 20  # units, from which on intervals hold what they should nearly as often as they should
_LEVEL = (0.025, 0.975)


class Agreement(NamedTuple):
    """Agreement of two codings.

    Attributes:
        table: a row an AU, and last their mean. ``frames`` that both coded, ``first`` and
            ``second``: share of them in which it occurs, ``agree``: in which both say the same;
            `MEASURES`; ``events_first``, ``events_second``, ``matched``: numbers of events;
            ``why`` a measure is missing, or tells little.
        units: what was drawn for the intervals, in words.
        caution: what to beware of with these, in words.
    """

    table: pd.DataFrame
    units: str
    caution: str


def agreement(
    both: Aligned,
    *,
    tolerance: float = 0.5,
    gap: float = 0.2,
    shortest: float = 0.1,
    block: float = 10.0,
    people: dict[str, str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Measure agreement; the second coding is what the first should be.

    Two events are the same if they overlap, or if their onsets are at most `tolerance` apart; each
    is matched once, see `matches`. Precision is the share of the first coding's events that are
    matched, recall that of the second's. The intervals are of 95 %, by the percentiles of bootstrap
    resamples of persons or videos, or of pieces of time where there are fewer than 5 of those,
    since frames and events of one are not independent.

    Args:
        both: the codings.
        tolerance: seconds, .5 as the widest of Sayette et al. (2001).
        gap: of events, see `events`.
        shortest: of events of the first coding; those of the second are taken as they are.
        block: seconds of a piece.
        people: by video, who is in it.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UserError: `people` lacks a video.
    """
    known = both.first.present.notna() & both.second.present.notna()
    first = both.first._replace(present=both.first.present.where(known))
    second = both.second._replace(present=both.second.present.where(known))
    rows = first.rows
    person = rows["input"] if people is None else rows["input"].map(people)
    if people is not None and person.isna().any():
        unnamed = listed(list(rows.loc[person.isna(), "input"].unique()))
        raise UserError(f"people: expected a line for each video, found none for {unnamed}")
    whole = person.nunique() >= _FEW
    piece = "" if whole else (rows["timestamp"] // block).astype(int).astype(str)
    unit, names = pd.factorize(person + "\n" + piece)
    counts = _sums(_cells(first.present, second.present), unit, len(names))
    graded = first.graded and second.graded
    grades = _sums(
        _products(first.strength.where(known), second.strength.where(known)), unit, len(names)
    )
    grades = grades if graded else np.full_like(grades, np.nan)
    found = [
        events(first, gap=gap, shortest=shortest),
        events(second, gap=gap, shortest=0.0),
    ]
    hits = matched(found[0], found[1], tolerance)
    columns = list(first.present.columns)
    numbers = [
        _by_unit(each, hit, rows, unit, len(names), columns)
        for each, hit in zip(found, hits, strict=True)
    ]
    happened = np.concatenate(numbers, axis=-1)  # (U, A, 4): events and matched, of each
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    table = pd.DataFrame({"AU": [*columns, MEAN]})
    total = counts.sum(0)
    frames = total.sum(-1)
    table["frames"] = pd.array([*frames.astype(int), pd.NA], dtype="Int64")
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [total[:, [0, 1]].sum(-1) / frames, total[:, [0, 2]].sum(-1) / frames]
        agree = total[:, [0, 3]].sum(-1) / frames
    for name, values in (("first", shares[0]), ("second", shares[1]), ("agree", agree)):
        table[name] = np.append(values, np.nan)
    whole_scores = _scores(counts.sum(0), grades.sum(0), happened.sum(0))
    samples = _scores(*(np.einsum("ru,uak->rak", drawn, s) for s in (counts, grades, happened)))
    for name in MEASURES:
        value = np.append(whole_scores[name], _mean(whole_scores[name]))
        sample = np.concatenate([samples[name], _mean(samples[name])[:, None]], axis=1)
        low, high = _interval(sample, value, len(names))
        table[name], table[f"{name}_low"], table[f"{name}_high"] = value, low, high
    happenings = happened.sum(0).astype(int)
    for name, place in (("events_first", 0), ("events_second", 2), ("matched", 1)):
        table[name] = pd.array([*happenings[:, place], pd.NA], dtype="Int64")
    table["why"] = [*_why(total, graded, whole_scores["icc"]), ""]
    what = ("persons" if people else "videos") if whole else f"pieces of {block:g} seconds"
    caution = (
        f"of fewer than {_MANY} it is too narrow"
        if whole and len(names) < _MANY
        else "it holds for people like these"
        if whole
        else "it tells nothing of other people"
    )
    return Agreement(table, f"{len(names)} {what}", caution)


def _cells(first: pd.DataFrame, second: pd.DataFrame) -> Array:
    """What each frame adds, (N, A, 4): both, the first alone, the second alone, neither."""
    a, b = first.to_numpy(float), second.to_numpy(float)
    known = ~np.isnan(a)
    yes, true = a == 1, b == 1
    cells = [yes & true, yes & ~true, ~yes & true, ~yes & ~true]
    return np.stack([cell & known for cell in cells], -1).astype(float)


def _products(first: pd.DataFrame, second: pd.DataFrame) -> Array:
    """Likewise of intensities, (N, A, 6): 1, x, y, x^2, y^2, xy; y is of the second."""
    x, y = first.to_numpy(float), second.to_numpy(float)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = np.where(known, x, 0), np.where(known, y, 0)
    return np.stack([known.astype(float), x, y, x * x, y * y, x * y], -1)


def _sums(terms: Array, unit: NDArray[np.intp], units: int) -> Array:
    """Sums of (N, A, K) terms of frames over those of each unit, (U, A, K)."""
    sums = np.zeros((units, *terms.shape[1:]))
    np.add.at(sums, unit, terms)
    return sums


def _by_unit(
    found: pd.DataFrame,
    hit: NDArray[np.bool_],
    rows: pd.DataFrame,
    unit: NDArray[np.intp],
    units: int,
    columns: list[str],
) -> Array:
    """Events, and how many of them are matched, of each unit and AU, (U, A, 2)."""
    numbers = np.zeros((units, len(columns), 2))
    if found.empty:
        return numbers
    frames = rows[[*KEY, "timestamp"]].assign(unit=unit).drop_duplicates([*KEY, "timestamp"])
    at = found.rename(columns={"onset": "timestamp"}).merge(frames, on=[*KEY, "timestamp"])
    au = at["AU"].map({name: place for place, name in enumerate(columns)}).to_numpy(int)
    np.add.at(numbers, (at["unit"].to_numpy(int), au), np.stack([np.ones(len(hit)), hit], -1))
    return numbers


def _scores(counts: Array, grades: Array, happened: Array) -> dict[str, Array]:
    """All measures of sums (..., A, K), each (..., A)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = happened[..., 1] / happened[..., 0]
        recall = happened[..., 3] / happened[..., 2]
        event_f1 = happened[..., [1, 3]].sum(-1) / happened[..., [0, 2]].sum(-1)
        return {
            "kappa": kappa(counts),
            "pabak": pabak(counts),
            "f1": f1(counts),
            "icc": icc(grades),
            "precision": precision,
            "recall": recall,
            "event_f1": event_f1,
        }


def _mean(values: Array) -> Array:
    """Mean over the AUs (last axis) that have a value."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(known, values, 0).sum(-1) / known.sum(-1)
        return mean


def _interval(samples: Array, value: Array, units: int) -> tuple[Array, Array]:
    """Ends of intervals of (R, A) samples; NaN of few units or scores, or of no spread."""
    scored = (~np.isnan(samples)).mean(0) > 0.5
    tell = scored & ~np.isnan(value) & (units >= _FEW)
    ends = np.full((2, len(value)), np.nan)
    if tell.any():
        ends[:, tell] = np.nanquantile(samples[:, tell], _LEVEL, axis=0)
    varies = ends[0] < ends[1]  # what is the same in all resamples is not certain, but not told
    return np.where(varies, ends[0], np.nan), np.where(varies, ends[1], np.nan)


def _why(counts: Array, graded: bool, iccs: Array) -> list[str]:
    reasons = []
    for (both, first, second, neither), value in zip(counts, iccs, strict=True):
        frames = both + first + second + neither
        told = []
        if frames == 0:
            told.append("no frame that both coded")
        else:
            for who, times in (("first", both + first), ("second", both + second)):
                if times in (0, frames):
                    told.append(f"the {who} shows it {'never' if times == 0 else 'always'}")
            if graded and np.isnan(value) and not told:
                told.append("an intensity does not vary")
        reasons.append("; ".join(told))
    return reasons


def read_people(path: Path) -> dict[str, str]:
    """Who is in each video.

    Args:
        path: CSV with ``input``, the video or its name without suffix, and ``person``.

    Raises:
        DataError: it cannot be read, lacks a column, or a cell is empty.
    """
    table = filled(path, columns(path, "input", "person"))
    stems = table["input"].map(stem)
    return dict(zip(stems, table["person"], strict=True))
