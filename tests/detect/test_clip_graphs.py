"""Models of clips without PyTorch: two graphs say what the model says, however a video is cut."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from actionunits import weights
from actionunits.detect import onnx, pytorch
from actionunits.detect.network import ClipNetwork, Network
from actionunits.detect.reader import Read, reader
from actionunits.errors import CheckpointError, UserError
from actionunits.learn import checkpoint
from actionunits.learn.card import GRAPH, TIME, WEIGHTS, read_card
from actionunits.learn.export import write_graph
from actionunits.learn.quantize import rendered_faces
from actionunits.types import ClipModel, Face, Frame
from runs import make, tiny_recipe

MDHR = weights.locate("mdhr")
CARD = read_card(MDHR)
TRACKS = [*[(0,)] * 5, *[(0, 1)] * 9, (), *[(1,)] * 4, *[(0, 1)] * 13]  # faces that come and go
TIMES = [n / 10 + (1.5 if n > 22 else 0) for n in range(len(TRACKS))]  # and a cut


@pytest.fixture(scope="module")
def graphs() -> Network | ClipNetwork:
    return onnx.network(MDHR, CARD)


@pytest.fixture(scope="module")
def crops() -> NDArray[np.uint8]:
    """(frames, 2, size, size, 3): two people who move."""
    wanted = 2 * len(TRACKS)
    faces = rendered_faces(CARD.spec)[:wanted].astype(np.uint8).transpose(0, 2, 3, 1)
    return faces.reshape(-1, 2, *faces.shape[1:])


def push(
    network: Network | ClipNetwork, crops: NDArray[np.uint8], sizes: Sequence[int]
) -> list[Read]:
    """Read the frames in chunks of these sizes, the last of which is repeated."""
    run, found, start = reader(network, len(CARD.aus)), [], 0
    for number in range(len(TRACKS)):
        size = sizes[min(number, len(sizes) - 1)]
        chunk = range(start, min(start + size, len(TRACKS)))
        frames = [Frame(np.zeros((4, 4, 3), np.uint8), "x", n, TIMES[n]) for n in chunk]
        faces = [
            tuple(Face(f, t, np.zeros(4), np.zeros((5, 2)), 1.0) for t in TRACKS[f.number])
            for f in frames
        ]
        seen = [crops[n, t] for n in chunk for t in TRACKS[n]]
        looks: Iterator[object] = iter(run.look(np.stack(seen)) if seen else [])
        found += run.push(frames, faces, [[next(looks) for _ in shown] for shown in faces])
        start = chunk.stop
    return [*found, *run.finish()]


def values(read: list[Read]) -> NDArray[np.float64]:
    """Probabilities and embeddings of all faces, in order."""
    assert [len(each.faces) for each in read] == [len(tracks) for tracks in TRACKS]
    told = [(each.values.probability, each.values.embedding) for each in read if each.faces]
    return np.concatenate([np.concatenate(pair, axis=1) for pair in told])  # type: ignore[arg-type]


def test_graphs_read_what_the_model_reads(
    graphs: ClipNetwork, crops: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytorch, "fast_dtype", lambda device: torch.float32)
    model = pytorch.network(checkpoint.load(MDHR)[0])
    one, two = (values(push(network, crops, [16])) for network in (graphs, model))
    assert np.abs(one - two).max() < 1e-3 * np.abs(two).max()
    assert graphs.told == model.told
    assert graphs.intensity == model.intensity


@settings(deadline=None, max_examples=6)
@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_chunks_of_any_size_give_the_same(
    graphs: ClipNetwork, crops: NDArray[np.uint8], sizes: list[int]
) -> None:
    whole = values(push(graphs, crops, [len(TRACKS)]))
    assert np.allclose(values(push(graphs, crops, sizes)), whole, atol=1e-4)


def saved(folder: Path, **params: object) -> Path:
    """A run of a small MDHR with fresh weights."""
    small = {"backbone": "lcnet_050", "clip": 3, "neighbours": 1, "width": 16, "size": 32}
    spec = {"name": "mdhr", "params": {**small, "align": 36, **params}}
    model, card = make(tiny_recipe(folder / "none.parquet", model=spec))
    card = card.model_copy(update={"spec": cast(ClipModel, model).spec})
    checkpoint.save(model, card, folder, "float16")
    return folder


@pytest.mark.parametrize(
    "params",
    [
        {"layers": "printed", "groups": "whole"},
        {"multi_scale": "concatenation", "stages": [2, 4], "cross_region": "local"},
        {"multi_scale": "none", "regional": False, "auxiliary": False, "cross_region": "none"},
        {"temporal": False, "multi_scale": "sum", "cross_region": "fully_connected"},
    ],
)
def test_ablations_have_graphs_too(params: dict[str, object], tmp_path: Path) -> None:
    run = saved(tmp_path / "run", **params)
    write_graph(run)  # which compares
    assert onnx.has_graph(run)
    assert len(cast(ClipNetwork, onnx.network(run, read_card(run))).told) == 1


def test_both_graphs_go_with_their_weights(tmp_path: Path) -> None:
    run = saved(tmp_path / "run")
    write_graph(run)
    for graph in (GRAPH, TIME):
        assert (run / graph).stat().st_size < 1 << 20  # the weights are in their file
    with pytest.raises(UserError, match="only models of single faces go in bytes"):
        write_graph(run, int8=True)
    (run / TIME).write_bytes((run / TIME).read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=r"model-time\.onnx.*au export --beside"):
        onnx.network(run, read_card(run))
    (run / TIME).unlink()
    with pytest.raises(CheckpointError, match=r"model-time\.onnx.*au export --beside"):
        onnx.network(run, read_card(run))
    saved(run, width=8)
    assert (run / WEIGHTS).exists()
    assert not (run / GRAPH).exists()
