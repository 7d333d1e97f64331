"""Hand-made folders of finished runs, and what is shown of them."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console

from actionunits import aus
from actionunits.learn.recipe import Recipe, parse_recipe
from actionunits.learn.report import PlainReport, Report, Score
from actionunits.papers.compare import compare
from actionunits.papers.compare.show import grids

BP4D = aus.BP4D12.numbers


def recipe(
    model: str = "renet",
    data: str = "bp4d",
    params: dict[str, Any] | None = None,
    threshold: float | None = None,
    **changes: Any,
) -> Recipe:
    values: dict[str, Any] = {
        "about": "for tests",
        "model": {"name": model, "params": params or {}},
        "data": {"name": data, "threshold": threshold},
        "loss": {"occurrence": 1.0},
        "epochs": 2,
        "batch": 4,
    }
    return parse_recipe(values | changes, "test")


def report(
    fold: int,
    numbers: Sequence[int] = BP4D,
    seed: int = 0,
    template: str = "affine49",
    **scores: Score,
) -> Report:
    """Report of a fold: 6 subjects whose counts are drawn, placed as in RE-Net's paper."""
    rng = np.random.default_rng(100 * seed + fold)
    counts = rng.integers(20, 200, (6, len(numbers), 4))
    total = counts.sum(0)
    f1 = 2 * total[:, 0] / (2 * total[:, 0] + total[:, 1] + total[:, 2])
    return Report(
        title=f"fold {fold}",
        selection="last",
        aus=tuple(numbers),
        subjects=tuple(f"F{fold}{i}" for i in range(6)),
        frames=2000 + fold,
        template=template,
        thresholds=(0.5,) * len(numbers),
        scores={"f1": Score(per_au=f1.tolist(), mean=float(f1.mean())), **scores},
        confusion=counts.tolist(),
    )


def located(fold: int, error: float) -> Report:
    """Report of a fold whose model also predicted landmarks."""
    scores = {"landmark_error": error, "landmark_failure": 0.0}
    whole = {name: Score(per_au=[], mean=value) for name, value in scores.items()}
    return report(fold).model_copy(update={"landmarks": whole})


def write_run(folder: Path, of: Recipe, result: Report | PlainReport | None) -> Path:
    folder.mkdir(parents=True)
    values = of.model_dump(mode="json")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    if result is not None:
        (folder / "report.json").write_text(result.to_json(), encoding="utf-8")
    return folder


def write_crossval(
    folder: Path, of: Recipe, numbers: Sequence[int] = BP4D, seed: int = 0, finished: int = 3
) -> Path:
    for fold in (1, 2, 3):
        done = report(fold, numbers, seed) if fold <= finished else None
        write_run(folder / f"fold{fold}", of, done)
    return folder


def shown(folders: Sequence[Path], width: int = 100, metric: str = "f1") -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    for grid in grids(compare(folders, metric)):
        console.print(grid.to_table())
        for line in grid.lines:
            console.print(line, markup=False)
    return console.export_text()
