"""The graph of a checkpoint with convolutions in whole numbers of 8 bits.

Processors with instructions for them (VNNI) multiply bytes some three times as fast as floating
numbers. Weights are rounded channel by channel, when the graph is loaded; what flows between the
layers by its range on rendered faces (quantisation after training, Jacob et al., CVPR 2018).
"""

import logging
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from actionunits.data import synfacs
from actionunits.data.faces import Faces
from actionunits.types import InputSpec

_EVERY = 8  # frames of the embedded corpus, of which one is taken: 390 of 30 people
_BATCH = 8


def rendered_faces(spec: InputSpec) -> NDArray[np.float32]:
    """Faces by which ranges are told: (N, 3, size, size), RGB on 0..255, of the embedded corpus.

    Args:
        spec: what the model is fed.
    """
    table = synfacs.read()
    numbers = table.rows["image"].to_numpy(np.int64)
    faces = Faces(table.images, numbers, spec.align)(np.arange(0, len(numbers), _EVERY))
    edge = (spec.align - spec.size) // 2
    inner = slice(edge, edge + spec.size)
    cropped: NDArray[np.uint8] = faces[:, :, inner, inner].numpy()
    return np.ascontiguousarray(cropped, np.float32)


class _Batches:
    """What ONNX Runtime reads the ranges off."""

    def __init__(self, faces: NDArray[np.float32]) -> None:
        count = len(faces) // _BATCH  # of equal size, which is asked for
        self._batches: Iterator[NDArray[np.float32]] = iter(
            np.split(faces[: count * _BATCH], count)
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch}


def in_bytes(graph: ModelProto, faces: NDArray[np.float32]) -> ModelProto:
    """A graph whose convolutions compute in bytes.

    Args:
        graph: whole, in float32.
        faces: (N, 3, size, size) on 0..255, by which the ranges are told.

    Returns:
        The same with roundings around the convolutions. The weights stay in float32 and are rounded
        by the graph itself, so that `graph.slim` can take them from where they are stored.
    """
    # here, since only this needs it
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises to do what has just been done
    try:
        with (
            TemporaryDirectory() as folder,
            redirect_stdout(StringIO()),
        ):  # where it tells of its work
            whole, prepared, rounded = (
                Path(folder) / f"{name}.onnx" for name in ("whole", "prepared", "rounded")
            )
            onnx.save(graph, whole)
            quant_pre_process(str(whole), str(prepared), skip_symbolic_shape=True)
            reader: Any = _Batches(faces)
            quantize_static(
                *(str(prepared), str(rounded), reader),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,  # weights of 7 bits: without VNNI sums of two products overflow
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.Percentile,
                op_types_to_quantize=["Conv"],
            )
            found, before = onnx.load(rounded), onnx.load(prepared)
    finally:
        root.setLevel(level)
    return _with_weights(found, {each.name: each for each in before.graph.initializer})


def _with_weights(graph: ModelProto, floating: dict[str, TensorProto]) -> ModelProto:
    """The graph with its weights as they were, and the operations that round them."""
    kept, nodes = [], []
    for initializer in graph.graph.initializer:
        name = initializer.name.removesuffix("_quantized")
        if initializer.data_type != TensorProto.INT8 or name not in floating:
            kept.append(initializer)
            continue
        kept.append(floating[name])
        nodes.append(
            helper.make_node(
                "QuantizeLinear",
                [name, f"{name}_scale", f"{name}_zero_point"],
                [initializer.name],
                axis=0,
            )
        )
    rest = list(graph.graph.node)
    del graph.graph.initializer[:], graph.graph.node[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend([*nodes, *rest])
    return graph
