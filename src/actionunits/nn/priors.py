"""Which AUs go together, known before anything is learned: by FACS, or by training labels."""

from typing import Literal

import torch
from torch import Tensor

from actionunits.aus import AUSet
from actionunits.types import LabelStats

Statistic = Literal["correlation", "conditional"]

# Pairs of AUs that FACS describes as acting together. The first two rows are those among the AUs of
# BP4D that knowledge-driven AU recognition has used since; the others add the AUs outside it.
FACS_PAIRS = (
    *((1, 2), (4, 7), (4, 9), (7, 9), (6, 12)),
    *((9, 17), (15, 17), (15, 24), (17, 24), (23, 24)),
    *((1, 5), (2, 5)),  # brows and upper lids are raised together
    (7, 43),  # lids that are drawn together close
    (9, 10),  # two heads of one muscle
    *((10, 25), (12, 25), (20, 25), (25, 26)),  # each usually parts the lips
)
CORRELATED = 0.2  # Pearson correlation above which labels depend on each other
LIKELY = 0.5


def facs_links(aus: AUSet) -> Tensor:
    """AUs (A, A) bool that are one of `FACS_PAIRS`; symmetric.

    SACL takes its FACS graph (Table 7, Figure 6a) from a work whose table it does not print, and
    this is not that table. What the paper says of it holds: it lacks the pairs 1-15, 7-10, 1-17 and
    7-24 (section 4.4.1).
    """
    pairs = {*FACS_PAIRS, *((b, a) for a, b in FACS_PAIRS)}
    return torch.tensor([[(a, b) in pairs for b in aus.numbers] for a in aus.numbers])


def statistical_links(stats: LabelStats, statistic: Statistic = "correlation") -> Tensor:
    """AUs (A, A) bool that the training labels link; symmetric, its diagonal has no meaning.

    Args:
        stats: of the training rows.
        statistic: ``correlation``: the labels' Pearson correlation is above `CORRELATED`: 16 of the
            66 pairs of BP4D, 7-10 among them (.39), which the paper's statistics lacked.
            ``conditional``: P(i | j) > 1 / 2 for either one, as in AU-GCN: 39 pairs. That measures
            how common an AU is rather than dependence: with independent labels, an AU that occurs
            in more than half of the frames is linked to all others (AUs 7, 10 and 12 of BP4D).
    """
    if statistic == "correlation":
        return stats.correlation > CORRELATED
    rate = stats.rate
    # P(i and j) from the share of frames with the same label, 1 - r_i - r_j + 2 P(i and j)
    both = (stats.agreement + rate[:, None] + rate - 1) / 2
    likely = both > LIKELY * rate  # not divided by the rate, which may be 0
    return likely | likely.T


def between_regions(links: Tensor, of_au: Tensor, regions: int) -> Tensor:
    """Regions (R, R) bool that linked AUs show in; all regions of one AU are linked too.

    Args:
        links: (A, A) bool.
        of_au: (A, 2) int64, regions of each AU.
        regions: R.
    """
    aus = len(of_au)
    member = torch.zeros(regions, aus)
    member[of_au, torch.arange(aus)[:, None]] = 1
    return member @ (links | torch.eye(aus, dtype=torch.bool)).float() @ member.T > 0
