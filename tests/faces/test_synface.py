"""The detector that was trained on rendered heads alone finds faces where people see them."""

import numpy as np
import pytest
import skimage.data

import actionunits
from actionunits.errors import CheckpointError
from actionunits.faces.synface import SynFace
from actionunits.types import Frame

# Seen by eye in scikit-image's photograph: eye centres, nose tip, mouth corners.
ASTRONAUT = np.array([[203.0, 102], [247, 103], [224, 126], [204, 140], [243, 141]])


def frame(image, number=0):
    return Frame(np.ascontiguousarray(image), "a.png", number, number / 30)


@pytest.fixture(scope="module")
def synface():
    return SynFace(threads=1)


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


def test_a_look_finds_the_way_back(synface, astronaut):
    rng = np.random.default_rng(0)
    rough = ASTRONAUT + rng.normal(0, 3, (32, 5, 2))
    seen, sure = synface.look([astronaut], np.zeros(32, np.intp), rough)
    assert sure.all()
    assert seen.landmarks.std(axis=0).mean() < 0.5 * rough.std(axis=0).mean()


def test_a_look_beside_a_face_shows_none(synface, astronaut):
    _, sure = synface.look([astronaut], np.zeros(1, np.intp), ASTRONAUT[None] + [150, 200])
    assert not sure.any()


def test_weights_read_what_it_finds(synface, tmp_path, astronaut):
    from PIL import Image

    Image.fromarray(astronaut).save(tmp_path / "astronaut.png")
    table = actionunits.load("default-fast", detector=synface).predict(tmp_path / "astronaut.png")
    assert table["AU12_p"].max() > 0.5


def test_a_missing_network_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="search.onnx: the face detector's network"):
        SynFace(folder=tmp_path)
