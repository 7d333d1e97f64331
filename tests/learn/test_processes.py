"""Two processes, as `torchrun` starts them, give what one gives; one slow start for all tests."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from actionunits.learn.card import WEIGHTS
from actionunits.learn.evaluate import evaluate
from actionunits.learn.metrics import AUC, F1, ICC31, MAE, Accuracy, BestThreshold, SubjectMetric
from actionunits.learn.predictions import Predictions
from actionunits.learn.run import CHECKPOINT
from actionunits.learn.train import train
from actionunits.system.together import rank
from processes import two
from runs import tiny_recipe

KINDS: list[type[SubjectMetric]] = [F1, Accuracy, AUC, ICC31, MAE, BestThreshold]
FRAMES = 201  # odd: the processes hold different numbers of them


def scores(rank: int, world: int) -> dict[str, torch.Tensor]:
    """Scores of random frames, of which this process sees every `world`-th."""
    rng = torch.Generator().manual_seed(0)
    predicted, target = torch.rand(2, FRAMES, 3, generator=rng)
    known = torch.rand(FRAMES, 3, generator=rng) > 0.2
    subject = torch.randint(5, (FRAMES,), generator=rng)
    found = {}
    for kind in KINDS:
        metric = kind(3, 5)
        metric.update(*(x[rank::world] for x in (predicted, target.round(), known, subject)))
        found[kind.__name__] = metric.compute()
        found[kind.__name__ + " bootstrap"] = metric.bootstrap(resamples=8)
    return found


def both(folder: Path) -> dict[str, Any]:
    """What each of the two processes does."""
    recipe = tiny_recipe(folder / "corpus", epochs=2)
    result = train(recipe, 1, folder / "two", show=False)  # starts the process group
    assert result.report is not None
    rows = Predictions(folder / "rows.parquet")
    report = evaluate(folder / "one", batch=3, predictions=rows)
    rows.save()
    return scores(rank(), 2) | {"evaluated": report.to_json(), "trained": result.report.to_json()}


@pytest.fixture(scope="module")
def pair(synfacs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``one``, a run of one process, ``two``, of two, and what both found."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "corpus").symlink_to(synfacs_file)
    train(tiny_recipe(synfacs_file, epochs=1), 1, folder / "one", show=False)
    two(both, folder)
    return folder


def found(pair: Path, rank: int) -> dict[str, Any]:
    return dict(torch.load(pair / f"{rank}.pt", weights_only=True))


@pytest.mark.parametrize("rank", [0, 1])
def test_metrics(pair: Path, rank: int) -> None:
    two = found(pair, rank)
    for name, value in scores(0, 1).items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("rank", [0, 1])
def test_evaluation_counts_each_frame_once(pair: Path, rank: int) -> None:
    one = evaluate(pair / "one", batch=3)
    two = type(one).model_validate_json(found(pair, rank)["evaluated"])
    assert two.frames == 16
    assert two.confusion == one.confusion
    assert torch.tensor(two.confusion)[:, 0].sum() == 16
    for name, score in one.scores.items():
        assert two.scores[name].per_au == pytest.approx(score.per_au, abs=1e-6, nan_ok=True)
        assert two.scores[name].mean_interval == pytest.approx(
            score.mean_interval, abs=1e-6, nan_ok=True
        )


def test_training_agrees_and_writes_once(pair: Path) -> None:
    assert found(pair, 0)["trained"] == found(pair, 1)["trained"]
    assert (pair / "two" / CHECKPOINT / WEIGHTS).is_file()
    again = evaluate(pair / "two", batch=4)
    trained = type(again).model_validate_json(found(pair, 0)["trained"])
    assert again.confusion == trained.confusion


def test_predictions_of_both_are_in_one_file(pair: Path) -> None:
    rows = Predictions(pair / "unwritten.parquet")
    evaluate(pair / "one", batch=4, resamples=0, predictions=rows)
    pd.testing.assert_frame_equal(pd.read_parquet(pair / "rows.parquet"), rows.table())
