"""Landmarks of a data set's own: which are believed, and what becomes of the others."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from preparing import QUIET, run

from actionunits import datasets
from actionunits.data import prepared
from actionunits.datasets.prepare import prepare
from actionunits.datasets.raw import RawTable
from actionunits.datasets.tracked import doubts, points
from actionunits.detect.finder import landmark_finder
from actionunits.errors import DataError
from actionunits.types import Frame
from rawtables import AUS, with_labels

CORNER = np.array([300, 120])
ELSEWHERE = "its landmarks are not where its face is"
DISORDERED = "its landmarks are upside down, mirrored or in another order"


@pytest.fixture(scope="module")
def film() -> tuple[list[Frame], np.ndarray]:
    """Frames of rendered faces in a larger picture, and where their landmarks are."""
    table = datasets.load("synfacs")
    which = [*range(4), *range(1500, 1504)]
    frames = []
    for number, place in enumerate(which):
        image = Image.new("RGB", (800, 500), (90, 80, 70))
        image.paste(Image.open(io.BytesIO(table.images.read(place))), tuple(CORNER))
        frames.append(Frame(np.asarray(image), "film", number, 0.0))
    return frames, table.landmarks[which].astype(float) + CORNER


def test_true_landmarks_are_believed(film: tuple[list[Frame], np.ndarray]) -> None:
    assert doubts(*film) == [""] * 8


@pytest.mark.parametrize("shift", [(60, 0), (-60, 0), (0, 60), (0, -60)])
def test_landmarks_60_pixels_off_are_not(film, shift: tuple[int, int]) -> None:
    frames, faces = film
    assert doubts(frames, faces + shift) == [ELSEWHERE] * 8
    one = faces.copy()
    one[5] += shift
    assert doubts(frames, one) == [""] * 5 + [ELSEWHERE] + [""] * 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda face: face[::-1], DISORDERED),
        (lambda face: face * [-1, 1] + [2 * face[:, 0].mean(), 0], DISORDERED),
        (lambda face: face * [1, -1] + [0, 2 * face[:, 1].mean()], DISORDERED),
        (lambda face: face + [-450, 0], "its landmarks lie outside the picture"),
        (lambda face: face * [1, 0], "its landmarks coincide or lie on one line"),
        (lambda face: face * 0 + 200, "its landmarks coincide or lie on one line"),
    ],
)
def test_landmarks_as_no_face_has_them_are_not(film, spoil, said: str) -> None:
    frames, faces = film
    spoilt = faces.copy()
    spoilt[2] = spoil(faces[2])
    assert doubts(frames, spoilt) == ["", "", said, "", "", "", "", ""]


def test_nothing_is_doubted_where_no_face_is_found(film) -> None:
    frames, faces = film
    grey = [frame._replace(image=np.full_like(frame.image, 90)) for frame in frames]
    assert doubts(grey, faces + [60, 0]) == [""] * 8
    assert doubts([], np.zeros((0, 49, 2))) == []


@pytest.fixture
def raw(film, tmp_path: Path) -> RawTable:
    """Two people: a face of the first has its landmarks in reverse, those of the second are off."""
    frames, faces = film
    rows = pd.DataFrame(
        {
            "subject": ["S1"] * 4 + ["S2"] * 4,
            "task": "T1",
            "frame": [1, 2, 3, 4] * 2,
            "file": [str(tmp_path / f"{n}.png") for n in range(8)],
            "position": 0,
            "seed": range(8),
        }
    )
    for frame, file in zip(frames, rows["file"], strict=True):
        Image.fromarray(frame.image).save(file)
    off = faces.astype(np.float32)
    off[4:] += 60
    off[1] = off[1, ::-1]
    return RawTable(
        "bp4d", tmp_path, with_labels(rows), AUS, None, landmarks=lambda rows: off[rows["seed"]]
    )


def test_others_are_found_in_their_place_and_that_is_listed(raw: RawTable, tmp_path) -> None:
    manifest = prepare(raw, tmp_path / "out", "box49", 1, QUIET, finder=landmark_finder())
    assert (manifest.frames, manifest.found, manifest.lost) == (8, 5, ())
    listed = [(each.subject, each.frame, each.reason) for each in manifest.doubted]
    assert listed == [("S1", 2, DISORDERED), *(("S2", n, ELSEWHERE) for n in (1, 2, 3, 4))]
    bare = dataclasses.replace(raw, landmarks=None)
    prepare(bare, tmp_path / "bare", "box49", 1, QUIET, finder=landmark_finder())
    mine, found = (prepared.read("bp4d", tmp_path / name) for name in ("out", "bare"))
    assert mine.found().tolist() == [False, True, False, False] + [True] * 4
    off = np.linalg.norm(mine.landmarks - found.landmarks, axis=-1).mean(1)
    assert off.max() < 10  # of 256 pixels: the same faces in the same places


def test_without_a_finder_they_are_lost(raw: RawTable, tmp_path: Path) -> None:
    manifest = run(raw, tmp_path / "out", "box49")
    assert (manifest.frames, manifest.doubted) == (3, ())
    assert [each.reason for each in manifest.lost] == [DISORDERED] + [ELSEWHERE] * 4


def test_an_entry_of_another_form_costs_its_frame(caplog: pytest.LogCaptureFixture) -> None:
    good, lost = np.ones((49, 2)), np.zeros((0, 0))
    entries = np.empty(4, object)
    entries[:] = [good, np.ones((66, 2)), lost, good * 3]
    seen = points(Path("F001_T1.mat"), entries)
    assert np.isfinite(seen).all((1, 2)).tolist() == [True, False, False, True]
    assert "F001_T1.mat: expected 49 x 2 points, found (66, 2) in entry 2" in caplog.text
    entries[:] = [lost, np.ones((66, 2)), lost, "x"]
    with pytest.raises(DataError, match=r"found \(66, 2\) in entry 2"):
        points(Path("F001_T1.mat"), entries)
