"""Losses count what is coded and nothing else."""

import torch
from torch.nn import functional

from actionunits.losses import intensity_cross_entropy, mean_where, occurrence_cross_entropy

KNOWN = torch.tensor([[True, True, False], [True, False, False]])


def test_uncoded_labels_count_nowhere() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    labels = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    each = occurrence_cross_entropy(logits, labels, KNOWN)
    flipped = torch.where(KNOWN, labels, 1 - labels)
    assert torch.equal(each, occurrence_cross_entropy(logits, flipped, KNOWN))
    assert each[2] == 0
    reference = functional.binary_cross_entropy_with_logits(logits[:, 0], labels[:, 0])
    torch.testing.assert_close(each[0], reference)
    each.sum().backward()
    assert torch.equal(logits.grad != 0, KNOWN)


def test_intensities_are_rounded_half_up_to_levels() -> None:
    levels = torch.randn(4, 1, 6)
    intensity = torch.tensor([[0.49], [0.5], [2.5], [5.0]])
    loss = intensity_cross_entropy(levels, intensity, torch.ones(4, 1, dtype=torch.bool))
    reference = functional.cross_entropy(levels[:, 0], torch.tensor([0, 1, 3, 5]))
    torch.testing.assert_close(loss[0], reference)


def test_clips_are_frames_with_one_more_axis() -> None:
    values, known = torch.rand(2, 4, 3), torch.rand(2, 4, 3) < 0.6
    expected = mean_where(values.flatten(0, 1), known.flatten(0, 1))
    torch.testing.assert_close(mean_where(values, known), expected)
    levels, intensity = torch.randn(2, 4, 3, 6), torch.rand(2, 4, 3) * 5
    torch.testing.assert_close(
        intensity_cross_entropy(levels, intensity, known),
        intensity_cross_entropy(levels.flatten(0, 1), intensity.flatten(0, 1), known.flatten(0, 1)),
    )


def test_half_precision_is_summed_in_full() -> None:
    logits = torch.randn(2, 3, dtype=torch.bfloat16)
    assert occurrence_cross_entropy(logits, torch.zeros(2, 3), KNOWN).dtype == torch.float32
