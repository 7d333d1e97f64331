"""Faces of videos: followed as if each frame were searched, small ones found, shots kept apart."""

from itertools import pairwise

import numpy as np
import pytest
import skimage.data
from PIL import Image

from actionunits.detect.ahead import crew
from actionunits.detect.chunks import chunks
from actionunits.detect.faults import Faults
from actionunits.detect.predict import load
from actionunits.detect.seek import SEARCH_EVERY, Seeker
from actionunits.errors import UserError
from actionunits.faces.synface import SynFace
from clips import write_video


class Counting(SynFace):
    """Remembers how often it searched, and how finely."""

    def __init__(self):
        super().__init__(threads=1)
        self.searched = []

    def search(self, frames, side):
        self.searched += [(frame.number, side) for frame in frames]
        return super().search(frames, side)


def found(path, detector=None, size=None, every=SEARCH_EVERY):
    """Faces of each frame."""
    seeker = Seeker(detector or SynFace(threads=1), size, every)
    faults = Faults(pytest.fail)
    with crew(1 << 24) as hands:
        parts = list(seeker.found(chunks([str(path)], faults, hands.room), faults, hands))
    return [faces for part in parts for faces in part.faces]


def video(path, pictures):
    height, width = pictures[0].shape[:2]
    return write_video(path, np.arange(len(pictures)) / 25, (width, height), shades=pictures)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """The astronaut, who wanders through the picture."""
    scene = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((640, 640)))
    at = [(int(40 + 38 * np.sin(i / 9)), int(60 + 50 * np.cos(i / 7))) for i in range(40)]
    pictures = [scene[y : y + 320, x : x + 480] for y, x in at]
    return video(tmp_path_factory.mktemp("walk") / "walk.mp4", pictures)


def test_followed_faces_are_where_a_search_of_each_frame_puts_them(walk):
    detector = Counting()
    followed, searched = found(walk, detector), found(walk, every=1)
    assert [len(faces) for faces in followed] == [1] * 40 == [len(faces) for faces in searched]
    for (one,), (other,) in zip(followed, searched, strict=True):
        eyes = np.linalg.norm(other.landmarks[0] - other.landmarks[1])
        assert np.linalg.norm(one.landmarks - other.landmarks, axis=1).mean() < 0.08 * eyes
        assert one.track == other.track == 0
    assert dict(detector.searched) == {0: 640, 12: 320, 24: 320, 36: 320}


def test_following_reads_what_a_search_of_each_frame_reads(walk):
    followed, searched = (
        load("default-fast", search_every=every).predict(walk).filter(like="_p")
        for every in (SEARCH_EVERY, 1)
    )
    assert np.abs(followed.to_numpy() - searched.to_numpy()).mean() < 0.02


def test_small_faces_are_found_and_followed(tmp_path):
    face = Image.fromarray(skimage.data.astronaut()[30:220, 130:320]).resize((72, 72))
    picture = np.full((720, 1280, 3), 120, np.uint8)
    for x in range(5):
        picture[300:372, 100 + 200 * x : 172 + 200 * x] = face
    clip = video(tmp_path / "crowd.mp4", [picture] * 5)
    assert [len(faces) for faces in found(clip)] == [5] * 5
    assert not any(found(clip, size=160))


def test_a_cut_ends_identities(tmp_path):
    scene = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((480, 480)))[:320]
    other = scene[:, ::-1] // 2 + np.linspace(0, 120, 480).astype(np.uint8)[None, :, None]
    clip = video(tmp_path / "cut.mp4", [scene] * 7 + [other] * 7)
    tracks = [[face.track for face in faces] for faces in found(clip)]
    assert tracks == [[0]] * 7 + [[1]] * 7
    every = [[face.track for face in faces] for faces in found(clip, every=1)]
    assert every == tracks


def test_of_a_thinned_video_as_much_time_goes_by_from_search_to_search(walk):
    detector = Counting()
    reader = load("default-fast", detector=detector)
    table = reader.predict(walk, every=10)
    assert table["frame"].tolist() == [1, 11, 21, 31]
    regular = [number for number, _ in detector.searched]
    assert {0, 20, 30} <= set(regular)
    assert all(b - a <= 20 for a, b in pairwise(regular))


class Asked(SynFace):
    """Remembers at which sizes it was asked."""

    def __init__(self):
        super().__init__(threads=1)
        self.sides = []

    def __call__(self, frames, side):
        self.sides += [side] * len(frames)
        return super().__call__(frames, side)


@pytest.mark.parametrize(
    ("scene", "faces", "sides"),
    [("portrait", 1, [320]), ("small", 1, [320, 1280]), ("nobody", 0, [320, 1280])],
)
def test_pictures_are_searched_finely_where_it_may_help(scene, faces, sides, tmp_path):
    picture = np.full((960, 1280, 3), 120, np.uint8)
    face = Image.fromarray(skimage.data.astronaut()[30:220, 130:320])
    if scene != "nobody":
        side = 700 if scene == "portrait" else 110
        picture[100 : 100 + side, 200 : 200 + side] = face.resize((side, side))
    Image.fromarray(picture).save(tmp_path / "photo.png")
    detector = Asked()
    assert [len(each) for each in found(tmp_path / "photo.png", detector)] == [faces]
    assert detector.sides == sides
    given = Asked()
    found(tmp_path / "photo.png", given, size=500)
    assert given.sides == [500]


@pytest.mark.parametrize("size", [0, 63, 8193, -5])
def test_a_size_that_cannot_be_searched_is_named(size):
    with pytest.raises(UserError, match=f"search size: expected 64 to 8192 pixels, got {size}"):
        load("default-fast", search_size=size)


def test_a_face_is_not_searched_for_more_often_than_every_frame():
    with pytest.raises(ValueError, match="search_every"):
        Seeker(SynFace(threads=1), None, 0)
