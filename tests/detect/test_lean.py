"""Detection without PyTorch: the graphs read what the models read, and no more is needed."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
from lean import MISSING
from PIL import Image

import actionunits
from actionunits import weights
from actionunits.detect import onnx, runtime
from actionunits.detect.network import ClipNetwork, Network
from actionunits.detect.onnx import has_graph
from actionunits.errors import CheckpointError, UserError
from actionunits.learn import card as cards
from actionunits.learn import checkpoint
from actionunits.learn.card import GRAPH, INT8, WEIGHTS, Card, read_card
from actionunits.learn.card import GRAPHS as GRAPH_FILES
from actionunits.learn.export import write_graph
from actionunits.learn.quantize import rendered_faces
from command import Au
from runs import make, tiny_recipe

GRAPHS = [name for name in weights.list_weights() if has_graph(weights.locate(name))]
BYTES = [name for name in GRAPHS if has_graph(weights.locate(name), int8=True)]
LEAN = Path(__file__).with_name("lean.py")


def lean(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, LEAN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "astronaut.png")
    return tmp_path / "astronaut.png"


def test_the_weights_that_are_read_by_default_have_graphs() -> None:
    assert {"default", "default-fast"} <= set(BYTES) <= set(GRAPHS)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_reads_what_its_model_reads(name: str, photo: Path) -> None:
    graph, model = (
        actionunits.load(name, runtime=runtime, device="cpu").predict(photo, add=["embedding"])
        for runtime in ("onnx", "torch")
    )
    assert list(graph.columns) == list(model.columns)
    numbers = graph.select_dtypes("number").columns
    allowed = 0.06  # of bfloat16, which PyTorch takes where the processor has it
    for column in (c for c in numbers if c.endswith("_p")):
        assert np.allclose(graph[column], model[column], atol=allowed), column
    for column in (c for c in numbers if c.endswith("_r")):
        both = graph[column].isna().all() and model[column].isna().all()
        assert both or np.allclose(graph[column], model[column], atol=5 * allowed), column
    pair = [table.filter(regex=r"^e\d+$").to_numpy(float).ravel() for table in (graph, model)]
    assert np.corrcoef(*pair)[0, 1] > 0.99


def test_a_photograph_is_read_without_what_training_needs(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    ran = lean("detect", photo, "--out", out, "--overlay", tmp_path / "seen.png")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "seen.png").is_file()
    rows = pd.read_csv(out)
    assert rows["success"].tolist() == [1]
    assert rows["AU12_p"][0] > 0.5 > rows["AU04_p"][0]


def test_a_model_of_clips_reads_without_what_training_needs(photo: Path, tmp_path: Path) -> None:
    ran = lean("detect", photo, "--model", "mdhr", "--out", tmp_path / "rows.csv")
    assert ran.returncode == 0, ran.stderr
    assert pd.read_csv(tmp_path / "rows.csv")["success"].tolist() == [1]


def test_thresholds_are_calibrated_without_what_training_needs(photo: Path, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(photo.read_bytes())
    ran = lean("calibrate", "default-fast", tmp_path, "--out", tmp_path / "quiet", "--lower")
    assert ran.returncode == 0, ran.stderr
    assert read_card(tmp_path / "quiet").sha256 == read_card(weights.locate("default-fast")).sha256
    ran = lean("detect", photo, "--model", tmp_path / "quiet", "--json")
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["detect", "x.png", "--model", "landmarks"], "torch is not installed: pip install"),
        (["detect", "x.png", "--runtime", "torch"], "torch is not installed: pip install"),
        (
            ["detect", "x.png", "--runtime", "tensorflow"],
            "runtime: expected auto, onnx, int8, torch",
        ),
        (["models"], "pip install 'actionunits[train]'"),
        (["evaluate", "default"], "pip install 'actionunits[train]'"),
    ],
)
def test_what_is_missing_is_named(arguments: list[str], said: str, tmp_path: Path) -> None:
    ran = lean(*arguments)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "a fault in" not in ran.stderr


def test_packages_that_training_needs_are_those_of_its_extra() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    with project.open("rb") as file:
        extra = tomllib.load(file)["project"]["optional-dependencies"]["train"]
    named = {line.partition(">")[0] for line in extra}
    modules = {"scikit-image": "skimage", "scikit-learn": "sklearn"}
    assert {modules.get(name, name) for name in named} == MISSING


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    model, card = make(tiny_recipe(folder / "none.parquet"))
    checkpoint.save(model, card, folder / "run", "float16")
    write_graph(folder / "run")
    write_graph(folder / "run", int8=True)
    return folder / "run"


@pytest.fixture
def run(exported: Path, tmp_path: Path) -> Path:
    """A copy, since tests damage it."""
    return Path(shutil.copytree(exported, tmp_path / "run"))


def test_the_graph_holds_no_weights_of_its_own(run: Path) -> None:
    for name in GRAPHS:
        folder = weights.locate(name)
        for graph in (folder / file for file in GRAPH_FILES):
            assert not graph.exists() or graph.stat().st_size < 1 << 20
    for int8 in (False, True):
        network = onnx.network(run, read_card(run), int8=int8)
        faces = np.zeros((2, *[network.spec.size] * 2, 3), np.uint8)
        assert len(network.values(faces).probability) == 2


def test_a_graph_does_not_go_with_other_weights(run: Path, tmp_path: Path) -> None:
    (run / WEIGHTS).write_bytes((run / WEIGHTS).read_bytes()[:-1] + b"\x01")
    with pytest.raises(CheckpointError, match="damaged, or not the weights of its card"):
        actionunits.load(run, runtime="onnx")
    other, card = make(tiny_recipe(tmp_path / "none.parquet"))
    for parameter in other.parameters():
        parameter.data += 0.5
    checkpoint.save(other, card, run, "float16")
    assert not has_graph(run)  # it went with the weights
    assert not has_graph(run, int8=True)
    with pytest.raises(UserError, match="au export --beside, or"):
        actionunits.load(run, runtime="onnx")
    with pytest.raises(UserError, match="au export --beside --int8, or"):
        actionunits.load(run, runtime="int8")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_a_damaged_graph_is_named(run: Path, place: float) -> None:
    content = bytearray((run / GRAPH).read_bytes())
    content[int(place * len(content))] ^= 0x55
    (run / GRAPH).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.onnx.*au export --beside"):
        actionunits.load(run, runtime="onnx")


def test_a_copy_keeps_weights_and_graph(run: Path, tmp_path: Path) -> None:
    card = read_card(run)
    cards.copy(run, card.model_copy(update={"notes": "quiet"}), tmp_path / "copy")
    assert read_card(tmp_path / "copy").notes == "quiet"
    for name in (WEIGHTS, GRAPH, INT8):
        assert (tmp_path / "copy" / name).read_bytes() == (run / name).read_bytes()
    actionunits.load(tmp_path / "copy", runtime="onnx")


@pytest.mark.parametrize("name", BYTES)
def test_bytes_read_nearly_what_floating_numbers_read(name: str) -> None:
    folder = weights.locate(name)
    card = read_card(folder)
    faces = rendered_faces(card.spec)[:64].astype(np.uint8).transpose(0, 2, 3, 1)
    floating, rounded = (onnx.network(folder, card, int8=int8) for int8 in (False, True))
    off = np.abs(floating.values(faces).probability - rounded.values(faces).probability)
    assert off.mean() < 0.01
    alone = [rounded.values(face[None]).probability[0] for face in faces[:5]]
    assert np.allclose(alone, rounded.values(faces[:5]).probability, atol=1e-4)


def test_bytes_are_taken_where_the_processor_has_instructions_for_them(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "has_accelerator", lambda: False)
    monkeypatch.setattr(runtime, "has_amx", lambda: False)
    taken, load = [], onnx.network

    def network(path: Path, card: Card, *, int8: bool) -> Network | ClipNetwork:
        taken.append(int8)
        return load(path, card, int8=int8)

    monkeypatch.setattr(onnx, "network", network)
    for has in (True, False):
        monkeypatch.setattr(runtime, "has_vnni", lambda has=has: has)
        actionunits.load(run)
    (run / INT8).unlink()
    monkeypatch.setattr(runtime, "has_vnni", lambda: True)
    actionunits.load(run)
    assert taken == [True, False, False]


def test_a_graph_in_bytes_is_one_beside_the_weights(au: Au, run: Path, tmp_path: Path) -> None:
    said = au("export", run, "--out", tmp_path / "one.onnx", "--int8")
    assert said.code == 2
    assert "--int8: is a graph beside the weights; add --beside" in said.err
    (run / INT8).unlink()
    said = au("export", run, "--beside", "--int8")
    assert (said.code, has_graph(run, int8=True)) == (0, True)
    assert not said.out


def test_bytes_that_say_something_else_are_not_written(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actionunits.learn.export._ROUNDED", -1.0)
    before = (run / INT8).read_bytes()
    with pytest.raises(UserError, match="the graph was not written"):
        write_graph(run, int8=True)
    assert (run / INT8).read_bytes() == before
