"""All on a device reads what the processor reads; its stand-in is PyTorch on the processor."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from PIL import Image

import actionunits
from actionunits.aus import AUSet
from actionunits.bench.scene import clip
from actionunits.detect import pytorch, runtime
from actionunits.faces.centerface import CenterFace
from actionunits.faces.device import OnDevice
from actionunits.faces.given import Aligned
from actionunits.models import registry
from command import Au

SEVERAL = 2  # pictures


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A video of two people, a photograph and a picture of nobody."""
    folder = tmp_path_factory.mktemp("seen")
    Image.fromarray(skimage.data.astronaut()).save(folder / "a.png")
    Image.new("RGB", (300, 200), "grey").save(folder / "b.png")
    return [clip(folder / "c.mp4", 20, 2, 480, 270), folder / "a.png", folder / "b.png"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the device was asked for what, and for how many pictures at the most."""
    counts: Counter[str] = Counter()

    def counted(name: str) -> None:
        done = getattr(OnDevice, name)

        def count(device: OnDevice, pictures: list, *others: object) -> object:
            counts[name] += 1
            return done(device, pictures, *others)

        monkeypatch.setattr(OnDevice, name, count)

    for name in ("search", "look", "warp"):
        counted(name)
    return counts


def load(**settings: object) -> actionunits.Predictor:
    return actionunits.load("default-fast", runtime="torch", device="cpu", **settings)


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch, "_SIGHTED", {"cpu"})


def assert_alike(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert len(one) == len(other)
    assert list(one) == list(other)
    for name in ("frame", "face_id", "success"):
        assert one[name].equals(other[name])
    chances = [name for name in one if name.endswith("_p")]
    assert (one[chances] - other[chances]).abs().mean().mean() < 0.02
    assert (one[chances].isna() == other[chances].isna()).all(axis=None)


def test_rows_are_those_of_the_processor(
    files: list[Path], asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load().predict(*files, add=["sides", "landmarks"])
    assert not asked
    monkeypatch.setattr(pytorch, "_SIGHTED", {"cpu"})
    predictor = load()
    rows = predictor.predict(*files, add=["sides", "landmarks"])
    assert min(asked["search"], asked["look"], asked["warp"]) > 0
    assert_alike(rows, plain)
    points = [name for name in rows if name.startswith(("x_", "y_"))]
    assert len(points) == 98
    size = plain["face_w"].mean()
    assert (rows[points] - plain[points]).abs().mean().mean() < 0.01 * size
    assert runtime.sight(predictor.network)._sent == {}  # nothing stays there


@pytest.mark.usefixtures("on_device")
def test_what_does_not_fit_is_read_one_by_one(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load().predict(*files)
    canvas, warp, failed = OnDevice.canvas, OnDevice.warp, []

    def small_canvas(device: OnDevice, images: list, shape: tuple[int, int]) -> torch.Tensor:
        fits(images)
        return canvas(device, images, shape)

    def small_warp(device: OnDevice, images: list, *others: object) -> torch.Tensor:
        fits(images)
        return warp(device, images, *others)

    def fits(images: list) -> None:
        if len(images) >= SEVERAL:
            failed.append(len(images))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(OnDevice, "canvas", small_canvas)
    monkeypatch.setattr(OnDevice, "warp", small_warp)
    assert_alike(load().predict(*files), plain)
    assert failed


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("detector", [CenterFace, Aligned])
def test_a_detector_of_the_users_finds_the_faces(
    files: list[Path], asked: Counter[str], detector: type
) -> None:
    rows = load(detector=detector()).predict(files[1])
    assert asked["warp"] > 0
    assert asked["search"] == asked["look"] == 0
    assert len(rows) == 1


@pytest.mark.usefixtures("on_device")
def test_faces_as_arrays_are_what_they_are_on_the_processor(files: list[Path]) -> None:
    (seen,) = load().faces(files[1], pytest.fail)
    assert isinstance(seen.crops, np.ndarray)
    assert seen.crops.shape == (1, 80, 80, 3)


@pytest.mark.usefixtures("on_device")
def test_models_of_clips(files: list[Path], asked: Counter[str]) -> None:
    aus = AUSet.of((1, 2, 12))
    torch.manual_seed(0)
    model = registry.create("mdhr", aus, registry.blank_stats(3), size=64, align=72)
    rows = actionunits.Predictor(model, aus, [0.5] * 3).predict(files[0])
    assert asked["warp"] > 0
    assert len(rows) == 40
    assert rows["AU12_p"].notna().all()


@pytest.mark.usefixtures("on_device")
def test_the_command_searches_where_its_model_is(
    files: list[Path], asked: Counter[str], au: Au, tmp_path: Path
) -> None:
    words = ["detect", str(files[1]), "--model", "default-fast", "--out", str(tmp_path / "o.csv")]
    done = au(*words, "--runtime", "torch", "--device", "cpu")
    assert done.code == 0
    assert min(asked["search"], asked["look"], asked["warp"]) > 0


def test_the_processor_keeps_what_is_made_for_it() -> None:
    assert runtime.sight(load().network) is None
    assert runtime.sight(actionunits.load("default-fast", runtime="onnx").network) is None
