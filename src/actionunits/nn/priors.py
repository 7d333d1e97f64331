"""Which AUs go together, known before anything is learned: by FACS, or by training labels."""

import torch
from torch import Tensor

from actionunits.aus import AUSet
from actionunits.types import LabelStats

# AUs of the emotions' prototypes and of their main variants in FACS.
PROTOTYPES = {
    "happiness": (6, 12, 25),
    "sadness": (1, 4, 6, 15, 17),
    "surprise": (1, 2, 5, 25, 26),
    "fear": (1, 2, 4, 5, 7, 20, 25, 26),
    "anger": (4, 5, 7, 10, 17, 23, 24),
    "disgust": (9, 10, 15, 17),
}
LIKELY = 0.5


def facs_links(aus: AUSet) -> Tensor:
    """AUs (A, A) bool that are in the prototype of one emotion; symmetric."""
    member = torch.tensor([[n in p for p in PROTOTYPES.values()] for n in aus.numbers]).float()
    return member @ member.T > 0


def statistical_links(stats: LabelStats) -> Tensor:
    """AUs (A, A) bool of which either one is likely where the other occurs; symmetric.

    Likely is a conditional probability P(i | j) above one half. P(i and j) follows from the share
    of frames where both labels are the same, ``1 - r_i - r_j + 2 P(i and j)``.
    """
    rate = stats.rate
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
