"""What models cost: parameters, multiply-adds and time, beside what their papers say."""

import statistics
import time
from typing import cast

import torch
from pydantic import BaseModel, ConfigDict
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from actionunits.aus import ALL, AUSet
from actionunits.learn.recipe import Recipe, list_ablations, list_recipes, load_recipe
from actionunits.models import registry
from actionunits.papers import published
from actionunits.system.device import fast_dtype
from actionunits.types import AUModel, ClipModel

_BATCH, _REPEATS = 8, 3
_COSTS = ("parameters", "multiply_adds", "ms_per_image")


class Complexity(BaseModel):
    """What one model costs, for one face in one frame."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Of the model."""
    recipe: str
    ablation: str | None
    parameters: int
    multiply_adds: int
    """Of convolutions and matrix products, those of attention included; norms, activations,
    pooling and interpolation are not counted, as in most papers."""
    size: int
    """Side of the picture that it sees, pixels."""
    clip: int | None
    """Frames of a training clip."""
    ms_per_face: float | None
    """Median on this machine, at a batch of 8; None where it was not measured."""
    published: dict[str, float]
    """The paper's own ``parameters`` (M), ``multiply_adds`` (G) and ``ms_per_image``."""


def reference_recipes() -> dict[str, str]:
    """For each model the recipe that stands for it: that of BP4D where there is one."""
    found: dict[str, str] = {}
    for recipe in list_recipes():
        name = load_recipe(recipe).model.name
        if name not in found or recipe == f"{name}_bp4d":
            found[name] = recipe
    return dict(sorted(found.items()))


def model_ablations(recipe: str) -> list[str | None]:
    """None for the recipe itself, then its ablations that change the model, each change once."""
    found: dict[str, str] = {}  # of several with the same model the one with the shortest name
    for ablation in ("", *list_ablations(recipe)):
        model = load_recipe(recipe, ablation=ablation or None).model.model_dump_json()
        found[model] = min(found.get(model, ablation), ablation, key=len)
    return [ablation or None for ablation in found.values()]


def measure(name: str, ablation: str | None = None, *, timed: bool = True) -> Complexity:
    """Build the model of a recipe and measure it.

    Args:
        name: of the recipe, or its file.
        ablation: of the recipe.
        timed: also measure the time, which takes seconds.

    Raises:
        RecipeError: there is no such recipe or ablation.
    """
    recipe = load_recipe(name, ablation=ablation)
    model, task = _build(recipe), registry.task_of(recipe.model.name)
    spec = cast(AUModel, model).spec
    return Complexity(
        name=recipe.model.name,
        recipe=name,
        ablation=ablation,
        parameters=sum(p.numel() for p in model.parameters()),
        multiply_adds=_multiply_adds(model, task),
        size=spec.size,
        clip=spec.clip,
        ms_per_face=_milliseconds(model, task) if timed else None,
        published=_published(recipe.model.name, name, ablation),
    )


def _build(recipe: Recipe) -> nn.Module:
    aus = ALL if recipe.data.aus is None else AUSet.of(recipe.data.aus)
    stats = registry.blank_stats(len(aus))._replace(correlation=torch.ones(len(aus), len(aus)))
    return registry.create(recipe.model.name, aus, stats, **recipe.model.params).eval()


@torch.inference_mode()
def _pass(model: nn.Module, count: int, task: registry.Task) -> int:
    """Read `count` faces, or a few more; return how many were read."""
    spec = cast(AUModel, model).spec
    if task == "triplets":
        triplets = -(-count // 3)
        model(torch.zeros(triplets, 3, 3, spec.size, spec.size))
        return 3 * triplets
    images = torch.zeros(count, 3, spec.size, spec.size)
    images = images.contiguous(memory_format=torch.channels_last)
    if not isinstance(model, ClipModel):
        model(images)
        return count
    features = model.encode(images)
    # as in a video, where each frame is encoded once and the first and last are repeated
    places = torch.arange(-spec.context, count + spec.context).clamp(0, count - 1)
    model.read(features[places][None])
    return count


def _multiply_adds(model: nn.Module, task: registry.Task) -> int:
    with FlopCounterMode(display=False) as counter:
        count = _pass(model, 1, task)
    return int(counter.get_total_flops()) // (2 * count)


def _milliseconds(model: nn.Module, task: registry.Task) -> float:
    model = model.to(memory_format=torch.channels_last)
    dtype, times = fast_dtype(), []
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        _pass(model, 1, task)
        for _ in range(_REPEATS):
            start = time.perf_counter()
            count = _pass(model, _BATCH, task)
            times.append(1000 * (time.perf_counter() - start) / count)
    return statistics.median(times)


def _published(model: str, recipe: str, ablation: str | None) -> dict[str, float]:
    run = recipe if ablation is None else f"{recipe} --ablation {ablation}"
    return {
        table.metric: row.values[0]
        for table in published.tables()
        if table.system == model and table.metric in _COSTS
        for row in table.rows
        if row.run == run
    }
