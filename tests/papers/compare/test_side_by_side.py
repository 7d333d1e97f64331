"""Runs beside each other, on hand-made reports."""

import math
from pathlib import Path

import numpy as np
import pytest
from handmade import BP4D, recipe, report, shown, write_crossval, write_run

from actionunits.learn.report import Score
from actionunits.papers.compare import compare


def test_runs_stand_beside_the_first(tmp_path: Path) -> None:
    of = recipe(data="synfacs")
    first = write_crossval(tmp_path / "first", of)
    second = write_crossval(tmp_path / "second", of, seed=1)
    comparison = compare([first, second])
    zero, pair = comparison.together
    assert (zero.reference, pair.reference) == (None, "first")
    assert pair.unlike == ()
    np.testing.assert_allclose(
        pair.frame["difference"], pair.frame["value"] - zero.frame["value"], atol=1e-9
    )
    frame = pair.frame
    assert (frame["difference_low"] < frame["difference"]).all()
    assert (frame["difference"] < frame["difference_high"]).all()
    same = compare([first, write_crossval(tmp_path / "again", of)]).together[1].frame
    assert (same[["difference", "difference_low", "difference_high"]] == 0).all(axis=None)


def test_all_scores_of_runs_are_averaged_over_their_common_aus(tmp_path: Path) -> None:
    auc = Score(per_au=[0.5, 0.75, math.nan, 0.25], mean=0.5)
    write_run(tmp_path / "one", recipe(), report(1, (1, 2, 4, 6), auc=auc))
    write_run(tmp_path / "two", recipe(), report(1, (2, 4, 6, 12)))
    comparison = compare([tmp_path / "one", tmp_path / "two"])
    means = comparison.means()
    assert means.loc["one", "auc"] == 0.5  # of AUs 2 and 6; AU 4 has none
    expected = np.mean(report(1, (1, 2, 4, 6)).scores["f1"].per_au[1:])
    assert means.loc["one", "f1"] == pytest.approx(expected)
    assert math.isnan(means.loc["two", "auc"])
    assert means["icc"].isna().all()
    assert comparison.to_dict()["means"][1].keys() == {"f1"}
    text = shown([tmp_path / "one", tmp_path / "two"])
    lines = [line for line in text.splitlines() if line.startswith((" 1 one", " 2 two"))]
    assert "Means over 3 AUs" in text
    assert "ICC" not in text
    assert [line.split()[-1] for line in lines] == [".500", "-"]


def test_runs_on_other_subjects_have_no_paired_interval(tmp_path: Path) -> None:
    of = recipe(data="synfacs")
    first = write_crossval(tmp_path / "first", of)
    pair = compare([first, first / "fold2"]).together[1]
    assert pair.frame["difference_low"].isna().all()
    assert pair.unlike == ("other test subjects (1 and 3 folds)",)
    assert pair.run == "first/fold2"


def test_runs_with_other_aus_and_settings(tmp_path: Path) -> None:
    first = write_crossval(tmp_path / "first", recipe(data="synfacs"))
    other = recipe("sacl", data="synfacs", threshold=1, epochs=9)
    second = write_crossval(tmp_path / "second", other, (25, 12, 1))
    zero, pair = compare([first, second]).together
    assert list(pair.frame.index) == ["AU01", "AU12", "mean"] == list(zero.frame.index)
    expected = 100 * np.mean([report(fold).scores["f1"].per_au for fold in (1, 2, 3)], 0)
    assert zero.frame.loc["AU12", "value"] == pytest.approx(expected[BP4D.index(12)])
    assert pair.unlike == (
        "also trained on AUs 25, which others lack and means leave out",
        "threshold 1.0, the first: None",
        "9 epochs, the first: 2",
    )
