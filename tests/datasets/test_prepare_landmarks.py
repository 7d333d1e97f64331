"""Faces that are placed by landmarks: the data set's own, those of a finder, five points."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import skimage.data
from PIL import Image
from preparing import QUIET, contents, rewritten, run, times

from actionunits import datasets
from actionunits.data import prepared
from actionunits.datasets.prepare import prepare
from actionunits.datasets.raw import RawTable
from actionunits.detect.finder import landmark_finder
from actionunits.errors import DataError
from actionunits.faces import templates
from actionunits.faces.align import five_points, transform
from actionunits.faces.main_face import Finder
from rawtables import AUS, landmarks, own_landmarks, with_labels


def test_without_landmarks_faces_are_detected(raw: RawTable, tmp_path: Path) -> None:
    portrait = Image.fromarray(skimage.data.astronaut()[20:220, 120:320])
    rows = raw.rows[raw.rows["subject"] == "S1"]
    for file in rows["file"][:2]:
        portrait.save(file)
    found = run(dataclasses.replace(raw, rows=rows, landmarks=None), tmp_path / "out")
    assert [(lost.frame, lost.reason) for lost in found.lost] == [(3, "no face found")]
    table = pq.read_table(tmp_path / "out" / "S1_T1.parquet")
    assert table["landmarks"].null_count == len(table) == 2

    # Where the data set has them for some frames only, the others are detected.
    def third(rows: pd.DataFrame) -> np.ndarray:
        points = own_landmarks(rows)
        points[:2] = np.nan
        return points

    mixed = run(dataclasses.replace(raw, rows=rows, landmarks=third), tmp_path / "mixed")
    assert not mixed.lost
    stored = pq.read_table(tmp_path / "mixed" / "S1_T1.parquet")
    assert [row.is_valid for row in stored["landmarks"]] == [False, False, True]
    assert stored["image"].to_pylist()[:2] == table["image"].to_pylist()


def test_templates_of_49_points_need_landmarks(raw: RawTable, tmp_path: Path) -> None:
    bare = dataclasses.replace(raw, landmarks=None)
    with pytest.raises(DataError, match=r"box49 is placed by 49 .* enough for: canonical$"):
        run(bare, tmp_path / "out", "box49")
    with pytest.raises(DataError, match="no template 'tight'"):
        run(raw, tmp_path / "out", "tight")


@pytest.fixture
def people(tmp_path: Path) -> RawTable:
    """Two rendered people whose pictures come with labels only; the third picture shows nobody."""
    table = datasets.load("synfacs")
    rows = []
    for subject, frames in (("S1", (0, 1, None)), ("S2", (1500, 1501, 1502))):
        for number, frame in enumerate(frames, start=1):
            image = Image.new("RGB", (360, 300), (90, 80, 70))
            if frame is not None:
                image.paste(Image.open(io.BytesIO(table.images.read(frame))), (60, 20))
            file = tmp_path / f"{subject}_{number}.png"
            image.save(file)
            rows.append((subject, "T1", number, str(file), 0, -1 if frame is None else frame))
    names = ["subject", "task", "frame", "file", "position", "seed"]
    rows = with_labels(pd.DataFrame(rows, columns=names))
    return RawTable("csv", tmp_path, rows, AUS, None)


@pytest.mark.parametrize("template", ["similarity49", "affine49", "box49"])
def test_a_finder_stands_in_for_landmarks(people: RawTable, tmp_path, template: str) -> None:
    out = tmp_path / "out"
    manifest = prepare(people, out, template, 1, QUIET, finder=landmark_finder())
    assert (manifest.frames, manifest.found) == (5, 5)
    assert [(each.frame, each.reason) for each in manifest.lost] == [(3, "no face found")]
    true = datasets.load("synfacs").landmarks[[0, 1, 1500, 1501, 1502]].astype(float)
    table = prepared.read("csv", out)
    ideal = transform(true, templates.place(true, template, 256))
    eyes = np.linalg.norm(np.diff(five_points(ideal)[:, :2], axis=1)[:, 0], axis=-1)
    off = np.linalg.norm(table.landmarks - ideal, axis=-1).mean(-1) / eyes
    assert off.max() < 0.09  # placed by found points, and found there


def test_the_canonical_template_keeps_to_five_points(people: RawTable, tmp_path: Path) -> None:
    plain, given = tmp_path / "plain", tmp_path / "given"
    assert prepare(people, given, "canonical", 1, QUIET, finder=landmark_finder()).found == 0
    run(people, plain)
    assert contents(plain) == contents(given)
    assert prepared.read("csv", given).landmarks is None
    assert not prepared.read("csv", given).found().any()


def test_own_landmarks_come_before_found_ones(people: RawTable, tmp_path: Path) -> None:
    true = datasets.load("synfacs").landmarks + np.float32([60, 20])

    def some(rows: pd.DataFrame) -> np.ndarray:
        points = true[rows["seed"]]
        points[rows["frame"] > 1] = np.nan
        return points

    partly = dataclasses.replace(people, landmarks=some)
    manifest = prepare(partly, tmp_path / "out", "box49", 1, QUIET, finder=landmark_finder())
    assert (manifest.frames, manifest.found) == (5, 3)
    own = true[[0, 1500]].astype(float)
    expected = transform(own, templates.place(own, "box49", 256))
    table = prepared.read("csv", tmp_path / "out")
    np.testing.assert_allclose(table.landmarks[[0, 2]], expected, atol=1e-3)
    assert table.found().tolist() == [False, True, False, True, True]


def test_points_of_another_finder_are_found_anew(raw: RawTable, tmp_path: Path) -> None:
    class Known:
        def __call__(self, frames):
            return np.stack([landmarks(0)] * len(frames))

    def some(rows: pd.DataFrame) -> np.ndarray:
        points = own_landmarks(rows)
        points[(rows["subject"] == "S2").to_numpy()] = np.nan
        return points

    partly, out = dataclasses.replace(raw, landmarks=some), tmp_path / "out"
    prepare(partly, out, "box49", 1, QUIET, finder=Finder(Known, "first"))
    before = times(out)
    assert prepare(partly, out, "box49", 1, QUIET, finder=Finder(Known, "first")).found == 3
    assert not rewritten(out, before)
    prepare(partly, out, "box49", 1, QUIET, finder=Finder(Known, "second"))
    assert rewritten(out, before) == {"S2_T1.parquet"}


def test_a_finder_that_nobody_needs_is_not_made(raw: RawTable, tmp_path: Path) -> None:
    def never():
        raise AssertionError

    manifest = prepare(raw, tmp_path / "out", "box49", 1, QUIET, finder=Finder(never, "x"))
    assert (manifest.frames, manifest.found) == (9, 0)
