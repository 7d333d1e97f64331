"""Scores of a checkpoint on people whom it never saw."""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from actionunits.aus import AUSet
from actionunits.data import splits
from actionunits.data.people import all_known, among
from actionunits.data.table import FrameTable
from actionunits.datasets.people import share_people
from actionunits.errors import DataError
from actionunits.faces import templates
from actionunits.learn import checkpoint
from actionunits.learn.group import joined
from actionunits.learn.predictions import Predictions
from actionunits.learn.report import TRAINED_ON, AnyReport
from actionunits.learn.scoring import Precision, read_table, samples_at_once
from actionunits.learn.task import Settings
from actionunits.learn.tasks import TASKS
from actionunits.models import registry
from actionunits.system.device import enough_memory, free_memory
from actionunits.types import Output


def evaluate(
    path: Path | str,
    *,
    fold: int | None = None,
    data: str | None = None,
    root: str | None = None,
    table: FrameTable | None = None,
    batch: int | None = None,
    precision: Precision = "auto",
    resamples: int = 1000,
    predictions: Predictions | None = None,
) -> AnyReport:
    """Score a checkpoint; under ``torchrun`` every process scores its share and gets the report.

    People whom it, or what it started from, was trained on are left out, and the report says how
    many. Where nobody else is there they are scored, and the report says so in its title and with
    its table.

    Other frames than those of its data set need not code all AUs of the checkpoint: those in common
    are scored, and the report lists the others.

    Args:
        path: folder of the checkpoint or of its run.
        fold: test fold; None is the one that the checkpoint kept for testing, of another data set
            all of it.
        data: name of another data set to score on, labels read as the checkpoint's recipe says. Of
            the one it was trained on only the test fold is taken if nobody knows whom that was.
        root: where the data set lies; None is where the checkpoint's was when it was trained, or
            the package for another.
        table: other frames to score on; they must have landmarks for a model of landmarks.
        batch: samples of one forward pass, pictures or clips; None takes 1 to 64, by the memory.
        precision: number format of the forward pass.
        resamples: of the bootstrap over subjects; 0 leaves the intervals out.
        predictions: takes a row for each frame.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or is given frames and cannot be
            scored on any, or reads no AUs of which there could be predictions.
        DataError: the samples cannot be read, none were kept for testing, their faces are placed
            by another template, or they code none of the checkpoint's AUs.
        BatchTooLargeError: for the batch; the message says which to try.
        GroupError: of several processes, that they do not fit each other or one is lost.
    """
    with joined({"fold": fold, "data": data}):
        model, card = checkpoint.load(path)
        task = TASKS[registry.task_of(card.recipe.model.name)]
        own = card.recipe.data
        place = {"root": root or own.root} if data is None else {"name": data, "root": root}
        spec = own.model_copy(update=place)
        title = f"{card.recipe.model.name}, {own.name}"
        if data is not None and spec != own:
            table = read_table(spec.model_copy(update={"aus": None}))
            title = f"{title} to {data}"
            if fold is None and share_people(data, own.name) and not all_known(card.people):
                fold = card.fold  # the others may have been trained on
            if fold is not None:
                table, title = splits.train_test(table, fold)[1], f"{title}, fold {fold}"
        samples = None if table is None else task.select(table, card.aus)
        if samples is None:
            fold = card.fold if fold is None else fold
            plain = card.recipe.selection.model_copy(update={"rule": "last", "patience": None})
            recipe = card.recipe.model_copy(update={"data": spec, "selection": plain})
            try:
                samples = task.read(recipe, fold).test
            except DataError as error:
                hint = (
                    "score on another data set with --data NAME, or say with --root where it lies"
                )
                raise DataError(f"{error}; {hint}") from error
            if samples is None:
                raise DataError(
                    f"{path}: trained on all subjects; say with --fold or --data what to score on"
                )
            title += "" if fold is None else f", fold {fold}"
        if not templates.may_be_alike(samples.template, card.template):
            raise DataError(
                f"{path}: trained on faces with the template {card.template}, these have "
                f"{samples.template}; prepare them with --template {card.template}"
            )
        samples, trained_on, left_out = unseen(samples, card.people)
        if trained_on:
            title += f", {TRAINED_ON}"
        notes = {
            "trained_on": trained_on,
            "left_out": left_out,
            "people_known": all_known(card.people) and all_known(samples.people),
        }
        scored = task.aus(samples)
        record = None
        if predictions is not None:
            card.au_set()  # or there is nothing to predict
            record = predictions.recorder(AUSet.of(scored), fold)
        device = next(model.parameters()).device
        batch = samples_at_once(card.spec, free_memory(device)) if batch is None else batch
        settings = Settings(card.selection, batch, precision, resamples, record)
        thresholds = torch.tensor(card.thresholds, dtype=torch.float64)
        with enough_memory(batch, f"try one of {max(1, batch // 2)}"):
            if scored == card.aus:
                report = task.score(model, samples, card.spec, settings, title, thresholds)
                return report.model_copy(update=notes)
            places = [card.aus.index(number) for number in scored]
            some = _SomeAUs(model, places)
            report = task.score(some, samples, card.spec, settings, title, thresholds[places])
        uncoded = tuple(number for number in card.aus if number not in scored)
        return report.model_copy(update=notes | {"uncoded": uncoded})


class Unseen(NamedTuple):
    """Samples without the people whom a model was trained on, where there are others."""

    samples: Any
    trained_on: tuple[str, ...]
    """Those who are in the samples none the less."""
    left_out: tuple[str, ...]


def unseen(samples: Any, people: tuple[str, ...]) -> Unseen:
    """Leave people out of a table.

    Args:
        samples: a `FrameTable`, or another table with ``people``, which is kept whole.
        people: whom a model was trained on, as in `Card`.
    """
    seen = among(samples.people, people)
    known = tuple(itertools.compress(samples.people, seen))
    if not isinstance(samples, FrameTable) or all(seen) or not known:
        return Unseen(samples, known, ())
    subjects = list(itertools.compress(samples.subjects(), seen))
    others = ~samples.rows["subject"].isin(subjects).to_numpy()
    return Unseen(samples.subset(others), (), known)


class _SomeAUs(nn.Module):
    """A model of which only the AUs at these places of its label axis are read."""

    def __init__(self, model: nn.Module, places: list[int]) -> None:
        super().__init__()
        self.model, self.places = model, places

    def forward(self, images: Tensor) -> Output:
        """Return the model's output for these AUs, as `AUModel` does."""
        out = self.model(images)
        intensity = None if out.intensity is None else out.intensity[..., self.places]
        besides = out.besides
        if besides is not None:
            besides = besides._replace(sides=besides.sides[..., self.places, :])
        return Output(out.logits[..., self.places], intensity, out.landmarks, besides=besides)
