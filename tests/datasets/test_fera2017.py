"""FERA 2017: the codes of BP4D's people beside the frames of videos; what is broken is listed."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trees
from actionunits import datasets, media
from actionunits.datasets.bp4d import PART
from actionunits.datasets.check import check
from actionunits.datasets.fera2017 import read
from actionunits.errors import DataError


def test_every_label_arrives_beside_its_frame(tmp_path: Path) -> None:
    truth = trees.fera2017(tmp_path)
    table = read(tmp_path)
    trees.assert_same(table, truth)
    assert table.name == "fera2017"
    assert table.excluded == ()
    assert table.landmarks is None
    assert table.occurrence == trees.FERA_AUS
    assert table.intensity == trees.FERA_INTENSITY
    assert table.rows["part"].tolist() == [PART[s] for s in truth["subject"]]
    row = table.rows.iloc[6]
    seen = next(frame for frame in media.frames(row["file"]) if frame.number == row["position"])
    one = trees.small_face(truth.iloc[6])[0].astype(int)
    assert abs(one - seen.image.astype(int)).mean() < 8  # view 5 and other frames differ by more


@pytest.mark.parametrize(
    "form",
    [
        {"tables": "Train_Occ", "levels": "Train_Int", "videos": "FERA17_Train_MV"},
        {"tables": ".", "levels": None, "videos": "."},
        {"tables": "fera/2017/train/occ", "videos": "fera/2017/train/ims"},
    ],
    ids=lambda form: " ".join(map(str, form.values())),
)
def test_copies_of_all_forms_read_the_same(tmp_path: Path, form: dict[str, object]) -> None:
    truth = trees.fera2017(tmp_path, ("F001", "M003"), ("T1",), **form)
    trees.assert_same(read(tmp_path), truth)


@given(frames=st.integers(1, 4), first=st.integers(0, 3000), seed=st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_frames_go_in_order_wherever_their_numbers_begin(
    tmp_path_factory: pytest.TempPathFactory, frames: int, first: int, seed: int
) -> None:
    root = tmp_path_factory.mktemp("fera")
    truth = trees.fera2017(root, ("M018",), ("T8",), frames, first=first, seed=seed)
    truth = truth.drop(columns=[c for c in truth if c.startswith("AU") and truth[c].isna().all()])
    table = read(root)
    trees.assert_same(table, truth)
    assert table.rows["position"].tolist() == list(range(frames))


def test_what_is_broken_is_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    truth = trees.fera2017(tmp_path, ("F001", "F003", "M001"))
    name = "FERA17_TR_{}.csv".format
    (tmp_path / "occ" / name("F001_T2")).unlink()
    trees.rewrite(tmp_path / "occ" / name("F003_T1"), 4, 0, 5)
    trees.rewrite(tmp_path / "occ" / name("F003_T2"), 2, 1, 3)
    (tmp_path / "ims/FERA17_TR_M001_T1_6.mp4").unlink()
    video = tmp_path / "ims/FERA17_TR_M001_T2_6.mp4"
    (tmp_path / "FERA17_TR_M001_T2_6.avi").write_bytes(video.read_bytes())
    (tmp_path / "int" / name("F001_T1_AU04_Int")).unlink()
    for subject in ("F007", "rF001"):
        (tmp_path / "occ" / f"FERA17_VA_{subject}_T1.csv").touch()
    table = read(tmp_path)
    kept = truth[(truth["subject"] == "F001") & (truth["task"] == "T1")]
    trees.assert_same(table, kept.drop(columns="AU04_intensity"))
    said = {each.what: (each.frames, each.reason) for each in table.excluded}
    assert "F001/T1 AU04_intensity" in said
    assert {what for what in said if "intensity" not in what} == {
        "F001/T2",
        "F003/T1",
        "F003/T2",
        "M001/T1",
        "M001/T2",
        "FERA17_VA",
    }
    assert "no table F001_T2.csv" in said["F001/T2"][1]
    assert said["F003/T1"][0] == 4
    assert "goes on from frame 3 to 5" in said["F003/T1"][1]
    assert "found 3 for AU01 at frame 2" in said["F003/T2"][1]
    assert said["M001/T1"] == (4, "no video of view 6, first frame 1")
    assert "keep one of them" in said["M001/T2"][1]
    assert said["FERA17_VA"][1].startswith("2 tables of the validation part")


def test_wrong_roots_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected the folder of a data set"):
        read(tmp_path / "absent")
    trees.bp4d(tmp_path / "bp4d", ("F001",), ("T1",))
    with pytest.raises(DataError, match="expected tables of codes such as occ/FERA17_TR_F001_T1"):
        read(tmp_path / "bp4d")
    trees.fera2017(tmp_path / "fera", ("F001",), ("T1",))
    with pytest.raises(DataError, match="expected tables of codes such as AUCoding"):
        datasets.read_raw("bp4d", tmp_path / "fera")
    with pytest.raises(DataError, match="expected videos of view 6"):
        read(tmp_path / "fera/occ")
    trees.fera2017(tmp_path / "other", ("F041",), ("T1",))
    with pytest.raises(DataError, match="F041 is not one of the 41 people of BP4D"):
        read(tmp_path / "other")


def test_check_says_what_the_folds_are(tmp_path: Path) -> None:
    trees.fera2017(tmp_path, ("F001", "F003", "F004"), ("T1",))
    found = check(datasets.read_raw("fera2017", tmp_path))
    assert found.parts == [4, 4, 4]
    assert any("cannot be compared" in remark for remark in found.remarks)
