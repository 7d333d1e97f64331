"""Untrained runs of every system that the papers' figures are of."""

from pathlib import Path
from typing import Any

import pytest
import torch
from stand_ins import AUS, Make

from actionunits import datasets
from actionunits.data.splits import train_test
from actionunits.learn import checkpoint
from actionunits.learn.card import Card
from actionunits.learn.recipe import parse_recipe
from actionunits.models import registry
from actionunits.papers.figures import trained
from actionunits.papers.figures.trained import Trained
from builders import write_synfacs

SMALL = {"size": 64, "align": 72}
MODELS: dict[str, dict[str, object]] = {
    "gtlenet": {"width": 8},
    "mdhr": {"backbone": "lcnet_050", "clip": 3, "neighbours": 1, "width": 16},
    "mgrrnet": {"width": 16, "dim": 64},
    "renet": {"width": 8, "spread": 0.3},
    "sacl": {"width": 16},
}
LOSS = {
    "gtlenet": ["occurrence", "reconstruction"],
    "mdhr": ["occurrence", "combination"],
    "mgrrnet": ["occurrence", "landmarks"],
    "renet": ["occurrence"],
    "sacl": ["asymmetric", "dice", "landmarks"],
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 people, 2 in the test fold, 1 task of 12 frames each."""
    return write_synfacs(tmp_path_factory.mktemp("corpus") / "tiny.parquet", 6, 1, 12)


@pytest.fixture(scope="session")
def make(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Untrained checkpoints, by model and settings."""
    made: dict[str, Trained] = {}

    def build(name: str, title: str | None = None, **params: object) -> Trained:
        title = title or name
        if title not in made:
            values: dict[str, Any] = {
                "about": "for tests",
                "model": {"name": name, "params": SMALL | MODELS[name] | params},
                "data": {"name": "synfacs", "root": str(corpus), "aus": list(AUS.numbers)},
                "loss": dict.fromkeys(LOSS[name], 1.0),
                "optimiser": {"lr": 0.1},
                "epochs": 1,
                "batch": 4,
            }
            recipe = parse_recipe(values, "test")
            table = train_test(datasets.load("synfacs", corpus).select(AUS), 1)[0]
            torch.manual_seed(0)
            model = registry.create(name, AUS, table.stats(), **recipe.model.params)
            card = Card(
                version="0",
                recipe=recipe,
                aus=AUS.numbers,
                spec=model.spec,  # type: ignore[arg-type]
                fold=1,
                epoch=0,
                selection="last",
                thresholds=(0.5,) * 4,
            )
            folder = tmp_path_factory.mktemp("runs") / title
            checkpoint.save(model, card, folder)
            made[title] = trained.load(folder)
        return made[title]

    return build
