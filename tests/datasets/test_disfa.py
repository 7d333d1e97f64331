"""DISFA: intensities of twelve AUs beside two videos, and landmarks whose numbers mean little."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trees
from actionunits import media
from actionunits.datasets.disfa import PART, read
from actionunits.errors import DataError


def test_every_label_arrives_beside_its_frame(tmp_path: Path) -> None:
    truth = trees.disfa(tmp_path)
    table = read(tmp_path)
    trees.assert_same(table, truth)
    assert (table.threshold, table.occurrence, table.excluded) == (2.0, None, ())
    assert table.rows["part"].tolist() == [PART[s] for s in truth["subject"]]
    row = table.rows.iloc[5]
    shown = list(media.frames(row["file"]))
    assert len(shown) == 6  # the video goes on after the last code
    own, other = (
        abs(trees.small_face(truth.iloc[place])[0] - shown[row["position"]].image.astype(int))
        for place in (5, 6)
    )
    assert own.mean() < 5 < other.mean()


def test_the_right_camera_has_the_same_labels(tmp_path: Path) -> None:
    truth = trees.disfa(tmp_path, ("SN002",))
    table = read(tmp_path, camera="right")
    assert table.name == "disfa_right"
    assert table.landmarks is None
    assert set(table.rows["task"]) == {"right"}
    assert Path(table.rows["file"][0]).name == "RightVideoSN002_Comp.avi"
    columns = table.label_columns()
    pd.testing.assert_frame_equal(table.rows[columns], truth[columns])


@pytest.mark.parametrize(
    "form",
    [
        {"labels": "ActionUnits_Labels", "videos": "Video_{}Camera"},
        {"labels": "DISFA/actionunit_labels", "videos": "DISFA/videos_{}camera"},
        {"landmarks": "frame_lm/l0{frame:04d}_lm.mat"},
    ],
    ids=lambda form: " ".join(form.values()),
)
def test_copies_of_all_forms_read_the_same(tmp_path: Path, form: dict[str, str]) -> None:
    truth = trees.disfa(tmp_path, ("SN001",), **form)
    table = read(tmp_path)
    trees.assert_same(table, truth)
    expected = [trees.small_face(row)[1] for _, row in truth.iterrows()]
    np.testing.assert_allclose(table.landmarks(table.rows), expected, atol=1e-4)


def test_what_is_missing_is_not_coded_never_zero(tmp_path: Path) -> None:
    truth = trees.disfa(tmp_path)
    labels = tmp_path / "ActionUnit_Labels"
    (labels / "SN001/SN001_au4.txt").unlink()
    short = labels / "SN001/SN001_au5.txt"
    short.write_text("".join(short.read_text().splitlines(keepends=True)[:-1]))
    trees.rewrite(labels / "SN001/SN001_au6.txt", 2, 1, 6)
    (tmp_path / "Videos_LeftCamera/LeftVideoSN003_comp.avi").unlink()
    for file in (labels / "SN006").iterdir():
        file.unlink()
    table = read(tmp_path)
    truth = truth[truth["subject"] == "SN001"].copy()
    truth[["AU04_intensity", "AU06_intensity"]] = np.nan
    truth.loc[3, "AU05_intensity"] = np.nan
    trees.assert_same(table, truth)
    said = {each.what: (each.frames, each.reason) for each in table.excluded}
    assert said.keys() == {"SN001 AU04", "SN001 AU05", "SN001 AU06", "SN003", "SN006"}
    assert said["SN001 AU04"] == (0, "not coded: there is no file SN001_au4.txt")
    assert "not coded in 1 of 4 frames" in said["SN001 AU05"][1]
    assert "found 6 for AU06_intensity at frame 3" in said["SN001 AU06"][1]
    assert said["SN003"] == (4, "there is no video of the left camera")
    assert said["SN006"] == (0, "there is no file of codes that can be read")


def test_two_videos_are_not_guessed_between(tmp_path: Path) -> None:
    trees.disfa(tmp_path, ("SN001", "SN003"))
    other = tmp_path / "Videos_LeftCamera/LeftVideoSN1_comp.avi"
    other.write_bytes(b"")
    table = read(tmp_path)
    assert set(table.rows["subject"]) == {"SN003"}
    (entry,) = table.excluded
    assert (entry.what, entry.frames) == ("SN001", 4)
    assert "keep one of them" in entry.reason


def test_landmarks_are_counted_where_their_numbers_have_gaps(tmp_path: Path) -> None:
    truth = trees.disfa(tmp_path, ("SN031",), frames=5)
    expected = np.array([trees.small_face(row)[1] for _, row in truth.iterrows()], np.float32)
    folder = tmp_path / "Landmark_Points/SN031/tmp_frame_lm"
    for number in (4, 3):  # a number is left out, no file is
        name = f"SN031_{number:04d}_lm.mat"
        (folder / name).rename(folder / f"SN031_{number + 7:04d}_lm.mat")
    read_points = read(tmp_path).landmarks
    rows = read(tmp_path).rows
    np.testing.assert_allclose(read_points(rows[1:4]), expected[1:4], atol=1e-4)
    (folder / "SN031_0010_lm.mat").rename(folder / "SN031_0003_lm.mat")
    (folder / "SN031_0011_lm.mat").rename(folder / "SN031_0004_lm.mat")
    (folder / "SN031_0002_lm.mat").unlink()
    points = read_points(rows)
    assert np.isnan(points[2]).all()
    np.testing.assert_allclose(np.delete(points, 2, 0), np.delete(expected, 2, 0), atol=1e-4)
    (folder / "SN031_0004_lm.mat").unlink()
    with pytest.raises(DataError, match="expected landmarks of 5 frames, found 3 files"):
        read_points(rows)


def test_a_damaged_landmark_file_costs_its_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth = trees.disfa(tmp_path, ("SN001",))
    table = read(tmp_path)
    folder = tmp_path / "Landmark_Points/SN001/tmp_frame_lm"
    (folder / "SN001_0002_lm.mat").write_bytes(b"torn")
    points = table.landmarks(table.rows)
    assert np.isfinite(points).all((1, 2)).tolist() == [True, True, False, True]
    expected = np.stack([trees.small_face(row)[1] for _, row in truth.iterrows()])
    np.testing.assert_allclose(points[[0, 1, 3]], expected[[0, 1, 3]], atol=1e-4)
    assert "SN001_0002_lm.mat: not a whole MATLAB file" in caplog.text
    for file in folder.iterdir():
        file.write_bytes(b"torn")
    with pytest.raises(DataError, match=r"SN001_0000_lm\.mat: not a whole MATLAB file"):
        table.landmarks(table.rows)


@pytest.mark.parametrize(
    "name",
    [
        "Videos_LeftCamera/{subject}/{one:05d}.jpg",
        "Videos_LeftCamera/{subject}/{zero}.png",
        "LeftVideo{subject}_comp/LeftVideo{subject}_comp_{one:04d}.jpg",
        "left/frames/{subject}/frame{zero:04d}.bmp",
    ],
)
def test_folders_of_pictures_are_read_as_videos_are(tmp_path: Path, name: str) -> None:
    truth = trees.disfa(tmp_path, pictures=name)
    table = read(tmp_path)
    trees.assert_same(table, truth)
    assert table.excluded == ()
    for subject, rows in table.rows.groupby("subject"):
        expected = truth[truth["subject"] == subject]
        points = [trees.small_face(row)[1] for _, row in expected.iterrows()]
        np.testing.assert_allclose(table.landmarks(rows), points, atol=1e-4)
    assert set(read(tmp_path, camera="right").rows["file"].str.contains("RightVideo")) == {True}


def test_pictures_that_are_missing_cost_their_frames_only(tmp_path: Path) -> None:
    truth = trees.disfa(tmp_path, ("SN001", "SN003"), 6, pictures="left/{subject}/{one:03d}.png")
    (tmp_path / "left/SN003/003.png").unlink()
    table = read(tmp_path)
    kept = truth[~((truth["subject"] == "SN003") & (truth["frame"] == 3))]
    trees.assert_same(table, kept.reset_index(drop=True))
    points = table.landmarks(table.rows[table.rows["subject"] == "SN003"])
    np.testing.assert_allclose(points[2], trees.small_face(truth.iloc[9])[1], atol=1e-4)
    (entry,) = table.excluded
    assert (entry.what, entry.frames) == ("SN003", 1)
    assert entry.reason == "no picture, first frame 3"


def test_pictures_that_may_count_from_0_or_1_are_not_guessed_at(tmp_path: Path) -> None:
    trees.disfa(tmp_path, ("SN001", "SN003", "SN006"), 6, pictures="left/{subject}/{zero}.png")
    for number in (0, 6, 7):  # 1 to 5 are left of six coded frames
        (tmp_path / f"left/SN001/{number}.png").unlink()
    for number in (0, 1):
        (tmp_path / f"left/SN003/{number}.png").unlink()
    table = read(tmp_path)
    assert set(table.rows["subject"]) == {"SN006"}
    said = {each.what: (each.frames, each.reason) for each in table.excluded}
    assert said["SN001"][0] == said["SN003"][0] == 6
    assert "has pictures 1 to 5 of 6 coded frames: expected them to count" in said["SN001"][1]
    assert "has pictures 2 to 7 of 6 coded frames" in said["SN003"][1]


def test_wrong_roots_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected codes such as ActionUnit_Labels"):
        read(tmp_path)
    trees.disfa(tmp_path, ("SN001",))
    with pytest.raises(DataError, match="expected videos of the left camera"):
        read(tmp_path / "ActionUnit_Labels")
    trees.disfa(tmp_path / "other", ("SN014",))
    with pytest.raises(DataError, match="SN014 is not one of the 27 people"):
        read(tmp_path / "other")
