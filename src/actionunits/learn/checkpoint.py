"""Weights with everything that is needed to use them; nothing is ever unpickled.

A checkpoint is a folder with ``model.safetensors`` and ``card.json``, and the card holds the
checksum of the weights, so that the two cannot be mixed up. The state of an unfinished run is one
safetensors file: tensors, everything else as JSON in its header, and its own checksum there.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from actionunits.aus import AUSet, Numbers
from actionunits.data.people import UNKNOWN
from actionunits.data.splits import FOLDS
from actionunits.data.table import Coding
from actionunits.errors import CheckpointError, RecipeError, first_fault
from actionunits.files import atomic, seals, writing
from actionunits.learn.recipe import Recipe, Rule
from actionunits.models import registry
from actionunits.nn.backbone import check_fit
from actionunits.types import InputSpec

WEIGHTS, CARD = "model.safetensors", "card.json"
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


def save(model: nn.Module, card: Card, folder: Path | str, dtype: Storage = "float32") -> Card:
    """Write a checkpoint.

    Args:
        model: its state dict is stored.
        card: its `dtype` and `sha256` are replaced by what was written.
        folder: made if it is not there; a checkpoint in it is replaced.
        dtype: float16 halves the parameters. Buffers, which hold running statistics and counters,
            and parameters with values that float16 cannot hold keep their type.

    Returns:
        The card as written.
    """
    folder = Path(folder)
    halved = {name for name, _ in model.named_parameters()} if dtype == "float16" else set()
    tensors = {
        name: _half(tensor) if name in halved else tensor
        for name, tensor in model.state_dict().items()
    }
    file = folder / WEIGHTS
    with writing(file), atomic(file) as fresh:
        _store(fresh, tensors, {})
        sha256 = _sha256(fresh)
        if not file.is_file() or _sha256(file) != sha256:
            # the card goes first out and last in: at no time does it stand beside weights of
            # another; to the same weights the old one belongs until the new one takes its place
            (folder / CARD).unlink(missing_ok=True)
    card = card.model_copy(update={"dtype": dtype, "sha256": sha256})
    with writing(folder / CARD), atomic(folder / CARD) as file:
        seals.write_json(file, card.model_dump(mode="json"))
    return card


def read_card(path: Path | str) -> Card:
    """Read the card of a checkpoint alone.

    Args:
        path: the folder of a checkpoint, or of a run that holds one in ``checkpoint``.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    file = _folder(Path(path)) / CARD
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


def load(path: Path | str) -> tuple[nn.Module, Card]:
    """Rebuild the model of a checkpoint, in float32, in evaluation mode, on the CPU.

    Args:
        path: the folder of a checkpoint, or of a run that holds one in ``checkpoint``.

    Raises:
        CheckpointError: there is none, it is damaged, or its weights do not fit its model.
    """
    card = read_card(path)
    file = _folder(Path(path)) / WEIGHTS
    try:
        model = build(card)
    except RecipeError as error:
        raise CheckpointError(f"{file.parent / CARD}: {error}") from None
    if not file.is_file():
        raise CheckpointError(f"{file}: the weights are missing beside their card")
    if _sha256(file) != card.sha256:
        raise CheckpointError(f"{file}: damaged, or not the weights of its card; copy both again")
    tensors, _ = _read(file)
    load_weights(model, tensors, file)
    return model.eval(), card


def build(card: Card) -> nn.Module:
    """Model of a card, with fresh weights.

    Raises:
        RecipeError: this version has no such model, or not with these settings.
    """
    spec = card.recipe.model
    aus = card.au_set() if card.aus else None
    stats = None if aus is None else registry.blank_stats(len(aus))
    return registry.create(spec.name, aus, stats, **spec.params)


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Copy stored tensors into a model.

    Raises:
        CheckpointError: names or shapes differ; `file` is named.
    """
    check_fit(model.state_dict(), tensors, file)
    model.load_state_dict(dict(tensors))


def save_state(
    file: Path, model: nn.Module, optimiser: torch.optim.Optimizer, progress: Mapping[str, Any]
) -> None:
    """Write all that an unfinished run needs to continue exactly.

    Args:
        file: replaced as a whole or not at all.
        model: its state dict.
        optimiser: its state dict; tensors are stored as they are, numbers as JSON, which keeps
            every bit of a float.
        progress: anything that JSON can hold.
    """
    state = optimiser.state_dict()
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    numbers: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = value
            else:
                numbers.setdefault(str(index), {})[name] = value
    header = {
        "groups": json.dumps(state["param_groups"]),
        "numbers": json.dumps(numbers),
        "progress": json.dumps(dict(progress)),
        seals.KEY: seals.BLANK,
    }
    _write(file, tensors, header)


def load_state(file: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Bring model and optimiser to where `save_state` left them, and return `progress`.

    Raises:
        CheckpointError: the file is damaged or belongs to another model.
    """
    tensors, header = _read_state(file)
    weights = {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}
    load_weights(model, weights, file)
    try:
        entries = {int(i): dict(values) for i, values in json.loads(header["numbers"]).items()}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, index, key = name.split(".", 2)
                entries.setdefault(int(index), {})[key] = tensor
        groups = json.loads(header["groups"])
        optimiser.load_state_dict({"state": entries, "param_groups": groups})
        _adopt(optimiser)
        progress: dict[str, Any] = json.loads(header["progress"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{file}: not the state of this run: {error}") from None
    return progress


def check_state(file: Path) -> None:
    """Look whether a state is as it was written.

    Raises:
        CheckpointError: it is damaged.
    """
    _read_state(file)


def _read_state(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors, header = _read(file)
    if not seals.is_whole(file, header.get(seals.KEY)):
        raise CheckpointError(f"{file}: damaged: it is not what its checksum says")
    return tensors, header


def _adopt(optimiser: torch.optim.Optimizer) -> None:
    """Give the optimiser its own memory, laid out like the parameters, instead of the file's."""
    for parameter, entries in optimiser.state.items():
        for name, value in entries.items():
            like = parameter.detach() if value.shape == parameter.shape else value
            entries[name] = torch.empty_like(like, dtype=value.dtype).copy_(value)


def _half(tensor: Tensor) -> Tensor:
    half = tensor.half()
    return half if half.isfinite().all() else tensor


def _folder(path: Path) -> Path:
    return path if (path / CARD).is_file() else path / "checkpoint"


def _write(file: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    with writing(file), atomic(file) as temporary:
        _store(temporary, tensors, header)
        if seals.KEY in header:
            seals.seal(temporary)


def _store(file: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(plain, file, header)
    except SafetensorError as error:  # what the library makes of a full disk
        raise OSError(str(error)) from error


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(file, framework="pt") as stored:
            names = list(stored.keys())
            return {name: stored.get_tensor(name) for name in names}, stored.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file}: damaged or not a safetensors file: {error}") from None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
