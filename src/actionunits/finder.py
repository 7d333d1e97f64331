"""The finder of 49 landmarks that `actionunits.data.prepare` is given, with our own weights."""

from functools import cache
from typing import cast

from actionunits import checkpoint, weights
from actionunits.faces.landmarks import LandmarkModel, Landmarks
from actionunits.faces.main_face import Finder, Points, five_points

_WEIGHTS = "landmarks"


def landmark_finder() -> Finder:
    """Finder with the weights that come with the package, known by their checksum.

    Raises:
        CheckpointError: the weights are damaged.
    """
    card = checkpoint.read_card(weights.locate(_WEIGHTS))
    return Finder(_landmarks, f"{_WEIGHTS} {card.sha256[:12]}")


def _landmarks() -> Points:
    return Landmarks(five_points(), _network())


@cache
def _network() -> LandmarkModel:
    model, _ = checkpoint.load(weights.locate(_WEIGHTS))
    return cast(LandmarkModel, model)
