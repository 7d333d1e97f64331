"""A data set may code a single AU: all models learn it, and all that is made of them reads it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from actionunits.aus import AUSet
from actionunits.learn import checkpoint
from actionunits.learn.evaluate import evaluate
from actionunits.learn.export import Deployed
from actionunits.learn.recipe import load_recipe
from actionunits.learn.report import Report, read_report
from actionunits.learn.train import train
from actionunits.models import registry
from actionunits.papers.compare import compare
from actionunits.types import Batch
from cases import QUICK, SMALL

AU_MODELS = [name for name in registry.list_models() if registry.task_of(name) == "aus"]


def _quick(name: str) -> dict[str, object]:
    known = registry.settings(name)
    return {key: value for key, value in (SMALL | QUICK[name]).items() if key in known}


@pytest.mark.parametrize("name", AU_MODELS)
@pytest.mark.parametrize("number", [4, 12, 26])
def test_one_au_is_enough_for_a_model(name: str, number: int) -> None:
    aus, stats = AUSet.of([number]), registry.blank_stats(1)
    model: Any = registry.create(name, aus, stats, **_quick(name))
    loss = registry.loss_for(name, aus, stats, **_quick(name))
    spec = model.spec
    read = () if spec.clip is None else (spec.clip,)
    seen = () if spec.clip is None else (spec.clip + 2 * spec.context,)
    batch = Batch(
        torch.rand(2, *seen, 3, spec.size, spec.size),
        torch.ones(2, *read, 1),
        torch.ones(2, *read, 1, dtype=torch.bool),
        torch.rand(2, *read, 1),
        spec.size * torch.rand(2, *read, 49, 2),
        ("x",) * 2,
    )
    out = model(batch.images)
    assert out.logits.shape == (2, *read, 1)
    torch.stack(list(loss(out, batch).values())).sum().backward()


def test_one_au_is_enough_for_a_run(synfacs_file: Path, tmp_path: Path) -> None:
    name = "renet"  # what comes after a model is the same for all
    settings = [f"model.params.{key}={value}" for key, value in _quick(name).items()]
    settings += [f"data.root={synfacs_file}", "data.aus=[12]", "init=null", "accumulate=1"]
    settings += ["epochs=1", "batch=2", "schedule.warmup=0"]
    recipe = load_recipe(f"{name}_synfacs", settings)
    report = train(recipe, 1, tmp_path, show=False).report
    assert report is not None
    assert train(recipe, 1, tmp_path, show=False).report == read_report(report.to_json())
    scored = evaluate(tmp_path)
    assert isinstance(scored, Report)
    assert len(scored.scores["f1"].per_au) == len(scored.thresholds) == 1
    assert scored.to_table().row_count == 2
    assert compare([tmp_path, tmp_path]).to_dict()["runs"]
    model, card = checkpoint.load(tmp_path)
    time = () if card.spec.clip is None else (card.spec.clip + 2 * card.spec.context,)
    said = Deployed(model)(torch.rand(2, *time, 3, card.spec.size, card.spec.size))
    assert said["probability"].shape[-1] == 1
