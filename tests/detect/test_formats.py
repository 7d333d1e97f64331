"""Tables as OpenFace 2 and py-feat write them: names, order, units, and what is not known."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
from PIL import Image

import actionunits
from actionunits.aus import RENDERED, AUSet
from actionunits.detect.added import added
from actionunits.detect.formats import FORMATS, openface
from actionunits.detect.tables import Layout, Rows, rounded
from actionunits.errors import UserError
from actionunits.findings import frames
from actionunits.types import Face, Frame, Reading
from clips import write_video
from command import Au

TOLD = {"landmarks": 98, "pose": 3, "gaze": 2}
IMAGE = np.zeros((1, 1, 3), np.uint8)
INTENSITIES = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45]


def reading(number: int, faces: int, aus: AUSet = RENDERED, source: str = "a.mp4") -> Reading:
    """A frame with so many faces, of which face f has AU i at the intensity (f + i) % 5."""
    frame = Frame(IMAGE, source, number, number / 25)
    shown = tuple(
        Face(frame, f, np.array([10.0 * f, 20, 30, 40]), np.zeros((5, 2)), 0.5)
        for f in range(faces)
    )
    level = (np.arange(faces)[:, None] + np.arange(len(aus))) % 5.0
    points = np.arange(98.0).reshape(49, 2)
    return Reading(
        *(frame, shown, level / 5, level >= 2, level),
        landmarks=np.tile(points, (faces, 1, 1)),
        pose=np.tile([30.0, 20, 10], (faces, 1)),
        gaze=np.tile([5.0, -5], (faces, 1)),
    )


def rows(*readings: Reading, aus: AUSet = RENDERED, kinds: tuple[str, ...] = tuple(TOLD)) -> Rows:
    made = Rows(aus, added(kinds, TOLD, aus))
    for each in readings:
        made.add(each)
    return made


def laid_out(name: str, made: Rows, *sources: str, aus: AUSet = RENDERED) -> pd.DataFrame:
    return FORMATS[name].layout(aus, sources or ("a.mp4",)).table(made.table())


def as_text(layout: Layout, made: Rows) -> str:
    return rounded(made.table(), layout).to_csv(index=False)


def openface_header() -> list[str]:
    """What OpenFace 2.2 writes first of a video, one loop after the other as it does."""
    names = ["frame", "face_id", "timestamp", "confidence", "success"]
    names += ["gaze_0_x", "gaze_0_y", "gaze_0_z", "gaze_1_x", "gaze_1_y", "gaze_1_z"]
    names += ["gaze_angle_x", "gaze_angle_y"]
    for axis in ("x", "y", "X", "Y", "Z"):
        for point in range(56):
            names.append(f"eye_lmk_{axis}_{point}")
    names += ["pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"]
    for axis in ("x", "y", "X", "Y", "Z"):
        for point in range(68):
            names.append(f"{axis}_{point}")
    names += ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty"]
    for mode in range(34):
        names.append(f"p_{mode}")
    for au in INTENSITIES:
        names.append(f"AU{au:02d}_r")
    for au in [*INTENSITIES[:-1], 28, 45]:
        names.append(f"AU{au:02d}_c")
    return names


def test_openfaces_columns_are_all_there_in_its_order() -> None:
    assert len(openface_header()) == 714  # as its users count them
    video = laid_out("openface", rows(reading(0, 1)))
    assert list(video) == openface_header()
    picture = laid_out("openface", rows(reading(0, 1, source="a.png")), "a.png")
    assert list(picture) == ["face", "confidence", *openface_header()[5:]]
    both = laid_out("openface", rows(reading(0, 1)), "a.mp4", "b.mp4")
    assert list(both) == [*openface_header(), "input"]


def test_openfaces_values_have_its_units_and_axes() -> None:
    table = laid_out("openface", rows(reading(4, 2)))
    assert table["frame"].tolist() == [5, 5]
    assert table["face_id"].tolist() == [0, 1]
    assert table["timestamp"].tolist() == [0.16, 0.16]
    assert table["success"].tolist() == [1, 1]
    first = table.iloc[0]
    assert -np.pi / 2 < first["pose_Ry"] < -0.4  # to the subject's left
    assert first["pose_Rx"] < 0  # up
    assert first["pose_Rz"] < 0  # to the right shoulder
    for eye in "01":
        assert np.linalg.norm(first[[f"gaze_{eye}_{axis}" for axis in "xyz"]]) == pytest.approx(1)
    assert first["gaze_angle_x"] > 0
    assert first["gaze_angle_x"] == np.arctan2(first["gaze_0_x"], -first["gaze_0_z"])
    assert first["gaze_angle_y"] == np.arctan2(first["gaze_0_y"], -first["gaze_0_z"])


def test_sixty_eight_points_are_ours_where_they_are_the_same() -> None:
    x, y = np.arange(98.0).reshape(49, 2).T
    for name, empty in (("openface", 0.0), ("feat", np.nan)):
        table = laid_out(name, rows(reading(0, 1)))
        for axis, told in zip("xy", (x, y), strict=True):
            points = table[[f"{axis}_{i}" for i in range(68)]].to_numpy()[0]
            assert np.array_equal(points[:17], np.full(17, empty), equal_nan=True)  # the jaw
            assert np.array_equal(points[[60, 64]], np.full(2, empty), equal_nan=True)
            assert np.array_equal(np.delete(points, [*range(17), 60, 64]), told)


def test_what_nobody_here_knows_is_0_in_openfaces_columns() -> None:
    table = laid_out("openface", rows(reading(0, 1)))
    unknown = table.filter(regex="^(eye_lmk_|pose_T|[XYZ]_|p_)")
    assert unknown.shape[1] == 280 + 3 + 204 + 40
    assert (unknown == 0).all(axis=None)
    assert table.notna().all(axis=None)


def test_a_frame_without_a_face_is_0_in_videos_and_no_row_of_pictures() -> None:
    made = rows(reading(0, 1), reading(1, 0), reading(2, 1))
    table = laid_out("openface", made)
    assert table["success"].tolist() == [1, 0, 1]
    nobody = table.iloc[1].drop(["frame", "timestamp"])
    assert (nobody == 0).all()
    assert table.loc[1, ["frame", "timestamp"]].tolist() == [2, 0.04]
    assert len(laid_out("openface", made, "a.png")) == 2
    feat = laid_out("feat", made)
    assert feat.iloc[1].drop(["input", "frame", "approx_time", "timestamp"]).isna().all()


def test_a_blink_is_of_closed_eyes_whatever_the_model_calls_them() -> None:
    frame = reading(0, 1)
    for au, other in ((43, 45), (45, 43)):
        frame.intensity[0, [RENDERED.index(au), RENDERED.index(other)]] = 4, 1
        table = laid_out("openface", rows(frame))
        assert table["AU45_r"].tolist() == [4]
    for aus in (AUSet.of([12, 43]), AUSet.of([12, 45])):
        table = laid_out("openface", rows(reading(0, 1, aus), aus=aus), aus=aus)
        assert table["AU45_r"].tolist() == [1]


def test_what_this_model_does_not_tell_is_empty_not_0() -> None:
    aus = AUSet.of([6, 12])
    made = rows(reading(0, 1, aus), reading(1, 0, aus), aus=aus, kinds=())
    table = laid_out("openface", made, aus=aus)
    told = table.loc[0, ["AU06_r", "AU12_r", "AU06_c", "AU12_c"]]
    assert told.tolist() == [0, 1, 0, 0]
    for column in ("AU01_r", "AU28_c", "AU45_r", "pose_Rx", "gaze_0_z", "gaze_angle_x", "x_17"):
        assert np.isnan(table.loc[0, column]), column
    assert table.loc[0, "x_0"] == 0
    feat = laid_out("feat", made, aus=aus)
    assert [name for name in feat if name.startswith("AU")] == ["AU06", "AU12"]


def test_py_feats_columns_stand_in_its_order_without_feelings() -> None:
    table = laid_out("feat", rows(reading(30, 2)))
    aus = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43]  # it has 11 too
    expected = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
    expected += [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    expected += ["Pitch", "Roll", "Yaw", *(f"AU{au:02d}" for au in aus)]
    expected += ["input", "frame", "approx_time", "face_id", "timestamp"]
    assert list(table) == expected
    second = table.iloc[1]
    box = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]
    assert second[box].tolist() == [10, 20, 30, 40]
    assert (second["FaceScore"], second["frame"], second["approx_time"]) == (0.5, 30, "00:01")
    likely = table.filter(regex=r"^AU\d\d$")
    assert ((likely >= 0) & (likely <= 1)).all(axis=None)
    assert second["AU12"] == pytest.approx((1 + RENDERED.index(12)) % 5 / 5)


@pytest.mark.parametrize(
    ("pose", "name", "sign"),
    [((20.0, 0, 0), "Yaw", -1), ((0, 20.0, 0), "Pitch", 1), ((0, 0, 20.0), "Roll", -1)],
)
def test_py_feats_angles_are_degrees_with_its_signs(
    pose: tuple[float, float, float], name: str, sign: int
) -> None:
    table = laid_out("feat", rows(reading(0, 1)._replace(pose=np.array([pose]))))
    angles = dict.fromkeys(["Pitch", "Roll", "Yaw"], 0.0) | {name: sign * 20.0}
    assert table.iloc[0][[*angles]].to_dict() == pytest.approx(angles)


def test_py_feat_counts_pictures() -> None:
    names = ["b.png", "a.png"]
    made = rows(reading(0, 2, source="b.png"), reading(0, 1, source="a.png"))
    table = laid_out("feat", made, *names)
    assert table["frame"].tolist() == [0, 0, 1]
    assert table["input"].tolist() == ["b.png", "b.png", "a.png"]
    assert "approx_time" not in table


def test_lines_that_people_paste_work() -> None:
    text = as_text(openface.layout(RENDERED, ["a.mp4"]), rows(reading(0, 1), reading(1, 0)))
    df = pd.read_csv(io.StringIO(text))
    df.columns = df.columns.str.strip()
    df = df[(df["success"] == 1) & (df["confidence"] > 0.3)]
    assert len(df) == 1
    assert df.loc[:, "AU01_r":"AU45_r"].shape == (1, 17)
    assert df.loc[:, "AU01_c":"AU45_c"].shape == (1, 18)
    assert df[[c for c in df.columns if c.startswith("AU") and "_r" in c]].max(axis=None) <= 5
    assert set(df.filter(regex="AU.*_c").to_numpy().ravel()) <= {0.0, 1.0}
    assert df.filter(like="pose_R").shape == (1, 3)
    assert df.loc[:, "x_0":"y_67"].shape == (1, 136)
    assert df.loc[:, "gaze_0_x":"eye_lmk_Z_55"].shape == (1, 288)
    assert (df["AU06_c"] * df["AU12_c"]).isin([0, 1]).all()


# As its users write: a folder read, smiles added, what is wanted chosen, a row a video. Its
# functions look for those of the tidyverse among what the user has attached. Shares of time, not
# counts: from R 4.2 on its counting within tidy_face() is an error, whoever wrote the table.
_R = """
for (name in c("dplyr", "readr", "purrr", "ggplot2", "openfacer"))
    library(name, character.only = TRUE)
place <- commandArgs(trailingOnly = TRUE)
faces <- read_face_csvs(paste0(place[1], "/"))
faces <- mutate_faces(faces, smile = ifelse(AU06_c == 1 & AU12_c == 1, 1, 0))
write.csv(tidy_face(faces, events_sum = "ratio"), file.path(place[2], "all.csv"))
chosen <- select_faces(filter_faces(faces, success == 1), smile, AU01_r:AU45_c, pose_Rx:pose_Rz)
seen <- tidy_face(chosen, events_sum = "ratio", max = TRUE)
write.csv(seen, file.path(place[2], "seen.csv"))
cat(sapply(faces, function(face) count_events(face$success, sensitivity = -1)), "\n")
cat(nrow(feats_in_time(faces$a, "AU12_r")$data))
"""


def has_openfacer() -> bool:
    """Whether R is here, with the package of openFaceR, which calls itself openfacer."""
    packages = "c('openfacer', 'ggplot2')"  # by which it draws, and does without
    asked = f"quit(status = !all(sapply({packages}, requireNamespace, quietly = TRUE)))"
    rscript = shutil.which("Rscript")
    return rscript is not None and not subprocess.call([rscript, "--vanilla", "-e", asked])


def test_openfacers_own_functions_take_the_tables(tmp_path: Path) -> None:
    if not has_openfacer():
        pytest.skip("R with the packages openfacer (of openFaceR) and ggplot2 is not installed")
    folder = tmp_path / "csvs"
    folder.mkdir()
    shown = {"a": [0, 2, 0, 1, 0, 2], "b": [2, 1, 1, 0, 1], "nobody": [0, 0]}
    tables = {}
    for name, faces in shown.items():
        made = rows(*(reading(n, count) for n, count in enumerate(faces)))
        text = as_text(openface.layout(RENDERED, [f"{name}.mp4"]), made)
        (folder / f"{name}.csv").write_text(text)
        tables[name] = pd.read_csv(io.StringIO(text))
    (tmp_path / "check.R").write_text(_R)
    command = ["Rscript", "--vanilla", str(tmp_path / "check.R"), str(folder), str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == ["3", "2", "0", "8"]

    everything = pd.concat(tables, names=["ID"]).filter(regex="^AU|^pose_R|^timestamp|^success")
    everything["smile"] = everything["AU06_c"] * everything["AU12_c"]
    for name, part in (("all", everything), ("seen", everything.query("success == 1"))):
        tidy = pd.read_csv(tmp_path / f"{name}.csv", index_col="ID")
        by_video = part.groupby("ID")
        assert tidy["length"].equals(by_video["timestamp"].max())
        for column in part.filter(regex="^AU|^smile|^pose_R"):
            if part[column].isin([0, 1]).all():  # what it takes for an event
                assert np.allclose(tidy[column], by_video[column].mean()), column
            else:
                assert np.allclose(tidy[f"{column}_mean"], by_video[column].mean()), column
                assert np.allclose(tidy[f"{column}_sd"], by_video[column].std()), column
    assert "AU12_r_max" in tidy


@pytest.mark.parametrize("name", ["openface", "feat"])
def test_findings_are_those_of_our_own_table(name: str, tmp_path: Path) -> None:
    made = rows(*(reading(n, n % 3, source="talk.mp4") for n in range(9)))
    files = {"ours": "actionunits", "theirs": name}
    read = {}
    for folder, written in files.items():
        path = tmp_path / folder / "talk.csv"
        path.parent.mkdir()
        path.write_text(as_text(FORMATS[written].layout(RENDERED, ["talk.mp4"]), made))
        read[folder] = frames.read(path)
    seen = {folder: each.rows["success"].to_numpy() for folder, each in read.items()}
    for column in ("timestamp", "face_id"):
        one, two = (read[f].rows.loc[seen[f], column].tolist() for f in files)
        assert one == two
    same = read["theirs"].strength.columns.intersection(read["ours"].strength.columns)
    same = same.difference(["AU45"] if name == "feat" else ["AU28", "AU45"])  # 45: closed eyes
    assert len(same) == (19 if name == "feat" else 16)
    for kind in ("present", "strength"):
        one, two = (getattr(read[f], kind).loc[seen[f], same].to_numpy() for f in files)
        if name == "openface":
            assert np.array_equal(one, two)
        elif kind == "strength":  # probabilities: a fifth of the intensity here
            assert np.allclose(one / 5, two)


@pytest.fixture(scope="module")
def media_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    person = skimage.data.astronaut()[:256, 96:352]
    Image.fromarray(person).save(folder / "a.png")
    Image.new("RGB", (64, 64)).save(folder / "nobody.png")
    shades = [person] * 4 + [np.zeros_like(person)] * 3
    write_video(folder / "talk.mp4", np.arange(7) / 25, (256, 256), shades=shades)
    return folder


def test_the_command_writes_what_openface_would(au: Au, media_files: Path, tmp_path: Path) -> None:
    talk, out = media_files / "talk.mp4", tmp_path / "talk.csv"
    said = au("detect", talk, "--format", "openface", "--out", out)
    assert said.code == 0, said.err
    table = pd.read_csv(out)
    assert list(table) == openface_header()
    assert table["frame"].tolist() == [*range(1, 8)]
    assert table["success"].tolist() == [1] * 4 + [0] * 3
    assert (table.loc[4:, "gaze_0_x":] == 0).all(axis=None)
    assert table.loc[0, "AU12_r"] > 1  # she smiles
    digits = [cell.partition(".")[2] for cell in out.read_text().splitlines()[1].split(",")]
    assert max(map(len, digits)) <= 6
    said = au("detect", talk, "--format", "openface", "--out", tmp_path / "talk.parquet")
    assert said.code == 0, said.err
    stored = pd.read_parquet(tmp_path / "talk.parquet")
    assert (stored.dtypes.astype(str) == table.dtypes.astype(str)).all()
    assert np.allclose(stored, table, atol=0.006)
    in_memory = actionunits.load("default").predict(talk, format="openface")
    assert list(in_memory) == openface_header()
    assert np.allclose(in_memory, stored, atol=1e-4)


def test_several_inputs_are_told_apart(au: Au, media_files: Path, tmp_path: Path) -> None:
    everything = sorted(media_files.iterdir())
    one = tmp_path / "all.csv"
    assert au("detect", *everything, "--format", "openface", "--out", one).code == 0
    table = pd.read_csv(one)
    assert table.columns[-1] == "input"
    assert table.groupby("input").size().tolist() == [1, 1, 7]
    folder = tmp_path / "each"
    assert au("detect", *everything, "--format", "openface", "--out", f"{folder}/").code == 0
    widths = {path.name: pd.read_csv(path).shape for path in folder.glob("*.csv")}
    assert widths == {"a.csv": (1, 711), "nobody.csv": (0, 711), "talk.csv": (7, 714)}
    said = au("detect", *everything[:2], "--format", "feat", "--json")
    assert '"Pitch":' in said.out
    assert '"frame":1,"face_id":null' in said.out


def test_a_changed_format_does_not_go_on_with_a_table(
    au: Au, media_files: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tables"
    assert au("detect", media_files / "a.png", "--out", f"{folder}/").code == 0
    said = au("detect", media_files / "a.png", "--out", f"{folder}/", "--format", "feat")
    assert said.code == 2
    assert "the earlier run had other columns and format" in said.err
    said = au(
        *("detect", media_files / "a.png", "--out", f"{folder}/", "--format", "feat"),
        "--overwrite",
    )
    assert said.code == 0, said.err
    assert "FaceRectX" in (folder / "a.csv").read_text()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--format", "openFace"], "format: expected actionunits, openface, feat, found openFace"),
        (["--format", "openface", "--add", "pose"], "columns of its own and none for add: leave"),
        (["--format", "feat", "--neutral", "auto"], "columns of its own and none for neutral"),
    ],
)
def test_what_a_format_has_no_columns_for_is_refused(
    au: Au, media_files: Path, asked: list[str], said: str
) -> None:
    refused = au("detect", media_files / "a.png", *asked)
    assert refused.code == 2
    assert said in refused.err
    assert refused.err.count("\n") == 1


def test_predict_refuses_the_same(media_files: Path) -> None:
    predictor = actionunits.load("default", runtime="onnx")
    with pytest.raises(UserError, match="columns of its own and none for add and neutral"):
        predictor.predict(media_files / "a.png", format="feat", add=["gaze"], neutral="auto")
