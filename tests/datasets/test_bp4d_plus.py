"""BP4D+: frames count from 1 where pictures count from 0; landmarks; parts by sex."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import trees
from actionunits.datasets.bp4d_plus import read
from actionunits.errors import DataError


def test_every_label_arrives_beside_its_picture(tmp_path: Path) -> None:
    truth = trees.bp4d_plus(tmp_path)
    table = read(tmp_path)
    trees.assert_same(table, truth)
    assert (table.rows["file"].map(lambda f: int(Path(f).stem)) == table.rows["frame"] - 1).all()
    assert table.excluded == ()
    assert dict(zip(table.rows["subject"], table.rows["part"], strict=True)) == {
        "F001": 1,
        "F002": 2,
        "F003": 3,
        "M001": 1,
    }


def test_a_part_does_not_depend_on_who_is_unpacked(tmp_path: Path) -> None:
    trees.bp4d_plus(tmp_path, ("F003", "F082", "M058"), ("T1",), frames=1)
    before = read(tmp_path).rows.set_index("subject")["part"]
    shutil.rmtree(tmp_path / "2D+3D/F003")
    assert read(tmp_path).rows.set_index("subject")["part"].to_dict() == {
        "F082": before["F082"],
        "M058": before["M058"],
    }


def test_landmarks_are_found_by_frame_and_lost_faces_are_nan(tmp_path: Path) -> None:
    truth = trees.bp4d_plus(tmp_path, ("F001", "M001"), ("T1",))
    table = read(tmp_path)
    landmarks = pickle.loads(pickle.dumps(table.landmarks))  # goes to other processes
    for _, _, rows in table.sequences():
        points = landmarks(rows[::-1])
        expected = [trees.small_face(truth.loc[i])[1] for i in rows.index[1::-1]]
        assert np.isnan(points[0]).all()
        np.testing.assert_allclose(points[1:], expected, atol=1e-4)
    (tmp_path / "2DFeatures/M001_T1.mat").unlink()
    table = read(tmp_path)
    assert np.isnan(table.landmarks(table.rows[table.rows["subject"] == "M001"])).all()
    shutil.rmtree(tmp_path / "2DFeatures")
    assert read(tmp_path).landmarks is None


def test_other_landmark_files_are_named(tmp_path: Path) -> None:
    trees.bp4d_plus(tmp_path, ("F001",), ("T1",))
    file = tmp_path / "2DFeatures/F001_T1.mat"
    table = read(tmp_path)
    savemat(file, {"points": np.zeros((49, 2))})
    with pytest.raises(DataError, match=r"F001_T1\.mat: expected the variable fit"):
        table.landmarks(table.rows)
    savemat(file, {"fit": np.zeros((49, 2))})
    with pytest.raises(DataError, match="expected fit to have frame and pts_2d"):
        table.landmarks(table.rows)
    savemat(file, {"fit": {"frame": 31, "pts_2d": np.zeros((66, 2))}})
    with pytest.raises(DataError, match=r"expected 49 x 2 points, found \(66, 2\) in entry 1"):
        table.landmarks(table.rows)
    savemat(file, {"fit": {"frame": "x", "pts_2d": np.zeros((49, 2))}})
    with pytest.raises(DataError, match="expected each entry of fit to have the number of a frame"):
        table.landmarks(table.rows)
    twice = np.zeros(2, [("frame", object), ("pts_2d", object)])
    twice["frame"] = 31
    savemat(file, {"fit": twice})
    with pytest.raises(DataError, match="has frame 31 twice"):
        table.landmarks(table.rows)
    file.write_bytes(file.read_bytes()[:150])
    with pytest.raises(DataError, match="not a whole MATLAB file"):
        table.landmarks(table.rows)


def test_tasks_that_are_not_coded_tell_another_data_set(tmp_path: Path) -> None:
    trees.bp4d(tmp_path, ("F001",), ("T1", "T2"))
    with pytest.raises(DataError, match=r"F001_T2\.csv: expected codes of T1, T6, T7, T8 only"):
        read(tmp_path)
