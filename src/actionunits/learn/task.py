"""What the training loop asks of a task, and what it hands to one."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from actionunits.data.table import FrameTable
from actionunits.learn import scoring
from actionunits.learn.predictions import Record
from actionunits.learn.recipe import Recipe, Rule
from actionunits.learn.report import PlainReport, Report
from actionunits.types import InputSpec, Loss


class Rows(NamedTuple):
    """The samples of a run by their use; the subjects of `train` are in none of the others."""

    train: Any  # a table; the task knows which
    inner: Any  # training subjects held out, if the recipe wants any, else None
    test: Any  # None when all subjects are trained on


class Settings(NamedTuple):
    """How a table is scored."""

    selection: Rule  # rule that chose the weights
    batch: int  # samples of one forward pass
    precision: scoring.Precision
    resamples: int = 0  # of the bootstrap over subjects
    record: Record | None = None  # is told what the model says of AUs, batch by batch


class Samples(Protocol):
    """A data set whose random changes depend on the epoch."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0."""
        ...

    def keep(self, samples: np.ndarray) -> None:
        """Decode the pictures of these samples (N,) now and keep them; no others are fed then."""
        ...

    def to(self, device: torch.device) -> bool:
        """Keep and change the samples on a device, where they can be; else False."""
        ...


class Task(Protocol):
    """What the training loop asks of a task."""

    def read(self, recipe: Recipe, fold: int | None) -> Rows:
        """Read the samples of a run and split them by subject."""
        ...

    def aus(self, table: Any) -> tuple[int, ...]:
        """FACS numbers of a table's label axis; none where it has no AUs."""
        ...

    def select(self, table: FrameTable, aus: tuple[int, ...]) -> Any:
        """Samples of other frames for a model with this label axis."""
        ...

    def build(self, recipe: Recipe, table: Any) -> tuple[nn.Module, Loss]:
        """Model with fresh weights, and its loss, from training samples."""
        ...

    def dataset(self, recipe: Recipe, table: Any, spec: InputSpec) -> Samples:
        """Training samples as the model is fed them."""
        ...

    def calibrate(
        self, model: nn.Module, table: Any, spec: InputSpec, settings: Settings
    ) -> Tensor:
        """Thresholds (A,) of the AUs, empty without AUs."""
        ...

    def score(
        self,
        model: nn.Module,
        table: Any,
        spec: InputSpec,
        settings: Settings,
        title: str = "",
        thresholds: Tensor | None = None,
    ) -> Report | PlainReport:
        """Score a model in memory on all samples of a table."""
        ...
