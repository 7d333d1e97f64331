"""Recipes of runs that take a second, and what comes of them without a run."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from actionunits.aus import AUSet
from actionunits.learn.card import Card
from actionunits.learn.recipe import Recipe, parse_recipe
from actionunits.models import registry
from actionunits.types import InputSpec, LabelStats


def tiny_recipe(root: Path, params: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    """A small RE-Net on 4 AUs of a corpus of `builders`; `changes` replace whole sections."""
    values: dict[str, Any] = {
        "about": "for tests",
        "model": {
            "name": "renet",
            "params": {"width": 8, "size": 32, "align": 36, "task": "both"} | (params or {}),
        },
        "data": {
            "name": "synfacs",
            "root": str(root),
            "aus": [1, 2, 6, 12],
            "augment": {"random_crop": True, "flip": 0.5, "noise": 0.05},
        },
        "loss": {"occurrence": 1.0, "intensity": 0.5},
        "optimiser": {"lr": 0.002},
        "epochs": 2,
        "batch": 4,
    }
    return parse_recipe(values | changes, "test")


def make(recipe: Recipe) -> tuple[nn.Module, Card]:
    """A model with fresh weights and the card of a run."""
    aus = AUSet.of(recipe.data.aus or ())
    torch.manual_seed(0)
    relation = torch.rand(len(aus), len(aus)).fill_diagonal_(1)
    stats = LabelStats(torch.rand(len(aus)), relation, relation)
    model = registry.create(recipe.model.name, aus, stats, **recipe.model.params)
    card = Card(
        version="0",
        recipe=recipe,
        aus=aus.numbers,
        spec=InputSpec(32, 36, (0.5,) * 3, (0.5,) * 3),
        fold=1,
        epoch=2,
        selection="last",
        thresholds=(0.1, 0.2, 0.3, 1 / 3),
        scores={"f1": 0.5, "icc": None},
    )
    return model, card
