"""What a run will take, from a sample of its inputs.

Some inputs are read for a moment each: how long that takes a frame, how many frames they have,
what is written. Pictures and videos are told apart, since ten thousand of the ones say nothing of
the others. Within a kind, cost grows with the size of the file, which is known of all; so a line
through the sample estimates the others (a regression estimator, Cochran, Sampling Techniques,
chapter 7). The interval is that of 95 % by Student's t; it tells what the sample leaves open, not
how busy the machines will be.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.scale.manifest import Item, is_picture, items
from actionunits.scale.probe import Probe

_T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)  # of 1 to 10 degrees
_T95_MANY = 2.1
QUANTITIES = ["seconds", "frames", "rows", "faces", "size"]


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
