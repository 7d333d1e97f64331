"""What a run will take, from a sample of its inputs.

Some inputs are read for a moment each: how long that takes a frame, how many frames they have,
what is written. Pictures and videos are told apart, since ten thousand of the ones say nothing of
the others. Within a kind, cost grows with the size of the file, which is known of all; so a line
through the sample estimates the others (a regression estimator, Cochran, Sampling Techniques,
chapter 7). The interval is that of 95 % by Student's t; it tells what the sample leaves open, not
how busy the machines will be.
"""

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from actionunits import media
from actionunits.detect import tables
from actionunits.detect.predict import Predictor
from actionunits.errors import UserError
from actionunits.scale import parts
from actionunits.scale.manifest import Item, is_picture, items

MOMENT = 48
"""Frames of a video that are read of the sample: four searches."""
_T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)  # of 1 to 10 degrees
_T95_MANY = 2.1
QUANTITIES = ["seconds", "frames", "rows", "faces", "size"]


class Probe(NamedTuple):
    """What one input of the sample will take."""

    item: Item
    seconds: float  # of a worker of one thread
    frames: float
    rows: float
    faces: float  # a frame, on average
    size: float  # bytes of its part
    duration: float = 0.0  # seconds; 0 of a picture
    width: int = 0  # pixels
    height: int = 0


@dataclass
class Estimate:
    """A quantity of all inputs, and between what it is by 19 in 20 chances."""

    mean: float
    low: float
    high: float

    def times(self, factor: float) -> "Estimate":
        """In another unit."""
        return Estimate(self.mean * factor, self.low * factor, self.high * factor)


def sample(inputs: pd.DataFrame, count: int, seed: int = 0) -> list[Item]:
    """Inputs by chance: of pictures and of videos as many each, or all there are.

    Args:
        inputs: as `manifest.read` gives them.
        count: of each kind.
        seed: same seed, same sample.
    """
    kinds = inputs.groupby(inputs["path"].map(is_picture), sort=False)
    chosen = [part.sample(min(count, len(part)), random_state=seed) for _, part in kinds]
    return [item for part in chosen for item in items(part)]


def probe(predictor: Predictor, item: Item, path: str) -> Probe:
    """Read a moment of an input, from its beginning, and carry it to all of it.

    Args:
        predictor: reads it, in as many threads as a worker will have.
        item: the input.
        path: its file on this machine.

    Raises:
        UserError: it cannot be read.
    """
    begun = time.perf_counter()
    problems: list[UserError] = []
    frames = faces = 0
    first, rows = None, tables.Rows(predictor.aus)
    span = media.Span(item.start, item.end) if not is_picture(item.path) else media.WHOLE
    with closing(predictor.readings([path], problems.append, (), span)) as readings:
        opened = 0.0
        for reading in islice(readings, MOMENT):
            if first is None:
                first, opened = reading.frame, time.perf_counter() - begun
            frames += 1
            faces += len(reading.faces)
            rows.add(reading)
        last = reading.frame if first is not None else None
        seconds = time.perf_counter() - begun
    if first is None or last is None:
        raise problems[0] if problems else UserError(f"{path}: holds no frame")
    height, width = first.image.shape[:2]
    shown = min(media.duration(path), np.inf if item.end is None else item.end) - item.start
    apart = (last.seconds - first.seconds) / (frames - 1) if frames > 1 else 0.0
    share = max(shown / apart / frames, 1.0) if apart and shown > 0 else 1.0
    reading_cost = (seconds - opened) * frames / max(frames - 1, 1)
    cost = opened + reading_cost * share if frames > 1 else seconds
    return Probe(
        *(item, cost, frames * share, len(rows) * share, faces / frames),
        *(_size(rows.table()) * share, max(shown, 0.0), width, height),
    )


def estimate(inputs: pd.DataFrame, probes: Sequence[Probe]) -> Mapping[str, Estimate]:
    """What all inputs will take.

    Args:
        inputs: as `manifest.read` gives them, N.
        probes: of a sample of them, at least one of each kind.

    Returns:
        `QUANTITIES`, in the unit of a `Probe`, summed over the inputs; faces a frame.
    """
    told = {}
    for quantity in ("seconds", "frames", "rows", "size"):
        total = spread = 0.0
        least = 0.0
        for values, sizes, of in _kinds(inputs, probes, quantity):
            mean, variance = _regressed(values, sizes, of)
            total += mean
            spread += variance
            least += values.sum()
        half = float(np.sqrt(spread))
        told[quantity] = Estimate(total, max(total - half, least), total + half)
    frames = sum(each.frames for each in probes)
    faces = sum(each.faces * each.frames for each in probes) / max(frames, 1.0)
    told["faces"] = Estimate(faces, faces, faces)
    return told


def _kinds(
    inputs: pd.DataFrame, probes: Sequence[Probe], quantity: str
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Of pictures and of videos: values and sizes of the sample, and sizes of all."""
    still = inputs["path"].map(is_picture).to_numpy(bool)
    sizes = inputs["size"].to_numpy(float)
    for kind in (True, False):
        mine = [each for each in probes if is_picture(each.item.path) == kind]
        if mine:
            values = np.array([getattr(each, quantity) for each in mine], float)
            yield values, np.array([e.item.size for e in mine], float), sizes[still == kind]


def _regressed(
    values: NDArray[np.float64], sizes: NDArray[np.float64], of: NDArray[np.float64]
) -> tuple[float, float]:
    """Total of all by their sizes, and the square of half of its interval."""
    count, everything = len(values), len(of)
    if count >= everything:
        return float(values.sum()), 0.0
    centred = sizes - sizes.mean()
    length = float(centred @ centred)
    has_slope = count > 2 and length > 0
    slope = centred / length if has_slope else np.zeros(count)
    weights = 1 / count + (of.mean() - sizes.mean()) * slope
    if weights @ values <= 0:  # a line far beyond its points
        has_slope, slope, weights = False, np.zeros(count), np.full(count, 1 / count)
    mean, free = float(weights @ values), count - 1 - has_slope
    if free < 1:
        return everything * mean, (everything * mean) ** 2
    left = values - values.mean() - centred * (slope @ values)
    # Costs scatter more among large files: HC3 of MacKinnon and White (1985) takes that in.
    held = 1 - 1 / count - centred * slope
    variance = float(np.sum((weights * left / held) ** 2)) * (1 - count / everything)
    t = _T95[free - 1] if free <= len(_T95) else _T95_MANY
    return everything * mean, (everything * t) ** 2 * variance


def _size(table: pd.DataFrame) -> int:
    """Bytes of rows in a part, without its footer."""
    told = pa.Table.from_pandas(
        table, parts.schema([str(name) for name in table]), preserve_index=False
    )
    sizes = []
    for each in (told, told[:0]):
        file = io.BytesIO()
        pq.write_table(each, file)
        sizes.append(file.tell())
    return sizes[0] - sizes[1]


def probed(
    predictor: Predictor,
    chosen: Sequence[Item],
    at_hand: Callable[[Item], str],
    report: Callable[[UserError], None],
) -> Iterator[Probe]:
    """Probes of a sample; inputs that cannot be read are reported and left out.

    Args:
        predictor: reads them.
        chosen: the sample.
        at_hand: path of an input on this machine.
        report: is told of those that cannot be read.
    """
    for item in chosen:
        try:
            yield probe(predictor, item, at_hand(item))
        except UserError as error:
            report(error)
        except OSError as error:
            report(UserError(f"{item.path}: cannot be fetched: {error}; left out of the sample"))
