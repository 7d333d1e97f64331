"""Models that ONNX Runtime computes, from the graph beside their weights: PyTorch is not needed."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from actionunits.detect.network import MOST_FACES, Values, joined
from actionunits.errors import CheckpointError
from actionunits.files import seals
from actionunits.learn.card import GRAPH, INT8, WEIGHTS, Card, folder
from actionunits.system.privacy import onnx_session

_HELP = "write it anew with au export --beside, or read with --runtime torch"


def has_graph(path: Path, *, int8: bool = False) -> bool:
    """Whether a checkpoint can be read without PyTorch.

    Args:
        path: its folder, or that of its run.
        int8: by convolutions in bytes.
    """
    return (folder(path) / (INT8 if int8 else GRAPH)).is_file()


class GraphNetwork:
    """A model of single faces, on the processor, one thread for each that asks; see `Network`."""

    def __init__(self, path: Path, card: Card, *, int8: bool = False) -> None:
        """Load the graph and its weights.

        Args:
            path: folder of a checkpoint, or of its run, that has a graph.
            card: of the checkpoint.
            int8: take the graph whose convolutions compute in bytes.

        Raises:
            CheckpointError: the graph or the weights are damaged, or do not belong together.
        """
        file, weights = folder(path) / (INT8 if int8 else GRAPH), folder(path) / WEIGHTS
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what is wrong is said once, below
        if not weights.is_file():
            raise CheckpointError(f"{weights}: the weights are missing beside their card")
        with weights.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != card.sha256:
                raise CheckpointError(
                    f"{weights}: damaged, or not the weights of its card; copy both again"
                )
        try:
            self._session = onnx_session(str(file), options)
        except Exception as error:  # ONNX Runtime has a dozen kinds for files that it cannot read
            raise CheckpointError(f"{file}: damaged, or no ONNX graph; {_HELP}") from error
        said = self._session.get_modelmeta().custom_metadata_map
        if not seals.is_whole(file, said.get(seals.KEY)):
            raise CheckpointError(f"{file}: it is not what its checksum says; {_HELP}")
        if said.get("weights") != card.sha256:
            raise CheckpointError(f"{file}: is the graph of other weights; {_HELP}")
        shapes = {output.name: output.shape for output in self._session.get_outputs()}
        self._outputs, self._aus = list(shapes), len(card.aus)
        self.spec = card.spec
        self.intensity = "intensity" in shapes

    @cached_property
    def told(self) -> Mapping[str, int]:
        """What it tells besides AUs; see `Network`."""
        return self.values(np.zeros((1, self.spec.size, self.spec.size, 3), np.uint8)).told()

    def values(self, crops: NDArray[np.uint8]) -> Values:
        """Read (F, size, size, 3) faces; see `Network`."""
        starts = range(0, len(crops), MOST_FACES)
        return joined([self._part(crops[at : at + MOST_FACES]) for at in starts], self._aus)

    def _part(self, crops: NDArray[np.uint8]) -> Values:
        images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        found = self._session.run(self._outputs, {"images": images})
        told: dict[str, Any] = {
            name: v.astype(np.float64) for name, v in zip(self._outputs, found, strict=True)
        }
        told["embedding"] = told.pop("face_embedding", None)
        return Values(**{"intensity": None, **told})
