"""Reports as tables, JSON and text; averages of folds."""

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from actionunits import aus
from actionunits.crossval import CrossReport, summarise
from actionunits.report import Report, Score

COUNT = len(aus.ALL)


def report(subjects: list[str], seed: int = 0, selection: str = "last") -> Report:
    rng = np.random.default_rng(seed)

    def score() -> Score:
        per_au = rng.random(COUNT)
        per_au[3] = math.nan
        ends = np.stack([per_au - 0.1, per_au + 0.1], 1)
        return Score(
            per_au=per_au.tolist(),
            mean=float(np.nanmean(per_au)),
            intervals=ends.tolist(),
            mean_interval=[0.4, 0.6],
        )

    names = ["f1", "f1_calibrated", "accuracy", "auc", "icc", "mae"]
    return Report(
        title="renet, synfacs, fold 1",
        selection=selection,
        aus=aus.ALL.numbers,
        subjects=tuple(subjects),
        frames=1000,
        thresholds=(0.5,) * COUNT,
        scores={name: score() for name in names},
        confusion=rng.integers(0, 9000, (len(subjects), COUNT, 4)).tolist(),
    )


def printed(table: Table, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text().splitlines()


def test_json_comes_back_and_is_strict() -> None:
    one = report(["S1", "S2"])
    text = one.to_json()
    assert json.loads(text, parse_constant=pytest.fail)["scores"]["f1"]["per_au"][3] is None
    again = Report.model_validate_json(text)
    assert again.to_json() == text
    assert math.isnan(again.scores["f1"].per_au[3])


def test_support_is_counted_from_the_confusion() -> None:
    one = report(["S1", "S2"])
    one.confusion[1][0] = [0, 5, 0, 7]  # S2 has no positive frame of the first AU
    frame = one.to_frame()
    s1 = one.confusion[0][0]
    assert frame.loc["AU01", "positives"] == s1[0] + s1[2]
    assert frame.loc["AU01", "positive_subjects"] == 1
    assert frame.loc["AU01", "frames"] == sum(s1) + 12
    assert frame.loc["mean", "f1"] == one.scores["f1"].mean
    assert frame.loc["AU01", "f1_low"] == one.scores["f1"].intervals[0][0]


def test_table_fits_and_shows_all() -> None:
    lines = printed(report(["S1", "S2"]).to_table(), 100)
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    assert "…" not in text
    for au in aus.ALL:
        assert au.name in text
    assert "1000 frames of 2 subjects" in text
    assert "CHOSEN ON THESE TEST SUBJECTS" not in text
    assert "…" not in "\n".join(printed(report(["S1"]).to_table(), 80))


def test_selection_on_the_test_fold_is_shouted() -> None:
    text = " ".join(printed(report(["S1"], selection="best_on_test").to_table(), 100))
    assert "CHOSEN ON THESE TEST SUBJECTS" in text


def test_folds_are_averaged_and_pooled() -> None:
    folds = [report([f"S{k}1", f"S{k}2"], seed=k) for k in range(3)]
    folds[0].scores["auc"].per_au[0] = math.nan
    cross = summarise(folds)
    expected = np.mean([fold.scores["f1"].per_au[0] for fold in folds])
    assert cross.mean["f1"].per_au[0] == pytest.approx(expected)
    two = np.mean([fold.scores["auc"].per_au[0] for fold in folds[1:]])
    assert cross.mean["auc"].per_au[0] == pytest.approx(two)  # of the folds that have it
    tp, fp, fn, _ = np.array([fold.confusion for fold in folds]).sum((0, 1))[0]
    assert cross.pooled_f1.per_au[0] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    low, high = cross.pooled_f1.intervals[0]
    assert low <= cross.pooled_f1.per_au[0] <= high
    assert CrossReport.model_validate_json(cross.to_json()).to_json() == cross.to_json()


def test_table_of_folds_fits_and_shows_all() -> None:
    lines = printed(summarise([report(["S1", "S2"], seed=k) for k in range(3)]).to_table(), 100)
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    assert "…" not in text
    assert "fold 3" in text
    assert "Lip corner depressor" in text
    assert "3000 frames of 6 subjects" in text
