"""Pictures that a program holds: read as files are, as they come, and refused by what they are."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from lean import MISSING
from numpy.typing import NDArray
from PIL import Image

import actionunits
from actionunits import media
from actionunits.detect.memory import is_picture, pictures
from actionunits.detect.network import Values
from actionunits.detect.predict import Predictor
from actionunits.errors import MediaError, UserError
from clips import write_video

PERSON = skimage.data.astronaut()[:256, 96:352]
NOBODY = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return actionunits.load("default", runtime="onnx")


def tensor(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def held(given: Any) -> list[NDArray[np.uint8]]:
    assert is_picture(given)
    return [*pictures(given, "picture 1")]


@pytest.mark.parametrize(
    "given",
    [
        PERSON,
        PERSON[:, ::-1][:, ::-1],
        PERSON[None],
        Image.fromarray(PERSON),
        tensor(PERSON),
        tensor(PERSON)[None],
        tensor(PERSON) / 255,
        (tensor(PERSON) / 255).double().requires_grad_(),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_picture_is_the_same_however_it_is_held(given: Any) -> None:
    (picture,) = held(given)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, PERSON)
    assert not np.shares_memory(picture, np.asarray(PERSON))


def test_half_precision_is_as_near_as_it_can_be() -> None:
    for kind, apart in ((torch.float16, 1), (torch.bfloat16, 1)):
        (picture,) = held((tensor(PERSON) / 255).to(kind))
        assert np.abs(picture.astype(int) - PERSON).max() <= apart


def test_pillows_pictures_are_read_as_their_files_are(tmp_path: Path) -> None:
    turned = Image.fromarray(PERSON[:, :128])
    exif = turned.getexif()
    exif[0x0112] = 6
    clear = Image.fromarray(np.dstack([PERSON, PERSON[..., 0]]), "RGBA")
    deep = Image.fromarray(PERSON[..., 0].astype(np.uint16) * 257)
    for number, image in enumerate([turned, clear, deep, Image.fromarray(PERSON[..., 0])]):
        image.save(tmp_path / f"{number}.png", exif=exif if image is turned else b"")
        opened = Image.open(tmp_path / f"{number}.png")
        (picture,) = held(opened)
        assert np.array_equal(picture, media.read_image(tmp_path / f"{number}.png"))


_TENSOR = r"expected \(3, H, W\) RGB of uint8, or of floats from 0 to 1, or \(N, 3, H, W\), found"
_ARRAY = r"expected \(H, W, 3\) RGB of uint8, or \(N, H, W, 3\), found"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (PERSON / 255, rf"{_ARRAY} \(256, 256, 3\) of float64; multiply floats"),
        (PERSON.astype(int), rf"{_ARRAY} \(256, 256, 3\) of int64; bring it to 0 to 255"),
        (PERSON > 9, rf"{_ARRAY} .* of bool"),
        (PERSON[..., 0], rf"{_ARRAY} \(256, 256\) of uint8; repeat a grey picture"),
        (PERSON[..., :1], rf"{_ARRAY} \(256, 256, 1\) of uint8; repeat a grey"),
        (PERSON[..., [0, 1, 2, 0]], rf"{_ARRAY} \(256, 256, 4\) .*leave out the fourth"),
        (PERSON.transpose(2, 0, 1), rf"{_ARRAY} \(3, 256, 256\) .*channels come last"),
        (PERSON[None, None], rf"{_ARRAY} \(1, 1, 256, 256, 3\) of uint8$"),
        (PERSON[:0], rf"{_ARRAY} \(0, 256, 3\) of uint8, which is empty"),
        (np.array(3, np.uint8), rf"{_ARRAY} \(\) of uint8"),
        (torch.from_numpy(PERSON.copy()), rf"{_TENSOR} \(256, 256, 3\) .*channels come first"),
        (tensor(PERSON).float(), rf"{_TENSOR} .* of float32 from 0 to 255; divide it by 255"),
        (tensor(PERSON) / 255 - 0.5, rf"{_TENSOR} .* from -0.5 to 0.5; undo what normalised"),
        (torch.full((3, 4, 4), torch.nan), rf"{_TENSOR} .* from nan to nan"),
        (tensor(PERSON).long(), rf"{_TENSOR} .* of int64; bring it to 0 to 255"),
        (torch.zeros(3, 0, 4), rf"{_TENSOR} \(3, 0, 4\) of float32, which is empty"),
    ],
)
def test_what_is_no_picture_is_told_exactly(predictor: Predictor, given: Any, said: str) -> None:
    for wrapped in (given, [given]):
        with pytest.raises(UserError, match=f"^picture 1: {said}"):
            next(predictor.read(wrapped))


@pytest.mark.parametrize("given", [3.5, b"photo.jpg", True, [[PERSON]], {"x": 1}.items(), None])
def test_what_is_neither_path_nor_picture_is_named(predictor: Predictor, given: Any) -> None:
    with pytest.raises(UserError, match="^expected paths of .* arrays, .* found a"):
        next(predictor.read(given))


def test_the_wrong_one_of_many_costs_none_before_it(predictor: Predictor) -> None:
    readings = predictor.read(iter([PERSON, NOBODY, PERSON[..., 0]]))
    assert [len(next(readings).faces) for _ in range(2)] == [1, 0]
    with pytest.raises(UserError, match=r"^picture 3: expected"):
        next(readings)


def test_readings_are_those_of_the_file(predictor: Predictor, tmp_path: Path) -> None:
    Image.fromarray(PERSON).save(tmp_path / "a.png")
    (file,) = predictor.read(tmp_path / "a.png", add=["all"])
    (array,) = predictor.read(PERSON, add=["all"])
    assert array.frame.source == "picture 1"
    for name in file._fields[2:]:
        assert np.allclose(getattr(file, name), getattr(array, name), atol=1e-5), name
    shapes = (array.landmarks, array.pose, array.embedding, array.sides)
    assert [np.shape(each) for each in shapes] == [(1, 49, 2), (1, 3), (1, 384), (1, 24, 2)]


def test_many_are_read_in_order_and_paths_between_them(
    predictor: Predictor, tmp_path: Path
) -> None:
    Image.fromarray(PERSON).save(tmp_path / "a.png")
    mixed = [
        NOBODY,
        str(tmp_path / "a.png"),
        np.stack([PERSON, np.zeros_like(PERSON)]),
        Image.fromarray(PERSON),
    ]
    for given in (mixed, tuple(mixed), iter(mixed), (each for each in mixed)):
        found = [(r.frame.source, len(r.faces)) for r in predictor.read(given)]
        names = ["picture 1", mixed[1], "picture 2", "picture 3", "picture 4"]
        assert found == [*zip(names, [0, 1, 1, 0, 1], strict=True)]
    assert [*predictor.read([])] == []


def test_an_iterator_is_asked_as_readings_are_taken(predictor: Predictor) -> None:
    asked = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal asked
        while True:
            asked += 1
            yield NOBODY

    readings = predictor.read(endless())
    for taken in range(1, 30):
        next(readings)
        assert asked <= taken + 3 * (threading.active_count() + 2)
    readings.close()


def test_one_array_may_be_filled_again_and_again(predictor: Predictor) -> None:
    buffer = np.empty((48, 64, 3), np.uint8)

    def filled() -> Iterator[NDArray[np.uint8]]:
        for shade in range(0, 250, 10):
            buffer[:] = shade
            yield buffer

    shades = [int(reading.frame.image[0, 0, 0]) for reading in predictor.read(filled())]
    assert shades == [*range(0, 250, 10)]


def test_what_an_iterator_raises_is_raised(predictor: Predictor) -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield NOBODY
        raise KeyError("camera")

    readings = predictor.read(broken())
    next(readings)
    with pytest.raises(KeyError, match="camera"):
        next(readings)


def test_with_a_rate_pictures_are_one_video(predictor: Predictor) -> None:
    shifted = [np.roll(PERSON, 2 * i, axis=1) for i in range(5)]
    readings = [*predictor.read(iter(shifted), rate=10)]
    assert [r.frame.seconds for r in readings] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [r.frame.number for r in readings] == [*range(5)]
    assert {r.frame.source for r in readings} == {"pictures"}
    assert {face.track for r in readings for face in r.faces} == {0}
    for rate in (0, -1, np.nan, np.inf):
        with pytest.raises(UserError, match="rate: expected frames a second, more than 0"):
            next(predictor.read(shifted, rate=rate))


def test_a_table_of_arrays(predictor: Predictor) -> None:
    table = predictor.predict(PERSON, NOBODY, add=["pose"])
    assert table["input"].tolist() == ["picture 1", "picture 2"]
    assert table["success"].tolist() == [1, 0]
    assert table.loc[0, "AU12_r"] > 1
    batch = predictor.predict(np.stack([NOBODY] * 3), rate=2.0, format="openface")
    assert batch["timestamp"].tolist() == [0, 0.5, 1]
    pd.testing.assert_frame_equal(table, predictor.predict([PERSON, NOBODY], add=["pose"]))


def test_a_file_that_cannot_be_read_is_an_error_after_the_others(
    predictor: Predictor, tmp_path: Path
) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Image.fromarray(PERSON).save(tmp_path / "whole.png")
    readings = predictor.read([tmp_path / "torn.png", "none.png", tmp_path / "whole.png"])
    assert Path(next(readings).frame.source).name == "whole.png"
    with pytest.raises(MediaError) as raised:
        next(readings)
    told = f"{raised.value} {raised.value.__notes__}"
    assert "torn.png" in told
    assert "none.png" in told


def test_a_part_of_a_video_by_a_size_of_its_own(predictor: Predictor, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mp4", np.arange(20) / 10)
    numbers = [r.frame.number for r in predictor.read(clip, start=0.5, end=1.5, every=3)]
    assert numbers == [6, 9, 12]
    sides: list[int] = []

    def finder(frames: Any, side: int) -> Any:
        sides.append(side)
        return predictor._detector(frames, side)

    other = actionunits.load("default", runtime="onnx", detector=finder, search_size=128)
    other.predict(clip, search_size=192, end=0.2)
    other.predict(clip, end=0.2)
    assert [*dict.fromkeys(sides)] == [192, 128]
    with pytest.raises(UserError, match="search size: expected 64 to 8192 pixels, got 5"):
        other.predict(clip, search_size=5)


def test_aligned_faces_are_read_by_themselves(predictor: Predictor) -> None:
    crops = next(predictor.faces(PERSON, print)).crops
    (reading,) = predictor.read(PERSON, add=["embedding", "landmarks"])
    for given in (crops, [*crops], tensor(crops[0]), Image.fromarray(crops[0])):
        values = predictor.values(given)
        assert np.allclose(values.probability, reading.probability, atol=1e-4)
        assert np.allclose(values.embedding, reading.embedding, atol=1e-3)
    assert values.landmarks is not None
    assert ((values.landmarks > 0) & (values.landmarks < predictor.network.spec.size)).all()
    odds = np.exp(values.logits)
    assert np.allclose(odds / (1 + odds), values.probability, atol=1e-6)
    assert predictor.values([]).probability.shape == (0, len(predictor.aus))
    with pytest.raises(UserError, match=r"crop 2: expected \(112, 112, 3\), found \(256, 256, 3\)"):
        predictor.values([crops[0], PERSON])
    with pytest.raises(UserError, match=r"crop 1: expected .*, found the path a\.png"):
        predictor.values("a.png")


def test_logits_end_where_probabilities_have_no_digits() -> None:
    logits = Values(np.array([[0, 0.5, 1, 0.75]]), None).logits
    assert logits == pytest.approx(np.array([[-16, 0, 16, np.log(3)]]))


def test_a_model_of_clips_reads_crops_as_frames_of_one_face() -> None:
    predictor = actionunits.load("mdhr", device="cpu")
    crops = np.repeat(next(predictor.faces(PERSON, print)).crops, 3, axis=0)
    values = predictor.values(crops)
    (reading,) = predictor.read(PERSON)
    assert values.probability.shape == (3, len(predictor.aus))
    assert np.allclose(values.probability, reading.probability, atol=0.02)


def test_arrays_need_no_pytorch() -> None:
    code = f"""
import sys
sys.modules.update(dict.fromkeys({sorted(MISSING)!r}))
import numpy, actionunits
print(len([*actionunits.load("default").read(numpy.zeros((2, 48, 64, 3), "uint8"))]))
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert said.stdout == "2\n", said.stderr
