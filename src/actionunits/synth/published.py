"""What the weights of the package were made of: corpora to render, recipes to train, in order."""

from collections.abc import Mapping
from typing import NamedTuple


class Making(NamedTuple):
    """How weights are made."""

    preset: str  # of the corpus that is rendered
    people: int  # the first so many of it
    recipes: tuple[str, ...]  # that are trained on it, one after the other; the last one's are kept
    settings: tuple[str, ...] = ()  # what is changed in them, as of `au train --set`


PUBLISHED: Mapping[str, Making] = {
    "default": Making("people", 5_040, ("wholeface_people",), ("epochs=10",)),
    "default-fast": Making("people", 5_040, ("wholeface_fast_people",), ("epochs=10",)),
}
"""By the name of the weights."""
