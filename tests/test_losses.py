"""Losses count what is coded and nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from actionunits.aus import BP4D12, DISFA8
from actionunits.errors import DataError
from actionunits.losses import (
    asymmetric_cross_entropy,
    balance_weights,
    dice,
    intensity_cross_entropy,
    landmark_error,
    mean_where,
    occurrence_cross_entropy,
)

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


def test_balance_weights_are_those_of_the_field_for_bp4d() -> None:
    """Rates of fold 1's training rows, to three digits, and the weights that others publish."""
    rate = [0.184, 0.146, 0.198, 0.440, 0.570, 0.567, 0.540, 0.457, 0.175, 0.342, 0.165, 0.148]
    published = [1.342985, 1.689665, 1.248091, 0.561356, 0.433044, 0.435894]
    published += [0.457287, 0.541004, 1.408054, 0.722762, 1.493145, 1.666711]
    found = balance_weights(BP4D12, torch.tensor(rate))
    assert found.tolist() == pytest.approx(published, rel=5e-3)
    assert found.mean().item() == pytest.approx(1)


def test_au_that_never_occurs_has_no_weight() -> None:
    with pytest.raises(DataError, match="AU02, AU09 never occurs.*leave it out"):
        balance_weights(DISFA8, torch.tensor([0.1, 0, 0.2, 0.1, 0, 0.3, 0.2, 0.1]))


@pytest.mark.parametrize("loss", [asymmetric_cross_entropy, dice])
def test_losses_against_imbalance_leave_out_what_is_not_known(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> None:
    torch.manual_seed(0)
    logits, known = torch.randn(5, 3) * 3, torch.rand(5, 3) < 0.6
    labels = (torch.rand(5, 3) < 0.4).float()
    known[:, 2] = False
    found = loss(logits, labels, known)
    for au in range(2):
        p, y = logits[known[:, au], au].double().sigmoid(), labels[known[:, au], au].double()
        each = {
            asymmetric_cross_entropy: -(y * p.log() + (1 - y) * p * (1 - p).log()),
            dice: 1 - (2 * y * p + 1) / (y**2 + p**2 + 1),
        }[loss]
        assert found[au].item() == pytest.approx(each.mean().item(), rel=1e-5)
    assert found[2] == 0


@pytest.mark.parametrize("detach", [False, True])
def test_factor_of_the_asymmetric_loss_is_a_function_of_p_or_a_constant(detach: bool) -> None:
    torch.manual_seed(0)
    logits, known = (torch.randn(6, 3) * 3).requires_grad_(), torch.rand(6, 3) < 0.7
    labels = (torch.rand(6, 3) < 0.4).float()
    found = asymmetric_cross_entropy(logits, labels, known, detach_factor=detach)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    p = logits.detach().double().sigmoid()
    literal = torch.where(labels > 0, -p.log(), -p * (1 - p).log())
    counts = known.sum(0)
    expected = (literal * known).sum(0) / counts
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
    of_negatives = p**2 if detach else p**2 - p * (1 - p) * (1 - p).log()
    slope = torch.where(labels > 0, p - 1, of_negatives) * known / counts
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-5, atol=1e-7)


def test_landmark_error_leaves_out_frames_without_landmarks() -> None:
    torch.manual_seed(0)
    predicted, true = torch.rand(3, 49, 2, requires_grad=True), torch.rand(3, 49, 2)
    expected = landmark_error(predicted[[0, 2]], true[[0, 2]])
    true[1] = float("nan")
    error = landmark_error(predicted, true)
    assert error.item() == pytest.approx(expected.item())
    error.backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()
    assert (predicted.grad[1] == 0).all()
    assert landmark_error(predicted[1:2], true[1:2]).item() == 0


def test_landmark_error_does_not_change_with_the_size_of_the_face() -> None:
    torch.manual_seed(0)
    true, predicted = torch.rand(2, 3, 49, 2), torch.rand(2, 3, 49, 2)
    error = landmark_error(predicted, true)
    assert error.item() == pytest.approx(landmark_error(7 * predicted, 7 * true).item(), rel=1e-5)
    each = []
    for frame, truth in zip(predicted.flatten(0, 1), true.flatten(0, 1), strict=True):
        eyes = truth[19:25].mean(0) - truth[25:31].mean(0)
        each.append(((frame - truth) ** 2).sum() / (2 * (eyes**2).sum()))
    assert error.item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)
