"""Triplet accuracy against its definition in words."""

import pytest
import torch

from actionunits.learn.face_metrics import TripletAccuracy


def test_share_over_batches_is_that_of_the_definition() -> None:
    torch.manual_seed(0)
    vectors, kind = torch.randn(40, 3, 5), torch.arange(40) % 3
    right = []
    for a, p, n in vectors:
        similar = torch.dist(a, p)
        right.append(bool(similar < torch.dist(a, n) and similar < torch.dist(p, n)))
    metric = TripletAccuracy(kinds=3)
    for start in range(0, 40, 7):
        metric.update(vectors[start : start + 7], kind[start : start + 7])
    assert metric.compute().item() == sum(right) / 40
    shares = [sum(right[k::3]) / len(right[k::3]) for k in range(3)]
    assert metric.per_kind().tolist() == shares


def test_ties_are_wrong_and_nothing_seen_is_no_number() -> None:
    metric = TripletAccuracy()
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert metric.compute().isnan()
    metric.update(torch.ones(4, 3, 2))
    assert metric.compute() == 0
    metric.reset()
    assert metric.per_kind().isnan().all()
