"""The run that a figure is of, and what its model may offer beside its outputs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from actionunits import weights
from actionunits.aus import AUSet
from actionunits.data.splits import train_test
from actionunits.errors import DataError, UserError
from actionunits.learn import checkpoint
from actionunits.learn.card import Card
from actionunits.learn.scoring import read_table
from actionunits.types import AUModel, InputSpec, LabelStats

Report = Callable[[UserError], None]
"""Is told of what is left out of a figure, and why."""


@runtime_checkable
class Relational(Protocol):
    """A model that relates its AUs by matrices. Where they have a start, `prior` (A, A) is it."""

    def relations(self) -> Tensor:
        """Return the relation of each of its K layers: (K, A, A).

        Raises:
            RecipeError: the model has none as it is set.
        """
        ...


@runtime_checkable
class Regional(Protocol):
    """A model that looks at square regions about centres on the face."""

    @property
    def roi_side(self) -> float:
        """Side of a region, in pixels of the crop."""
        ...


class Trained(NamedTuple):
    """A model with its card, in evaluation mode."""

    model: nn.Module
    card: Card
    aus: AUSet
    title: str  # what a figure calls it

    @property
    def spec(self) -> InputSpec:
        """What the model wants to be fed."""
        return cast(AUModel, self.model).spec

    @property
    def name(self) -> str:
        """Name of the model, as recipes write it."""
        return self.card.recipe.model.name

    @property
    def thresholds(self) -> NDArray[np.floating]:
        """(A,) probability from which an AU counts as present."""
        return np.array(self.card.thresholds)


def load(name_or_path: str | Path) -> Trained:
    """Load the run of a figure.

    Args:
        name_or_path: name of weights that come with the package, or the folder of a run.

    Raises:
        CheckpointError: there is no such run, it is damaged, or its model reads no AUs.
    """
    folder = weights.locate(name_or_path)
    model, card = checkpoint.load(folder)
    return Trained(model, card, card.au_set(), folder.resolve().name)


def positions(aus: AUSet, numbers: Sequence[int] | None) -> list[int]:
    """Places of FACS numbers on the label axis; of all AUs where there are none.

    Raises:
        UserError: an AU is not among those of the run.
    """
    if not numbers:
        return list(range(len(aus)))
    absent = [n for n in numbers if n not in aus.numbers]
    if absent:
        raise UserError(
            f"--aus: the run does not read AU {', '.join(map(str, absent))}; "
            f"it reads {', '.join(map(str, aus.numbers))}"
        )
    return [aus.index(n) for n in numbers]


def label_stats(trained: Trained, report: Report) -> LabelStats | None:
    """Statistics of the labels that a run was trained on; None, and a report, if they are gone."""
    spec, fold = trained.card.recipe.data, trained.card.fold
    try:
        table = read_table(spec).select(trained.aus)
        rows = table if fold is None else train_test(table, fold)[0]
        return rows.stats(spec.relation)
    except DataError as error:
        report(DataError(f"what comes from the training labels is left out: {error}"))
        return None
