"""What finds 49 landmarks where a data set brings none, with our own weights."""

from functools import cache
from typing import cast

from actionunits import weights
from actionunits.faces.landmarks import CloseLook, LandmarkModel, Landmarks
from actionunits.faces.main_face import Finder, Points, five_points
from actionunits.learn import checkpoint
from actionunits.learn.card import read_card

_WEIGHTS = "landmarks"


def landmark_finder() -> Finder:
    """Finder for `actionunits.datasets.prepare`, known by the checksum of its weights.

    Raises:
        CheckpointError: the weights are damaged.
    """
    card = read_card(weights.locate(_WEIGHTS))
    return Finder(_landmarks, f"{_WEIGHTS} {card.sha256[:12]}")


@cache
def close_look() -> CloseLook:
    """Look at faces whose five points are known, for `actionunits.datasets.fec_faces.prepare_fec`.

    Raises:
        CheckpointError: the weights are damaged.
    """
    model, _ = checkpoint.load(weights.locate(_WEIGHTS))
    return CloseLook(cast(LandmarkModel, model))


def _landmarks() -> Points:
    return Landmarks(five_points(), close_look())
