"""Recipes of runs that take a second."""

from pathlib import Path
from typing import Any

from actionunits.learn.recipe import Recipe, parse_recipe


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
