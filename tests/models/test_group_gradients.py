"""Every system has the gradients and the scores on two processes that it has on one.

Labels are missing here and there, so that the halves of a batch count differently.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.optim import optimizer

from actionunits.learn import feed
from actionunits.learn.recipe import Recipe, parse_recipe
from actionunits.learn.scoring import place
from actionunits.learn.task import Settings
from actionunits.learn.tasks import TASKS
from actionunits.learn.train import train
from actionunits.models import registry
from builders import write_synfacs
from cases import tiny
from processes import two

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "renet": ("renet_synfacs", {}),
    "renet, an AU a batch": ("renet_synfacs", {"train_aus": "one"}),
    "renet, an AU a picture": ("renet_synfacs", {"train_aus": "each"}),
    "baseline": ("renet_synfacs", {"relation": "none"}),
    "mgrrnet": ("mgrrnet_synfacs", {}),
    "gtlenet": ("gtlenet_synfacs", {}),
    "sacl": ("sacl_synfacs", {}),
    "mdhr": ("mdhr_synfacs", {}),
    "mdhr, as released": ("mdhr_synfacs", {"layers": "released"}),
    "triplets": ("expression_synfacs", {}),
    "landmarks": ("landmarks_synfacs", {}),
    "wholeface": ("wholeface_synfacs", {"dropout": 0.0}),  # each process draws its own
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = write_synfacs(tmp_path_factory.mktemp("group") / "corpus.parquet", 9, 1, 5)
    table, rng = pq.read_table(file), np.random.default_rng(0)
    for name in ("AU01", "AU06", "AU12"):
        labels = np.where(rng.random(len(table)) < 0.2, np.nan, table[name].to_numpy())
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(labels.astype("f4"), from_pandas=True))
    pq.write_table(table, file, row_group_size=2)
    return file


def recipe_of(case: str, corpus: Path) -> Recipe:
    name, params = CASES[case]
    values = tiny(name, corpus).model_dump(mode="json")
    values["model"]["params"] |= params
    values["data"]["cache"] = False
    return parse_recipe(values | {"precision": "fp32", "epochs": 4}, case)


class EnoughError(Exception):
    """The steps that a test wants are done."""


@contextmanager
def gradients(steps: int) -> Iterator[list[list[torch.Tensor]]]:
    """The gradients of the first steps of training, parameter by parameter; then it is left."""
    seen: list[list[torch.Tensor]] = []

    def note(stepping: torch.optim.Optimizer, *_: Any) -> None:
        parameters = (p for group in stepping.param_groups for p in group["params"])
        seen.append([p.grad.clone() for p in parameters])
        if len(seen) == steps:
            raise EnoughError

    hook = optimizer.register_optimizer_step_pre_hook(note)
    try:
        with pytest.raises(EnoughError):
            yield seen
    finally:
        hook.remove()


@contextmanager
def exactly() -> Iterator[None]:
    """Compute in double precision, or norms of small maps make much of an error of rounding."""

    create, single = registry.create, torch.Tensor.float

    def widened(batch: Any, device: torch.device) -> Any:
        return batch._replace(images=place(batch, device).images.double())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "place", widened)
        patch.setattr(registry, "create", lambda *given, **more: create(*given, **more).double())
        patch.setattr(torch.Tensor, "float", lambda x: x if x.dtype == torch.double else single(x))
        yield


def learn(case: str, corpus: Path, out: Path) -> list[list[torch.Tensor]]:
    with exactly(), gradients(2) as seen:
        train(recipe_of(case, corpus), 1, out, show=False)
    return seen


def score(case: str, corpus: Path) -> str:
    """The report on a model with fresh weights, as JSON."""
    recipe = recipe_of(case, corpus)
    task = TASKS[registry.task_of(recipe.model.name)]
    rows = task.read(recipe, 1)
    torch.manual_seed(0)
    model, _ = task.build(recipe, rows.train)
    settings = Settings("last", batch=4, precision="fp32", resamples=20)
    report = task.score(model, rows.test, model.spec, settings)
    assert report.to_table()
    return report.to_json()


def learn_all(folder: Path) -> dict[str, Any]:
    """What each of two processes does."""
    corpus = folder / "corpus"
    return {case: (learn(case, corpus, folder / case), score(case, corpus)) for case in CASES}


@pytest.fixture(scope="module")
def pair(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("two")
    (folder / "corpus").symlink_to(corpus)
    return two(learn_all, folder)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_gradients_of_one(
    case: str, corpus: Path, pair: list[dict[str, Any]], tmp_path: Path
) -> None:
    one = learn(case, corpus, tmp_path)
    for found in pair:
        for step, expected in zip(found[case][0], one, strict=True):
            largest = max(float(gradient.abs().max()) for gradient in expected)
            assert largest > 0
            for ours, theirs in zip(step, expected, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_scores_of_one(
    case: str, corpus: Path, pair: list[dict[str, Any]]
) -> None:
    one = json.loads(score(case, corpus))
    first, second = (json.loads(found[case][1]) for found in pair)
    assert first == second
    assert first.keys() == one.keys()
    assert first.get("confusion") == one.get("confusion")  # no frame twice, none left out
    for kind in ("scores", "landmarks", "besides"):
        for name, expected in one.get(kind, {}).items():
            for key in ("mean", "per_au", "mean_interval"):
                found, wanted = (np.array(x[key], float) for x in (first[kind][name], expected))
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
