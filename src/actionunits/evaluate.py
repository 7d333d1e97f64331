"""Scores of a checkpoint on subjects that it never saw."""

from pathlib import Path

import torch

from actionunits import checkpoint
from actionunits.data.table import FrameTable
from actionunits.errors import DataError
from actionunits.models import registry
from actionunits.report import AnyReport
from actionunits.scoring import Precision
from actionunits.task import Settings
from actionunits.tasks import TASKS


def evaluate(
    path: Path | str,
    *,
    fold: int | None = None,
    table: FrameTable | None = None,
    root: str | None = None,
    batch: int = 64,
    precision: Precision = "auto",
    resamples: int = 1000,
) -> AnyReport:
    """Score a checkpoint; under ``torchrun`` every process scores its share and gets the report.

    Args:
        path: folder of the checkpoint or of its run.
        fold: test fold of the checkpoint's own data set; None is the one it kept for testing.
        table: other frames to score on, instead of a fold; they must code all its AUs, or
            have landmarks for a model of landmarks.
        root: where the checkpoint's data set lies, if not where it was trained.
        batch: samples of one forward pass.
        precision: number format of the forward pass.
        resamples: of the bootstrap over subjects; 0 leaves the intervals out.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or is given frames and cannot be
            scored on any.
        DataError: the samples cannot be read, none were kept for testing, or their faces are
            placed by another template.
    """
    model, card = checkpoint.load(path)
    task = TASKS[registry.task_of(card.recipe.model.name)]
    title = f"{card.recipe.model.name}, {card.recipe.data.name}"
    samples = None if table is None else task.select(table, card.aus)
    if samples is None:
        fold = card.fold if fold is None else fold
        data = card.recipe.data
        data = data.model_copy(update={"root": root or data.root})
        plain = card.recipe.selection.model_copy(update={"rule": "last", "patience": None})
        recipe = card.recipe.model_copy(update={"data": data, "selection": plain})
        samples = task.read(recipe, fold).test
        if samples is None:
            raise DataError(
                f"{path}: trained on all subjects; say which fold or frames to score on"
            )
        title += "" if fold is None else f", fold {fold}"
    if samples.template != card.template:
        raise DataError(
            f"{path}: trained on faces with the template {card.template}, these have "
            f"{samples.template}; prepare them with --template {card.template}"
        )
    settings = Settings(card.selection, batch, precision, resamples)
    thresholds = torch.tensor(card.thresholds, dtype=torch.float64)
    return task.score(model, samples, card.spec, settings, title, thresholds)
