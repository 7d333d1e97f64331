"""Comparisons say what keeps a score from meaning what it seems to."""

from pathlib import Path

import numpy as np
import pytest
from handmade import BP4D, recipe, report, shown, write_crossval, write_run

from actionunits import aus
from actionunits.datasets.facts import known
from actionunits.learn.report import Report
from actionunits.papers.compare import compare, read_run
from actionunits.papers.compare.show import grids


def alone(fold: int) -> Report:
    """A fold with its first subject only."""
    one = report(fold)
    counts = one.confusion[:1]
    return one.model_copy(update={"subjects": one.subjects[:1], "confusion": counts})


def whole(fold: int, frames: int, subjects: int) -> Report:
    """A fold of DISFA with that many people and frames."""
    people = tuple(f"SN{fold}{number:02d}" for number in range(subjects))
    done = report(fold, aus.DISFA8.numbers)
    counts = [done.confusion[0]] * subjects
    return done.model_copy(update={"subjects": people, "frames": frames, "confusion": counts})


def test_one_subject_in_a_fold_takes_interval_and_star(tmp_path: Path) -> None:
    full = write_crossval(tmp_path / "full", recipe(), seed=3)
    for fold in (1, 2, 3):
        done = alone(2) if fold == 2 else report(fold)
        write_run(tmp_path / "lone" / f"fold{fold}", recipe(), done)
    (pair,) = compare([tmp_path / "lone"]).papers
    assert pair.frame["value"].notna().all()
    assert pair.frame[["low", "high"]].isna().all(axis=None)
    text = shown([tmp_path / "lone"], 400)
    assert "no interval and no star for lone: one subject tells nothing of others" in text
    assert "F20 alone" in text
    assert "*" not in text
    lone = read_run(tmp_path / "lone")
    assert (lone.lone, read_run(full).lone) == (("F20",), ())
    write_run(tmp_path / "other", recipe(), alone(2))
    write_run(tmp_path / "again", recipe(), alone(2))
    text = shown([tmp_path / "other", tmp_path / "again"], 400)
    assert "no interval and no star for again" in text
    ends = compare([tmp_path / "other", tmp_path / "again"]).together[1].frame
    assert ends[["difference_low", "difference_high"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("frames", "subjects", "reason"),
    [
        (60, 1, "tested on 3 of 27 people and 180 of 130,814 frames"),
        (60, 9, "tested on 27 of 27 people and 180 of 130,814 frames"),
        (42_100, 9, None),  # what JAA-Net's list has
    ],
)
def test_part_of_a_data_set_is_named(
    frames: int, subjects: int, reason: str | None, tmp_path: Path
) -> None:
    assert known()["disfa"].people == 27
    of = recipe(data="disfa", threshold=1)
    for fold in (1, 2, 3):
        write_run(tmp_path / "run" / f"fold{fold}", of, whole(fold, frames, subjects))
    (pair,) = compare([tmp_path / "run"]).papers
    said = [why for why in pair.unlike if why.startswith("tested on")]
    assert said == ([] if reason is None else [reason])
    if reason is not None:
        assert f"not like for like: {reason}" in shown([tmp_path / "run"], 400)


def test_runs_on_other_frames_of_the_same_people_are_not_alike(tmp_path: Path) -> None:
    first = write_run(tmp_path / "first", recipe(data="synfacs"), report(1))
    fewer = report(1).model_copy(update={"frames": 1})
    second = write_run(tmp_path / "second", recipe(data="synfacs"), fewer)
    pair = compare([first, second]).together[1]
    assert pair.unlike == ("tested on 1 frame, the first: 2,001",)


def test_threshold_and_coding_are_those_that_were_used(tmp_path: Path) -> None:
    of = recipe("sacl", "disfa", init="imagenet")  # the recipe leaves the threshold to the data
    coded = {"coding": "intensity", "occurs_from": 1.0}
    done = report(1, aus.DISFA8.numbers).model_copy(update=coded)
    (pair,) = compare([write_run(tmp_path / "one", of, done)]).papers
    assert "an AU occurs from intensity 1 on, published: 2" in pair.unlike
    assert "labels: intensities, an AU occurs from 1 on" in shown([tmp_path / "one"], 400)
    other = done.model_copy(update={"coding": "occurrence", "occurs_from": None})
    comparison = compare([tmp_path / "one", write_run(tmp_path / "two", of, other)])
    said = "labels: occurrence as coded, the first: intensities, an AU occurs from 1 on"
    assert said in comparison.together[1].unlike
    table = comparison.to_frame()
    assert set(table.loc[table["run"] == "two", "labels"]) == {"occurrence as coded"}
    facts = [(run["coding"], run["occurs_from"]) for run in comparison.to_dict()["runs"]]
    assert facts == [("intensity", 1.0), ("occurrence", None)]


def test_f1_of_always_saying_present_stands_beside_f1(tmp_path: Path) -> None:
    folder = write_crossval(tmp_path / "run", recipe())
    folds = []
    for fold in (1, 2, 3):
        counts = np.array(report(fold).confusion).sum(0)
        positive = counts[:, 0] + counts[:, 2]
        folds.append(200 * positive / (positive + counts.sum(1)))
    expected = np.mean(folds, 0)
    frame = compare([folder]).papers[0].frame
    np.testing.assert_allclose(frame["always"][:-1], expected)
    assert frame.loc["mean", "always"] == pytest.approx(expected.mean())
    text = shown([folder], 80)
    assert "yes: F1 (%) of always saying present" in text
    row = next(line for line in text.splitlines() if "Brow lowerer" in line)
    assert f"{expected[BP4D.index(4)]:.1f}" in row
    text = shown([folder, write_crossval(tmp_path / "two", recipe(), seed=1)], 80)
    row = next(line for line in text.splitlines() if line.startswith(" 1 run"))
    assert f" {expected.mean():.0f}" in row


def test_people_who_were_trained_on_are_shouted_in_every_table(tmp_path: Path) -> None:
    seen = report(1).model_copy(update={"trained_on": ("bp4d:F10",)})
    one = write_run(tmp_path / "one", recipe(), report(1))
    two = write_run(tmp_path / "two", recipe(), seen)
    assert [grid.title for grid in grids(compare([one, two]))] == [
        "Means over 12 AUs, TRAINED ON THESE",
        "F1 (%) side by side, TRAINED ON THESE",
        "one beside renet Table 1, Ours",
        "two beside renet Table 1, Ours, TRAINED ON THESE",
    ]
    text = shown([one, two], 400)
    assert "TRAINED ON THESE: the weights learned from 1 subject of them" in text
    unknown = write_run(tmp_path / "x", recipe(), seen.model_copy(update={"people_known": False}))
    assert "WHETHER THE WEIGHTS WERE TRAINED ON THESE IS UNKNOWN" in shown([unknown], 400)
