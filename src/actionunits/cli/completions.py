"""What the shell offers at TAB: the names that the package knows, imported at TAB alone."""

from collections.abc import Iterable

import typer


def weights(incomplete: str) -> list[str]:
    """Weights in the package that start so."""
    from actionunits.weights import list_weights

    return _starting(incomplete, list_weights())


def recipes(incomplete: str) -> list[str]:
    """Recipes in the package that start so."""
    from actionunits.learn.recipe import list_recipes

    return _starting(incomplete, list_recipes())


def ablations(context: typer.Context, incomplete: str) -> list[str]:
    """Variants, that start so, of the recipe that stands on the line already.

    Args:
        context: with the arguments so far.
        incomplete: what has been typed of the name.
    """
    from actionunits.errors import RecipeError
    from actionunits.learn.recipe import list_ablations

    said = (context.params.get("recipe"), *context.args)  # the latter while an option has no value
    recipe = next(filter(None, said), "")
    try:
        return _starting(incomplete, list_ablations(recipe))
    except RecipeError:  # no recipe yet, or none that can be read: there is nothing to offer
        return []


def additions(incomplete: str) -> list[str]:
    """What `au detect --add` takes, behind the commas of what is there."""
    from actionunits.detect.added import ADDABLE, ALL

    before, comma, begun = incomplete.rpartition(",")
    taken = before.split(",")
    names = (name for name in (*ADDABLE, ALL) if name not in taken)
    return [f"{before}{comma}{name}" for name in _starting(begun, names)]


def detectors(incomplete: str) -> list[str]:
    """Face detectors that start so."""
    from actionunits.faces.detect import DETECTORS

    return _starting(incomplete, DETECTORS)


def formats(incomplete: str) -> list[str]:
    """Formats of tables that start so."""
    from actionunits.detect.formats import FORMATS

    return _starting(incomplete, FORMATS)


def runtimes(incomplete: str) -> list[str]:
    """What can compute a model."""
    from actionunits.detect.network import RUNTIMES

    return _starting(incomplete, RUNTIMES)


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
