"""Runs beside what their papers print, on hand-made reports."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from handmade import BP4D, located, recipe, report, shown, write_crossval, write_run

from actionunits import aus
from actionunits.learn.metrics import F1
from actionunits.learn.recipe import Recipe
from actionunits.learn.report import Score
from actionunits.papers.compare import compare


def test_a_cross_validation_stands_beside_its_paper(tmp_path: Path) -> None:
    folder = write_crossval(tmp_path / "ours", recipe())
    (pair,) = compare([folder]).papers
    assert pair.reference == "renet Table 1, Ours"
    assert list(pair.frame.index) == [*aus.BP4D12.columns(), "mean"]
    folds = [report(fold).scores["f1"].per_au for fold in (1, 2, 3)]
    expected = 100 * np.mean(folds, 0)
    np.testing.assert_allclose(pair.frame["value"][:-1], expected)
    assert pair.frame.loc["mean", "value"] == pytest.approx(expected.mean())
    assert pair.frame.loc["AU04", "reference"] == 66.9
    assert pair.frame.loc["mean", "reference"] == 65.5
    np.testing.assert_allclose(
        pair.frame["difference"], pair.frame["value"] - pair.frame["reference"]
    )
    assert (pair.frame["low"] < pair.frame["value"]).all()
    assert (pair.frame["value"] < pair.frame["high"]).all()
    # alike in all but what the paper does not say, and in how few are tested on
    assert [reason.partition(",")[0] for reason in pair.unlike] == [
        "epoch by the rule 'last'",
        "tested on 18 of 41 people and 6",
    ]


def test_the_interval_of_one_fold_is_that_of_its_report(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", recipe(), report(1))
    counts = np.array(report(1).confusion)
    metric = F1(len(BP4D), len(counts))
    metric.sums += torch.tensor(counts)
    ends = np.quantile(metric.bootstrap().numpy(), [0.025, 0.975], axis=0)
    frame = compare([folder]).papers[0].frame
    np.testing.assert_allclose(frame["low"][:-1], 100 * ends[0])
    np.testing.assert_allclose(frame["high"][:-1], 100 * ends[1])


def test_an_ablation_stands_beside_its_own_row(tmp_path: Path) -> None:
    one = write_crossval(tmp_path / "a", recipe(params={"relation": "learnable"}))
    other = write_crossval(tmp_path / "b", recipe(params={"relation": "none"}))
    neither = write_crossval(tmp_path / "c", recipe(params={"relation": "identity"}))
    papers = compare([one, other, neither]).papers
    assert papers[0].reference == "renet Table 7, Ours+ learnable"
    assert papers[0].frame.loc["mean", "reference"] == 63.7
    assert papers[0].frame["reference"][:-1].isna().all()  # printed without its AUs
    assert papers[1].reference == "renet Table 1, ResNet18"
    assert papers[2].reference is None
    assert papers[2].unlike[0] == "no published f1 of renet_bp4d --ablation relation=identity"


@pytest.mark.parametrize(
    ("of", "numbers", "folds", "reason"),
    [
        (recipe(), BP4D, 1, "1 fold, published: the mean of 3"),
        (recipe(), BP4D[:-1], 3, "other AUs: without AU24"),
        (recipe(), (*BP4D, 25), 3, "other AUs: also trained on AU25"),
        (recipe(selection={"rule": "best_on_test"}), BP4D, 3, "CHOSEN ON THE TEST SUBJECTS"),
        (recipe(epochs=3), BP4D, 3, "other settings than renet_bp4d: epochs"),
        (
            recipe(data="disfa", threshold=2),
            aus.DISFA8.numbers,
            3,
            "from intensity 2 on, published: 1",
        ),
        (recipe("sacl", "disfa"), aus.DISFA8.numbers, 3, "other settings than sacl_disfa: init"),
        (recipe("sacl", "disfa"), aus.DISFA8.numbers, 3, "from random weights, published: from Im"),
        (recipe("gtlenet", params={"freeze": True}), BP4D, 3, "row contradicts itself: prints"),
    ],
)
def test_what_is_not_alike_is_said(
    of: Recipe, numbers: Sequence[int], folds: int, reason: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    if folds == 3:
        write_crossval(folder, of, numbers)
    else:
        write_run(folder, of, report(1, numbers))
    (pair,) = compare([folder]).papers
    assert pair.reference is not None
    assert any(reason in text for text in pair.unlike), pair.unlike
    assert f"not like for like: {pair.unlike[0]}" in shown([folder], 400)


def test_how_faces_were_prepared_is_said(tmp_path: Path) -> None:
    of = recipe()
    for fold in (1, 2, 3):
        prepared = {"lost": fold - 1, "found": 400 * fold}
        done = report(fold, template="canonical").model_copy(update=prepared)
        write_run(tmp_path / "ours" / f"fold{fold}", of, done)
    (pair,) = compare([tmp_path / "ours"]).papers
    frames = sum(report(fold).frames for fold in (1, 2, 3))
    assert "faces placed by the template canonical, published: affine49" in pair.unlike
    assert f"3 of {frames + 3:,} frames were lost in preparation" in pair.unlike
    assert f"landmarks of 2,400 of {frames:,} faces are what our own model found" in pair.unlike
    assert all(
        f"not like for like: {why}" in shown([tmp_path / "ours"], 400) for why in pair.unlike
    )
    (facts,) = compare([tmp_path / "ours"]).to_dict()["runs"]
    assert (facts["template"], facts["lost"], facts["found"]) == ("canonical", 3, 2400)

    whole = write_crossval(tmp_path / "whole", of)
    unlike = compare([whole, tmp_path / "ours"]).together[1].unlike
    assert "faces placed by the template canonical, the first: affine49" in unlike
    assert (
        f"3 of {frames + 3:,} frames were lost in preparation, the first: 0 of {frames:,}" in unlike
    )
    unpublished = write_run(tmp_path / "own", recipe(data="csv"), done)
    text = shown([unpublished], 400)
    assert "nothing published on csv" in text
    assert f"2 of {done.frames + 2:,} frames were lost in preparation" in text


def test_folds_that_no_paper_has_are_said(tmp_path: Path) -> None:
    folder = write_crossval(tmp_path / "run", recipe(data="bp4d_plus"))
    (pair,) = compare([folder]).papers
    assert pair.reference is not None
    assert any("do not publish who is in which part of BP4D+" in why for why in pair.unlike)


def test_means_are_of_the_aus_in_common(tmp_path: Path) -> None:
    folder = write_crossval(tmp_path / "run", recipe(), BP4D[:2])
    frame = compare([folder]).papers[0].frame
    assert list(frame.index) == ["AU01", "AU02", "mean"]
    assert frame.loc["mean", "reference"] == pytest.approx((57.7 + 59.0) / 2)
    assert frame.loc["mean", "value"] == pytest.approx(frame["value"].iloc[:2].mean())


def test_embedded_corpus_has_no_counterpart(tmp_path: Path) -> None:
    of = recipe(data="synfacs")
    one = write_crossval(tmp_path / "one", of)
    (pair,) = compare([one]).papers
    assert pair.reference is None
    assert pair.unlike == ("nothing published on synfacs",)
    text = shown([one])
    assert "nothing published on synfacs" in text
    assert "published " not in text.splitlines()[2]  # no empty columns


def test_intensities_use_the_intervals_of_the_report(tmp_path: Path) -> None:
    numbers = aus.BP4D_INTENSITY5.numbers
    icc = Score(
        per_au=[0.5] * 5,
        mean=0.5,
        intervals=[[0.4, 0.6]] * 5,
        mean_interval=[0.45, 0.55],
    )
    folder = write_run(
        tmp_path / "run", recipe(params={"task": "intensity"}), report(1, numbers, icc=icc)
    )
    assert compare([folder]).papers[0].reference is None  # F1 is published of occurrence only
    (pair,) = compare([folder], "icc").papers
    assert pair.reference == "renet Table 4, Ours"
    assert pair.frame.loc["AU10", ["value", "low", "high", "reference"]].tolist() == [
        0.5,
        0.4,
        0.6,
        0.88,
    ]
    assert pair.frame.loc["mean", "low"] == 0.45
    assert "0.50 [0.40 0.60]" in shown([folder], metric="icc")


def test_errors_of_landmarks_stand_beside_the_papers(tmp_path: Path) -> None:
    of = recipe("mgrrnet")
    for fold, error in ((1, 4.0), (2, 5.0), (3, 6.0)):
        write_run(tmp_path / f"fold{fold}", of, located(fold, error))
    assert "mean error 5.00 % of the inter-ocular distance" in shown([tmp_path], 200)
    assert "published: 4.01 % (Table VIII, Ours)" in shown([tmp_path], 200)
    (facts,) = compare([tmp_path]).to_dict()["runs"]
    assert facts["landmark_error"] == 5
    assert "mean error" not in shown([write_crossval(tmp_path / "renet", recipe())])
