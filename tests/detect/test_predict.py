"""From paths to tables: every frame has a row, broken files do not stop the others."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from PIL import Image
from torch import nn

from actionunits.aus import DISFA8
from actionunits.detect.added import added
from actionunits.detect.predict import Predictor, load
from actionunits.detect.tables import columns
from actionunits.errors import CheckpointError, MediaError, UserError
from actionunits.faces import align, templates
from actionunits.faces.align import TEMPLATE, of_each, transform
from actionunits.faces.detections import Detections
from actionunits.faces.given import Aligned
from actionunits.faces.synface import SynFace
from actionunits.faces.templates import list_templates
from actionunits.learn import checkpoint
from actionunits.types import InputSpec, Output
from beside import PHOTOS, photos
from clips import write_video
from runs import make, tiny_recipe


class Shade(nn.Module):
    """AU i occurs with probability sigmoid of the mean of its input times i."""

    spec = InputSpec(size=28, align=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    def __init__(self, intensity=True):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(8.0))
        self.intensity = intensity
        self.batches = []

    def forward(self, images):
        self.batches.append(len(images))
        assert images.shape[1:] == (3, 28, 28)
        logits = images.mean((1, 2, 3))[:, None] * self.weight
        return Output(logits, 5 * logits.sigmoid() if self.intensity else None)


class Blinking:
    """Finds a face in the middle of every second frame only."""

    def __call__(self, frames, side):
        self.side = side
        box = np.array([[10.0, 10, 30, 30]])
        face = Detections(box, np.array([0.75]), box[:, None, :2] + TEMPLATE * 30)
        none = Detections(*(values[:0] for values in face))
        return [none if frame.number % 2 else face for frame in frames]


def predictor(**kwargs):
    model = kwargs.pop("model", Shade())
    return Predictor(model, DISFA8, np.full(8, 0.6), **kwargs)


@pytest.fixture
def pictures(tmp_path):
    for name, shade in [("a.png", 255), ("b.png", 127), ("c.png", 0)]:
        Image.new("RGB", (64, 64), (shade, shade, shade)).save(tmp_path / name)
    return tmp_path


def test_people_on_the_pages_of_a_file_are_numbered_anew(tmp_path):
    pages = [Image.new("RGB", (64, 64), (shade, shade, shade)) for shade in (255, 127)]
    path = tmp_path / "pages.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    table = predictor(detector=Aligned()).predict(path)
    assert table["frame"].tolist() == [1, 2]
    assert table["face_id"].tolist() == [0, 0]
    assert table["timestamp"].tolist() == [0, 0]


def test_animation_is_read_in_its_time(tmp_path):
    frames = [Image.new("RGB", (64, 64), (shade, shade, shade)) for shade in (255, 127, 0)]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[200, 50, 100])
    table = predictor(detector=Aligned()).predict(path)
    assert table["timestamp"].round(3).tolist() == [0, 0.2, 0.25]


def test_table_has_its_columns_and_the_models_values(pictures):
    table = predictor(detector=Aligned()).predict(pictures)
    assert list(table.columns) == columns(DISFA8)
    assert table["input"].tolist() == [str(pictures / n) for n in ("a.png", "b.png", "c.png")]
    assert table["frame"].tolist() == [1, 1, 1]
    assert (table["success"] == 1).all()
    p = table[[f"{c}_p" for c in DISFA8.columns()]].to_numpy()
    # White is 1 after normalisation and black is -1.
    expected = 1 / (1 + np.exp(-np.array([1, -1 / 255, -1])[:, None] * np.arange(8)))
    assert np.allclose(p, expected, atol=1e-3)
    c = table[[f"{c}_c" for c in DISFA8.columns()]].to_numpy(dtype=float)
    assert np.array_equal(c, p >= 0.6)
    r = table[[f"{c}_r" for c in DISFA8.columns()]].to_numpy()
    assert np.allclose(r, 5 * p, atol=1e-5)


def test_model_without_intensity_leaves_it_empty(pictures):
    table = predictor(model=Shade(intensity=False), detector=Aligned()).predict(pictures / "a.png")
    assert table.filter(like="_r").isna().all(axis=None)
    assert table.filter(like="_p").notna().all(axis=None)


def test_every_frame_has_a_row(tmp_path):
    times = np.cumsum([0, *([0.04, 0.1] * 10)])
    clip = write_video(tmp_path / "clip.mp4", times)
    detector = Blinking()
    table = predictor(detector=detector).predict(clip)
    assert detector.side == 320
    assert table["frame"].tolist() == list(range(1, 22))
    assert np.allclose(table["timestamp"], times, atol=1e-3)
    seen = table["success"] == 1
    assert seen.tolist() == [i % 2 == 0 for i in range(21)]
    assert (table.loc[seen, "face_id"] == 0).all()
    assert table.loc[~seen].filter(like="AU").isna().all(axis=None)
    assert table.loc[~seen, "face_id"].isna().all()
    assert (table.loc[~seen, "confidence"] == 0).all()
    assert np.allclose(table.loc[seen, ["face_x", "face_w", "confidence"]], [10, 30, 0.75])


def test_frames_go_through_the_model_together(tmp_path):
    model = Shade()
    clip = write_video(tmp_path / "clip.mp4", np.arange(20) / 20)
    predictor(model=model, detector=Aligned()).predict(clip)
    assert sorted(model.batches) == [4, 8, 8]  # whichever thread comes first


def test_one_broken_file_does_not_stop_the_others(pictures, caplog):
    (pictures / "b.png").write_bytes((pictures / "b.png").read_bytes()[:60])
    (pictures / "d.mp4").write_bytes(b"rubbish")
    problems = []
    reader = predictor(detector=Aligned())
    readings = list(reader.readings([pictures, "nowhere.jpg"], problems.append))
    assert [Path(r.frame.source).name for r in readings] == ["a.png", "c.png"]
    assert sorted(str(p).split(":")[0] for p in problems) == sorted(
        ["nowhere.jpg", str(pictures / "b.png"), str(pictures / "d.mp4")]
    )
    assert len(reader.predict(pictures)) == 2
    assert len(caplog.messages) == 2


def test_nothing_to_read_raises(tmp_path):
    with pytest.raises(MediaError, match="nowhere"):
        predictor(detector=Aligned()).predict(tmp_path / "nowhere.jpg")


def test_identities_begin_anew_with_each_input(tmp_path):
    first = write_video(tmp_path / "a.mp4", np.arange(5) / 20)
    second = write_video(tmp_path / "b.mp4", np.arange(5) / 20)
    table = predictor(detector=Aligned()).predict(first, second)
    assert table.groupby("input")["face_id"].unique().map(list).tolist() == [[0], [0]]
    assert table["frame"].tolist() == [*range(1, 6), *range(1, 6)]


def test_a_consumer_may_stop_early(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", np.arange(40) / 20)
    readings = predictor(detector=Aligned()).readings([clip], [].append)
    taken = list(itertools.islice(readings, 3))
    readings.close()
    assert [r.frame.number for r in taken] == [0, 1, 2]


def test_thresholds_must_fit_the_vocabulary():
    with pytest.raises(ValueError, match="expected 8 thresholds"):
        Predictor(Shade(), DISFA8, [0.5], detector=Aligned())


def test_an_aligned_face_is_fed_as_it_was_trained_on(pictures):
    """A stored face goes in as the data set would crop it: scaled to `align`, centre crop."""
    face = Image.fromarray(skimage.data.astronaut()[40:200, 145:305]).resize((256, 256))
    face.save(pictures / "face.png")
    seen = []

    class Spy(Shade):
        def forward(self, images):
            seen.append(images)
            return super().forward(images)

    predictor(model=Spy(), detector=Aligned()).predict(pictures / "face.png")
    scaled = face.resize((32, 32), Image.Resampling.BILINEAR)  # as `data.dataset` does
    off = np.abs(seen[0][0].permute(1, 2, 0).numpy() - np.asarray(scaled)[2:-2, 2:-2] / 127.5 + 1)
    assert off.max() < 0.2
    assert off.mean() < 0.03


def test_astronaut_from_end_to_end(tmp_path):
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "astronaut.png")
    table = predictor(detector=SynFace(threads=1)).predict(tmp_path / "astronaut.png")
    assert len(table) == 1
    row = table.iloc[0]
    assert row["success"] == 1
    assert row["confidence"] > 0.8
    assert row["face_x"] < 224 < row["face_x"] + row["face_w"]


@photos
def test_real_clip():
    reader = predictor(detector=SynFace(threads=1), search_size=160)
    table = reader.predict(PHOTOS / "face_noface.mov")
    assert len(table) == 169
    success = table["success"].to_numpy()
    assert success[:60].all()
    assert not success[80:].any()
    assert set(table["face_id"].dropna()) == {0}


@pytest.mark.parametrize("name", list_templates())
def test_faces_are_placed_by_the_template_of_the_card(name, tmp_path, pictures, monkeypatch):
    model, card = make(tiny_recipe(tmp_path / "none.parquet"))
    saved = card.model_copy(update={"template": name})
    checkpoint.save(model, saved, tmp_path / "run")
    placed = []
    monkeypatch.setattr(
        align,
        "of_each",
        lambda images, owners, matrices, size: (
            placed.append(matrices) or of_each(images, owners, matrices, size)
        ),
    )
    reader = load(tmp_path / "run", detector=Aligned())
    reader.predict(pictures / "a.png")
    points = (TEMPLATE * 64)[None]
    # of an aligned face of 36 pixels the middle 32 are seen
    whole = transform(points, templates.place(points, name, card.spec.align))
    margin = (card.spec.align - card.spec.size) / 2
    assert np.allclose(transform(points, placed[0]), whole - margin)


def test_load_takes_labels_and_thresholds_from_the_card(tmp_path, pictures):
    model, card = make(tiny_recipe(tmp_path / "none.parquet"))
    checkpoint.save(model, card, tmp_path / "run")
    loaded = load(tmp_path / "run", detector=Aligned())
    assert loaded.aus.numbers == card.aus
    expected = Predictor(model, loaded.aus, card.thresholds, detector=Aligned())
    pd.testing.assert_frame_equal(loaded.predict(pictures), expected.predict(pictures))
    with pytest.raises(CheckpointError, match="nowhere"):
        load("nowhere")


class Describing(Shade):
    """It also gives embeddings: of each AU its logit and that of the next."""

    def forward(self, images):
        out = super().forward(images)
        both = torch.stack([out.logits, out.logits.roll(-1, 1)], -1)
        return out._replace(aux={"embeddings": both})


def test_embedding_is_read_on_request(pictures):
    read = predictor(model=Describing(), detector=Aligned())
    table = read.predict(pictures, add=["embedding"])
    assert list(table.columns) == columns(DISFA8, added(["embedding"], {"embedding": 2}, DISFA8))
    expected = np.log(table["AU12_p"] / (1 - table["AU12_p"])) / 5 * 3.5  # mean of 0 to 7
    np.testing.assert_allclose(table["e0"], expected, atol=0.05)
    np.testing.assert_allclose(table["e1"], expected, atol=0.05)
    assert list(read.predict(pictures).columns) == columns(DISFA8)
    reading = next(read.readings([pictures / "a.png"], pytest.fail, ["embedding"]))
    assert reading.embedding.shape == (1, 2)
    with pytest.raises(UserError, match="does not tell gaze; it tells embedding"):
        read.predict(pictures, add=["gaze"])
    with pytest.raises(UserError, match="does not tell embedding; it tells nothing"):
        predictor(detector=Aligned()).predict(pictures, add=["embedding"])


class Doubting(Shade):
    """Reads the more of a face the lighter it is."""

    def forward(self, images):
        out = super().forward(images)
        return out._replace(quality=(1 + images.mean((1, 2, 3))) / 2)


def test_confidence_is_that_of_the_search_times_what_the_model_reads(pictures):
    table = predictor(model=Doubting(), detector=Aligned()).predict(pictures)
    np.testing.assert_allclose(table["confidence"], [1, 0.5, 0], atol=0.01)
    plain = predictor(detector=Aligned()).predict(pictures)
    assert plain["confidence"].tolist() == [1, 1, 1]  # the model does not tell


def test_readings_of_little_confidence_are_marked_and_kept(pictures, tmp_path):
    read = predictor(model=Doubting(), detector=Aligned(), min_confidence=0.4)
    table = read.predict(pictures)
    assert table["success"].tolist() == [1, 1, 0]
    assert table.filter(like="_p").notna().all(axis=None)
    half = predictor(detector=Blinking(), min_confidence=0.8)
    clip = half.predict(write_video(tmp_path / "clip.mp4", [0, 0.1]))
    assert clip["success"].tolist() == [0, 0]
    assert clip["AU12_p"].notna().tolist() == [True, False]
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(UserError, match="min_confidence: expected 0 to 1"):
            predictor(min_confidence=wrong)
