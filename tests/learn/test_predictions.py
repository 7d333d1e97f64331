"""Predictions are what was scored, a row a frame, in one file for all folds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score, mean_absolute_error

from actionunits.aus import AUSet
from actionunits.data import splits
from actionunits.data.dataset import ClipDataset, collate
from actionunits.errors import CheckpointError, UserError
from actionunits.learn import scoring
from actionunits.learn.crossval import CrossReport, crossval, is_crossval, rescore
from actionunits.learn.evaluate import evaluate
from actionunits.learn.predictions import Predictions
from actionunits.learn.recipe import Recipe
from actionunits.learn.report import Report
from actionunits.learn.train import train
from actionunits.types import InputSpec, Output
from command import Au
from runs import tiny_recipe

KEY = ["subject", "task", "frame"]


@pytest.fixture(scope="module")
def recipe(synfacs_file: Path) -> Recipe:
    return tiny_recipe(synfacs_file, epochs=1)


@pytest.fixture(scope="module")
def folds(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("crossval")
    crossval(recipe, out, show=False)
    return out


def test_they_are_what_the_report_counts(folds: Path, recipe: Recipe, tmp_path: Path) -> None:
    rows = Predictions(tmp_path / "rows.parquet")
    report = evaluate(folds / "fold2", resamples=0, batch=5, predictions=rows)
    assert isinstance(report, Report)
    rows.save()
    table = pd.read_parquet(tmp_path / "rows.parquet")
    names = AUSet.of(report.aus).columns()
    kinds = [f"{name}_{kind}" for kind in ("label", "p", "r", "label_r") for name in names]
    assert list(table.columns) == [*KEY, "fold", *kinds]
    assert len(table) == report.frames
    assert set(table["fold"]) == {2}
    frames = splits.train_test(scoring.read_table(recipe.data), 2)[1]
    wanted = frames.rows[KEY].sort_values(KEY, ignore_index=True)
    pd.testing.assert_frame_equal(table[KEY], wanted, check_dtype=False)
    for i, name in enumerate(names):
        labels, said = table[f"{name}_label"].to_numpy(int), table[f"{name}_p"] > 0.5
        assert f1_score(labels, said) == pytest.approx(report.scores["f1"].per_au[i])
        error = mean_absolute_error(table[f"{name}_label_r"], table[f"{name}_r"])
        assert error == pytest.approx(report.scores["mae"].per_au[i], rel=1e-5)


def test_all_folds_in_one_file_and_the_same_report(au: Au, folds: Path, tmp_path: Path) -> None:
    assert is_crossval(folds)
    assert not is_crossval(folds / "fold1")
    file = tmp_path / "new" / "rows.csv"
    said = au("evaluate", folds, "--predictions", file, "--json")
    assert said.code == 0, said.err
    again = CrossReport.model_validate_json(said.out)
    first = CrossReport.model_validate_json((folds / "report.json").read_text())
    for name, score in first.mean.items():
        assert again.mean[name].mean == pytest.approx(score.mean, rel=1e-3, nan_ok=True), name
    table = pd.read_csv(file)
    assert len(table) == sum(fold.frames for fold in first.folds)
    assert not table.duplicated(KEY).any()
    assert table["fold"].is_monotonic_increasing
    assert set(table["fold"]) == {1, 2, 3}
    for fold in first.folds:
        part = table[table["fold"] == int(fold.title[-1])]
        assert set(part["subject"]) == set(fold.subjects)
    assert rescore(folds, resamples=0).to_json() == rescore(folds, resamples=0).to_json()
    said = au("evaluate", folds, "--fold", 1)
    assert said.code == 2
    assert f"--fold and --data need one of its runs, such as {folds}/fold1" in said.err


def test_only_aus_in_common_and_no_fold_of_other_frames(
    folds: Path, recipe: Recipe, tmp_path: Path
) -> None:
    frames = scoring.read_table(recipe.data).select(AUSet.of((12, 2))).subset(np.arange(6))
    rows = Predictions(tmp_path / "rows.csv")
    evaluate(folds / "fold1", table=frames, resamples=0, predictions=rows)
    table = rows.table()
    assert list(table.columns[4:6]) == ["AU02_label", "AU12_label"]
    assert table["fold"].isna().all()
    assert len(table) == 6
    assert not (tmp_path / "rows.csv").exists()
    rows.save()
    text = pd.read_csv(tmp_path / "rows.csv")
    np.testing.assert_allclose(text["AU02_p"], table["AU02_p"], atol=1e-6)


def test_frames_of_clips_come_once_and_what_is_not_coded_is_empty(recipe: Recipe) -> None:
    frames = scoring.read_table(recipe.data)
    holes = frames.rows.copy()
    holes.loc[2, "AU06"] = np.nan
    holes.loc[5, frames.aus.columns()] = np.nan
    frames = replace(frames, rows=holes)
    spec = InputSpec(32, 36, (0.5,) * 3, (0.5,) * 3, clip=3, context=1)  # of runs of 4 frames
    batch = collate(ClipDataset(frames, spec).__getitems__(list(range(8))))
    rows = Predictions("rows.csv")
    logits = torch.linspace(-3, 3, batch.labels.numel()).view_as(batch.labels)
    rows.recorder(frames.aus, 3)(Output(logits), batch)
    table = rows.table()
    assert len(table) == 4 * 4
    merged = holes.merge(table, on=KEY)
    assert len(merged) == len(table)
    known = ~np.isnan(merged[frames.aus.columns()].to_numpy())
    labels = merged[[f"{name}_label" for name in frames.aus.columns()]]
    np.testing.assert_array_equal(labels.notna().to_numpy(), known)
    assert labels.isna().sum().sum() == 5
    first = batch.keys.index("/".join(map(str, table.loc[0, KEY])))
    assert table.loc[0, "AU01_p"] == pytest.approx(float(logits.view(-1, 4)[first, 0].sigmoid()))


def test_what_cannot_be_written_is_named_before_anything_is_scored(
    au: Au, folds: Path, synfacs_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"rows\.txt: expected a file \.csv or \.parquet"):
        Predictions("rows.txt")
    said = au("evaluate", tmp_path, "--predictions", "rows.xlsx")
    assert (said.code, "expected a file .csv or .parquet" in said.err) == (2, True)
    points = tiny_recipe(
        synfacs_file,
        model={"name": "landmarks", "params": {"width": 8, "size": 32, "align": 36}},
        loss={"landmarks": 1.0},
        epochs=1,
    )
    train(points, 1, tmp_path / "points", show=False)
    with pytest.raises(CheckpointError, match="reads no AUs"):
        evaluate(tmp_path / "points", predictions=Predictions("rows.csv"))
