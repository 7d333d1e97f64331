"""Faces that need no renderer: discs with five dots where the points are."""

import io

import numpy as np
import pytest
from discs import drawn, landmarks
from PIL import Image

from actionunits.facefinder.backdrops import Backdrops
from actionunits.facefinder.cuts import Cuts
from actionunits.facefinder.heads import SIDE, Heads
from actionunits.facefinder.scenes import Composer


@pytest.fixture(scope="session")
def cuts() -> Cuts:
    head = np.asarray(drawn(SIDE, 0.5, "RGBA"))
    heads = Heads(head[None], landmarks(SIDE, 0.5)[None], np.ones(1))
    away = Heads(head[None] // 2, np.zeros((1, 49, 2)), np.zeros(1))
    data = io.BytesIO()
    drawn(128, 1.0, "RGB").save(data, "JPEG")
    return Cuts(heads, away, [data.getvalue()], landmarks(128, 1.0)[None])


@pytest.fixture(scope="session")
def composer(cuts, tmp_path_factory) -> Composer:
    folder = tmp_path_factory.mktemp("backdrops")
    Image.effect_noise((90, 60), 80).convert("RGB").save(folder / "noise.png")
    return Composer(cuts, Backdrops(folder))
