"""The loop learns, stops and goes on exactly, chooses epochs as told, and names what is wrong."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from actionunits.errors import DataError, RecipeError
from actionunits.learn.card import WEIGHTS, read_card
from actionunits.learn.recipe import Recipe, load_recipe
from actionunits.learn.run import CHECKPOINT, LAST, LOG, REPORT, STATE, Run, TrainingError
from actionunits.learn.tasks import TASKS
from actionunits.learn.train import train
from actionunits.types import InputSpec
from builders import write_synfacs
from learning import ctrl_c_in_batch, learned
from runs import tiny_recipe

PASSES = 8  # 32 training frames of `synfacs_file`, batch 4


@pytest.fixture
def recipe(synfacs_file: Path) -> Recipe:
    return tiny_recipe(synfacs_file)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / CHECKPOINT / WEIGHTS)


def losses(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / LOG).drop(columns=["images_per_second", "waiting"])


def assert_same_run(one: Path, two: Path) -> None:
    """Bit for bit: weights, losses and the report."""
    first, second = weights(one), weights(two)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    pd.testing.assert_frame_equal(losses(one), losses(two), check_exact=True)
    assert (one / REPORT).read_text() == (two / REPORT).read_text()


@pytest.mark.learning
def test_learns_what_the_pictures_show(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    corpus = write_synfacs(tmp_path / "corpus.parquet", subjects=6, tasks=1, frames=18)
    recipe = tiny_recipe(
        corpus,
        {"relation": "none", "task": "occurrence"},
        data={"name": "synfacs", "root": str(corpus), "aus": [1, 2, 6, 12], "cache": True},
        loss={"occurrence": 1.0},
        optimiser={"lr": 0.01},
        batch=24,
        epochs=20,
        seed=seed,
    )
    assert train(recipe, 1, tmp_path, show=False).report is not None
    record_property("used", learned(tmp_path))


def test_folder_of_a_finished_run(recipe: Recipe, tmp_path: Path) -> None:
    result = train(recipe, 2, tmp_path, show=False)
    assert {f.name for f in tmp_path.iterdir()} == {"recipe.yaml", LOG, CHECKPOINT, REPORT, LAST}
    card = read_card(result.checkpoint)
    assert (card.fold, card.epoch, card.selection) == (2, 2, "last")
    assert card.recipe == recipe
    assert result.report is not None
    assert card.scores["f1"] == pytest.approx(result.report.scores["f1"].mean)
    assert list(card.thresholds) == list(result.report.thresholds)
    assert all(0 < threshold < 1 for threshold in card.thresholds)


EVERYTHING = {
    "params": {"relation": "learnable"},
    "optimiser": {"name": "sgd", "lr": 0.01},
    "schedule": {"name": "cosine", "warmup": 0.5},
    "accumulate": 2,
    "clip_norm": 1.0,
}


@pytest.mark.parametrize(
    ("variant", "at"), [({}, 3), (EVERYTHING, PASSES), (EVERYTHING, PASSES + 2)]
)
def test_stopped_and_resumed_equals_uninterrupted(
    variant: dict, at: int, synfacs_file: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(synfacs_file, **variant)
    train(recipe, 1, tmp_path / "whole", show=False)
    with ctrl_c_in_batch(at):
        train(recipe, 1, tmp_path / "halves", show=False)
    train(recipe, 1, tmp_path / "halves", show=False)
    assert_same_run(tmp_path / "whole", tmp_path / "halves")


@pytest.mark.parametrize("at", [PASSES + 1, 2 * PASSES])
def test_killed_run_goes_on_from_its_last_state(
    at: int, synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(
        synfacs_file, selection={"rule": "inner", "share": 0.25, "metric": "auc"}, batch=3
    )
    train(recipe, 1, tmp_path / "whole", show=False)

    record, passes = Run.record, []

    def die(run: Run, *loss: object) -> None:
        passes.append(1)
        if len(passes) == at:
            raise KeyboardInterrupt
        record(run, *loss)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", die)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, 1, tmp_path / "halves", show=False, save_every=2)
    assert (tmp_path / "halves" / STATE).is_file()
    train(recipe, 1, tmp_path / "halves", show=False)
    assert_same_run(tmp_path / "whole", tmp_path / "halves")


ROOT = {"name": "inverse_sqrt", "warmup": 0.5}
INNER = {"rule": "inner", "share": 0.25, "metric": "auc"}


@pytest.mark.parametrize(
    "variant",
    [{}, EVERYTHING | {"schedule": ROOT}, {"selection": INNER, "batch": 3}],
    ids=["constant", "everything", "inner"],
)
def test_finished_run_that_goes_on_equals_one_of_more_epochs(
    variant: dict, synfacs_file: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(synfacs_file, **variant | {"epochs": 3})
    train(recipe, 1, tmp_path / "whole", show=False)
    train(recipe.model_copy(update={"epochs": 1}), 1, tmp_path / "longer", show=False)
    train(recipe, 1, tmp_path / "longer", show=False)
    assert_same_run(tmp_path / "whole", tmp_path / "longer")
    assert read_card(tmp_path / "longer").recipe == recipe
    assert load_recipe(tmp_path / "longer" / "recipe.yaml") == recipe


def test_run_that_went_on_and_was_stopped_goes_on_again(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(synfacs_file, epochs=3)
    train(recipe, 1, tmp_path / "whole", show=False)
    out = tmp_path / "longer"
    train(recipe.model_copy(update={"epochs": 1}), 1, out, show=False)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "end_epoch", lambda run: pytest.exit("killed"))
        with pytest.raises(pytest.exit.Exception):
            train(recipe, 1, out, show=False)
    assert not (out / REPORT).exists()  # that of one epoch would pass for that of three
    with pytest.raises(RecipeError, match=r"go on to 4 epochs|unfinished run: finish it"):
        train(recipe.model_copy(update={"epochs": 4}), 1, out, show=False)
    train(recipe, 1, out, show=False)
    assert_same_run(tmp_path / "whole", out)


def test_run_that_cannot_go_on_is_left_as_it_is(synfacs_file: Path, tmp_path: Path) -> None:
    def longer(start: Recipe, fold: int = 1) -> None:
        train(start.model_copy(update={"epochs": 2}), fold, tmp_path / "run", show=False)

    cosine = tiny_recipe(synfacs_file, epochs=1, schedule={"name": "cosine"})
    train(cosine, 1, tmp_path / "run", show=False)
    with pytest.raises(RecipeError, match=r"its cosine has brought .* --set init="):
        longer(cosine)
    assert train(cosine, 1, tmp_path / "run", show=False).report is not None
    recipe = tiny_recipe(synfacs_file, epochs=1)
    train(recipe, 1, tmp_path / "run", resume=False, show=False)
    with pytest.raises(RecipeError, match=rf"no {LAST} of this fold"):
        longer(recipe, fold=2)
    (tmp_path / "run" / LAST).unlink()
    with pytest.raises(RecipeError, match=rf"no {LAST} of this fold"):
        longer(recipe)
    assert train(recipe, 1, tmp_path / "run", show=False).report is not None


def test_signal_handlers_are_put_back(recipe: Recipe, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train(recipe, 1, tmp_path, show=False)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_finished_run_is_returned_and_not_repeated(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(recipe, 1, tmp_path, show=False)
    with monkeypatch.context() as patch:
        patch.setattr("actionunits.learn.train.start", lambda *_: pytest.fail("trained again"))
        again = train(recipe, 1, tmp_path, show=False)
    assert again.checkpoint == first.checkpoint
    assert again.report is not None
    assert first.report is not None
    assert again.report.to_json() == first.report.to_json()
    afresh = tiny_recipe(Path(recipe.data.root or ""), epochs=1)
    assert train(afresh, 3, tmp_path, resume=False, show=False).report != first.report
    assert len(pd.read_csv(tmp_path / LOG)) == 1


def test_another_run_in_the_folder_is_not_touched(
    recipe: Recipe, synfacs_file: Path, tmp_path: Path
) -> None:
    train(recipe, 1, tmp_path, show=False)
    other = tiny_recipe(synfacs_file, optimiser={"lr": 0.1}, seed=3)
    with pytest.raises(RecipeError, match=r"another recipe \(seed, optimiser\.lr\)"):
        train(other, 1, tmp_path, show=False)
    with pytest.raises(RecipeError, match="a run of fold 1, not 2"):
        train(recipe, 2, tmp_path, show=False)


def test_inner_selection_keeps_the_best_epoch_and_stops_early(
    synfacs_file: Path, tmp_path: Path
) -> None:
    selection = {"rule": "inner", "share": 0.25, "metric": "auc", "patience": 1}
    recipe = tiny_recipe(synfacs_file, selection=selection, epochs=30)
    train(recipe, 1, tmp_path, show=False)
    log = pd.read_csv(tmp_path / LOG)
    best = int(log["epoch"][log["auc"].idxmax()])
    assert len(log) == best + 1 < 30
    assert read_card(tmp_path).epoch == best


def test_inner_subjects_are_neither_trained_on_nor_tested(synfacs_file: Path) -> None:
    selection = {"rule": "inner", "share": 0.25}
    rows = TASKS["aus"].read(tiny_recipe(synfacs_file, selection=selection), 1)
    assert rows.inner is not None
    assert rows.test is not None
    sets = [set(table.subjects()) for table in rows]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 6


def test_best_on_test_is_said_in_card_and_report(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(synfacs_file, selection={"rule": "best_on_test"})
    report = train(recipe, 1, tmp_path, show=False).report
    assert report is not None
    assert report.selection == read_card(tmp_path).selection == "best_on_test"
    assert "CHOSEN ON THESE TEST SUBJECTS" in str(report.to_table().caption)
    with pytest.raises(RecipeError, match="needs a fold"):
        train(recipe, None, tmp_path / "all", show=False)


def test_all_subjects(recipe: Recipe, tmp_path: Path) -> None:
    result = train(recipe, None, tmp_path, show=False)
    assert result.report is None
    assert read_card(tmp_path).fold is None
    assert train(recipe, None, tmp_path, show=False) == result


def test_start_from_a_checkpoint(recipe: Recipe, synfacs_file: Path, tmp_path: Path) -> None:
    train(recipe, 1, tmp_path / "first", show=False)
    start = str(tmp_path / "first")
    second = tiny_recipe(synfacs_file, init=start, optimiser={"lr": 1e-12}, epochs=1)
    train(second, 1, tmp_path / "second", show=False)
    for name in ("head.weight", "backbone.conv1.weight"):
        one, two = weights(tmp_path / "first")[name], weights(tmp_path / "second")[name]
        torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


def test_duplicated_frames_are_trained_on_and_not_tested(synfacs_file: Path) -> None:
    data = {"name": "synfacs", "root": str(synfacs_file)}
    recipe = tiny_recipe(synfacs_file, data=data | {"duplicate": [1, 2]})
    task, spec = TASKS["aus"], InputSpec(32, 36, (0.5,) * 3, (0.5,) * 3)
    rows, plain = task.read(recipe, 1), task.read(tiny_recipe(synfacs_file, data=data), 1)
    assert len(task.dataset(recipe, rows.train, spec)) > len(plain.train) == len(rows.train)
    assert rows.test is not None
    assert plain.test is not None
    assert len(rows.test) == len(plain.test)


def test_what_does_not_fit_is_named_before_training(synfacs_file: Path, tmp_path: Path) -> None:
    def run(**changes: object) -> None:
        train(tiny_recipe(synfacs_file, **changes), 1, tmp_path / "run", resume=False, show=False)

    with pytest.raises(RecipeError, match="no setting 'relaton' .did you mean 'relation'"):
        run(params={"relaton": "none"}, data={"name": "absent"})
    with pytest.raises(DataError, match="no data set 'absent'"):
        run(data={"name": "absent"})
    with pytest.raises(RecipeError, match=r"batch \* accumulate = 40 samples.*have 32"):
        run(batch=20, accumulate=2)
    with pytest.raises(RecipeError, match=r"loss: the model has the terms"):
        run(loss={"occurrence": 1.0})
    with pytest.raises(RecipeError, match="cannot start from 'facenet'"):
        run(init="facenet")


def test_a_run_that_could_not_begin_does_not_bind_its_folder(
    synfacs_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match="cannot start from 'facenet'"):
        train(tiny_recipe(synfacs_file, init="facenet"), 1, tmp_path, show=False)
    train(tiny_recipe(synfacs_file, epochs=1), 1, tmp_path, show=False)
    with pytest.raises(RecipeError, match="another recipe"):
        train(tiny_recipe(synfacs_file, epochs=1, seed=1), 1, tmp_path, show=False)


def test_loss_that_is_no_number_stops_with_advice(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(synfacs_file, optimiser={"name": "sgd", "lr": 1e30})
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) .*in epoch 1, .*optimiser\.lr"):
        train(recipe, 1, tmp_path, show=False)


def test_report_is_json(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, 1, tmp_path, show=False)
    json.loads((tmp_path / REPORT).read_text(), parse_constant=lambda c: pytest.fail(c))


def test_start_that_has_seen_the_test_subjects_is_refused(
    recipe: Recipe, synfacs_file: Path, tmp_path: Path
) -> None:
    train(recipe, 1, tmp_path / "first-fold1", show=False)
    again = tiny_recipe(synfacs_file, init=str(tmp_path / "first-fold1"))
    with pytest.raises(RecipeError, match="test subjects of fold 2"):
        train(again, 2, tmp_path / "leak", show=False)
    own = tiny_recipe(synfacs_file, init=str(tmp_path / "first-fold{fold}"), epochs=1)
    train(own, 1, tmp_path / "own", show=False)


def test_au_that_never_occurs_is_named_before_training(synfacs_file: Path, tmp_path: Path) -> None:
    data = {"name": "synfacs", "root": str(synfacs_file), "aus": [1, 2, 12], "threshold": 9.0}
    with pytest.raises(
        DataError, match=r"AU01 never occurs in 32 training frames.*data\.aus=\[2,12\]"
    ):
        train(tiny_recipe(synfacs_file, data=data), 1, tmp_path, show=False)
