"""Scores of faces as a whole: their landmarks, and how similar their expressions are."""

import torch
from torch import Tensor
from torchmetrics import Metric

from actionunits.learn.metrics import MAE
from actionunits.losses import landmark_distance
from actionunits.types import Besides

FAILURE = 10.0  # per cent of the inter-ocular distance


class LandmarkError(MAE):
    """Mean error of the landmarks and share of failed faces, (2,) in per cent; NaN without a face.

    The error of a face is the mean distance of its predicted landmarks from the true ones over its
    inter-ocular distance (MGRR-Net's Table VIII); above `FAILURE` it has failed. Both are means
    over faces of a number that is 0 at best: absolute errors. A face without true landmarks (NaN)
    is left out.

    Args:
        subjects: number of subjects, S; `update` tells them apart by their index.
    """

    def __init__(self, subjects: int = 1) -> None:
        super().__init__(2, subjects)

    def update(
        self, predicted: Tensor, target: Tensor, known: Tensor, subject: Tensor | None = None
    ) -> None:
        """Take in a batch.

        Args:
            predicted: (..., 49, 2) x, y, in pixels of any picture.
            target: (..., 49, 2) in the same; NaN for a face without landmarks.
            known: (...) bool, False for a face that does not count.
            subject: (...) index of each face's subject, 0..S-1; None means subject 0.
        """
        predicted, target = predicted.double(), target.double()
        error = 100 * landmark_distance(predicted, target)
        both = torch.stack([error, 100 * (error > FAILURE).double()], -1)
        seen = known & target.isfinite().all(-1).all(-1)
        seen = seen.unsqueeze(-1).expand_as(both)
        super().update(both, torch.zeros_like(both), seen, subject)


BESIDES = ("yaw", "pitch", "roll", "gaze_yaw", "gaze_pitch", "sides")


class BesidesError(MAE):
    """Mean absolute errors of what a face shows besides its AUs, (6,) as `BESIDES` names them.

    Angles are in degrees; ``sides`` is of what the right has more of an AU than the left, 0 to 5,
    and a mean over the AUs. NaN where nothing is known.

    Args:
        subjects: number of subjects, S; `update` tells them apart by their index.
    """

    def __init__(self, subjects: int = 1) -> None:
        super().__init__(len(BESIDES), subjects)

    def update_besides(
        self, predicted: Besides, target: Besides, known: Tensor, subject: Tensor
    ) -> None:
        """Take in a batch.

        Args:
            predicted: of the model.
            target: NaN where it is not known.
            known: (...) bool, False for a face that does not count.
            subject: (...) index of each face's subject, 0..S-1.
        """
        errors = [
            predicted.pose - target.pose,
            predicted.gaze - target.gaze,
            (predicted.sides - target.sides).diff(dim=-1).abs().squeeze(-1).mean(-1, keepdim=True),
        ]
        each = torch.cat([error.abs().double() for error in errors], -1)
        seen = known.unsqueeze(-1) & each.isfinite()
        self.update(each.nan_to_num(), torch.zeros_like(each), seen, subject)


class TripletAccuracy(Metric):
    """Share of the triplets of faces in which the similar pair is closer than both other pairs.

    Vemulapalli and Agarwala (CVPR 2019), *A Compact Embedding for Facial Expression Similarity*. A
    tie counts as wrong, as a constant embedding must not score. NaN without a triplet.

    >>> accuracy = TripletAccuracy()
    >>> accuracy.update(torch.tensor([[[0.0], [1.0], [3.0]], [[0.0], [1.0], [2.0]]]))
    >>> accuracy.compute().item()
    0.5

    Args:
        kinds: K, of triplets that are also scored apart; `update` tells them apart by index.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    counts: Tensor

    def __init__(self, kinds: int = 1) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(2, kinds, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, vectors: Tensor, kind: Tensor | None = None) -> None:
        """Take in a batch.

        Args:
            vectors: (B, 3, D) embeddings; the third is the odd one.
            kind: (B,) int64 index of each triplet's kind, 0..K-1; None means kind 0.
        """
        first, second, odd = vectors.float().unbind(1)
        similar = (first - second).square().sum(-1)
        others = torch.minimum((first - odd).square().sum(-1), (second - odd).square().sum(-1))
        if kind is None:
            kind = torch.zeros(len(vectors), dtype=torch.long, device=vectors.device)
        right = torch.stack([similar < others, torch.ones_like(kind, dtype=torch.bool)])
        self.counts.index_add_(1, kind, right.double())

    def compute(self) -> Tensor:
        """Share of all triplets, scalar float64."""
        share: Tensor = self.counts[0].sum() / self.counts[1].sum()
        return share

    def per_kind(self) -> Tensor:
        """Share of the triplets of each kind over all processes, (K,) float64."""
        with self.sync_context():
            shares: Tensor = self.counts[0] / self.counts[1]
        return shares
