"""Pure loss functions, masked by `known`: what is not coded is never counted as absent."""

import torch
from torch import Tensor
from torch.nn import functional

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
