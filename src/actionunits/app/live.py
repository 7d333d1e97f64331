"""The webcam: one frame after the other, each read by itself and forgotten."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from actionunits import weights
from actionunits.app import figures, reading
from actionunits.app.reading import Seen
from actionunits.errors import UserError
from actionunits.learn.card import read_card


def models(known: Mapping[str, str]) -> dict[str, str]:
    """Those of the weights that read single frames: others wait for the frames that follow."""
    return {
        shown: name
        for shown, name in known.items()
        if read_card(weights.locate(name)).spec.clip is None
    }


def read(image: NDArray[np.uint8], model: str, name: str) -> tuple[str, str]:
    """A frame with landmarks, and the AUs of its largest face, as HTML.

    Args:
        image: (H, W, 3) RGB.
        model: what the weights are called here.
        name: of the weights.
    """
    reads, problems = reading.predictor(name), list[UserError]()
    readings = list(reads.readings(image, problems.append, reading.drawn(reads)))
    if not readings:
        raise problems[0]
    seen = [Seen(model, reads.aus, readings[0])]
    return figures.still(image, seen, ("landmarks", "head pose")), figures.bars(seen, 0)
