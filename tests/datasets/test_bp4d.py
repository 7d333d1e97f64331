"""BP4D: every label arrives, in all forms that copies of it have; what is broken is listed."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

import trees
from actionunits import aus
from actionunits.datasets.bp4d import PART, read
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError


def reasons(table: RawTable) -> dict[str, tuple[int, str]]:
    return {each.what: (each.frames, each.reason) for each in table.excluded}


def test_every_label_arrives(tmp_path: Path) -> None:
    truth = trees.bp4d(tmp_path)
    table = read(tmp_path)
    trees.assert_same(table, truth)
    assert table.excluded == ()
    assert table.intensity == aus.BP4D_INTENSITY5
    assert table.rows["part"].tolist() == [PART[s] for s in truth["subject"]]
    assert table.rows["AU05"].isna().any()
    assert [(s, t, len(rows)) for s, t, rows in table.sequences()][:2] == [
        ("F001", "T1", 3),
        ("F001", "T2", 3),
    ]
    one = trees.small_face(truth.iloc[4])[0].astype(int)
    seen = np.asarray(Image.open(table.rows["file"][4])).astype(int)
    assert abs(one - seen).mean() < 8  # what JPEG loses; other frames differ by more


@pytest.mark.parametrize(
    "form",
    [
        {"tables": "AUCoding/AUCoding", "pictures": "Sequences(2D+3D)"},
        {"tables": "AUCoding", "levels": "AU-Intensity-Codes3.0", "pictures": "."},
        {"tables": "BP4D-AUCoding", "pictures": "BP4D-training", "fera": True},
        {"tables": "bp4d/aucoding/au_occ", "pictures": "bp4d/2d+3d", "digits": 1},
        {"levels": None, "tables": "."},
    ],
    ids=lambda form: " ".join(map(str, form.values())),
)
def test_copies_of_all_forms_read_the_same(tmp_path: Path, form: dict[str, object]) -> None:
    truth = trees.bp4d(tmp_path, ("F001", "M003"), ("T1",), **form)
    trees.assert_same(read(tmp_path), truth)


@given(frames=st.integers(1, 4), seed=st.integers(0, 1000), digits=st.integers(1, 6))
@settings(max_examples=8, deadline=None)
def test_any_codes_arrive(
    tmp_path_factory: pytest.TempPathFactory, frames: int, seed: int, digits: int
) -> None:
    root = tmp_path_factory.mktemp("bp4d")
    truth = trees.bp4d(root, ("M018",), ("T8",), frames, digits=digits, seed=seed)
    truth = truth.drop(columns=[c for c in truth if c.startswith("AU") and truth[c].isna().all()])
    trees.assert_same(read(root), truth)


def test_subjects_are_one_however_they_are_spelled(tmp_path: Path) -> None:
    truth = trees.bp4d(tmp_path, ("F001", "F003"), ("T1",))
    tables = tmp_path / "AUCoding/AU_OCC"
    (tables / "F001_T1.csv").rename(tables / "f1_t01.CSV")
    trees.assert_same(read(tmp_path), truth)


def test_9_and_999_are_not_coded(tmp_path: Path) -> None:
    truth = trees.bp4d(tmp_path, ("F001",), ("T1",))
    table = tmp_path / "AUCoding/AU_OCC/F001_T1.csv"
    trees.rewrite(table, 1, 1, 9)
    trees.rewrite(table, 2, 1, 999)
    truth.loc[[0, 1], "AU01"] = np.nan
    trees.assert_same(read(tmp_path), truth)


def test_an_au_that_is_never_coded_is_not_one_of_the_data_set(tmp_path: Path) -> None:
    truth = trees.bp4d(tmp_path, ("F001",), ("T1",), fera=True)
    assert 43 not in read(tmp_path).occurrence.numbers
    trees.assert_same(read(tmp_path), truth)


def test_what_is_broken_is_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    truth = trees.bp4d(tmp_path, ("F001", "F003", "F004", "M001"))
    tables, pictures = tmp_path / "AUCoding/AU_OCC", tmp_path / "2D+3D"
    (tables / "F001_T2.csv").unlink()
    trees.rewrite(tables / "F003_T1.csv", 2, 0, 720)
    trees.rewrite(tables / "F003_T2.csv", 3, 1, 2)
    shutil.rmtree(pictures / "F004/T1")
    (pictures / "F004/T2/0721.jpg").unlink()
    shutil.rmtree(pictures / "M001")
    (pictures / "M001.zip").touch()
    table = read(tmp_path)
    kept = (truth["subject"] == "F001") & (truth["task"] == "T1")
    kept |= (truth["subject"] == "F004") & (truth["task"] == "T2") & (truth["frame"] != 721)
    trees.assert_same(table, truth[kept])
    said = reasons(table)
    assert said.keys() == {"F001/T2", "F003/T1", "F003/T2", "F004/T1", "F004/T2"} | {
        f"M001/{task}" for task in ("T1", "T2")
    }
    assert "no table F001_T2.csv" in said["F001/T2"][1]
    assert "listed twice: 1 frame, the first is 720" in said["F003/T1"][1]
    assert "found 2 for AU01 at frame 722" in said["F003/T2"][1]
    assert said["F004/T1"] == (3, "no folder of pictures, first frame 720")
    assert said["F004/T2"] == (1, "no picture, first frame 721")
    assert "packed in" in said["M001/T1"][1]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda text: text.replace("\n", "\n\n", 1) + "723,0\n", "frame 723 is cut short"),
        (lambda text: "\n".join(text.splitlines()[1:]), "begins with 0"),
        (lambda text: text.replace("0,1,2,4,", "0,1,1,4,"), "names an AU twice"),
        (lambda text: text.replace("0,1,2,4,", "0,1,2,"), "names 19 columns of 20"),
        (lambda text: text.replace("\n720,", "\nx,"), "cannot be read as a table"),
        (lambda text: text.replace("\n720,", "\n720.5,"), "a whole number first"),
        (lambda text: text.splitlines()[0], "lists no frames"),
        (lambda text: "", "lists no frames"),
    ],
)
def test_a_damaged_table_costs_its_sequence(tmp_path: Path, spoil, reason: str) -> None:
    trees.bp4d(tmp_path, ("F001",))
    file = tmp_path / "AUCoding/AU_OCC/F001_T2.csv"
    file.write_text(spoil(file.read_text()))
    table = read(tmp_path)
    assert set(table.rows["task"]) == {"T1"}
    assert reason in reasons(table)["F001/T2"][1]
    assert str(file) in reasons(table)["F001/T2"][1]


def test_two_that_differ_are_not_guessed_between(tmp_path: Path) -> None:
    truth = trees.bp4d(tmp_path, ("F001",), ("T1", "T2", "T3"), digits=3)
    tables, pictures = tmp_path / "AUCoding/AU_OCC", tmp_path / "2D+3D"
    shutil.copytree(tables, tmp_path / "backup")
    trees.rewrite(tmp_path / "backup/F001_T1.csv", 1, 1, 9)
    shutil.copytree(pictures / "F001/T2", tmp_path / "cropped/f001/T2")
    shutil.copy(pictures / "F001/T3/721.jpg", pictures / "F001/T3/0721.jpg")
    table = read(tmp_path)
    kept = (truth["task"] == "T3") & (truth["frame"] != 721)
    trees.assert_same(table, truth[kept])
    said = reasons(table)
    assert "differ: keep the right one" in said["F001/T1"][1]
    assert "keep one of them" in said["F001/T2"][1]
    assert said["F001/T3"][0] == 1
    assert "two such as" in said["F001/T3"][1]


def test_a_missing_intensity_file_costs_only_its_labels(tmp_path: Path) -> None:
    truth = trees.bp4d(tmp_path, ("F001",))
    levels = tmp_path / "AUCoding/AU_INT"
    (levels / "AU06/F001_T1_AU06.csv").unlink()
    trees.rewrite(levels / "AU10/F001_T1_AU10.csv", 0, 1, 6)
    trees.rewrite(levels / "AU12/F001_T1_AU12.csv", 0, 0, 700)
    truth.loc[truth["task"] == "T1", ["AU06_intensity", "AU10_intensity"]] = np.nan
    truth.loc[0, "AU12_intensity"] = np.nan
    table = read(tmp_path)
    trees.assert_same(table, truth)
    said = [(each.what, each.reason) for each in table.excluded]
    assert said[0] == ("F001/T1 AU06_intensity", "not coded: there is no file")
    assert "found 6 for AU10_intensity at frame 720" in said[1][1]
    assert said[2] == (
        "F001/T1 AU12_intensity",
        "not coded in 1 frame that the table lists",
    )
    assert "coded in 1 frame that the table does not list" in said[3][1]


def test_wrong_roots_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected the folder of a data set"):
        read(tmp_path / "absent")
    with pytest.raises(DataError, match="expected tables of codes"):
        read(tmp_path)
    trees.bp4d(tmp_path / "half", ("F001",), ("T1",))
    with pytest.raises(DataError, match="expected pictures"):
        read(tmp_path / "half" / "AUCoding")
    with pytest.raises(DataError, match="expected tables of codes"):
        read(tmp_path / "half" / "2D+3D")
    shutil.rmtree(tmp_path / "half/2D+3D/F001/T1")
    with pytest.raises(DataError, match="no frame of bp4d can be used: F001/T1: no folder of pic"):
        read(tmp_path / "half")
    trees.bp4d(tmp_path / "plus", ("F041",), ("T1",))
    with pytest.raises(DataError, match="F041 is not in BP4D; is this BP4D+"):
        read(tmp_path / "plus")


def test_landmarks_are_taken_in_the_order_of_the_pictures(tmp_path: Path) -> None:
    truth = trees.bp4d(tmp_path, ("F001", "M001"), ("T1",), frames=4, landmarks=True, digits=1)
    (tmp_path / "3DFeatures").mkdir()
    (tmp_path / "3DFeatures/F001_T1.mat").touch()  # not the points of the pictures
    table = read(tmp_path)
    landmarks = pickle.loads(pickle.dumps(table.landmarks))  # goes to other processes
    for _, _, rows in table.sequences():
        points = landmarks(rows[::-1])
        expected = [trees.small_face(truth.loc[i])[1] for i in rows.index[2::-1]]
        assert points.shape == (4, 49, 2)
        assert np.isnan(points[0]).all()
        np.testing.assert_allclose(points[1:], expected, atol=1e-4)


def test_no_landmarks_are_guessed(tmp_path: Path) -> None:
    trees.bp4d(tmp_path, ("F001",), ("T1",), landmarks=True)
    file, folder = tmp_path / "2DFeatures/F001_T1.mat", tmp_path / "2D+3D/F001/T1"
    table = read(tmp_path)
    with Image.open(folder / "0720.jpg") as picture:
        picture.save(folder / "0730.jpg")
    with pytest.raises(DataError, match=r"F001_T1\.mat: has landmarks of 7 frames, and .* holds 8"):
        table.landmarks(table.rows)
    (folder / "0730.jpg").rename(folder / "720.jpg")
    (folder / "0718.jpg").unlink()
    with pytest.raises(DataError, match="of 7 frames, and .* holds 7 pictures: expected a picture"):
        table.landmarks(table.rows)
    trees.write_newer_fit(file, {"pts_2d": [np.zeros((49, 2))]})
    with pytest.raises(DataError, match="expected fit to have pred, found none of them"):
        table.landmarks(table.rows)
    file.write_bytes(file.read_bytes()[:900])
    with pytest.raises(DataError, match="not a whole MATLAB file"):
        table.landmarks(table.rows)
    shutil.copytree(file.parent, tmp_path / "backup/2DFeatures")
    savemat(file, {"fit": np.zeros(7, [("pred", object)])})
    table = read(tmp_path)
    with pytest.raises(DataError, match="differ: keep the right one"):
        table.landmarks(table.rows)
    shutil.rmtree(tmp_path / "backup")
    shutil.rmtree(file.parent)
    assert np.isnan(table.landmarks(table.rows.assign(task="T9"))).all()
    assert read(tmp_path).landmarks is None


def test_landmarks_of_an_older_matlab_are_the_same(tmp_path: Path) -> None:
    trees.bp4d(tmp_path, ("F001",), ("T1",), landmarks=True)
    table = read(tmp_path)
    newer = table.landmarks(table.rows)
    fit = np.zeros(7, [("pred", object)])
    fit["pred"] = [np.zeros((0, 0))] * 7
    fit["pred"][2:5] = [each + 0.5 if np.isfinite(each).all() else [] for each in newer]
    savemat(tmp_path / "2DFeatures/F001_T1.mat", {"fit": fit})
    np.testing.assert_array_equal(table.landmarks(table.rows), newer)
    trees.write_newer_fit(tmp_path / "2DFeatures/F001_T1.mat", {"pred": [newer[0]]})
    for number in (718, 719, 721, 722, 723, 724):
        (tmp_path / f"2D+3D/F001/T1/0{number}.jpg").unlink()
    np.testing.assert_array_equal(table.landmarks(table.rows[:1]), newer[:1] - 0.5)


def test_points_that_are_none_are_named(tmp_path: Path) -> None:
    trees.bp4d(tmp_path, ("F001",), ("T1",), landmarks=True)
    file = tmp_path / "2DFeatures/F001_T1.mat"
    table = read(tmp_path)
    fit = np.zeros(7, [("pred", object)])
    fit["pred"] = [np.zeros((0, 0))] * 7
    fit["pred"][2] = np.zeros((66, 2))
    savemat(file, {"fit": fit})
    with pytest.raises(DataError, match=r"expected 49 x 2 points, found \(66, 2\) in entry 3"):
        table.landmarks(table.rows)
    fit["pred"][1] = "lost"
    savemat(file, {"fit": fit})
    with pytest.raises(DataError, match="expected points in entry 2, found none"):
        table.landmarks(table.rows)
