"""What models learn from: how its samples are read, fed and scored.

The training loop knows a task by the interface `learn.task.Task` alone. Coded frames are
what all else is about; triplets and classes of expressions are what an encoder may be trained on
before, and landmarks are what faces are aligned by.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy

from actionunits import datasets
from actionunits.aus import AUSet
from actionunits.data import splits
from actionunits.data.classes import ClassDataset, ClassTable
from actionunits.data.dataset import ClipDataset, FrameDataset, RandomClipDataset, collate
from actionunits.data.table import (
    FrameTable,
    duplicate_positives,
    frames_per_second,
    with_landmarks,
)
from actionunits.data.transforms import Augment
from actionunits.data.triplets import TripletDataset, TripletTable, triplets_from_aus
from actionunits.errors import CheckpointError, DataError, RecipeError, counted
from actionunits.faces import templates
from actionunits.learn import scoring
from actionunits.learn.face_metrics import LandmarkError, TripletAccuracy
from actionunits.learn.recipe import Recipe
from actionunits.learn.report import PlainReport, Report, Score
from actionunits.learn.task import Rows, Samples, Settings, Task
from actionunits.models import registry
from actionunits.types import HoldsOut, InputSpec, Loss

_RATE_TOLERANCE = 0.1  # of frames a second

Table = FrameTable | TripletTable | ClassTable


class CodedFrames:
    """Frames, or clips of them, whose AUs are coded."""

    def read(self, recipe: Recipe, fold: int | None) -> Rows:
        """Read the frames of a run and split them by subject.

        Raises:
            DataError: the data cannot be read or split.
        """
        return _split(scoring.read_table(recipe.data), recipe, fold)

    def aus(self, table: FrameTable) -> tuple[int, ...]:
        """FACS numbers of the label axis."""
        return table.aus.numbers

    def select(self, table: FrameTable, aus: tuple[int, ...]) -> FrameTable:
        """Frames with those AUs of the model that they code, in its order.

        Raises:
            DataError: they code none of them.
        """
        common = [number for number in aus if number in table.aus.numbers]
        if not common:
            raise DataError(
                f"the model reads {', '.join(AUSet.of(aus).columns())} and the data set codes none "
                f"of them, only {', '.join(table.aus.columns())}: score on another"
            )
        return table.select(AUSet.of(common))

    def build(self, recipe: Recipe, table: FrameTable) -> tuple[nn.Module, Loss]:
        """Model with fresh weights, and its loss, from training frames.

        Raises:
            DataError: an AU occurs in none or in all of them, or they lack what the loss needs.
            RecipeError: a setting of the model is not possible.
        """
        name, params = recipe.model.name, recipe.model.params
        stats = table.stats(recipe.data.relation)
        for au, rate in zip(table.aus, stats.rate.tolist(), strict=True):
            if rate in (0, 1):
                others = [n for n in table.aus.numbers if n != au.number]
                raise DataError(
                    f"{au.column} {'never' if rate == 0 else 'always'} occurs in "
                    f"{counted(len(table), 'training frame')}, so it cannot be learned: leave it "
                    f"out with --set data.aus={str(others).replace(' ', '')}, or choose another "
                    "fold or threshold"
                )
        loss = registry.loss_for(name, table.aus, stats, **params)
        _check_needs(name, loss, table)
        return registry.create(name, table.aus, stats, **params), loss

    def dataset(self, recipe: Recipe, table: FrameTable, spec: InputSpec) -> Samples:
        """Frames, or clips for a model of clips; some twice if the recipe says so.

        What is counted on the training frames, such as the relation of the AUs, is counted before.

        Raises:
            RecipeError: the recipe's clips are not those of the frames.
        """
        data = recipe.data
        if data.duplicate:
            table = duplicate_positives(table, AUSet.of(data.duplicate))
        if spec.clip is None:
            if data.one_clip_in is not None:
                raise RecipeError(
                    f"data.one_clip_in: {recipe.model.name} reads single frames; leave it out"
                )
            return FrameDataset(table, spec, **_feeding(recipe))
        _check_rate(recipe.model.name, spec, table)
        if data.one_clip_in is None:
            return ClipDataset(table, spec, **_feeding(recipe))
        every = None if data.one_clip_in == "video" else data.one_clip_in
        return RandomClipDataset(table, spec, every=every, **_feeding(recipe))

    def calibrate(
        self, model: nn.Module, table: FrameTable, spec: InputSpec, settings: Settings
    ) -> Tensor:
        """Probability (A,) at which each AU's F1 is highest; 0.5 where the AU is held out."""
        batch, precision = settings.batch, settings.precision
        thresholds = scoring.calibrate(model, table, spec, batch=batch, precision=precision)
        if isinstance(model, HoldsOut):
            thresholds[list(model.held_out)] = 0.5
        return thresholds

    def score(
        self,
        model: nn.Module,
        table: FrameTable,
        spec: InputSpec,
        settings: Settings,
        title: str = "",
        thresholds: Tensor | None = None,
    ) -> Report:
        """Score a model in memory on all frames of a table."""
        if thresholds is None:
            thresholds = torch.full((len(table.aus),), 0.5)
        return scoring.score(
            model, table, spec, thresholds=thresholds, title=title, **settings._asdict()
        )


class _WithoutAUs:
    """What the tasks below have in common: no AUs, nothing to calibrate."""

    def aus(self, table: Table) -> tuple[int, ...]:
        """No AUs."""
        return ()

    def build(self, recipe: Recipe, table: Table) -> tuple[nn.Module, Loss]:
        """Model with fresh weights, and its loss."""
        name, params = recipe.model.name, recipe.model.params
        model = registry.create(name, None, None, **params)
        return model, registry.loss_for(name, None, None, **params)

    def calibrate(
        self, model: nn.Module, table: Table, spec: InputSpec, settings: Settings
    ) -> Tensor:
        """Nothing."""
        return torch.empty(0)


class Landmarks(_WithoutAUs):
    """Frames whose faces have landmarks."""

    def read(self, recipe: Recipe, fold: int | None) -> Rows:
        """Read the frames of a run that have landmarks and split them by subject.

        Raises:
            DataError: the data cannot be read or split, or has no landmarks.
        """
        return _split(with_landmarks(scoring.read_table(recipe.data)), recipe, fold)

    def select(self, table: FrameTable, aus: tuple[int, ...]) -> FrameTable:
        """Frames that have landmarks.

        Raises:
            DataError: there are none.
        """
        return with_landmarks(table)

    def dataset(self, recipe: Recipe, table: FrameTable, spec: InputSpec) -> Samples:
        """Single frames."""
        return FrameDataset(table, spec, **_feeding(recipe))

    def score(
        self,
        model: nn.Module,
        table: FrameTable,
        spec: InputSpec,
        settings: Settings,
        title: str = "",
        thresholds: Tensor | None = None,
    ) -> PlainReport:
        """Mean error of the landmarks and share of failed faces, in per cent."""
        subjects = table.subjects()
        metric = LandmarkError(len(subjects))
        for out, truth in _outputs(model, FrameDataset(table, spec), settings):
            subject = torch.tensor([subjects.index(key.partition("/")[0]) for key in truth.keys])
            known = torch.ones(len(subject), dtype=torch.bool)
            metric.update(out.landmarks.cpu(), truth.landmarks, known, subject)
        scores = scoring.landmark_scores(metric, settings.resamples)
        return _report(title, settings, "faces", len(table), scores)


class _Expressions(_WithoutAUs):
    """What triplets and classes of expressions have in common: data sets that are split already."""

    def select(self, table: FrameTable, aus: tuple[int, ...]) -> Table:
        """Nothing.

        Raises:
            CheckpointError: always.
        """
        raise CheckpointError("a model of expressions reads no AUs: coded frames cannot score it")

    def _own_parts(self, recipe: Recipe, fold: int | None, parts: tuple[Table, Table]) -> Rows:
        """Samples of a data set that keeps some for testing.

        Raises:
            DataError: a fold is asked for.
            RecipeError: subjects are to be held out.
        """
        if fold is not None:
            raise DataError(f"{recipe.data.name} has test pictures of its own: leave the fold out")
        if recipe.selection.share:
            raise RecipeError(
                f"selection.share: pictures of {recipe.data.name} come without subjects that could "
                "be held out; leave it out"
            )
        train, test = parts
        return Rows(train, None, test)


class Triplets(_Expressions):
    """Triplets of faces: which one has the most different expression."""

    def read(self, recipe: Recipe, fold: int | None) -> Rows:
        """Read a data set's own triplets, or draw some from coded frames, split by subject.

        Raises:
            DataError: the data cannot be read or split, or gives no triplets.
            RecipeError: subjects are to be held out where there are none.
        """
        if datasets.has_triplets(recipe.data.name):
            own = datasets.load_triplets(recipe.data.name, recipe.data.root)
            return self._own_parts(recipe, fold, own)
        frames = _split(scoring.read_table(recipe.data), recipe, fold)
        draws = [
            None if part is None else triplets_from_aus(part, recipe.data.triplets, recipe.seed)
            for part in frames
        ]
        return Rows(*draws)

    def dataset(self, recipe: Recipe, table: TripletTable, spec: InputSpec) -> Samples:
        """Triplets of pictures."""
        return TripletDataset(table, spec, **_feeding(recipe))

    def score(
        self,
        model: nn.Module,
        table: TripletTable,
        spec: InputSpec,
        settings: Settings,
        title: str = "",
        thresholds: Tensor | None = None,
    ) -> PlainReport:
        """Share of the triplets whose similar pair is the closest, of all and of each kind."""
        kinds = table.kinds()
        metric = TripletAccuracy(len(kinds))
        for number, kind in enumerate(kinds):
            part = table.subset((table.rows["kind"] == kind).to_numpy())
            for out, _ in _outputs(model, TripletDataset(part, spec), settings):
                numbers = torch.full((len(out.vectors),), number)
                metric.update(out.vectors.float().cpu(), numbers)
        means = {"triplet_accuracy": float(metric.compute())}
        if len(kinds) > 1:
            each = metric.per_kind().tolist()
            means |= {f"triplet_accuracy_{k}": v for k, v in zip(kinds, each, strict=True)}
        scores = {name: Score(per_au=[], mean=mean) for name, mean in means.items()}
        return _report(title, settings, "triplets", len(table), scores)


class ExpressionClasses(_Expressions):
    """Faces with one of a few expressions each."""

    def read(self, recipe: Recipe, fold: int | None) -> Rows:
        """Read the data set's own training and validation pictures.

        Raises:
            DataError: they cannot be read, or a fold is asked for.
            RecipeError: subjects are to be held out.
        """
        own = datasets.load_classes(recipe.data.name, recipe.data.root)
        return self._own_parts(recipe, fold, own)

    def dataset(self, recipe: Recipe, table: ClassTable, spec: InputSpec) -> Samples:
        """Pictures with their class."""
        return ClassDataset(table, spec, **_feeding(recipe))

    def score(
        self,
        model: nn.Module,
        table: ClassTable,
        spec: InputSpec,
        settings: Settings,
        title: str = "",
        thresholds: Tensor | None = None,
    ) -> PlainReport:
        """Share of the faces whose class is right."""
        metric = MulticlassAccuracy(len(table.names), average="micro")
        for out, truth in _outputs(model, ClassDataset(table, spec), settings):
            metric.update(out.logits.float().cpu(), truth.labels.cpu())
        scores = {"accuracy": Score(per_au=[], mean=float(metric.compute()))}
        return _report(title, settings, "faces", len(table), scores)


TASKS: dict[registry.Task, Task] = {
    "aus": CodedFrames(),
    "landmarks": Landmarks(),
    "triplets": Triplets(),
    "classes": ExpressionClasses(),
}


def _feeding(recipe: Recipe) -> dict[str, Any]:
    """How a recipe wants its training pictures fed."""
    augment = Augment(**recipe.data.augment.model_dump())
    return {"augment": augment, "seed": recipe.seed}


def _split(table: FrameTable, recipe: Recipe, fold: int | None) -> Rows:
    test, inner = None, None
    if fold is not None:
        table, test = splits.train_test(table, fold)
    if recipe.selection.share:
        table, inner = splits.inner_split(table, recipe.selection.share, recipe.seed)
    if recipe.selection.rule == "best_on_test" and test is None:
        raise RecipeError("selection.rule best_on_test needs a fold that is kept for testing")
    return Rows(table, inner, test)


def _check_rate(model: str, spec: InputSpec, table: FrameTable) -> None:
    """Refuse training frames that are not as far apart as the model will be told that they are."""
    fps = frames_per_second(table)
    if spec.fps and fps and not abs(fps / spec.fps - 1) < _RATE_TOLERANCE:
        raise RecipeError(
            f"model {model}, fps: {spec.fps:g} frames a second, by which it will read videos, and "
            f"the training frames have {fps:.3g}: set model.params.fps={fps:.3g}"
        )


def _check_needs(model: str, loss: Loss, table: FrameTable) -> None:
    """Refuse training frames without what a loss learns from, before anything is trained."""
    points, needs = table.landmarks, getattr(loss, "needs", ())
    if "landmarks" in needs and (points is None or np.isnan(points).all()):
        able = [name for name in templates.list_templates() if templates.needs_landmarks(name)]
        raise DataError(
            f"{model} learns landmarks and none of {counted(len(table), 'training frame')} has "
            f"any: prepare them with --template {', '.join(able[:-1])} or {able[-1]}, for which "
            "`au data prepare` finds 49 landmarks with our own model where the data set brings "
            "none, or take an ablation that learns none (`au recipes RECIPE` lists them)"
        )
    if "intensity" in needs and table.coding != "intensity":
        raise DataError(
            f"{model} learns intensities and the training frames, {len(table)}, are coded by "
            "occurrence: add --set data.coding=intensity if the data set has both, else "
            "--set model.params.task=occurrence and that term alone in loss"
        )


@torch.inference_mode()
def _outputs(
    model: nn.Module, dataset: FrameDataset | TripletDataset | ClassDataset, settings: Settings
) -> Iterator[tuple[Any, Any]]:
    """Outputs and batches of this process' share of a data set, each sample once."""
    device = next(model.parameters()).device
    batches = scoring.batches(dataset, settings.batch)
    model.eval()
    for truth in DataLoader(dataset, batch_sampler=batches, collate_fn=collate):
        with scoring.autocast(settings.precision, device):
            out = model(scoring.place(truth, device).images)
        yield out, truth


def _report(
    title: str, settings: Settings, unit: str, count: int, scores: dict[str, Score]
) -> PlainReport:
    selection = settings.selection
    return PlainReport(title=title, selection=selection, unit=unit, count=count, scores=scores)
