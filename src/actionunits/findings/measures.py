"""Measures of agreement between two codings, of sums over frames.

Cohen's kappa (1960); PABAK, which is kappa as if both codings had used yes and no equally often
(Byrt, Bishop and Carlin 1993); F1; and ICC(3,1) of intensities (Shrout and Fleiss 1979).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def kappa(counts: Array) -> Array:
    """Cohen's kappa; NaN where both codings are the same in all frames, 0 where only one is.

    Args:
        counts: (..., 4) frames: both say yes, the first alone, the second alone, neither.
    """
    both, first, second, neither = np.moveaxis(counts, -1, 0)
    frames = both + first + second + neither
    a, b = both + first, both + second
    by_chance = a * b + (frames - a) * (frames - b)  # of frames**2, which is exact
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (frames * (both + neither) - by_chance) / (frames**2 - by_chance)
        return np.where(by_chance < frames**2, share, np.nan)


def pabak(counts: Array) -> Array:
    """Prevalence-adjusted, bias-adjusted kappa, 2 p - 1 of the share p of equal frames."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = (counts[..., 0] + counts[..., 3]) / counts.sum(-1)
        return 2 * share - 1


def f1(counts: Array) -> Array:
    """F1 of frames; NaN where neither coding has any."""
    both, first, second, _ = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * both / (2 * both + first + second))


def icc(sums: Array) -> Array:
    """ICC(3,1) of two codings, 2 cov(x, y) / (var(x) + var(y)); NaN where neither varies.

    Args:
        sums: (..., 6) over frames of 1, x, y, x^2, y^2, xy.
    """
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        varies = (xx - x * x / n) + (yy - y * y / n)
        return np.where(varies > 1e-9 * (xx + yy), 2 * (xy - x * y / n) / varies, np.nan)
