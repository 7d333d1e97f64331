"""Weights with everything that is needed to use them; nothing is ever unpickled.

A checkpoint is a folder with ``model.safetensors`` and ``card.json``, and the card holds the
checksum of the weights, so that the two cannot be mixed up. The state of an unfinished run is one
safetensors file: tensors, everything else as JSON in its header, and its own checksum there.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from actionunits.errors import CheckpointError, RecipeError
from actionunits.files import atomic, seals, writing
from actionunits.learn.card import CARD, GRAPHS, WEIGHTS, Card, Storage, read_card, write
from actionunits.learn.card import folder as card_folder
from actionunits.models import registry
from actionunits.nn.backbone import check_fit


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
            for graph in GRAPHS:
                (folder / graph).unlink(missing_ok=True)
    card = card.model_copy(update={"dtype": dtype, "sha256": sha256})
    write(card, folder)
    return card


def load(path: Path | str) -> tuple[nn.Module, Card]:
    """Rebuild the model of a checkpoint, in float32, in evaluation mode, on the CPU.

    Args:
        path: the folder of a checkpoint, or of a run that holds one in ``checkpoint``.

    Raises:
        CheckpointError: there is none, it is damaged, or its weights do not fit its model.
    """
    card = read_card(path)
    file = card_folder(Path(path)) / WEIGHTS
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
