"""Pure loss functions, masked by `known`: what is not coded is never counted as absent."""

import torch
from torch import Tensor
from torch.nn import functional

from actionunits.aus import AUSet
from actionunits.errors import DataError

LEVELS = 6  # FACS intensity: 0 and A to E


def occurrence_cross_entropy(logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy of each AU, averaged over the frames where it is known.

    Args:
        logits: (..., A) before the sigmoid.
        labels: (..., A) 0. or 1.
        known: (..., A) bool.

    Returns:
        (A,); 0 for an AU that is known in no frame.
    """
    # In float32 whatever the network computed in: bfloat16 has too few digits for a sum.
    each = functional.binary_cross_entropy_with_logits(
        logits.float(), labels.float(), reduction="none"
    )
    return mean_where(each, known)


def intensity_cross_entropy(levels: Tensor, intensity: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy over the six FACS levels of each AU, averaged over its known frames.

    Args:
        levels: (..., A, 6) logits of the levels 0 to 5.
        intensity: (..., A) on 0..5, rounded half up to a level.
        known: (..., A) bool.

    Returns:
        (A,); 0 for an AU that is known in no frame.
    """
    target = (intensity + 0.5).floor().clamp(0, LEVELS - 1).long()
    each = functional.cross_entropy(levels.float().movedim(-1, 1), target, reduction="none")
    return mean_where(each, known)


def mean_where(values: Tensor, known: Tensor) -> Tensor:
    """Average (..., A) values over the leading axes where known: (A,), 0 where none is known."""
    values, known = values.flatten(0, -2), known.flatten(0, -2)
    return torch.where(known, values, 0.0).sum(0) / known.sum(0).clamp(min=1)


def balance_weights(aus: AUSet, rate: Tensor) -> Tensor:
    """Weight of each AU against imbalance: ``A (1 / r_i) / sum_j (1 / r_j)``, (A,) with mean 1.

    Args:
        aus: label axis.
        rate: (A,) share of the training frames in which the AU occurs.

    Raises:
        DataError: an AU never occurs, so that its weight would be infinite.
    """
    absent = [c for c, r in zip(aus.columns(), rate.tolist(), strict=True) if r <= 0]
    if absent:
        raise DataError(
            f"{', '.join(absent)} never occurs in the training rows, so that its weight in the "
            "loss would be infinite: leave it out (data.aus) or train on more subjects"
        )
    return len(rate) / rate / (1 / rate).sum()


def asymmetric_cross_entropy(
    logits: Tensor, labels: Tensor, known: Tensor, *, detach_factor: bool = False
) -> Tensor:
    """Cross-entropy whose negatives count by their own probability, averaged over known frames.

    ``-(y log p + (1 - y) p log(1 - p))``: SACL's Eq. (4) and MDHR's Eq. (10). Both take it from
    ME-GraphAU, whose release computes the factor p without a gradient; the print does not say so.
    The value is the same. A negative is pushed down by p^2 without, and by
    p^2 - p (1 - p) log(1 - p) with the factor's gradient: 1.7 times as hard at p = .5.

    Args:
        logits: (..., A) before the sigmoid.
        labels: (..., A) 0. or 1.
        known: (..., A) bool.
        detach_factor: the factor p is a constant weight, which no gradient goes through.

    Returns:
        (A,); 0 for an AU that is known in no frame.
    """
    logits, labels = logits.float(), labels.float()
    factor = logits.sigmoid()
    if detach_factor:
        factor = factor.detach()
    present = labels * functional.logsigmoid(logits)
    absent = (1 - labels) * factor * functional.logsigmoid(-logits)
    return mean_where(-(present + absent), known)


def dice(logits: Tensor, labels: Tensor, known: Tensor, epsilon: float = 1.0) -> Tensor:
    """Dice loss of each AU, averaged over the frames where it is known: SACL's Eq. (5).

    Args:
        logits: (..., A) before the sigmoid.
        labels: (..., A) 0. or 1.
        known: (..., A) bool.
        epsilon: smooth term.

    Returns:
        (A,); 0 for an AU that is known in no frame.
    """
    p, y = logits.float().sigmoid(), labels.float()
    return mean_where(1 - (2 * y * p + epsilon) / (y**2 + p**2 + epsilon), known)


def landmark_error(predicted: Tensor, true: Tensor) -> Tensor:
    """Squared error of the landmarks over twice the squared inter-ocular distance.

    SACL's Eq. (6) and MGRR-Net's Eq. (11), averaged over the frames that have landmarks.

    Args:
        predicted: (..., 49, 2) pixels of the crop.
        true: (..., 49, 2), the same; NaN for a frame without.

    Returns:
        Scalar, summed over the points; 0 where no frame has landmarks.
    """
    known = true.isfinite().all(-1).all(-1)
    predicted, true = predicted[known].float(), true[known].float()
    squares = (predicted - true).square().sum((-2, -1))
    return (squares / (2 * inter_ocular(true).square())).sum() / known.sum().clamp(min=1)


def landmark_distance(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean distance of the landmarks over the inter-ocular distance, (...,) of (..., 49, 2)."""
    distance: Tensor = torch.linalg.vector_norm(predicted - true, dim=-1).mean(-1)
    return distance / inter_ocular(true)


def inter_ocular(landmarks: Tensor) -> Tensor:
    """Distance between the centres of the eyes, (...,) of (..., 49, 2) landmarks."""
    right, left = landmarks[..., 19:25, :].mean(-2), landmarks[..., 25:31, :].mean(-2)
    distance: Tensor = torch.linalg.vector_norm(right - left, dim=-1)
    return distance
