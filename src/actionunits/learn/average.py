"""The mean of the weights of two trainings, the second of which began where the first ended.

What is trained on further reads pictures like those it was trained on better, and others sometimes
worse; the mean mostly keeps the best of both (Wortsman et al., "Robust fine-tuning of zero-shot
models", CVPR 2022).
"""

from pathlib import Path

from actionunits import weights
from actionunits.errors import UserError
from actionunits.learn import checkpoint


def average(first: str | Path, second: str | Path, share: float, out: Path | str) -> Path:
    """Write the checkpoint between two, with the thresholds and the card of the second.

    Args:
        first: weights that come with the package, or the folder of a run.
        second: the same; it began from the first.
        share: of the second in the mean, 0 to 1.
        out: folder of the checkpoint.

    Raises:
        CheckpointError: one is missing or damaged.
        UserError: they are of different models or AUs, there is no such share, or the folder
            cannot be written to.
    """
    if not 0 <= share <= 1:
        raise UserError(f"share: expected 0 to 1, got {share:g}")
    model, card = checkpoint.load(weights.locate(second))
    other, before = checkpoint.load(weights.locate(first))
    if (before.recipe.model, before.aus) != (card.recipe.model, card.aus):
        raise UserError(
            f"{first} and {second}: expected two of the same model and AUs; give a run and what "
            "it started from"
        )
    start, end = other.state_dict(), model.state_dict()
    mean = {
        name: start[name].lerp(value, share) if value.is_floating_point() else value
        for name, value in end.items()
    }
    model.load_state_dict(mean)
    people = tuple(dict.fromkeys((*card.people, *before.people)))
    said = f"mean of two trainings, {share:g} of it the last one"
    notes = "; ".join(filter(None, [card.notes, said]))
    update = {"people": people, "notes": notes, "scores": {}}
    checkpoint.save(model, card.model_copy(update=update), out, card.dtype)
    return Path(out)
