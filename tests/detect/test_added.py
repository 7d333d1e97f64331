"""What is told besides AUs: landmarks, pose, gaze, sides, what is hidden, quality."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
from PIL import Image

import actionunits
from actionunits import datasets
from actionunits.aus import RENDERED, SIDED, AUSet
from actionunits.data.dataset import Faces
from actionunits.detect.added import ADDABLE, ALL, NOTHING, added
from actionunits.detect.predict import Predictor
from actionunits.errors import UserError
from command import Au

TOLD = {
    **{"landmarks": 98, "pose": 3, "gaze": 2, "sides": 48},
    **{"hidden": 6, "quality": 1, "embedding": 4},
}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return actionunits.load("default", runtime="onnx")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    portrait = Image.fromarray(skimage.data.astronaut()).crop((90, 0, 360, 270))
    portrait.save(folder / "straight.png")
    portrait.rotate(20, Image.Resampling.BICUBIC).save(folder / "turned.png")
    portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    Image.new("RGB", (64, 64)).save(folder / "nobody.png")
    return folder


@pytest.fixture(scope="module")
def table(predictor: Predictor, photos: Path) -> pd.DataFrame:
    read = predictor.predict(photos, add=[ALL])
    return read.set_index(read["input"].map(lambda name: Path(name).stem))


def points(row: pd.Series) -> np.ndarray:
    return np.stack([row[[f"{axis}_{i}" for i in range(49)]].to_numpy(float) for axis in "xy"], 1)


def test_columns_stand_in_one_order_whatever_was_asked_for_first() -> None:
    aus = AUSet.of([1, 25])
    asked = added(["embedding", "gaze", "sides"], TOLD, aus)
    assert asked.kinds == ("gaze", "sides", "embedding")
    expected = ["gaze_yaw", "gaze_pitch", "AU01_right", "AU01_left", "e0", "e1", "e2", "e3"]
    assert list(asked.columns) == expected  # the lips part in the middle
    everything = added([ALL], TOLD, RENDERED)
    assert everything.kinds == ADDABLE
    assert len(everything.columns) == 98 + 3 + 2 + 2 * len(SIDED) + 6 + 1 + 4
    assert added([ALL], {"embedding": 2}, aus).columns == ("e0", "e1")
    assert added([], TOLD, aus) == NOTHING


def test_what_cannot_be_added_is_named() -> None:
    with pytest.raises(UserError, match="add: expected landmarks, pose, .*, all, found nose"):
        added(["nose"], TOLD, RENDERED)
    with pytest.raises(UserError, match="does not tell gaze; it tells quality"):
        added(["gaze"], {"quality": 1}, RENDERED)
    with pytest.raises(UserError, match="does not tell pose; it tells nothing besides AUs"):
        added(["pose"], {}, RENDERED)


def test_landmarks_lie_in_the_picture_and_turn_with_it(table: pd.DataFrame) -> None:
    straight, turned = points(table.loc["straight"]), points(table.loc["turned"])
    centre, angle = np.array([135, 135]), np.radians(20)
    back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    undone = (turned - centre) @ back.T + centre
    eyes = np.linalg.norm(straight[19] - straight[28])
    assert np.linalg.norm(undone - straight, axis=1).mean() < 0.06 * eyes
    five = table.loc["straight", ["face_x", "face_y", "face_w", "face_h"]].to_numpy(float)
    assert (straight.min(axis=0) > five[:2]).all()
    assert (straight.max(axis=0) < five[:2] + five[2:]).all()


def test_roll_is_that_of_the_picture(table: pd.DataFrame) -> None:
    roll = table["pose_roll"]
    # counter-clockwise in the picture: to the right shoulder of who looks out of it
    assert roll["turned"] - roll["straight"] == pytest.approx(20, abs=3)
    assert roll["mirrored"] == pytest.approx(-roll["straight"], abs=3)
    for angle in ("pose_yaw", "gaze_yaw"):
        assert table.loc["mirrored", angle] == pytest.approx(-table.loc["straight", angle], abs=6)


def test_shares_are_shares(table: pd.DataFrame) -> None:
    shares = table.dropna(subset="face_id").filter(regex="^(hidden_|quality)").to_numpy(float)
    assert shares.shape[1] == 7
    assert ((shares >= 0) & (shares <= 1)).all()


def test_sides_swap_in_a_mirrored_picture(table: pd.DataFrame) -> None:
    places = [au.column for au in RENDERED if au.number in SIDED]
    right, left = (
        table.loc["mirrored", [f"{name}_{side}" for name in places]].to_numpy(float)
        for side in ("right", "left")
    )
    straight = table.loc["straight"]
    assert right == pytest.approx(straight[[f"{n}_left" for n in places]].to_numpy(float), abs=0.7)
    assert left == pytest.approx(straight[[f"{n}_right" for n in places]].to_numpy(float), abs=0.7)


def test_who_smiles_on_one_side_has_a_smile_on_that_side(predictor: Predictor) -> None:
    """Half of the face of a rendered person who smiles, beside the other half of it at rest."""
    faces = datasets.load("synfacs")
    smiling, resting = Faces(faces.images, np.array([2366, 2292]), 256)(np.arange(2))
    half = smiling.permute(1, 2, 0).numpy().copy()
    half[:, 128:] = resting.permute(1, 2, 0).numpy()[:, 128:]  # the subject's left
    picture = np.pad(half, ((64, 64), (64, 0), (0, 0)), constant_values=110)
    read = predictor.predict([picture, picture[:, ::-1]], add=["sides"])
    right, left = read["AU12_right"], read["AU12_left"]
    assert right[0] - left[0] > 1
    assert left[1] - right[1] > 1


def test_a_frame_without_a_face_tells_nothing(table: pd.DataFrame) -> None:
    columns = [column for column in table if column.startswith(("x_", "pose_", "hidden_", "e"))]
    assert table.loc["nobody", columns].isna().all()


def test_what_was_not_asked_for_is_not_told(predictor: Predictor, photos: Path) -> None:
    def raised(error: Exception) -> None:
        raise error

    (reading,) = predictor.readings(photos / "straight.png", raised, add=["pose"])
    assert reading.pose is not None
    assert reading.pose.shape == (1, 3)
    others = (reading.landmarks, reading.gaze, reading.sides, reading.hidden, reading.embedding)
    assert others == (None,) * 5


def test_both_runtimes_tell_the_same(predictor: Predictor, photos: Path) -> None:
    other = actionunits.load("default", runtime="torch", device="cpu")
    one, two = (each.predict(photos / "straight.png", add=[ALL]) for each in (predictor, other))
    assert list(one.columns) == list(two.columns)
    allowed = {"x_": 1, "y_": 1, "pose_": 1, "gaze_": 2, "hidden_": 0.05, "quality": 0.05}
    for start, most in allowed.items():  # bfloat16 has three digits
        columns = [column for column in one if column.startswith(start)]
        assert np.allclose(one[columns].astype(float), two[columns].astype(float), atol=most), start


def test_the_command_takes_several_at_once(au: Au, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "read.csv"
    said = au("detect", photos, "--add", "pose,landmarks", "--add", "quality", "--out", out)
    assert said.code == 0, said.err
    header, first, *_ = out.read_text(encoding="utf-8").splitlines()
    assert header.endswith("y_48,pose_yaw,pose_pitch,pose_roll,quality,input")
    value = first.split(",")[header.split(",").index("x_0")]
    assert len(value.partition(".")[2]) <= 2
    said = au("detect", photos, "--add", "pose,nose")
    assert said.code == 2
    assert "add: expected landmarks" in said.err
