"""The graph of a checkpoint, ``model.onnx``, by which it is read without PyTorch.

The weights are not written again. Tensors of some size are taken by the graph from the bytes of
``model.safetensors``, which ONNX lets it do, and made what the graph needs when it is loaded:
widened to float32, transposed, and multiplied by the scale of the norm that was folded into them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_LARGE = 1 << 13  # bytes of a tensor that is taken from the file of the weights
_ALIKE = 1e-4  # of the largest value: what folding a norm may round
_NUMBERS: dict[str, Any] = {"F16": "<f2", "F32": "<f4"}


class Stored(NamedTuple):
    """A tensor in a file of weights."""

    name: str
    values: NDArray[np.floating]
    offset: int  # bytes from the beginning of the file


def stored(file: Path) -> list[Stored]:
    """Tensors of floating numbers in a safetensors file."""
    content = file.read_bytes()
    length = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:length])
    tensors = []
    for name, entry in header.items():
        if entry.get("dtype") in _NUMBERS:
            start, end = (length + offset for offset in entry["data_offsets"])
            values = np.frombuffer(content[start:end], _NUMBERS[entry["dtype"]])
            tensors.append(Stored(name, values.reshape(entry["shape"]), start))
    return tensors


def slim(graph: ModelProto, weights: Path) -> ModelProto:
    """A graph that takes its large tensors from a file of weights that will lie beside it.

    Args:
        graph: whole, of a model with these weights.
        weights: safetensors.

    Returns:
        The graph, which computes the same up to rounding; tensors that are not made of those of the
        file stay in it.
    """
    slimmed = ModelProto()
    slimmed.CopyFrom(graph)
    tensors = stored(weights)
    own, shared, nodes = [], {}, []
    for initializer in graph.graph.initializer:
        values = numpy_helper.to_array(initializer)
        origin = _origin(initializer.name, values, tensors) if values.nbytes >= _LARGE else None
        if origin is None or values.dtype != np.float32:
            own.append(initializer)
            continue
        tensor, steps = origin
        shared[tensor.name] = _external(tensor, weights.name)
        nodes += _made(initializer.name, tensor, steps, own)
    del slimmed.graph.initializer[:], slimmed.graph.value_info[:]
    slimmed.graph.initializer.extend([*own, *shared.values()])
    kept = list(slimmed.graph.node)
    for node in kept:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    del slimmed.graph.node[:]
    slimmed.graph.node.extend([*nodes, *kept])
    return slimmed


def _origin(
    name: str, values: NDArray[Any], tensors: list[Stored]
) -> tuple[Stored, dict[str, NDArray[Any]]] | None:
    """Of which stored tensor an initializer is made, and what it is then multiplied by."""
    for tensor in sorted(tensors, key=lambda tensor: not name.endswith(tensor.name)):
        wide = tensor.values.astype(np.float32)
        if wide.shape == values.shape:
            if np.array_equal(wide, values):
                return tensor, {}
            if name.endswith(tensor.name):  # a norm is folded into it, channel by channel
                scale = _scale(wide, values)
                if scale is not None:
                    return tensor, {"scale": scale}
        if wide.ndim == 2 and wide.T.shape == values.shape and np.array_equal(wide.T, values):
            return tensor, {"transposed": np.zeros(0)}
    return None


def _scale(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float32] | None:
    """Factor of each first index, shaped to be multiplied by, if that is what was done."""
    rows = before.reshape(len(before), -1), after.reshape(len(after), -1)
    length = (rows[0] ** 2).sum(1)
    factor = (rows[0] * rows[1]).sum(1) / np.where(length > 0, length, 1)
    if np.abs(rows[0] * factor[:, None] - rows[1]).max() > _ALIKE * np.abs(rows[1]).max():
        return None
    scale: NDArray[np.float32] = factor.astype(np.float32).reshape(-1, *[1] * (before.ndim - 1))
    return scale


def _external(tensor: Stored, location: str) -> TensorProto:
    kind = TensorProto.FLOAT16 if tensor.values.dtype == np.float16 else TensorProto.FLOAT
    proto = TensorProto(name=_called(tensor), dims=tensor.values.shape, data_type=kind)
    proto.data_location = TensorProto.EXTERNAL
    where = {"location": location, "offset": tensor.offset, "length": tensor.values.nbytes}
    for key, value in where.items():
        proto.external_data.add(key=key, value=str(value))
    return proto


def _called(tensor: Stored) -> str:
    return f"stored.{tensor.name}"


def _made(
    name: str, tensor: Stored, steps: Mapping[str, NDArray[Any]], own: list[TensorProto]
) -> list[NodeProto]:
    """Operations that make an initializer of a stored tensor; constants of theirs go to `own`."""
    wide = name if not steps else f"{name}.wide"
    nodes = [helper.make_node("Cast", [_called(tensor)], [wide], to=TensorProto.FLOAT)]
    if "scale" in steps:
        own.append(numpy_helper.from_array(steps["scale"], f"{name}.scale"))
        nodes.append(helper.make_node("Mul", [wide, f"{name}.scale"], [name]))
    if "transposed" in steps:
        nodes.append(helper.make_node("Transpose", [wide], [name], perm=[1, 0]))
    return nodes
