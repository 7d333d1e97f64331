"""What a checkpoint says about itself; read without PyTorch."""

from pathlib import Path
from shutil import copyfile
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from actionunits.aus import AUSet, Numbers
from actionunits.data.people import UNKNOWN
from actionunits.errors import CheckpointError, first_fault
from actionunits.files import atomic, seals, writing
from actionunits.learn.recipe import Recipe, Rule
from actionunits.types import FOLDS, Coding, InputSpec

WEIGHTS, CARD, GRAPH = "model.safetensors", "card.json", "model.onnx"
INT8 = "model-int8.onnx"  # the graph with convolutions in bytes
TIME = "model-time.onnx"  # of a model of clips: reads faces that the other graph has encoded
GRAPHS = (GRAPH, INT8, TIME)
Storage = Literal["float32", "float16"]


class Card(BaseModel):
    """What a checkpoint says about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: str
    """Of the package that wrote it."""
    recipe: Recipe
    aus: Numbers
    """FACS numbers, the label axis; none for a model that reads no AUs."""
    spec: InputSpec
    template: str = "canonical"
    """How the faces that it was trained on are placed, see `actionunits.faces.templates`."""
    fold: Annotated[int, Field(ge=1, le=FOLDS)] | None
    """Fold that was kept for testing; None when all subjects were trained on."""
    epoch: int
    """Epochs that these weights were trained for."""
    selection: Rule
    """Rule that chose the epoch, see `SelectionSpec`."""
    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    """(A,) probability from which an AU counts as present, fitted on training subjects."""
    people: tuple[str, ...] = (UNKNOWN,)
    """Whom it was trained on or chosen by, as was what it started from: names as in
    `actionunits.data.people`. Cards that do not say are of unknown people."""
    coding: Coding | None = None
    """Of the labels that it was trained on; None without AUs, or where the card does not say."""
    occurs_from: float | None = None
    """Intensity from which an AU occurred in training; None where occurrence was coded."""
    scores: dict[str, float | None] = {}
    """Averages over the AUs on the test fold; None where the labels do not allow the score."""
    experimental: Numbers = ()
    """FACS numbers of the AUs that it reads too badly to be relied on: they are starred."""
    notes: str = ""
    dtype: Storage = "float32"
    sha256: str = ""
    """Of the file of the weights; `save` fills it in."""

    @model_validator(mode="after")
    def _belong_together(self) -> "Card":
        if len(self.thresholds) != len(self.aus):
            raise ValueError(f"{len(self.aus)} AUs and {len(self.thresholds)} thresholds")
        spec = self.spec
        if not 0 < spec.size <= spec.align or spec.context < 0 or not min(spec.std) > 0:
            raise ValueError(f"no picture is of {spec}")
        if (spec.clip is not None and spec.clip < 1) or (spec.fps is not None and not spec.fps > 0):
            raise ValueError(f"no clip is of {spec}")
        return self

    def au_set(self) -> AUSet:
        """Label axis as an `AUSet`.

        Raises:
            CheckpointError: the model reads no AUs.
        """
        if not self.aus:
            raise CheckpointError(
                f"a checkpoint of {self.recipe.model.name} reads no AUs: take one of a model that "
                "does; it may be a start for such a model, see init in recipes"
            )
        return AUSet(AUSet.of(self.aus).aus, self.experimental)


def read_card(path: Path | str) -> Card:
    """Read the card of a checkpoint alone.

    Args:
        path: the folder of a checkpoint, or of a run that holds one in ``checkpoint``.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    file = folder(Path(path)) / CARD
    try:
        return Card.model_validate(seals.read_json(file))
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(
            f"{path}: expected a checkpoint, a folder with {WEIGHTS} and {CARD}; found no {CARD}"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise CheckpointError(f"{file}: not a card that this version can read: {fault}") from None


def folder(path: Path) -> Path:
    """Folder of a checkpoint, which that of a run holds as ``checkpoint``."""
    return path if (path / CARD).is_file() else path / "checkpoint"


def copy(source: Path, card: Card, out: Path) -> None:
    """Write a checkpoint with the weights of another, and their graphs, and a card of its own.

    Args:
        source: folder of the other, or of its run.
        card: says the same of the weights.
        out: made if it is not there; a checkpoint in it is replaced.
    """
    (out / CARD).unlink(missing_ok=True)  # first out and last in, see `checkpoint.save`
    for graph in GRAPHS:
        (out / graph).unlink(missing_ok=True)
    for name in (WEIGHTS, *GRAPHS):
        file = folder(source) / name
        if file.is_file():
            with writing(out / name), atomic(out / name) as fresh:
                copyfile(file, fresh)
    write(card, out)


def write(card: Card, out: Path) -> None:
    """Write a card beside its weights."""
    with writing(out / CARD), atomic(out / CARD) as file:
        seals.write_json(file, card.model_dump(mode="json"))
