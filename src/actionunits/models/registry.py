"""Models by name. A model is one file: its class, decorated with `register`, and its loss."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import (
    Any,
    ClassVar,
    NamedTuple,
    Protocol,
    TypeVar,
    get_type_hints,
    runtime_checkable,
)

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from actionunits.aus import AUSet
from actionunits.errors import RecipeError
from actionunits.types import LabelStats, Loss

ModelClass = TypeVar("ModelClass", bound=type[nn.Module])


@runtime_checkable
class Startable(Protocol):
    """A model that can start from published weights."""

    starts: ClassVar[tuple[str, ...]]

    def start_from(self, source: str) -> None:
        """Load the weights called `source`, one of `starts`."""
        ...


class _Entry(NamedTuple):
    model: type[nn.Module]
    loss: Callable[..., Loss]


_MODELS: dict[str, _Entry] = {}


def register(name: str, loss: Callable[..., Loss]) -> Callable[[ModelClass], ModelClass]:
    """Register a model class and its loss under a name.

    Args:
        name: as recipes write it.
        loss: called as ``loss(aus, stats, **settings)``; its keyword arguments are a subset of
            those of the model.

    Returns:
        Decorator of a class that is called as ``Model(aus, stats, **settings)``.
    """

    def add(model: ModelClass) -> ModelClass:
        if name in _MODELS:
            raise ValueError(f"two models are called {name!r}")
        _MODELS[name] = _Entry(model, loss)
        return model

    return add


def list_models() -> list[str]:
    """Return the names of all models, sorted."""
    return sorted(_MODELS)


def check(name: str, settings: Mapping[str, object]) -> None:
    """Check a model's name and the names and types of its settings, before any data is read.

    Raises:
        RecipeError: there is no such model, it has no such setting, or a value has a wrong type.
    """
    model = _entry(name).model
    allowed, types = _settings(model), get_type_hints(model.__init__)
    for key, value in settings.items():
        if key not in allowed:
            raise RecipeError(
                f"model {name} has no setting {key!r}{_hint(key, allowed)}; "
                f"it has {', '.join(sorted(allowed))}"
            )
        try:
            TypeAdapter(types[key]).validate_python(value, strict=True)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise RecipeError(f"model {name}, {key}: {reason}, got {value!r}") from None


def create(name: str, aus: AUSet, stats: LabelStats, **settings: Any) -> nn.Module:
    """Build a model.

    Args:
        name: as registered.
        aus: label axis.
        stats: of the training rows, or `blank_stats` when a checkpoint is loaded next.
        **settings: the model's own keyword arguments, checked by name.

    Returns:
        The model, an `actionunits.types.AUModel`.

    Raises:
        RecipeError: there is no such model, or it has no such setting.
    """
    check(name, settings)
    return _entry(name).model(aus, stats, **settings)


def loss_for(name: str, aus: AUSet, stats: LabelStats, **settings: Any) -> Loss:
    """Build the loss of a model from the same arguments as the model.

    Raises:
        RecipeError: there is no such model, or it has no such setting.
    """
    check(name, settings)
    loss = _entry(name).loss
    wanted = _settings(loss)
    return loss(aus, stats, **{k: v for k, v in settings.items() if k in wanted})


def initialise(name: str, model: nn.Module, source: str) -> None:
    """Start a model from published weights, such as ``"imagenet"``.

    Raises:
        RecipeError: the model offers no such start.
    """
    offered = model.starts if isinstance(model, Startable) else ()
    if not isinstance(model, Startable) or source not in offered:
        raise RecipeError(
            f"model {name} cannot start from {source!r}; it offers: {', '.join(offered) or 'none'}"
        )
    model.start_from(source)


def blank_stats(count: int) -> LabelStats:
    """Return neutral statistics of `count` AUs, to rebuild a model whose weights are loaded next.

    What a model keeps of the statistics is in its state dict.
    """
    return LabelStats(torch.full((count,), 0.5), torch.eye(count), torch.eye(count))


def _entry(name: str) -> _Entry:
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
