"""Measures of agreement between two codings, of sums over frames.

Cohen's kappa (1960); PABAK, which is kappa as if both codings had used yes and no equally often
(Byrt, Bishop and Carlin 1993); F1; and ICC(3,1) of intensities (Shrout and Fleiss 1979).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def kappa(counts: Array) -> Array:
    """Cohen's kappa; NaN where either coding is the same in all frames.

    Args:
        counts: (..., 4) frames: both say yes, the first alone, the second alone, neither.
    """
    both, first, second, neither = np.moveaxis(counts, -1, 0)
    frames = both + first + second + neither
    a, b = both + first, both + second
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = (both + neither) / frames
        chance = (a * b + (frames - a) * (frames - b)) / frames**2
        vary = (a > 0) & (a < frames) & (b > 0) & (b < frames)
        return np.where(vary, (observed - chance) / (1 - chance), np.nan)


def pabak(counts: Array) -> Array:
    """Prevalence-adjusted, bias-adjusted kappa, 2 p - 1 of the share p of equal frames."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = (counts[..., 0] + counts[..., 3]) / counts.sum(-1)
        return 2 * share - 1


def f1(counts: Array) -> Array:
    """F1 of frames; NaN where the second coding has none."""
    both, first, second, _ = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(both + second > 0, 2 * both / (2 * both + first + second), np.nan)


def icc(sums: Array) -> Array:
    """ICC(3,1) of two codings, 2 cov(x, y) / (var(x) + var(y)); NaN where either does not vary.

    Args:
        sums: (..., 6) over frames of 1, x, y, x^2, y^2, xy.
    """
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        square_x, square_y = xx - x * x / n, yy - y * y / n
        varies = (square_x > 1e-9 * xx) & (square_y > 1e-9 * yy)
        return np.where(varies, 2 * (xy - x * y / n) / (square_x + square_y), np.nan)
