"""Effect sizes: differences of means in standard deviations, with exact intervals."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Effect(NamedTuple):
    """Hedges' g of A variables; positive where the first group has more.

    Attributes:
        g: (A,), NaN where there are too few values, or nothing varies.
        low: (A,) lower end of its confidence interval.
        high: (A,) upper end.
    """

    g: Array
    low: Array
    high: Array


def hedges(first: Array, second: Array, confidence: float = 0.95) -> Effect:
    r"""Difference of two means in standard deviations, without the bias of small samples.

    With the pooled standard deviation s, :math:`d = (\bar x_1 - \bar x_2) / s` and
    :math:`g = J d`, :math:`J = \Gamma(m/2) / (\sqrt{m/2}\,\Gamma((m-1)/2))`, m = n1 + n2 - 2
    (Hedges 1981, equations 6d and 6e). The interval is exact for normal values of equal variance:
    the noncentralities of t between which the t that was found is not improbable (Steiger and
    Fouladi 1997; Cumming and Finch 2001), times :math:`\sqrt{1/n_1 + 1/n_2}`. It holds the effect
    in the population, and is not shrunk by J, which would make it miss that effect too often.

    Args:
        first: (N1, A) values of the units of the first group, NaN where there is none.
        second: (N2, A).
        confidence: how often intervals hold the effect, 0 to 1.
    """
    n1, n2 = (np.isfinite(group).sum(axis=0) for group in (first, second))
    enough = (n1 > 1) & (n2 > 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean1, mean2 = np.nansum(first, axis=0) / n1, np.nansum(second, axis=0) / n2
        squares = np.nansum((first - mean1) ** 2, axis=0) + np.nansum((second - mean2) ** 2, axis=0)
        freedom = np.where(enough, n1 + n2 - 2, 2).astype(float)
        spread = np.sqrt(squares / freedom)
        width = np.sqrt(1 / n1 + 1 / n2)
    scale = np.maximum(np.abs(mean1), np.abs(mean2))
    spread = np.where(enough, spread, 0.0)
    return _effect(mean1 - mean2, spread, scale, freedom, width, confidence)


def hedges_paired(first: Array, second: Array, confidence: float = 0.95) -> Effect:
    r"""Mean of differences within units, in standard deviations of these differences.

    With the mean and standard deviation s of the n differences, :math:`g = J \bar x / s`,
    m = n - 1, and its interval as in `hedges`, times :math:`1 / \sqrt n` (Cumming and Finch 2001).
    It is what Lakens (2013) calls d_z, without its bias, and larger than `hedges` of the same
    values where units that have more of the first have more of the second too.

    Args:
        first: (N, A) values of N units, NaN where there is none.
        second: (N, A) of the same units.
        confidence: how often intervals hold the effect, 0 to 1.
    """
    between = first - second
    n = np.isfinite(between).sum(axis=0)
    enough = n > 2  # of two, the mean of d over samples is infinite
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(between, axis=0) / n
        freedom = np.where(enough, n - 1, 2).astype(float)
        spread = np.sqrt(np.nansum((between - mean) ** 2, axis=0) / freedom)
        width = 1 / np.sqrt(n)
    scale = np.nan_to_num(np.maximum(np.abs(first), np.abs(second))).max(axis=0, initial=0.0)
    return _effect(mean, np.where(enough, spread, 0.0), scale, freedom, width, confidence)


def _effect(
    mean: Array, spread: Array, scale: Array, freedom: Array, width: Array, confidence: float
) -> Effect:
    """Effect of differences with their standard deviation, of values of about this scale."""
    from scipy.special import gammaln, nctdtrinc  # which pages without groups do without

    with np.errstate(invalid="ignore", divide="ignore"):
        varies = spread > 1e-9 * scale  # what only differs by rounding does not
        d = np.where(varies, mean / spread, np.nan)
        t = np.where(varies, d / width, 0.0)
    correction = np.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / np.sqrt(freedom / 2)
    tails = ((1 + confidence) / 2, (1 - confidence) / 2)
    ends = [np.where(varies, nctdtrinc(freedom, p, t), np.nan) for p in tails]
    return Effect(correction * d, *(width * end for end in ends))
