"""A recipe says everything that a training run depends on; it is checked before data is read.

Recipes are YAML files of values, in the package (`list_recipes`) or anywhere. A file may name
variants of itself under ``ablations``: each is a set of dotted keys with the values that differ, as
on the command line. One that names another as its ``base`` changes and adds to what that one has.
"""

import difflib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from actionunits.aus import Numbers
from actionunits.errors import RecipeError, brief
from actionunits.learn import plain

Share = Annotated[float, Field(ge=0, lt=1)]
Chance = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
_MOST = 2**31 - 1
Rule = Literal["last", "inner", "best_on_test"]
Count = Annotated[int, Field(ge=1, le=_MOST)]
_Variants = TypeAdapter(dict[str, dict[str, Any]], config=ConfigDict(strict=True))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSpec(_Section):
    """Which model, and its keyword arguments; the model registry checks their names."""

    name: str
    params: dict[str, Any] = {}


class Augmentation(_Section):
    """Random changes of the training pictures; `actionunits.data.transforms.Augment` has the units.

    All off by default; the test crop is always central.
    """

    random_crop: bool = False
    flip: Chance = 0.0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Chance = 0.0
    translate: Chance = 0.0
    brightness: Chance = 0.0
    contrast: Chance = 0.0
    saturation: Chance = 0.0
    tint: Chance = 0.0
    grayscale: Chance = 0.0
    blur: Annotated[float, Field(ge=0, le=10)] = 0.0
    noise: Chance = 0.0
    jpeg: Chance = 0.0
    erase: Chance = 0.0
    ruin: Chance = 0.0
    spectrum: Chance = 0.0


class DataSpec(_Section):
    """Which frames are trained on, and how their labels are read."""

    name: str
    root: str | None = None
    """File or folder of the data set; None for one that comes with the package."""
    aus: Annotated[Numbers, Field(min_length=1)] | None = None
    """FACS numbers in the order of the label axis; None takes all that the data set codes."""
    coding: Literal["occurrence", "intensity"] | None = None
    """Which labels, where a data set has both; None takes occurrence where it is coded."""
    threshold: Positive | None = None
    """An AU occurs from this intensity on; None takes the data set's own."""
    relation: Literal["occurrence", "intensity"] = "occurrence"
    """Labels that the relation of the AUs is computed from."""
    duplicate: Numbers = ()
    """Training frames with one of these AUs are taken twice (RE-Net's Table 8)."""
    augment: Augmentation = Augmentation()
    one_clip_in: Count | Literal["video"] | None = None
    """Of a model of clips: an epoch has one clip, at a random place, of each video, or of each this
    many frames of one. None has them all, one after the other."""
    triplets: Annotated[int, Field(ge=1, le=10**7)] = 20000
    """How many are drawn, for training and for testing, of a data set that has AUs."""
    lanes: Count = 1
    """Stretches of the data set that processes share out; see `learn.feed`."""
    cache: bool = False
    """Keep the decoded pictures in memory."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Processes that decode; 0 decodes in the training process."""


class GroupSpec(_Section):
    """What is different for some of the parameters."""

    lr: Positive = 1.0
    """Factor of the optimiser's."""
    weight_decay: NotNegative | None = None
    """None is the optimiser's."""


class OptimiserSpec(_Section):
    """Step rule and its constants."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Positive = 1e-4
    weight_decay: NotNegative = 0.0
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Of adam and adamw."""
    momentum: Share = 0.9
    """Of sgd, always Nesterov's."""
    groups: dict[str, GroupSpec] = {}
    """By the parameters' names, where ``*`` stands for anything; the first that fits counts."""


class ScheduleSpec(_Section):
    """Learning rate over the run, as a factor of the optimiser's.

    ``step``: times `factor` every `every` epochs. ``inverse_sqrt``: 1 at the end of the warm-up,
    from then on as one over the root of the step.
    """

    name: Literal["constant", "cosine", "step", "inverse_sqrt"] = "constant"
    warmup: NotNegative = 0.0
    """Epochs, or parts of one, of linear rise from 0."""
    warmup_steps: Annotated[int, Field(ge=0, le=_MOST)] = 0
    """The same in optimiser steps."""
    floor: Share = 0.0
    """Factor that the cosine ends at."""
    every: Positive = 1.0
    factor: Annotated[float, Field(gt=0, le=1)] = 0.5

    @model_validator(mode="after")
    def _contradictions(self) -> "ScheduleSpec":
        if self.warmup and self.warmup_steps:
            raise ValueError("give warmup in epochs or warmup_steps, not both")
        if self.name == "inverse_sqrt" and not (self.warmup or self.warmup_steps):
            raise ValueError("inverse_sqrt starts from a warm-up: give warmup or warmup_steps")
        return self


class SelectionSpec(_Section):
    """Which epoch's weights are kept.

    ``last``: those of the last epoch. ``inner``: the best on training subjects held out for it, and
    training stops when `patience` epochs bring nothing better. ``best_on_test``: the best on the
    test fold, as most published numbers; reports say so.
    """

    rule: Rule = "last"
    metric: Literal["f1", "auc", "accuracy", "icc", "triplet_accuracy"] = "f1"
    """Mean over the AUs of this score decides."""
    share: Share = 0.0
    """Share of the training subjects held out; they also calibrate the thresholds. Without any, the
    training frames themselves do."""
    patience: Count | None = None
    """Epochs without improvement before training stops; None never stops early."""

    @model_validator(mode="after")
    def _contradictions(self) -> "SelectionSpec":
        if self.rule == "inner" and not self.share:
            raise ValueError("rule 'inner' needs a share of the training subjects above 0")
        if self.rule == "last" and self.patience is not None:
            raise ValueError("patience needs the rule 'inner' or 'best_on_test', not 'last'")
        return self


class Recipe(_Section):
    """Everything that a run depends on."""

    about: str
    """One sentence for lists."""
    model: ModelSpec
    data: DataSpec
    loss: dict[str, NotNegative]
    """Weight of each named term of the model's loss."""
    optimiser: OptimiserSpec = OptimiserSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    selection: SelectionSpec = SelectionSpec()
    epochs: Count
    batch: Count
    """Frames of one forward pass, over all processes together."""
    accumulate: Count = 1
    """Forward passes of one optimiser step."""
    clip_norm: Positive | None = None
    """Largest norm of the gradient."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bfloat16 where the processor is fast at it."""
    compile: bool = False
    """The model, by ``torch.compile``: minutes before the first step, each of which is faster."""
    storage: Literal["float32", "float16"] = "float32"
    """Number format of the weights in the checkpoint; 16 bits halve the file."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    init: str | None = None
    """Start of the weights: a name that the model offers, such as ``imagenet``; one of the weights
    in the package, such as ``default``; a file of weights; or a checkpoint, in whose path
    ``fold{fold}`` stands for the fold, or ``all``."""


def list_recipes() -> list[str]:
    """Names of the recipes in the package, sorted."""
    folder = resources.files("actionunits.learn") / "recipes"
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def ablations(name_or_path: str | Path) -> dict[str, dict[str, Any]]:
    """Variants that a recipe file offers, in its order, with the dotted keys that they change.

    Raises:
        RecipeError: there is no such recipe, or its file is not a YAML mapping.
    """
    return _split(*_read(name_or_path))[1]


def list_ablations(name_or_path: str | Path) -> list[str]:
    """Names of the variants that a recipe file offers, in its order; raises as `ablations`."""
    return list(ablations(name_or_path))


def load_recipe(
    name_or_path: str | Path, overrides: Iterable[str] = (), ablation: str | None = None
) -> Recipe:
    """Read and check a recipe.

    Args:
        name_or_path: a name of `list_recipes`, or the path of a YAML file.
        overrides: ``key=value`` with a dotted key and a YAML value: ``optimiser.lr=1e-3``. They
            come after those of the ablation.
        ablation: one of `list_ablations`.

    Raises:
        RecipeError: there is no such recipe, key or ablation, or a value has the wrong type. The
            message names the key, the file and what would be allowed.
    """
    source, content = _read(name_or_path)
    values, variants = _split(source, content)
    changes: list[tuple[str, Any]] = []
    if ablation is not None:
        if ablation not in variants:
            raise RecipeError(
                f"{source} has no ablation {ablation!r}{_hint(ablation, variants)}; "
                f"it has {', '.join(variants) or 'none'}"
            )
        changes += variants[ablation].items()
    changes += [_override(text) for text in overrides]
    for key, value in changes:
        _set(values, key, value, source)
    return parse_recipe(values, source)


def parse_recipe(values: Mapping[str, Any], source: str) -> Recipe:
    """Check the values of a recipe that was read from `source`.

    Raises:
        RecipeError: a key is unknown or missing, or a value has the wrong type.
    """
    try:
        return Recipe.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{source}: {_explain(first)}") from None


def _yaml(text: str, where: str) -> Any:
    try:
        return plain.read(text)
    except ValueError as error:
        raise RecipeError(f"{where}: not valid YAML: {error}") from None


def _read(name_or_path: str | Path, *above: str) -> tuple[str, dict[str, Any]]:
    """Where the recipe comes from, for messages, and its content upon that of its bases.

    `above` are the recipes that led here.
    """
    text = str(name_or_path)
    if text in above:
        raise RecipeError(f"the recipes {', '.join(above)} are based on each other in a circle")
    if text in list_recipes():
        file = resources.files("actionunits.learn") / "recipes" / f"{text}.yaml"
        source, content = f"recipe {text}", file.read_text(encoding="utf-8")
    elif Path(text).suffix in {".yaml", ".yml"} and Path(text).is_file():
        source, content = text, read_text(Path(text))
    else:
        known = list_recipes()
        raise RecipeError(
            f"there is no recipe {text!r}{_hint(text, known)}; give the path of a YAML file or "
            f"one of {', '.join(known)}"
        )
    values = _yaml(content, source)
    if not isinstance(values, dict):
        raise RecipeError(f"{source}: expected a mapping of keys to values, found {brief(values)}")
    if "base" in values:
        base = str(values.pop("base"))
        if base not in list_recipes():
            base = str(Path(text).parent / base)
        values = _merge(_read(base, *above, text)[1], values)
    return source, values


def _merge(below: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """`values` upon `below`: mappings are merged key by key, anything else is replaced.

    What is null is dropped, so that its default holds.
    """
    merged = dict(below)
    for key, value in values.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _split(source: str, content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recipe itself, and its ablations."""
    try:
        return content, _Variants.validate_python(content.pop("ablations", {}))
    except ValidationError as error:
        where = ".".join(["ablations", *(str(part) for part in error.errors()[0]["loc"])])
        raise RecipeError(
            f"{source}: ablations must map names to mappings of dotted keys, all of them text "
            f"(in quotes where it looks like a number); found at {where.removesuffix('.[key]')} "
            f"{brief(error.errors()[0]['input'])}"
        ) from None


def read_text(file: Path) -> str:
    """What a recipe file holds.

    Raises:
        RecipeError: it cannot be read, or is not text in UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{file}: expected text in UTF-8, found another byte at {error.start}: save it so"
        ) from None


def _override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise RecipeError(f"expected a setting as key=value, found {text!r}")
    return key, _yaml(value, f"the value of {key}")


def _set(values: dict[str, Any], dotted: str, value: Any, source: str) -> None:
    *sections, last = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise RecipeError(f"{source}: {section} has no keys, so {dotted} cannot be set")
    values[last] = value


def _explain(error: Any) -> str:
    """One sentence on one error of pydantic."""
    path = [str(part) for part in error["loc"]]
    dotted, found = ".".join(path), brief(error["input"])
    allowed = _keys(path[:-1])
    if error["type"] in {"extra_forbidden", "missing"} and allowed:
        listed = f"allowed keys here: {', '.join(allowed)}"
        if error["type"] == "missing":
            return f"the key {dotted} is missing; {listed}"
        return f"unknown key {dotted}{_hint(path[-1], allowed)}; {listed}"
    if error["type"] == "missing":  # of a tuple
        return f"{'.'.join(path[:-1])}: too few values, found {found}"
    if error["type"] == "value_error":
        return f"{dotted}: {error['ctx']['error']}"
    if error["type"] in {"model_type", "dict_type"}:
        return f"{dotted}: expected a mapping of keys to values, found {found}"
    return f"{dotted}: {error['msg'].lower()}, found {found}"


def _keys(path: list[str]) -> list[str]:
    """Keys of the section at `path`; none where that is not a section."""
    section: Any = Recipe
    for part in path:
        if get_origin(section) is dict:
            section = get_args(section)[1]
        elif isinstance(section, type) and issubclass(section, BaseModel):
            section = section.model_fields[part].annotation
        else:
            return []
    inside = isinstance(section, type) and issubclass(section, BaseModel)
    return list(section.model_fields) if inside else []


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
