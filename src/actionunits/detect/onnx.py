"""Models that ONNX Runtime computes, from the graph beside their weights: PyTorch is not needed."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from actionunits.detect.network import MOST_FACES, ClipNetwork, Network, Values, joined
from actionunits.errors import CheckpointError
from actionunits.files import seals
from actionunits.learn.card import GRAPH, INT8, TIME, WEIGHTS, Card, folder
from actionunits.system.privacy import onnx_session

_HELP = "write it anew with au export --beside, or read with --runtime torch"


def has_graph(path: Path, *, int8: bool = False) -> bool:
    """Whether a checkpoint can be read without PyTorch.

    Args:
        path: its folder, or that of its run.
        int8: by convolutions in bytes.
    """
    return (folder(path) / (INT8 if int8 else GRAPH)).is_file()


def network(path: Path, card: Card, *, int8: bool = False) -> Network | ClipNetwork:
    """Load the graph of a checkpoint, or both of a model of clips, and its weights.

    Args:
        path: folder of a checkpoint, or of its run, that has a graph.
        card: of the checkpoint.
        int8: take the graph whose convolutions compute in bytes.

    Raises:
        CheckpointError: a graph or the weights are damaged, or do not belong together.
    """
    weights = folder(path) / WEIGHTS
    if not weights.is_file():
        raise CheckpointError(f"{weights}: the weights are missing beside their card")
    with weights.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != card.sha256:
            raise CheckpointError(
                f"{weights}: damaged, or not the weights of its card; copy both again"
            )
    graph = _Graph(folder(path) / (INT8 if int8 else GRAPH), card)
    if card.spec.clip is None:
        return GraphNetwork(graph, card)
    return GraphClips(graph, _Graph(folder(path) / TIME, card), card)


class _Graph:
    """A graph whose checksums are right, on the processor, one thread for each that asks.

    Attributes:
        outputs: their names.
    """

    def __init__(self, file: Path, card: Card) -> None:
        """Load it, with the weights beside it."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what is wrong is said once, below
        try:
            self._session = onnx_session(str(file), options)
        except Exception as error:  # ONNX Runtime has a dozen kinds for files that it cannot read
            raise CheckpointError(f"{file}: damaged, or no ONNX graph; {_HELP}") from error
        said = self._session.get_modelmeta().custom_metadata_map
        if not seals.is_whole(file, said.get(seals.KEY)):
            raise CheckpointError(f"{file}: it is not what its checksum says; {_HELP}")
        if said.get("weights") != card.sha256:
            raise CheckpointError(f"{file}: is the graph of other weights; {_HELP}")
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, **inputs: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Compute all outputs."""
        return dict(zip(self.outputs, self._session.run(self.outputs, inputs), strict=True))


def _values(found: Mapping[str, NDArray[Any]]) -> Values:
    told: dict[str, Any] = {name: values.astype(np.float64) for name, values in found.items()}
    told["embedding"] = told.pop("face_embedding", None)
    return Values(**{"intensity": None, **told})


def _parts(crops: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    """(F, 3, size, size) pictures of crops, a bearable number at a time."""
    for at in range(0, len(crops), MOST_FACES):
        yield np.ascontiguousarray(
            crops[at : at + MOST_FACES].transpose(0, 3, 1, 2), dtype=np.float32
        )


class GraphNetwork:
    """A model of single faces; see `Network`."""

    def __init__(self, graph: _Graph, card: Card) -> None:
        self._graph, self._aus = graph, len(card.aus)
        self.spec = card.spec
        self.intensity = "intensity" in graph.outputs

    @cached_property
    def told(self) -> Mapping[str, int]:
        """What it tells besides AUs; see `Network`."""
        return self.values(np.zeros((1, self.spec.size, self.spec.size, 3), np.uint8)).told()

    def values(self, crops: NDArray[np.uint8]) -> Values:
        """Read (F, size, size, 3) faces; see `Network`."""
        read = [_values(self._graph.run(images=images)) for images in _parts(crops)]
        return joined(read, self._aus)


class GraphClips:
    """A model of clips, one graph for each face, another for it in its time; see `ClipNetwork`."""

    def __init__(self, encoder: _Graph, in_time: _Graph, card: Card) -> None:
        self._encoder, self._in_time = encoder, in_time
        self.spec = card.spec
        self.intensity = "intensity" in in_time.outputs

    @cached_property
    def told(self) -> Mapping[str, int]:
        """What it tells besides AUs; see `ClipNetwork`."""
        blank = self.encode(np.zeros((1, self.spec.size, self.spec.size, 3), np.uint8))
        return self.read([*blank] * (2 * self.spec.context + 1)).told()

    def encode(self, crops: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        """What is kept of (F, size, size, 3) faces; see `ClipNetwork`."""
        features = [self._encoder.run(images=images)["features"] for images in _parts(crops)]
        return [of_face for part in features for of_face in part]

    def read(self, kept: Sequence[NDArray[np.float32]]) -> Values:
        """Read a face in its time; see `ClipNetwork`."""
        return _values(self._in_time.run(features=np.stack(kept)[None])).part(0)
