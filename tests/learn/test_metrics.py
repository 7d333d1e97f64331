"""Metrics against scikit-learn and a hand-written ICC; batches and subjects."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, roc_auc_score
from torch import Tensor

from actionunits.learn import metrics
from actionunits.learn.face_metrics import LandmarkError
from actionunits.learn.metrics import (
    AUC,
    F1,
    ICC31,
    MAE,
    Accuracy,
    BestThreshold,
    SubjectMetric,
)
from builders import landmarks49

A, S = 3, 5
ALL: list[type[SubjectMetric]] = [F1, Accuracy, AUC, ICC31, MAE, BestThreshold]


def frames(n: int = 200, seed: int = 0, uncoded: float = 0.2) -> tuple[Tensor, ...]:
    """Predicted (coarse, so that there are ties), target, known and subject of `n` frames."""
    rng = torch.Generator().manual_seed(seed)
    target = (torch.rand(n, A, generator=rng) < torch.tensor([0.1, 0.4, 0.8])).float()
    predicted = ((target * 0.3 + torch.rand(n, A, generator=rng)).clamp(0, 1) * 20).round() / 20
    known = torch.rand(n, A, generator=rng) >= uncoded
    return predicted, target, known, torch.randint(S, (n,), generator=rng)


def icc31_by_anova(x: np.ndarray, y: np.ndarray) -> float:
    """Shrout and Fleiss (1979), from the two-way table of frames by raters."""
    table = np.stack([x, y], 1)
    n, k = table.shape
    between = k * ((table.mean(1) - table.mean()) ** 2).sum() / (n - 1)
    residual = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    return (between - error) / (between + (k - 1) * error)


REFERENCE = {
    F1: lambda p, t: f1_score(t, p >= 0.5),
    Accuracy: lambda p, t: accuracy_score(t, p >= 0.5),
    AUC: lambda p, t: roc_auc_score(t, p),
    ICC31: icc31_by_anova,
    MAE: lambda p, t: mean_absolute_error(t, p),
}


@pytest.mark.parametrize("kind", REFERENCE)
@pytest.mark.parametrize("batch", [200, 7])
def test_equals_reference_in_any_batches(kind: type[SubjectMetric], batch: int) -> None:
    columns = frames()
    metric = kind(A, S)
    for part in zip(*(column.split(batch) for column in columns), strict=True):
        metric.update(*part)
    predicted, target, known = (column.numpy() for column in columns[:3])
    expected = [
        REFERENCE[kind](
            predicted[known[:, a], a].astype(float), target[known[:, a], a].astype(float)
        )
        for a in range(A)
    ]
    np.testing.assert_allclose(metric.compute().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", REFERENCE)
def test_clips_are_flattened(kind: type[SubjectMetric]) -> None:
    predicted, target, known, subject = frames()
    flat, clips = kind(A, S), kind(A, S)
    flat.update(predicted, target, known, subject)
    clips.update(
        *(x.reshape(20, 10, A) for x in (predicted, target, known)), subject.reshape(20, 10)
    )
    assert torch.equal(flat.compute(), clips.compute())


@pytest.mark.parametrize("kind", REFERENCE)
def test_uncoded_cells_never_matter(kind: type[SubjectMetric]) -> None:
    predicted, target, known, subject = frames()
    clean, dirty = kind(A, S), kind(A, S)
    clean.update(predicted, target, known, subject)
    dirty.update(predicted.where(known, 0.77), target.where(known, torch.nan), known, subject)
    assert torch.equal(clean.compute(), dirty.compute())


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_order_of_frames_never_matters(seed: int) -> None:
    columns = frames(60, seed)
    shuffled = torch.randperm(60, generator=torch.Generator().manual_seed(seed))
    for kind in ALL:
        one, other = kind(A, S), kind(A, S)
        one.update(*columns)
        other.update(*(column[shuffled] for column in columns))
        torch.testing.assert_close(
            one.compute(), other.compute(), rtol=0, atol=1e-12, equal_nan=True
        )


def test_scores_that_labels_do_not_allow_are_nan() -> None:
    predicted, target, known, _ = frames()
    target[:, 0] = 0.0  # never positive
    target[:, 1] = 1.0  # never negative
    known[:, 2] = False  # never coded
    values = {}
    for kind in ALL:
        metric = kind(A)
        metric.update(predicted, target, known)
        values[kind] = metric.compute().isnan().tolist()
    assert values[F1] == [True, False, True]
    assert values[AUC] == [True, True, True]
    assert values[ICC31] == [True, True, True]
    assert values[Accuracy] == values[MAE] == [False, False, True]
    assert values[BestThreshold] == [False, False, False]


def test_constant_labels_whose_sums_round_have_no_icc() -> None:
    metric = ICC31(1)
    metric.update(
        torch.rand(999, 1), torch.full((999, 1), 0.1), torch.ones(999, 1, dtype=torch.bool)
    )
    assert metric.compute().isnan().all()


def test_icc_keeps_its_digits_over_many_large_values() -> None:
    rng = torch.Generator().manual_seed(0)
    x = 4.9 + 0.1 * torch.rand(20_000, 1, generator=rng)
    y = x + 0.05 * torch.rand(20_000, 1, generator=rng)
    metric = ICC31(1)
    for part in zip(x.split(64), y.split(64), strict=True):
        metric.update(*part, torch.ones_like(part[0], dtype=torch.bool))
    expected = icc31_by_anova(x[:, 0].double().numpy(), y[:, 0].double().numpy())
    assert metric.compute().item() == pytest.approx(expected, abs=1e-8)


def test_thresholds_are_per_au() -> None:
    predicted = torch.tensor([[0.3, 0.3]])
    metric = Accuracy(2, thresholds=torch.tensor([0.3, 0.4]))
    metric.update(predicted, torch.ones(1, 2), torch.ones(1, 2, dtype=torch.bool))
    assert metric.compute().tolist() == [1.0, 0.0]


def test_best_threshold_is_no_worse_than_any_other() -> None:
    columns = frames()
    best = BestThreshold(A)
    best.update(*columns[:3])

    def f1(thresholds: Tensor | float) -> Tensor:
        metric = F1(A, thresholds=thresholds)
        metric.update(*columns[:3])
        return metric.compute()

    reached = f1(best.compute())
    every = torch.stack([f1(t) for t in np.arange(0, 1.01, 0.025)])
    torch.testing.assert_close(reached, every.amax(0))


@pytest.mark.parametrize("kind", REFERENCE)
def test_bootstrap_equals_repeating_the_drawn_subjects(kind: type[SubjectMetric]) -> None:
    columns = frames()
    metric = kind(A, S)
    metric.update(*columns)
    drawn = metrics.resample(S, resamples=4, seed=1).long()
    assert (drawn.sum(1) == S).all()
    for row, scores in zip(drawn, metric.bootstrap(resamples=4, seed=1), strict=True):
        again = kind(A, S)
        again.update(*(column.repeat_interleave(row[columns[3]], 0) for column in columns))
        torch.testing.assert_close(scores, again.compute(), equal_nan=True)


def test_interval_holds_the_score_and_is_the_same_for_a_seed() -> None:
    metric = F1(A, S)
    metric.update(*frames())
    ends = metrics.interval(metric.bootstrap(seed=3))
    assert ends.shape == (A, 2)
    assert ((ends[:, 0] < metric.compute()) & (metric.compute() < ends[:, 1])).all()
    assert torch.equal(ends, metrics.interval(metric.bootstrap(seed=3)))


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"one shape \(\.\.\., 3\)"):
        F1(A).update(torch.zeros(4, 3), torch.zeros(4, 3), torch.ones(4, 2, dtype=torch.bool))


def faces(count: int = 40, seed: int = 0) -> tuple[Tensor, ...]:
    """Predicted and true landmarks, which faces count, and subjects; some faces have no truth."""
    rng = torch.Generator().manual_seed(seed)
    true = torch.from_numpy(landmarks49()) + torch.randn(count, 49, 2, generator=rng)
    spread = torch.rand(count, 1, 1, generator=rng) * 8
    predicted = true + spread * torch.randn(count, 49, 2, generator=rng)
    true[::7] = torch.nan
    true[3, 20, 1] = torch.nan  # a face of which one point is missing has none
    known = torch.rand(count, generator=rng) > 0.2
    return predicted, true, known, torch.randint(S, (count,), generator=rng)


def landmark_error_by_hand(predicted: np.ndarray, true: np.ndarray) -> float:
    """Of one face, point by point, in per cent."""
    total = 0.0
    for i in range(49):
        dx, dy = predicted[i] - true[i]
        total += (dx * dx + dy * dy) ** 0.5
    right = sum(true[i] for i in range(19, 25)) / 6
    left = sum(true[i] for i in range(25, 31)) / 6
    return 100 * total / 49 / float(np.hypot(*(right - left)))


@pytest.mark.parametrize("batch", [40, 7])
def test_landmarks_equal_a_slow_computation(batch: int) -> None:
    columns = faces()
    metric = LandmarkError(S)
    for part in zip(*(column.split(batch) for column in columns), strict=True):
        metric.update(*part)
    predicted, true, known, subject = (column.numpy() for column in columns)
    counted = [i for i in range(40) if known[i] and not np.isnan(true[i]).any()]
    errors = [landmark_error_by_hand(predicted[i].astype(float), true[i]) for i in counted]
    failed = [100.0 * (error > 10) for error in errors]
    assert 0 < len(counted) < 34
    assert 0 < np.mean(failed) < 100
    expected = [np.mean(errors), np.mean(failed)]
    np.testing.assert_allclose(metric.compute().numpy(), expected, rtol=1e-6)

    weights = metrics.resample(S, 3, seed=4).numpy()
    for drawn, sample in zip(weights, metric.bootstrap(3, seed=4).numpy(), strict=True):
        times = drawn[subject[counted]]
        expected = [np.average(errors, weights=times), np.average(failed, weights=times)]
        np.testing.assert_allclose(sample, expected, rtol=1e-6)


@given(st.floats(0.1, 9), st.floats(-99, 99), st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_landmark_error_does_not_depend_on_the_picture(
    scale: float, shift: float, turn: float
) -> None:
    predicted, true, known, _ = (
        column.double() if column.is_floating_point() else column for column in faces()
    )
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = scale * torch.tensor([[cosine, -sine], [sine, cosine]])
    here, there = LandmarkError(), LandmarkError()
    here.update(predicted, true, known)
    there.update(predicted @ matrix.T + shift, true @ matrix.T + shift, known)
    torch.testing.assert_close(here.compute(), there.compute())


def test_no_face_with_landmarks_has_no_error() -> None:
    predicted, true, known, subject = faces()
    metric = LandmarkError(S)
    metric.update(predicted, torch.full_like(true, torch.nan), known, subject)
    metric.update(predicted, true, torch.zeros_like(known), subject)
    assert metric.compute().isnan().all()


@pytest.mark.parametrize("kind", REFERENCE)
def test_one_subject_has_a_score_and_no_interval(kind: type[SubjectMetric]) -> None:
    predicted, target, known, subject = frames()
    metric = kind(A, 1)
    metric.update(predicted, target, known, torch.zeros_like(subject))
    assert torch.isfinite(metric.compute()).all()
    assert metrics.interval(metric.bootstrap(resamples=5)).isnan().all()
