"""Finished runs: which recipe they are of, their scores and how sure these are."""

import itertools
import math
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actionunits.errors import RecipeError
from actionunits.learn.metrics import F1, Accuracy, resample
from actionunits.learn.recipe import Recipe, list_ablations, list_recipes, load_recipe
from actionunits.learn.report import Report, Score, labels_line, mean_landmarks
from actionunits.learn.resume import read_result
from actionunits.learn.run import RECIPE
from actionunits.types import FOLDS

_FROM_COUNTS = {"f1": F1.score, "accuracy": Accuracy.score}
_NO_MATTER = {  # settings that leave the scores alone, but for chance
    "about",
    "data.root",
    "data.cache",
    "data.workers",
    "precision",
    "storage",
    "seed",
}


@dataclass(frozen=True)
class Variant:
    """The recipe of the package that a run's own comes closest to."""

    recipe: str
    ablation: str
    """"" for the recipe as it is."""
    changed: tuple[str, ...]
    """Dotted keys in which the run differs from it, in spite of which it is named so."""

    def __str__(self) -> str:
        """Recipe and ablation as on the command line."""
        return self.recipe + (f" --ablation {self.ablation}" if self.ablation else "")


@dataclass(frozen=True)
class Measured:
    """A finished run."""

    folder: Path
    recipe: Recipe
    folds: tuple[Report, ...]

    @property
    def name(self) -> str:
        """Last part of its folder; with the one above for a fold of a cross-validation."""
        resolved = self.folder.resolve()
        inner = len(self.folds) == 1 and (resolved.parent / "fold1" / RECIPE).is_file()
        return f"{resolved.parent.name}/{resolved.name}" if inner else resolved.name

    @property
    def aus(self) -> tuple[int, ...]:
        """FACS numbers in order."""
        return self.folds[0].aus

    @property
    def subjects(self) -> tuple[tuple[str, ...], ...]:
        """Test subjects of each fold."""
        return tuple(fold.subjects for fold in self.folds)

    @cached_property
    def variant(self) -> Variant | None:
        """Named recipe of the same model and data set with the fewest other settings."""
        own = _flat(self.recipe)
        found = [
            Variant(name, ablation, _differing(own, _flat(other)))
            for name, ablation, other in _named(self.recipe.model.name, self.recipe.data.name)
        ]
        return min(found, key=lambda variant: len(variant.changed), default=None)

    def has(self, metric: str) -> bool:
        """Tell whether the metric was measured in all folds."""
        return all(metric in fold.scores for fold in self.folds)

    def score(self, metric: str) -> NDArray[np.float64]:
        """Mean over the folds that have the score of an AU, (A,); NaN where none has.

        Raises:
            RecipeError: it was not measured.
        """
        if missing := [fold for fold in self.folds if metric not in fold.scores]:
            raise RecipeError(
                f"{self.folder}: expected {metric}, found {', '.join(missing[0].scores)}; choose "
                "one of these with --metric"
            )
        values = torch.tensor([fold.scores[metric].per_au for fold in self.folds])
        return values.double().nanmean(0).numpy()

    def samples(self, metric: str) -> Tensor | None:
        """Scores (R, A) of R draws of the test subjects.

        None for metrics without counts, and where a fold has one subject: draws of him are all
        alike, and those of the other folds alone are of another mean.
        """
        if metric not in _FROM_COUNTS or self.lone:
            return None
        folds = []
        for seed, fold in enumerate(self.folds):
            counts = torch.tensor(fold.confusion).double()  # (S, A, 4)
            drawn = torch.einsum("rs,sak->rak", resample(len(counts), seed=seed), counts)
            folds.append(_FROM_COUNTS[metric](drawn))
        return torch.stack(folds).nanmean(0)

    @property
    def lone(self) -> tuple[str, ...]:
        """Subjects who are the only one of their fold."""
        return tuple(fold.subjects[0] for fold in self.folds if len(fold.subjects) == 1)

    @property
    def people(self) -> int:
        """How many people were tested on."""
        return len(set(itertools.chain.from_iterable(self.subjects)))

    @property
    def trained_on(self) -> bool:
        """Whether some of them had been trained on."""
        return any(fold.trained_on for fold in self.folds)

    @property
    def labels(self) -> str:
        """How the labels are coded and from when on an AU occurs; "" in reports that do not say."""
        first = self.folds[0]
        return "" if first.coding is None else labels_line(first.coding, first.occurs_from)

    @property
    def occurs_from(self) -> float | None:
        """Intensity from which an AU occurs; None where occurrence is coded or nobody says."""
        known = self.folds[0].coding is not None
        return self.folds[0].occurs_from if known else self.recipe.data.threshold

    def always(self) -> NDArray[np.float64]:
        """F1 of always saying present, mean over the folds that have it, (A,)."""
        values = torch.tensor([fold.f1_always.per_au for fold in self.folds])
        return values.double().nanmean(0).numpy()

    @property
    def template(self) -> str:
        """How the faces are placed."""
        return self.folds[0].template

    @property
    def frames(self) -> int:
        """Test frames of all folds."""
        return sum(fold.frames for fold in self.folds)

    @property
    def lost(self) -> int:
        """Test frames that the data set lists and that could not be prepared."""
        return sum(fold.lost for fold in self.folds)

    @property
    def found(self) -> int:
        """Test frames whose landmarks a model found."""
        return sum(fold.found for fold in self.folds)

    @property
    def landmarks(self) -> dict[str, Score]:
        """Scores of the landmarks, means over the folds; none where no model predicts any."""
        return mean_landmarks(self.folds)

    def facts(self) -> dict[str, Any]:
        """What describes it, as plain values."""
        recipe = self.recipe
        return {
            "name": self.name,
            "folder": str(self.folder),
            "model": recipe.model.name,
            "data": recipe.data.name,
            "recipe": self.variant and self.variant.recipe,
            "ablation": self.variant and self.variant.ablation,
            "changed": list(self.variant.changed) if self.variant else [],
            "folds": len(self.folds),
            "selection": recipe.selection.rule,
            "epochs": recipe.epochs,
            "subjects": sum(len(subjects) for subjects in self.subjects),
            "frames": self.frames,
            "coding": self.folds[0].coding,
            "occurs_from": self.occurs_from,
            "trained_on": self.trained_on,
            "people_known": all(fold.people_known for fold in self.folds),
            "template": self.template,
            "lost": self.lost,
            "found": self.found,
            **{
                name: None if math.isnan(score.mean) else score.mean
                for name, score in self.landmarks.items()
            },
        }


def read_run(folder: Path | str) -> Measured:
    """Read a finished run.

    Args:
        folder: of ``au train`` with a fold, or of ``au crossval``.

    Raises:
        RecipeError: there is no run, it is not finished or it was not tested on AUs.
    """
    folder = Path(folder)
    inner = [folder / f"fold{fold}" for fold in range(1, FOLDS + 1)]
    parts = inner if (inner[0] / RECIPE).is_file() else [folder]
    if not (parts[0] / RECIPE).is_file():
        raise RecipeError(
            f"{folder}: expected the folder of a run, of au train or au crossval; found no {RECIPE}"
        )
    reports = []
    for part in parts:
        report = read_result(part).report
        if report is None:
            advice = "or compare its finished folds one by one" if len(parts) > 1 else "with --fold"
            raise RecipeError(
                f"{part}: found no scores, so the run is not finished or has no test fold; give "
                f"the command that began it again, {advice}"
            )
        if not isinstance(report, Report):
            raise RecipeError(f"{part}: expected scores of AUs, found those of {report.unit}")
        reports.append(report)
    recipe = load_recipe(parts[0] / RECIPE)
    if any(report.aus != reports[0].aus for report in reports):
        raise RecipeError(f"{folder}: its folds have different AUs; give each fold on its own")
    return Measured(folder, recipe, tuple(reports))


@cache
def _named(model: str, data: str) -> tuple[tuple[str, str, Recipe], ...]:
    """Recipes of the package for a model and a data set, each before its ablations."""
    fitting = [
        (name, recipe)
        for name, recipe in _packaged()
        if (recipe.model.name, recipe.data.name) == (model, data)
    ]
    return tuple(
        (name, ablation, load_recipe(name, ablation=ablation) if ablation else recipe)
        for name, recipe in fitting
        for ablation in ("", *list_ablations(name))
    )


@cache
def _packaged() -> tuple[tuple[str, Recipe], ...]:
    return tuple((name, load_recipe(name)) for name in list_recipes())


def _flat(recipe: Recipe) -> dict[str, Any]:
    """Settings that matter, by dotted key."""
    values: dict[str, Any] = {}
    pending: list[tuple[str, Any]] = list(recipe.model_dump(mode="json").items())
    while pending:
        key, value = pending.pop(0)
        if isinstance(value, dict):
            pending[:0] = [(f"{key}.{inner}", item) for inner, item in value.items()]
        elif key not in _NO_MATTER:
            values[key] = value
    return values


def _differing(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, ...]:
    return tuple(key for key in {**one, **other} if one.get(key) != other.get(key))
