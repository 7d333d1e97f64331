"""Detectors: those that search find faces where people see them; given faces are taken as given."""

from itertools import islice

import numpy as np
import pytest
import skimage.data
from PIL import Image

from actionunits import media
from actionunits.errors import DataError, UserError
from actionunits.faces.align import TEMPLATE, similarity, transform
from actionunits.faces.centerface import CenterFace
from actionunits.faces.detect import DETECTORS, detector
from actionunits.faces.given import Aligned, BoxesFile
from actionunits.faces.search import _resized
from actionunits.faces.synface import SynFace
from actionunits.types import Frame
from beside import PHOTOS, photos

# Seen by eye in scikit-image's photograph: eye centres, nose tip, mouth corners.
ASTRONAUT = np.array([[203.0, 102], [247, 103], [224, 126], [204, 140], [243, 141]])


def frame(image, source="a.png", number=0):
    return Frame(np.ascontiguousarray(image), source, number, number / 30)


@pytest.fixture(scope="module", params=[SynFace, CenterFace])
def finder(request):
    return request.param(threads=1)


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.mark.parametrize("side", [320, 1280])
def test_one_face_with_eyes_where_they_are(finder, astronaut, side):
    (found,) = finder([frame(astronaut)], side)
    assert found.boxes.shape == (1, 4)
    eyes = np.linalg.norm(ASTRONAUT[0] - ASTRONAUT[1])
    assert np.linalg.norm(found.landmarks[0] - ASTRONAUT, axis=1).max() < 0.15 * eyes
    x, y, width, height = found.boxes[0]
    inside = (found.landmarks[0] > [x, y]) & (found.landmarks[0] < [x + width, y + height])
    assert inside.all()


def test_a_batch_of_mixed_sizes_equals_one_by_one(finder, astronaut):
    images = [astronaut, astronaut[:300, :400], astronaut[250:], astronaut[:300, 100:500]]
    frames = [frame(image) for image in images]
    together = finder(frames, 320)
    assert [len(found.scores) for found in together] == [1, 1, 0, 1]
    for single, found in zip(frames, together, strict=True):
        (alone,) = finder([single], 320)
        assert np.allclose(found.boxes, alone.boxes, atol=0.5)
        assert np.allclose(found.landmarks, alone.landmarks, atol=0.5)


def test_the_searched_picture_is_scaled_as_pillow_does(astronaut):
    scaling = Image.Resampling.BILINEAR
    for height, width in ((1, 1), (33, 150), (120, 90), (500, 512), (700, 600)):
        expected = Image.fromarray(astronaut).resize((width, height), scaling, reducing_gap=1.5)
        assert np.array_equal(_resized(astronaut, (height, width)), expected)


def test_mirrored_picture_gives_mirrored_landmarks(finder, astronaut):
    (found,) = finder([frame(astronaut)], 512)
    (other,) = finder([frame(astronaut[:, ::-1])], 512)
    mirrored = ([512, 0] + other.landmarks[0] * [-1, 1])[[1, 0, 2, 4, 3]]
    assert np.abs(mirrored - found.landmarks[0]).max() < 4


def test_second_look_scatters_less(finder, astronaut):
    rng = np.random.default_rng(0)
    rough = ASTRONAUT + rng.normal(0, 3, (32, 5, 2))
    owners = np.zeros(32, np.intp)
    fine = finder.refine([astronaut], owners, rough)

    def scatter(points):
        return transform(ASTRONAUT, similarity(points, TEMPLATE)).std(axis=0).mean()

    assert scatter(fine) < 0.5 * scatter(rough)


def test_a_face_that_fills_the_picture_is_one_face(finder, astronaut):
    close = np.asarray(Image.fromarray(astronaut[40:200, 150:300]).resize((1200, 1280)))
    (found,) = finder([frame(close)], 1280)
    assert len(found.scores) == 1
    assert found.boxes[0, 2:].max() > 500


def test_hundreds_of_faces(finder, astronaut):
    face = Image.fromarray(astronaut[40:200, 150:300]).resize((60, 64))
    crowd = np.tile(np.asarray(face), (10, 20, 1))
    (found,) = finder([frame(crowd)], 1280)
    assert len(found.scores) == 200
    cells = (found.boxes[:, :2] + found.boxes[:, 2:] / 2) // [60, 64]
    assert len(np.unique(cells, axis=0)) == 200


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (33, 31)])
def test_odd_sizes_without_faces(finder, shape):
    image = np.full((*shape, 3), 128, np.uint8)
    for side in (320, 1280):
        (found,) = finder([frame(image)], side)
        assert found.boxes.shape == (0, 4)
        assert found.landmarks.shape == (0, 5, 2)


def test_no_frames(finder):
    assert finder([], 320) == []


def test_aligned_takes_the_whole_picture():
    (found,) = Aligned()([frame(np.zeros((256, 256, 3), np.uint8))], 320)
    assert found.boxes.tolist() == [[0, 0, 256, 256]]
    assert np.allclose(found.landmarks[0], TEMPLATE * 256)


def test_detectors_by_name():
    assert isinstance(detector("aligned"), Aligned)
    with pytest.raises(UserError, match="no face detector is called mine.*centerface"):
        detector("mine")
    DETECTORS["mine"] = Aligned
    try:
        assert isinstance(detector("mine"), Aligned)
    finally:
        del DETECTORS["mine"]


def write(tmp_path, text):
    (tmp_path / "boxes.csv").write_text(text)
    return tmp_path / "boxes.csv"


def test_boxes_with_landmarks_are_taken_as_they_are(tmp_path):
    names = ",".join(f"x_{i},y_{i}" for i in range(5))
    points = ",".join(str(i) for i in range(10))
    path = write(
        tmp_path,
        f"source, frame, x, y, width, height,{names}\n"
        f"a.png,1,5,6,70,80,{points}\n"
        f"b/a.png,3,1,2,3,4,{points}\n",
    )
    boxes = BoxesFile(path)
    blank = np.zeros((100, 100, 3), np.uint8)
    first, none, other = boxes(
        [frame(blank, "/x/c/a.png"), frame(blank, "/x/c/a.png", 2), frame(blank, "b/a.png", 2)], 320
    )
    assert first.boxes.tolist() == [[5, 6, 70, 80]]
    assert first.landmarks.ravel().tolist() == list(range(10))
    assert none.boxes.shape == (0, 4)
    assert other.boxes.tolist() == [[1, 2, 3, 4]]


def test_landmarks_are_found_in_given_boxes(tmp_path, finder, astronaut):
    path = write(tmp_path, "source,frame,x,y,width,height\na.png,1,175,60,95,120\n")
    found = BoxesFile(path, finder)([frame(astronaut), frame(astronaut, number=1)], 320)
    assert [len(f.scores) for f in found] == [1, 0]
    assert np.abs(found[0].landmarks[0] - ASTRONAUT).max() < 10


def test_a_picture_that_the_file_does_not_name_is_logged_once(tmp_path, finder, caplog):
    boxes = BoxesFile(write(tmp_path, "source,frame,x,y,width,height\na,1,1,1,9,9\n"), finder)
    blank = np.zeros((8, 8, 3), np.uint8)
    boxes([frame(blank, "z.mp4"), frame(blank, "z.mp4", 1)], 320)
    assert caplog.messages == [f"{tmp_path / 'boxes.csv'}: names no box of z.mp4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source,frame,x,y\na,1,1,1\n", "width and height are missing"),
        ("source,frame,x,y,width,height\na,1,1,1,9,9\na,2,1,1,0,9\n", ":3: .*positive"),
        ("source,frame,x,y,width,height\na,1,1,oops,9,9\n", ":2: .*numbers"),
        ("", "it is empty"),
    ],
)
def test_wrong_boxes_file_is_named(tmp_path, text, message):
    with pytest.raises(DataError, match=rf"boxes\.csv.*{message}"):
        BoxesFile(write(tmp_path, text))


def test_missing_boxes_file_is_named(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        BoxesFile(tmp_path / "none.csv")


@photos
@pytest.mark.parametrize(
    ("name", "faces"),
    [
        ("single_face.jpg", 1),
        ("multi_face.jpg", 5),
        ("free-mountain-vector-01.jpg", 0),
        ("no_face.mp4", 0),
    ],
)
def test_real_pictures(finder, name, faces):
    for side in (320, 1280):
        (found,) = finder(list(islice(media.frames(PHOTOS / name), 1)), side)
        assert len(found.scores) == faces
