"""What the folder of a run holds already: a finished run, one that goes on, or another."""

import json
from pathlib import Path

import pandas as pd

from actionunits.errors import CheckpointError, RecipeError
from actionunits.files import atomic, seals, writing
from actionunits.learn import checkpoint, plain
from actionunits.learn.card import CARD, read_card
from actionunits.learn.recipe import Recipe, load_recipe
from actionunits.learn.report import read_report
from actionunits.learn.run import (
    CHECKPOINT,
    LAST,
    LOG,
    RECIPE,
    REPORT,
    STATE,
    Result,
    without_state,
)


def is_begun(out: Path) -> bool:
    """Whether a folder holds a run that has taken a step or is finished."""
    return (out / STATE).is_file() or (out / CHECKPOINT / CARD).is_file()


def is_finished(out: Path, recipe: Recipe, fold: int | None, resume: bool) -> bool:
    """Whether a folder holds this run already, finished; prepares the folder if not.

    A finished run of the same recipe with fewer epochs goes on, if what comes of it is what the
    recipe would give from the start.

    Raises:
        RecipeError: it holds a run of another recipe or fold, or one that cannot go on.
        CheckpointError: its last state, from which it would go on, is damaged.
    """
    if not (resume and is_begun(out)):  # a run that failed before its first step binds nobody
        for name in (STATE, LAST, REPORT, RECIPE, LOG):
            (out / name).unlink(missing_ok=True)
    if not (out / RECIPE).is_file():
        _write_recipe(out, recipe)
    earlier = load_recipe(out / RECIPE)
    if _is_longer(earlier, recipe) and _can_go_on(out, fold):
        _check_last(out)
        (out / REPORT).unlink(missing_ok=True)  # it is that of fewer epochs
        (out / LAST).replace(out / STATE)
        _write_recipe(out, recipe)
        return False
    if earlier != recipe:
        if _differences(earlier, recipe) == ["epochs"] and earlier.epochs < recipe.epochs:
            raise RecipeError(_no_further(out, recipe))
        raise RecipeError(
            f"{out} holds a run of another recipe ({', '.join(_differences(earlier, recipe))}): "
            "choose another folder, or start it afresh"
        )
    if (out / STATE).is_file() or not (out / CHECKPOINT / CARD).is_file():
        return False
    if resume and (kept := read_card(out / CHECKPOINT).fold) != fold:
        raise RecipeError(f"{out} holds a run of fold {kept}, not {fold}: choose another folder")
    return resume


def read_result(out: Path) -> Result:
    """Read a finished run.

    Raises:
        RecipeError: its report cannot be read.
    """
    file = out / REPORT
    if not file.is_file():
        return Result(out / CHECKPOINT, None)
    try:
        return Result(out / CHECKPOINT, read_report(json.dumps(seals.read_json(file))))
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise RecipeError(
            f"{file}: damaged; copy it again, or delete it, and au evaluate scores the run"
        ) from None


def _is_longer(earlier: Recipe, recipe: Recipe) -> bool:
    """Whether the recipe is the earlier one with more epochs, whose first are the same.

    They are unless the schedule is a cosine, which is laid out over all the epochs.
    """
    more = earlier.epochs < recipe.epochs and recipe.schedule.name != "cosine"
    return more and earlier == recipe.model_copy(update={"epochs": earlier.epochs})


def _can_go_on(out: Path, fold: int | None) -> bool:
    """Whether the folder holds a finished run of this fold with its last state."""
    finished = (out / LAST).is_file() and not (out / STATE).is_file()
    return finished and read_card(out / CHECKPOINT).fold == fold


def _check_last(out: Path) -> None:
    """Look at the last state before what is finished is given up for it."""
    try:
        checkpoint.check_state(out / LAST)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {without_state(out)}") from error


def _no_further(out: Path, recipe: Recipe) -> str:
    """Why a run cannot go on for more epochs, and what can be done."""
    if recipe.schedule.name == "cosine":
        why = "its cosine has brought the learning rate down over fewer"
    elif (out / STATE).is_file():
        return (
            f"{out} holds an unfinished run: finish it by the command that began it, then it can "
            f"go on to {recipe.epochs} epochs"
        )
    else:
        why = f"it has no {LAST} of this fold to go on from"
    return (
        f"{out} holds a run that cannot go on to {recipe.epochs} epochs: {why}. Start it afresh "
        f"(--fresh), or start another from its weights, with --set init={out} and another --out"
    )


def _write_recipe(out: Path, recipe: Recipe) -> None:
    with writing(out / RECIPE), atomic(out / RECIPE) as file:
        file.write_text(plain.write(recipe.model_dump(mode="json")), encoding="utf-8")


def _differences(one: Recipe, other: Recipe) -> list[str]:
    """Dotted keys in which two recipes differ."""
    left, right = (pd.json_normalize(r.model_dump(mode="json")).iloc[0] for r in (one, other))
    keys = left.index.union(right.index, sort=False)
    return [key for key in keys if str(left.get(key)) != str(right.get(key))]
