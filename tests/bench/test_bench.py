"""`au bench`: what it measures on, and what it counts."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from actionunits import media, weights
from actionunits.bench import scene
from actionunits.bench.arithmetic import multiply_adds
from actionunits.bench.clock import seconds
from actionunits.faces.synface import SynFace
from actionunits.papers.complexity import measure
from command import Au


def test_a_call_takes_what_it_takes() -> None:
    calls = []

    def work() -> None:
        calls.append(threading.get_ident())
        time.sleep(0.03)

    assert seconds(work) >= 0.03
    assert len(calls) >= 4  # one does not count


@pytest.mark.parametrize("faces", [1, 5])
def test_all_faces_of_a_scene_are_found(tmp_path: Path, faces: int) -> None:
    stills = scene.stills(tmp_path / "stills", 1, faces, 1280, 720)
    (frame,) = media.frames(stills)
    assert frame.image.shape == (720, 1280, 3)
    (found,) = SynFace()([frame], 640)
    assert len(found.scores) == faces


def test_clips_have_as_many_frames_as_asked_for(tmp_path: Path) -> None:
    frames = list(media.frames(scene.clip(tmp_path / "clip.mp4", 17, 2, 320, 180)))
    assert [frame.number for frame in frames] == list(range(17))
    assert frames[0].image.shape == (180, 320, 3)
    assert frames[3].seconds == pytest.approx(0.1, abs=0.01)


def test_multiply_adds_of_a_graph_counted_by_hand(tmp_path: Path) -> None:
    def values(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(np.zeros(shape, np.float32), name)

    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "k"], ["a"], group=2, pads=[1, 1, 1, 1]),
            helper.make_node("GlobalAveragePool", ["a"], ["b"]),
            helper.make_node("Flatten", ["b"], ["c"]),
            helper.make_node("Gemm", ["c", "g"], ["d"], transB=1),
            helper.make_node("MatMul", ["d", "m"], ["y"]),
        ],
        "counted",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [values("k", 8, 2, 3, 3), values("g", 5, 8), values("m", 5, 3)],
    )
    onnx.save(helper.make_model(graph), tmp_path / "graph.onnx")
    by_hand = 36 * 8 * 2 * 9 + 5 * 8 + 5 * 3
    assert multiply_adds(tmp_path / "graph.onnx") * 1e9 == pytest.approx(by_hand)


@pytest.mark.parametrize("name", ["default", "resnet18"])
def test_graphs_count_as_their_models_do(name: str) -> None:
    recipe = {"default": "wholeface_people", "resnet18": "resnet18_people"}[name]
    model = measure(recipe, timed=False).multiply_adds
    graph = multiply_adds(weights.locate(name) / "model.onnx")
    assert graph * 1e9 == pytest.approx(model, rel=0.02)


def test_wrong_wishes_are_named(au: Au) -> None:
    said = au("bench", "--frames", 3)
    assert (said.code, "--frames: expected 16" in said.err) == (2, True)
    said = au("bench", "--model", "nobody")
    assert said.code == 2
    assert "nobody" in said.err


@pytest.mark.slow
@pytest.mark.parametrize("model", ["default-fast", "mdhr"])
def test_everything_is_measured(au: Au, model: str) -> None:
    said = au("bench", "--model", model, "--frames", 16, "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["model"] == model
    sections = {line["section"].partition(",")[0] for line in told["lines"]}
    expected = {"stages", "from file to readings", "length", "faces", "resolution", "cores"}
    assert sections == expected
    assert all(line["value"] > 0 for line in told["lines"])
