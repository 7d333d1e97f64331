"""What the tests of figures share: a stand-in for readings, and the words of a figure."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from actionunits.aus import AUSet
from actionunits.errors import UserError
from actionunits.papers.figures.seen import Seen
from actionunits.papers.figures.trained import Trained

AUS = AUSet.of((1, 2, 6, 12))
Make = Callable[..., Trained]


def nothing(problem: UserError) -> None:
    raise AssertionError(problem)


def titles(figure: Figure) -> list[str]:
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def stub(count: int = 2, **changes: Any) -> Seen:
    """Readings of gray faces of 64 pixels."""
    generator = np.random.default_rng(0)
    values: dict[str, Any] = {
        "pictures": np.full((count, 64, 64, 3), 128, np.uint8),
        "names": tuple(f"face {i}" for i in range(count)),
        "seconds": np.arange(count) / 8,
        "strip": np.arange(count),
        "truth": np.full((count, len(AUS)), np.nan),
        "probability": generator.random((count, len(AUS))),
        "present": np.zeros((count, len(AUS)), dtype=bool),
        "landmarks": None,
        "aux": {},
    }
    return Seen(**(values | changes))
