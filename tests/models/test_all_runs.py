"""Every system from its recipe to a reading: trained, stopped, resumed, scored, used, exported."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from actionunits import datasets
from actionunits.data.table import FrameTable
from actionunits.detect.predict import load
from actionunits.errors import CheckpointError, DataError
from actionunits.faces.given import Aligned
from actionunits.learn import checkpoint
from actionunits.learn.card import WEIGHTS, read_card
from actionunits.learn.evaluate import evaluate
from actionunits.learn.export import export
from actionunits.learn.recipe import list_recipes
from actionunits.learn.run import CHECKPOINT, LOG, STATE
from actionunits.learn.train import train
from actionunits.models import registry
from builders import write_synfacs
from cases import AUS, tiny
from learning import ctrl_c_in_batch

RECIPES = [n for n in list_recipes() if n.endswith("_synfacs") and n != "resnet18_synfacs"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synfacs(tmp_path_factory.mktemp("runs") / "corpus.parquet", 9, 1, 5)


@pytest.fixture(scope="module", params=RECIPES)
def run(
    request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out: Path = tmp_path_factory.mktemp(request.param) / "whole"
    train(tiny(request.param, corpus), 1, out, show=False)
    return out


def reads_aus(run: Path) -> bool:
    return bool(read_card(run).aus)


def picture(table: FrameTable, row: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(table.images.read(row))))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mgrrnet_synfacs", "learns landmarks .* --template similarity49, affine49 or box49"),
        ("sacl_synfacs", "learns landmarks and none of 30 training frames has any: prepare"),
        ("resnet18_synfacs_intensity", "learns intensities .* --set data.coding=intensity if"),
    ],
)
@pytest.mark.parametrize("gaps", [True, False])
def test_what_a_loss_needs_is_missed_before_training(
    name: str, said: str, gaps: bool, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = datasets.load("synfacs", corpus)
    occurs = dict(zip(table.aus.columns(), table.occurrence().T, strict=True))
    nowhere = np.full_like(table.landmarks, np.nan) if gaps else None
    bare = replace(table, rows=table.rows.assign(**occurs), coding="occurrence", landmarks=nowhere)
    monkeypatch.setitem(datasets._READERS, "synfacs", lambda root: bare)
    with pytest.raises(DataError, match=said):
        train(tiny(name, corpus), 1, tmp_path, show=False)
    assert not (tmp_path / STATE).exists()


def test_stopped_and_resumed_equals_uninterrupted(run: Path, tmp_path: Path) -> None:
    recipe = read_card(run).recipe
    with ctrl_c_in_batch(2):
        train(recipe, 1, tmp_path, show=False)
    train(recipe, 1, tmp_path, show=False)
    whole, halves = (load_file(path / CHECKPOINT / WEIGHTS) for path in (run, tmp_path))
    assert whole.keys() == halves.keys()
    assert all(torch.equal(whole[name], halves[name]) for name in whole)
    logs = [
        pd.read_csv(path / LOG).drop(columns=["images_per_second", "waiting"])
        for path in (run, tmp_path)
    ]
    pd.testing.assert_frame_equal(*logs, check_exact=True)


def test_evaluated_again_scores_the_same(run: Path) -> None:
    report = evaluate(run, resamples=10)
    card = read_card(run)
    assert set(report.scores) == set(card.scores)
    for name, score in report.scores.items():
        # in half precision a distance depends a little on the size of the batches
        assert score.mean == pytest.approx(card.scores[name], rel=1e-3, nan_ok=True), name
    assert report.to_table().row_count > 0


def test_reads_pictures_and_names_what_it_cannot(run: Path, corpus: Path, tmp_path: Path) -> None:
    if not reads_aus(run):
        with pytest.raises(CheckpointError, match="reads no AUs: take one of a model that does"):
            load(run)
        return
    table = datasets.load("synfacs", corpus)
    for row in (0, 7):
        Image.fromarray(picture(table, row)).save(tmp_path / f"{row}.png")
    predictor = load(run, detector=Aligned())
    read = predictor.predict(tmp_path, add=["embedding"])
    columns = [f"AU{number:02d}_p" for number in AUS]
    assert (read["success"] == 1).all()
    assert read[columns].to_numpy().min() >= 0
    assert read[columns].to_numpy().max() <= 1
    vectors = read.filter(regex=r"^e\d+$")
    assert vectors.shape[1] > 1
    assert np.isfinite(vectors).all(axis=None)
    # what is said of a picture is said of it by itself; so short a training may leave a network
    # that says the same of all, so that they need not differ
    for row, name in enumerate(("0.png", "7.png")):
        alone = predictor.predict(tmp_path / name, add=["embedding"])
        for part in (columns, list(vectors)):
            np.testing.assert_allclose(alone[part].iloc[0], read[part].iloc[row], atol=2e-2)


def test_exported_file_computes_the_same_without_the_library(run: Path, tmp_path: Path) -> None:
    if not reads_aus(run):
        with pytest.raises(CheckpointError, match="reads no AUs"):
            export(run, tmp_path / "model.onnx")
        return
    file = export(run, tmp_path / "model.onnx", embedding=True)
    card = read_card(run)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    shape = [5, *session.get_inputs()[0].shape[1:]]
    images = np.random.default_rng(0).uniform(0, 255, shape).astype("f4")
    found, vectors = session.run(["probability", "face_embedding"], {"images": images})
    model, _ = checkpoint.load(run)
    mean, std = (torch.tensor(v)[:, None, None] for v in (card.spec.mean, card.spec.std))
    with torch.inference_mode():
        out = model((torch.from_numpy(images) / 255 - mean) / std)
    np.testing.assert_allclose(found, out.logits.sigmoid(), atol=1e-4)
    beside = {} if out.besides is None else out.besides._asdict()
    more = {"landmarks": out.landmarks, "quality": out.quality, "intensity": out.intensity} | beside
    told = {name: value for name, value in more.items() if value is not None}
    names = [output.name for output in session.get_outputs()]
    assert {*names} == {"probability", "face_embedding", *told}
    for name, value in told.items():
        (read,) = session.run([name], {"images": images})
        np.testing.assert_allclose(read, value, atol=1e-3 * float(value.abs().max()))
    wanted = registry.embedding(out).numpy()
    np.testing.assert_allclose(vectors, wanted, atol=1e-3 * np.abs(wanted).max())
    assert session.get_modelmeta().custom_metadata_map["aus"] == (
        '["AU01", "AU02", "AU06", "AU12"]'
    )
