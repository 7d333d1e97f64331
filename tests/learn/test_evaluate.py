"""A checkpoint is scored on the frames that it never saw, in any batches alike."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from actionunits import datasets as data_sets
from actionunits import weights
from actionunits.aus import AUSet
from actionunits.data import splits
from actionunits.data.dataset import FrameDataset
from actionunits.datasets.prepare import prepare
from actionunits.errors import CheckpointError, DataError
from actionunits.learn import checkpoint, scoring
from actionunits.learn.evaluate import evaluate
from actionunits.learn.report import Report, read_report
from actionunits.learn.run import Result
from actionunits.learn.train import train
from actionunits.types import InputSpec, Output
from builders import SIDE, landmarks49, write_synfacs
from rawtables import raw_table
from runs import tiny_recipe


@pytest.fixture(scope="module")
def run(synfacs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    recipe = tiny_recipe(synfacs_file, epochs=1)
    return train(recipe, 1, tmp_path_factory.mktemp("run"), show=False)


def test_equals_scikit_learn_on_the_test_fold(run: Result) -> None:
    report = evaluate(run.checkpoint, batch=5, precision="fp32")
    model, card = checkpoint.load(run.checkpoint)
    table = splits.train_test(scoring.read_table(card.recipe.data), 1)[1]
    frames = FrameDataset(table, card.spec)
    with torch.inference_mode():
        out = model(torch.cat([frames[i].images for i in range(len(frames))]))
    probability, truth = out.logits.sigmoid().numpy(), table.occurrence()
    calibrated = probability >= np.array(card.thresholds)
    for a in range(4):
        assert report.scores["auc"].per_au[a] == pytest.approx(
            roc_auc_score(truth[:, a], probability[:, a])
        )
        assert report.scores["f1_calibrated"].per_au[a] == pytest.approx(
            f1_score(truth[:, a], calibrated[:, a])
        )
    assert report.scores["mae"].mean == pytest.approx(
        np.abs(out.intensity.numpy() - table.labels).mean(0).mean(), rel=1e-5
    )
    assert report.frames == len(table) == 16
    assert list(report.subjects) == table.subjects()


def test_equals_the_report_of_the_run_in_any_batches(run: Result) -> None:
    assert run.report is not None
    for batch in (1, 3, 100):
        report = evaluate(run.checkpoint, batch=batch)
        assert report.confusion == run.report.confusion
        for name, score in report.scores.items():
            expected = run.report.scores[name]
            assert score.per_au == pytest.approx(expected.per_au, abs=1e-5, nan_ok=True)


def test_frames_that_are_not_here_are_sought_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="synfacs-people: there is no .*--data NAME, or .*--root"):
        evaluate(weights.locate("default"))


def test_other_folds_frames_and_places(run: Result, synfacs_file: Path, tmp_path: Path) -> None:
    other = evaluate(run.checkpoint, fold=2, resamples=0)
    assert other.title.endswith("fold 2, TRAINED ON THESE")
    assert not set(other.subjects) & set(evaluate(run.checkpoint).subjects)
    moved = tmp_path / "moved.parquet"
    moved.write_bytes(synfacs_file.read_bytes())
    copy = evaluate(run.checkpoint, data="synfacs", root=str(moved), resamples=0)
    assert copy.subjects == evaluate(run.checkpoint, resamples=0).subjects
    again = evaluate(run.checkpoint, fold=2, root=str(moved), resamples=0)
    assert again.to_json() == other.to_json()
    table = scoring.read_table(tiny_recipe(synfacs_file).data)
    few = evaluate(run.checkpoint, table=table.subset(np.arange(10)), resamples=0)
    assert few.frames == 10


def test_another_data_set_is_scored_by_the_recipe_of_the_checkpoint(
    synfacs_file: Path, tmp_path: Path
) -> None:
    data = {"name": "synfacs", "root": str(synfacs_file), "aus": [1, 12], "threshold": 4.0}
    trained = train(tiny_recipe(synfacs_file, epochs=1, data=data), 2, tmp_path, show=False)
    path = trained.checkpoint
    other = write_synfacs(tmp_path / "other.parquet", frames=3, seed=1)
    report = evaluate(path, data="synfacs", root=str(other), resamples=0)
    # Another seed, other people: all of them.
    assert (report.title, report.frames) == ("renet, synfacs to synfacs", 6 * 2 * 3)
    truth = data_sets.load("synfacs", other).select(AUSet.of((1, 12))).labels
    assert report.to_frame()["positives"].iloc[:2].tolist() == (truth >= 3.5).sum(0).tolist()
    fold = evaluate(path, data="synfacs", root=str(other), fold=3, resamples=0)
    assert (fold.title[-6:], fold.subjects) == ("fold 3", ("S001", "S004"))
    # Nobody it was trained on, however its own data set is named.
    same = evaluate(path, data="synfacs", root=str(synfacs_file), resamples=0)
    assert same.to_json() == evaluate(path, resamples=0).to_json()
    with pytest.raises(DataError, match="does not come with the package"):
        evaluate(path, data="bp4d")


def test_aus_in_common_are_scored_and_the_others_named(run: Result, synfacs_file: Path) -> None:
    whole = evaluate(run.checkpoint, resamples=20)
    assert (whole.aus, whole.uncoded) == ((1, 2, 6, 12), ())
    table = splits.train_test(data_sets.load("synfacs", synfacs_file), 1)[1]
    few = evaluate(run.checkpoint, table=table.select(AUSet.of((26, 12, 2))), resamples=20)
    assert (few.aus, few.uncoded) == ((2, 12), (1, 6))
    for name, score in few.scores.items():
        expected = whole.scores[name]
        assert score.per_au == [expected.per_au[1], expected.per_au[3]]
        assert score.intervals == [expected.intervals[1], expected.intervals[3]]
        assert score.mean == pytest.approx(np.nanmean(score.per_au))
    assert few.thresholds == (whole.thresholds[1], whole.thresholds[3])
    assert few.confusion == [[subject[1], subject[3]] for subject in whole.confusion]
    assert "NOT SCORED, as not coded here: AU01, AU06" in str(few.to_table().caption)
    assert "NOT SCORED" not in str(whole.to_table().caption)
    assert list(few.to_frame().index) == ["AU02", "AU12", "mean"]
    assert Report.model_validate_json(few.to_json()).uncoded == few.uncoded
    with pytest.raises(DataError, match=r"reads AU01, .* codes none of them, only AU25, AU26"):
        evaluate(run.checkpoint, table=table.select(AUSet.of((25, 26))))


def test_another_data_set_need_not_code_all_aus(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"name": "synfacs", "root": str(synfacs_file), "aus": [4, 12, 1]}
    trained = train(tiny_recipe(synfacs_file, epochs=1, data=data), 1, tmp_path / "run", show=False)
    monkeypatch.setitem(data_sets._RAW, "bp4d", raw_table)
    prepare(data_sets.read_raw("bp4d", tmp_path / "raw"), tmp_path / "out", workers=1)
    report = evaluate(trained.checkpoint, data="bp4d", root=str(tmp_path / "out"), resamples=0)
    assert report.title == "renet, synfacs to bp4d"
    assert (report.aus, report.uncoded) == ((12, 1), (4,))
    truth = data_sets.load("bp4d", tmp_path / "out").select(AUSet.of((12, 1))).labels
    assert report.to_frame()["positives"][:2].tolist() == np.nansum(truth, 0).tolist()


def test_what_is_wrong_is_named(run: Result, synfacs_file: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected a checkpoint"):
        evaluate(tmp_path)
    with pytest.raises(DataError, match="expected fold 1 to 3, got 9"):
        evaluate(run.checkpoint, fold=9)
    with pytest.raises(DataError, match=r"absent\.parquet"):
        evaluate(run.checkpoint, root="absent.parquet")
    model, card = checkpoint.load(run.checkpoint)
    checkpoint.save(model, card.model_copy(update={"fold": None}), tmp_path / "all")
    with pytest.raises(DataError, match="trained on all subjects"):
        evaluate(tmp_path / "all")


def test_faces_placed_otherwise_are_refused(run: Result, synfacs_file: Path) -> None:
    table = scoring.read_table(tiny_recipe(synfacs_file).data)
    with pytest.raises(DataError, match=r"template canonical, these have box49; prepare them"):
        evaluate(run.checkpoint, table=replace(table, template="box49"))


def test_calibration_never_lowers_f1_on_its_own_frames(run: Result, synfacs_file: Path) -> None:
    model, card = checkpoint.load(run.checkpoint)
    table = splits.train_test(scoring.read_table(card.recipe.data), 1)[0]
    thresholds = scoring.calibrate(model, table, card.spec)
    assert thresholds.tolist() == pytest.approx(list(card.thresholds))
    report = scoring.score(model, table, card.spec, thresholds=thresholds)
    calibrated, half = report.scores["f1_calibrated"].per_au, report.scores["f1"].per_au
    assert all(c >= h for c, h in zip(calibrated, half, strict=True))


class Guess(torch.nn.Module):
    """Every face has the same landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.points = torch.nn.Parameter(torch.from_numpy(landmarks49()) * (32 / SIDE))

    def forward(self, images: torch.Tensor) -> Output:
        return Output(
            images.mean((1, 2, 3))[:, None].expand(-1, 4),
            landmarks=self.points.expand(len(images), -1, -1),
        )


def test_landmarks_are_scored_where_there_are_any(synfacs_file: Path) -> None:
    spec = InputSpec(32, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    table = scoring.read_table(tiny_recipe(synfacs_file).data)
    assert table.landmarks is not None
    points = table.landmarks.copy()
    points[5:30] = np.nan
    guess, thresholds = Guess(), torch.full((4,), 0.5)
    report = scoring.score(
        guess, replace(table, landmarks=points), spec, thresholds=thresholds, resamples=50
    )
    true = np.delete(table.landmarks, np.arange(5, 30), 0)
    distance = np.linalg.norm(landmarks49() - true, axis=-1).mean(1)
    eyes = np.linalg.norm(true[:, 19:25].mean(1) - true[:, 25:31].mean(1), axis=-1)
    error = report.landmarks["landmark_error"]
    assert error.mean == pytest.approx(100 * (distance / eyes).mean(), rel=1e-5)
    assert error.mean_interval[0] < error.mean < error.mean_interval[1]
    assert report.landmarks["landmark_failure"].mean == 0
    assert f"landmarks: mean error {error.mean:.2f} % [" in str(report.to_table().caption)
    again = Report.model_validate_json(report.to_json())
    assert again.landmarks == report.landmarks

    # Those that a model found are no truth: the error is that of the frames without them.
    found = table.rows.assign(found=[5 <= i < 30 for i in range(len(table))])
    partly = scoring.score(
        guess, replace(table, rows=found), spec, thresholds=thresholds, resamples=50
    )
    assert (report.found, partly.found) == (0, 25)
    assert partly.landmarks == report.landmarks
    assert "; without 25 faces whose landmarks a model found" in str(partly.to_table().caption)
    found = table.rows.assign(found=True)
    none = scoring.score(
        guess, replace(table, rows=found), spec, thresholds=thresholds, resamples=50
    )
    assert np.isnan(none.landmarks["landmark_error"].mean)
    assert "no error is known, as the data set has none: those of 48" in str(
        none.to_table().caption
    )
    assert read_report(none.to_json()).to_json() == none.to_json()

    without = scoring.score(guess, replace(table, landmarks=None), spec, thresholds=thresholds)
    assert without.landmarks == {}
    old = json.loads(without.to_json())
    del old["landmarks"]  # as reports were written before there were scores of landmarks
    assert read_report(json.dumps(old)).to_json() == without.to_json()


def test_reports_say_how_the_frames_were_prepared(synfacs_file: Path) -> None:
    spec = InputSpec(32, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    table = scoring.read_table(tiny_recipe(synfacs_file).data).subset(np.arange(10))
    prepared = replace(table, template="box49", lost={"S001": 2, "S002": 3, "S006": 40})
    report = scoring.score(Guess(), prepared, spec, thresholds=torch.full((4,), 0.5))
    assert (report.subjects, report.template, report.lost) == (("S001", "S002"), "box49", 5)
    values = json.loads(report.to_json())
    for name in ("template", "lost", "found", "uncoded"):
        del values[name]  # as reports were written before they said so
    old = read_report(json.dumps(values))
    assert isinstance(old, Report)
    assert (old.template, old.lost, old.found, old.uncoded) == ("canonical", 0, 0, ())
