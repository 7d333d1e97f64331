"""Scores of a checkpoint on subjects that it never saw."""

from pathlib import Path

import torch
from torch import Tensor, nn

from actionunits.aus import AUSet
from actionunits.data import splits
from actionunits.data.table import FrameTable
from actionunits.device import enough_memory
from actionunits.errors import DataError
from actionunits.learn import checkpoint
from actionunits.learn.predictions import Predictions
from actionunits.learn.report import AnyReport
from actionunits.learn.scoring import Precision, read_table
from actionunits.learn.task import Settings
from actionunits.learn.tasks import TASKS
from actionunits.models import registry
from actionunits.types import Output


def evaluate(
    path: Path | str,
    *,
    fold: int | None = None,
    data: str | None = None,
    root: str | None = None,
    table: FrameTable | None = None,
    batch: int = 64,
    precision: Precision = "auto",
    resamples: int = 1000,
    predictions: Predictions | None = None,
) -> AnyReport:
    """Score a checkpoint; under ``torchrun`` every process scores its share and gets the report.

    Other frames than those of its data set need not code all AUs of the checkpoint: those in common
    are scored, and the report lists the others.

    Args:
        path: folder of the checkpoint or of its run.
        fold: test fold; None is the one that the checkpoint kept for testing, of another data set
            all of it.
        data: name of another data set to score on, labels read as the checkpoint's recipe says. Of
            the one it was trained on, wherever it lies, only the test fold is taken.
        root: where the data set lies; None is where the checkpoint's was when it was trained, or
            the package for another.
        table: other frames to score on; they must have landmarks for a model of landmarks.
        batch: samples of one forward pass.
        precision: number format of the forward pass.
        resamples: of the bootstrap over subjects; 0 leaves the intervals out.
        predictions: takes a row for each frame.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or is given frames and cannot be
            scored on any, or reads no AUs of which there could be predictions.
        DataError: the samples cannot be read, none were kept for testing, their faces are placed
            by another template, or they code none of the checkpoint's AUs.
        BatchTooLargeError: for the batch; the message says which to try.
    """
    model, card = checkpoint.load(path)
    task = TASKS[registry.task_of(card.recipe.model.name)]
    own = card.recipe.data
    place = {"root": root or own.root} if data is None else {"name": data, "root": root}
    spec = own.model_copy(update=place)
    title = f"{card.recipe.model.name}, {own.name}"
    if data is not None and spec != own:
        table = read_table(spec.model_copy(update={"aus": None}))
        title = f"{title} to {data}"
        if fold is None and data == own.name:
            fold = card.fold  # it may be a copy: nobody who was trained on is scored
        if fold is not None:
            table, title = splits.train_test(table, fold)[1], f"{title}, fold {fold}"
    samples = None if table is None else task.select(table, card.aus)
    if samples is None:
        fold = card.fold if fold is None else fold
        plain = card.recipe.selection.model_copy(update={"rule": "last", "patience": None})
        recipe = card.recipe.model_copy(update={"data": spec, "selection": plain})
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
    scored = task.aus(samples)
    record = None
    if predictions is not None:
        card.au_set()  # or there is nothing to predict
        record = predictions.recorder(AUSet.of(scored), fold)
    settings = Settings(card.selection, batch, precision, resamples, record)
    thresholds = torch.tensor(card.thresholds, dtype=torch.float64)
    with enough_memory(batch, f"try one of {max(1, batch // 2)}"):
        if scored == card.aus:
            return task.score(model, samples, card.spec, settings, title, thresholds)
        places = [card.aus.index(number) for number in scored]
        some = _SomeAUs(model, places)
        report = task.score(some, samples, card.spec, settings, title, thresholds[places])
    uncoded = tuple(number for number in card.aus if number not in scored)
    return report.model_copy(update={"uncoded": uncoded})


class _SomeAUs(nn.Module):
    """A model of which only the AUs at these places of its label axis are read."""

    def __init__(self, model: nn.Module, places: list[int]) -> None:
        super().__init__()
        self.model, self.places = model, places

    def forward(self, images: Tensor) -> Output:
        """Return the model's output for these AUs, as `AUModel` does."""
        out = self.model(images)
        intensity = None if out.intensity is None else out.intensity[..., self.places]
        return Output(out.logits[..., self.places], intensity, out.landmarks)
