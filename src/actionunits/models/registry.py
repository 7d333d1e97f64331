"""Models by name. A model is one file: its class, decorated with `register`, and its loss.

The file may be that of another package, which names it in its entry points ``actionunits.models``.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    get_args,
    get_type_hints,
    runtime_checkable,
)

import torch
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from torch import Tensor, nn

from actionunits import plugins
from actionunits.aus import AUSet
from actionunits.errors import RecipeError, brief
from actionunits.types import LabelStats, Loss, Output
from actionunits.weights import list_weights

ModelClass = TypeVar("ModelClass", bound=type[nn.Module])


@runtime_checkable
class Startable(Protocol):
    """A model that can start from published weights."""

    starts: ClassVar[tuple[str, ...]]

    def start_from(self, source: str) -> None:
        """Load the weights called `source`, one of `starts`."""
        ...


@runtime_checkable
class FileStartable(Protocol):
    """A model that can start from a file of somebody else's weights."""

    def start_from_file(self, file: Path) -> None:
        """Load the weights of `file`, whose tensors have the names of their authors."""
        ...


@runtime_checkable
class Adopter(Protocol):
    """A model that can take over weights of another model, or of itself for other AUs."""

    def adopt(self, other: nn.Module, aus: AUSet | None) -> None:
        """Copy what fits from `other`, whose label axis is `aus`; None for a model without AUs."""
        ...


Task = Literal["aus", "landmarks", "triplets", "classes"]
"""What a model learns from: coded frames, faces with landmarks, triplets of expressions, or classes
of expressions."""


Share = Annotated[float, Field(ge=0, lt=1)]
"""A setting from 0 to below 1."""

_PLAIN = ConfigDict(strict=True, allow_inf_nan=False)
_LARGEST = 4096
"""Of a whole number: pixels, channels, layers, frames. What is larger is a slip of the hand."""


class _Entry(NamedTuple):
    model: type[nn.Module]
    loss: Callable[..., Any]
    task: Task


_MODELS: dict[str, _Entry] = {}


def register(
    name: str, loss: Callable[..., Any], *, task: Task = "aus"
) -> Callable[[ModelClass], ModelClass]:
    """Register a model class and its loss under a name.

    Args:
        name: as recipes write it.
        loss: called as ``loss(aus, stats, **settings)``, without the first two where the task is
            not about AUs; its keyword arguments are a subset of those of the model.
        task: what the model learns from.

    Returns:
        Decorator of a class that is called like the loss.
    """

    def add(model: ModelClass) -> ModelClass:
        if name in _MODELS:
            raise ValueError(f"two models are called {name!r}")
        _MODELS[name] = _Entry(model, loss, task)
        return model

    return add


def list_models() -> list[str]:
    """Return the names of all models, sorted, those of other packages among them."""
    return sorted({*_MODELS, *plugins.names("actionunits.models")})


def check(name: str, settings: Mapping[str, object]) -> None:
    """Check a model's name and the names and types of its settings, before any data is read.

    Raises:
        RecipeError: there is no such model, it has no such setting, or a value has a wrong type.
    """
    model = _entry(name).model
    allowed, types = _settings(model), get_type_hints(model.__init__, include_extras=True)
    for key, value in settings.items():
        if key not in allowed:
            raise RecipeError(
                f"model {name} has no setting {key!r}{_hint(key, allowed)}; "
                f"it has {', '.join(sorted(allowed))}"
            )
        try:
            TypeAdapter(types[key], config=_PLAIN).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise RecipeError(f"model {name}, {key}: {reason}, got {brief(value)}") from None
        if isinstance(value, int) and value > _LARGEST:
            raise RecipeError(
                f"model {name}, {key}: expected at most {_LARGEST}, got {brief(value)}"
            )


def settings(name: str) -> frozenset[str]:
    """Return the names of a model's settings.

    Raises:
        RecipeError: there is no such model.
    """
    return frozenset(_settings(_entry(name).model))


def task_of(name: str) -> Task:
    """Return what a model learns from.

    Raises:
        RecipeError: there is no such model.
    """
    return _entry(name).task


def choose(name: str, value: str, allowed: object) -> None:
    """Check a setting that has one of a few values, for models that no recipe builds.

    Args:
        name: of the setting.
        value: given.
        allowed: a ``Literal`` type.

    Raises:
        RecipeError: it is none of them.
    """
    if value not in get_args(allowed):
        raise RecipeError(f"{name}: expected one of {', '.join(get_args(allowed))}, got {value!r}")


def create(name: str, aus: AUSet | None, stats: LabelStats | None, **settings: Any) -> nn.Module:
    """Build a model.

    Args:
        name: as registered.
        aus: label axis; None for a model that learns from anything but AUs.
        stats: of the training rows, or `blank_stats` when a checkpoint is loaded next.
        **settings: the model's own keyword arguments, checked by name.

    Returns:
        The model, an `actionunits.types.AUModel`.

    Raises:
        RecipeError: there is no such model, or it has no such setting.
        PluginError: it is of another package, and cannot be built.
    """
    check(name, settings)
    entry = _entry(name)
    with _blamed(name):
        return entry.model(*_first(entry, aus, stats), **settings)


def loss_for(name: str, aus: AUSet | None, stats: LabelStats | None, **settings: Any) -> Loss:
    """Build the loss of a model from the same arguments as the model.

    Raises:
        RecipeError: there is no such model, or it has no such setting.
    """
    check(name, settings)
    entry = _entry(name)
    wanted = _settings(entry.loss)
    chosen = {k: v for k, v in settings.items() if k in wanted}
    with _blamed(name):
        loss: Loss = entry.loss(*_first(entry, aus, stats), **chosen)
    return loss


def initialise(name: str, model: nn.Module, source: str) -> None:
    """Start a model from published weights, such as ``"imagenet"``, or from a file of weights.

    Raises:
        RecipeError: the model offers no such start.
        CheckpointError: the file is damaged or holds weights of another architecture.
        UserError: the weights cannot be downloaded.
    """
    if isinstance(model, FileStartable) and Path(source).is_file():
        model.start_from_file(Path(source))
        return
    offered = model.starts if isinstance(model, Startable) else ()
    if not isinstance(model, Startable) or source not in offered:
        raise RecipeError(
            f"model {name} cannot start from {source!r}: there is no such checkpoint or file of "
            f"weights that it takes; by name it offers: {', '.join(offered) or 'none'}; "
            f"the package has: {', '.join(list_weights())}"
        )
    model.start_from(source)


def adopt(name: str, model: nn.Module, other: nn.Module, aus: AUSet | None) -> None:
    """Start a model from another, whose label axis is `aus`.

    Raises:
        RecipeError: the two have nothing in common that the model could take over.
    """
    if not isinstance(model, Adopter):
        raise RecipeError(f"model {name} starts from its own checkpoints only, for the same AUs")
    model.adopt(other, aus)


def embedding(out: Output) -> Tensor:
    """One vector a face: the mean over the AUs of what the last layer reads, (B, [T,] E) float32.

    Raises:
        RecipeError: the model gives no embeddings.
    """
    if out.aux is None or "embeddings" not in out.aux:
        raise RecipeError('the model gives no embeddings: its Output lacks aux["embeddings"]')
    return out.aux["embeddings"].float().mean(-2)


def blank_stats(count: int) -> LabelStats:
    """Return neutral statistics of `count` AUs, to rebuild a model whose weights are loaded next.

    What a model keeps of the statistics is in its state dict.
    """
    return LabelStats(torch.full((count,), 0.5), torch.eye(count), torch.eye(count))


def _first(entry: _Entry, aus: AUSet | None, stats: LabelStats | None) -> tuple[Any, ...]:
    """Positional arguments of a model and its loss."""
    return (aus, stats) if entry.task == "aus" else ()


def _blamed(name: str) -> AbstractContextManager[None]:
    """What goes wrong in a model of another package is its own fault, and said to be."""
    theirs = name in plugins.names("actionunits.models")
    return plugins.running("actionunits.models", name) if theirs else nullcontext()


def _entry(name: str) -> _Entry:
    if name not in _MODELS and name in plugins.names("actionunits.models"):
        plugins.load("actionunits.models", name)
        if name not in _MODELS:
            raise plugins.PluginError(
                f"{name}: its package registers no model of that name: decorate its class with "
                f"@register({name!r}, ...)"
            )
    if name not in _MODELS:
        known = list_models()
        raise RecipeError(f"there is no model {name!r}{_hint(name, known)}; known: {known}")
    return _MODELS[name]


def _settings(function: Callable[..., object]) -> set[str]:
    """Names of the keyword-only arguments."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def _hint(name: str, known: set[str] | list[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
