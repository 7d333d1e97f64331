"""Reports as tables, JSON and text; averages of folds."""

import io
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

from actionunits import aus
from actionunits.learn.crossval import CrossReport, summarise, write_tables
from actionunits.learn.report import Report, Score

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
    assert "1,000 frames of 2 subjects" in text
    assert "CHOSEN ON THESE TEST SUBJECTS" not in text
    assert "…" not in "\n".join(printed(report(["S1"]).to_table(), 80))


def test_how_labels_are_read_stands_in_every_table(tmp_path: Path) -> None:
    coded = {"coding": "intensity", "occurs_from": 2.0}
    folds = [report([f"S{k}1", f"S{k}2"], seed=k).model_copy(update=coded) for k in range(3)]
    said = "labels: intensities, an AU occurs from 2 on"
    assert said in str(folds[0].to_table().caption)
    write_tables(summarise(folds), tmp_path)
    assert f"- {said}" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert said in (tmp_path / "table.tex").read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "table.csv")
    assert set(table["coding"]) == {"intensity"}
    assert set(table["occurs_from"]) == {2.0}
    occurrence = folds[0].model_copy(update={"coding": "occurrence", "occurs_from": None})
    assert "labels: occurrence as coded" in str(occurrence.to_table().caption)
    assert Report.model_validate_json(folds[0].to_json()).occurs_from == 2


def test_f1_of_always_saying_present_stands_beside_f1() -> None:
    one = report(["S1", "S2"])
    one.confusion[0][0] = one.confusion[1][0] = [30, 5, 10, 5]  # 80 of 100 frames are positive
    one.confusion[0][1] = one.confusion[1][1] = [0, 5, 0, 7]
    always = one.f1_always
    assert always.per_au[0] == pytest.approx(2 * 0.8 / 1.8)
    assert math.isnan(always.per_au[1])
    assert always.mean == pytest.approx(np.nanmean(always.per_au))
    assert one.to_frame().loc["AU01", "f1_always"] == always.per_au[0]
    lines = printed(one.to_table(), 80)
    assert "F1 yes cal." in "\n".join(lines)
    assert " .89 " in next(line for line in lines if "Inner brow" in line)
    cross = summarise([one, report(["S3"], seed=1)])
    assert cross.f1_always.per_au[0] == pytest.approx(
        (always.per_au[0] + report(["S3"], seed=1).f1_always.per_au[0]) / 2
    )
    row = next(line for line in printed(cross.to_table(), 80) if "AU01" in line)
    assert f" {100 * cross.f1_always.per_au[0]:.0f} " in row


def test_one_subject_gives_no_interval_and_the_reason() -> None:
    lone = report(["S1"])
    for name, score in lone.scores.items():
        blank = {"intervals": [[math.nan] * 2] * COUNT, "mean_interval": [math.nan] * 2}
        lone.scores[name] = score.model_copy(update=blank)
    assert "no intervals: one subject tells nothing of others" in str(lone.to_table().caption)
    assert "no intervals" not in str(report(["S1", "S2"]).to_table().caption)


def test_folds_on_people_who_were_trained_on_say_so() -> None:
    seen = report(["S1"]).model_copy(update={"trained_on": ("x:S1",)})
    grid = summarise([report(["S2"]), seen]).to_grid()
    assert grid.title == "renet, synfacs, 2 folds, TRAINED ON THESE"
    assert any("TRAINED ON THESE: the weights learned from 1 subject" in x for x in grid.lines)


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
    lines = printed(summarise([report(["S1", "S2"], seed=k) for k in range(3)]).to_table(), 80)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "…" not in text
    assert "fold fold fold" in text
    assert "AU15" in text
    assert "3,000 frames of 6 subjects" in text


def test_the_table_of_the_folds_is_a_papers(tmp_path: Path) -> None:
    folds = [report([f"S{k}1", f"S{k}2"], seed=k) for k in range(3)]
    for fold in folds:
        for subject in fold.confusion:
            subject[5] = [0, 7, 0, 3]  # AU07 never occurs
        fold.scores["f1"].per_au[5] = math.nan
    folds[1].confusion[0][0] = [0, 5, 0, 7]
    folds[2].scores["f1"].per_au[0] = math.nan  # of the first AU in one fold
    cross = summarise(folds)
    write_tables(cross, tmp_path)

    numbers = pd.read_csv(tmp_path / "table.csv", index_col="au")
    assert list(numbers.index) == [*aus.ALL.columns(), "mean"]
    counts = np.array([fold.confusion for fold in folds])  # (3, 2, A, 4)
    positive = counts[..., 0] + counts[..., 2]
    assert numbers["positives"].tolist() == [*positive.sum((0, 1)), positive.sum()]
    shows = (positive > 0).sum((0, 1)).tolist()
    assert numbers["positive_subjects"].tolist() == [*shows, 6]
    assert shows[0] == 5
    assert shows[5] == 0
    assert numbers.loc["AU02", "f1_fold3"] == folds[2].scores["f1"].per_au[1]
    assert numbers.loc["AU01", "f1"] == pytest.approx(
        np.mean([fold.scores["f1"].per_au[0] for fold in folds[:2]])
    )
    assert numbers.loc["AU07", ["f1", "f1_pooled", "f1_pooled_low"]].isna().all()

    markdown = (tmp_path / "table.md").read_text(encoding="utf-8").splitlines()
    assert markdown[0] == "**renet, synfacs, 3 folds**"
    lines = [line.strip("|").split("|") for line in markdown if line.startswith("| ")]
    cells = [[cell.strip() for cell in line] for line in lines]
    head, _, *body = cells
    assert head[3:8] == ["fold 1", "fold 2", "fold 3", "mean", "pooled [95 %]"]
    assert len(body) == 19
    for row, (_, line) in zip(body, numbers.iterrows(), strict=True):
        shown = dict(zip(head, row, strict=True))
        for name, column, digits in (
            ("fold 1", "f1_fold1", 1),
            ("mean", "f1", 1),
            ("Acc.", "accuracy", 1),
            ("ICC", "icc", 2),
        ):
            value = line[column] * (100 if digits == 1 else 1)
            assert shown[name] == ("-" if math.isnan(value) else f"{value:.{digits}f}")
        pooled, *ends = shown["pooled [95 %]"].replace("[", "").replace("]", "").split()
        expected = line[["f1_pooled", "f1_pooled_low", "f1_pooled_high"]] * 100
        assert [pooled, *ends] == [f"{v:.1f}" for v in expected] or pooled == "-" and not ends
    assert body[-1][1:3] == ["", "6"]
    assert body[5][1:8] == ["0", "0", "-", "-", "-", "-", "-"]


def test_errors_of_landmarks_are_averaged_over_the_folds() -> None:
    def fold(k: int, error: float) -> Report:
        scores = {
            "landmark_error": Score(per_au=[], mean=error, mean_interval=[3.0, 5.0]),
            "landmark_failure": Score(per_au=[], mean=1.5),
        }
        return report([f"S{k}"], seed=k).model_copy(update={"landmarks": scores})

    one = fold(0, 3.25)
    expected = (
        "mean error 3.25 % [3.00 5.00] of the inter-ocular distance, more than 10 % in 1.50 %"
    )
    assert expected in str(one.to_table().caption)
    folds = [one, fold(1, 4.0), fold(2, 4.75)]
    cross = summarise(folds)
    assert cross.landmarks["landmark_error"].mean == pytest.approx(4)
    assert "mean error 4.00 % of the inter-ocular" in cross.to_grid().to_markdown()
    assert CrossReport.model_validate_json(cross.to_json()).landmarks == cross.landmarks
    folds[1] = report(["S1"])
    assert summarise(folds).landmarks == {}
    assert "landmarks" not in summarise(folds).to_grid().to_markdown()


def test_latex_escapes_and_has_rows_of_one_width(tmp_path: Path) -> None:
    odd = report(["S1", "S2"]).model_copy(update={"title": r"a_b & 5% \of {#1}~^$, x, fold 1"})
    write_tables(summarise([odd, report(["S3"]), report(["S4"])]), tmp_path)
    text = (tmp_path / "table.tex").read_text(encoding="utf-8")
    lines = text.splitlines()
    columns = re.search(r"\\begin\{tabular\}\{(l(r+))\}", text)
    assert columns is not None
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) == 20
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns[2])}
    rules = [
        i for i, line in enumerate(lines) if line in (r"\toprule", r"\midrule", r"\bottomrule")
    ]
    assert [i - rules[0] for i in rules] == [0, 2, 21, 23]
    assert lines[rules[2] + 1].startswith("mean & ")
    assert r"a\_b \& 5\% \textbackslash{}of \{\#1\}\textasciitilde{}\textasciicircum{}\$" in text
    bare = re.sub(r"\\[\\&%$#_{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"[%$#_~^]", bare)
    assert r" & -- & " in lines[rules[1] + 4]  # AU05 has no F1 in one fold
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def has_latex() -> bool:
    """Whether there is a LaTeX with the package that tables need."""
    return bool(shutil.which("pdflatex") and shutil.which("kpsewhich")) and (
        subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not has_latex(), reason="LaTeX with booktabs is not installed")
def test_latex_typesets_it_in_the_width_of_a_page(tmp_path: Path) -> None:
    odd = report(["S1", "S2"]).model_copy(update={"title": r"a_b & 5% \of {#1}~^$, x, fold 1"})
    write_tables(summarise([odd, report(["S3"]), report(["S4"])]), tmp_path)
    (tmp_path / "page.tex").write_text(
        r"\documentclass[10pt,letterpaper,twocolumn]{article}\setlength{\textwidth}{7in}"
        r"\usepackage{booktabs}\begin{document}\input{table}\end{document}"
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=batchmode", "page"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    assert "Overfull" not in (tmp_path / "page.log").read_text(errors="replace")
