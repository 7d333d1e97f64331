"""Small ONNX graphs computed by PyTorch, on any device: plain networks of convolutions.

The weights and the order of what is computed are the file's, so that there is one file whoever
computes it. Operators are those of the ONNX specification, opset 18 to 20; what is not among
`_OPERATORS` is refused when the graph is loaded.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional

_SAYING = {"Gather", "Reshape", "Resize", "Slice"}
"""Operators whose later inputs say what is computed, and are asked on the processor."""
_TYPES = {onnx.TensorProto.FLOAT: torch.float32, onnx.TensorProto.INT64: torch.int64}


class OnnxGraph:
    """A graph of one input.

    What depends on weights alone is computed once, when it is loaded.
    """

    def __init__(self, file: Path, device: torch.device) -> None:
        """Load a graph.

        Args:
            file: with its weights in it.
            device: that computes it.

        Raises:
            OSError: there is no such file.
            ValueError: it has operators that are not known here, or no graph.
        """
        graph = onnx.load(file).graph
        unknown = {node.op_type for node in graph.node} - _OPERATORS.keys()
        if unknown or not graph.node:
            raise ValueError(f"expected a graph of known operators, found {sorted(unknown)}")
        self._input, self._outputs = graph.input[0].name, [each.name for each in graph.output]
        self._known: dict[str, Tensor | None] = {"": None}
        saying = {n for each in graph.node if each.op_type in _SAYING for n in each.input[1:]}
        for stored in graph.initializer:
            value = torch.from_numpy(np.array(numpy_helper.to_array(stored)))
            self._known[stored.name] = value if stored.name in saying else value.to(device)
        self._steps = []
        for node in graph.node:
            settings = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            step = (_OPERATORS[node.op_type], settings, tuple(node.input), node.output[0])
            if all(name in self._known for name in node.input):
                self._known[step[3]] = step[0](settings, *map(self._known.get, node.input))
            else:
                self._steps.append(step)

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Outputs of the graph.

        Args:
            images: float32, on the device.
        """
        values = self._known | {self._input: images}
        for operator, settings, inputs, output in self._steps:
            values[output] = operator(settings, *(values[name] for name in inputs))
        return [each for name in self._outputs if (each := values[name]) is not None]


Settings = Mapping[str, Any]


def _convolution(
    settings: Settings, x: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    stride, dilation = settings["strides"], settings["dilations"]
    padding = _evenly(settings["pads"])
    return functional.conv2d(x, weight, bias, stride, padding, dilation, settings["group"])


def _pooled(settings: Settings, x: Tensor) -> Tensor:
    padding = _evenly(settings["pads"])
    return functional.max_pool2d(x, settings["kernel_shape"], settings["strides"], padding)


def _evenly(pads: list[int]) -> list[int]:
    """Padding (top, left) of both sides alike, as PyTorch has it."""
    if pads[:2] != pads[2:]:
        raise ValueError(f"expected padding of both sides alike, found {pads}")
    return pads[:2]


def _resized(settings: Settings, x: Tensor, _region: None, scales: Tensor) -> Tensor:
    if settings["mode"] != b"nearest":
        raise ValueError(f"expected resizing by nearest, found {settings['mode']!r}")
    return functional.interpolate(x, scale_factor=scales[2:].tolist())


def _linear(settings: Settings, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.linear(x, weight if settings["transB"] else weight.t(), bias)


def _slice(
    _: Settings, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor, steps: Tensor
) -> Tensor:
    parts = [slice(None)] * x.ndim
    for axis, *part in zip(*(each.tolist() for each in (axes, starts, ends, steps)), strict=True):
        parts[axis] = slice(*part)
    return x[tuple(parts)]


def _gathered(settings: Settings, x: Tensor, index: Tensor) -> Tensor:
    return x.select(settings["axis"], int(index))


_OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "Add": lambda _, a, b: a + b,
    "Cast": lambda settings, x: x.to(_TYPES[settings["to"]]),
    "Conv": _convolution,
    "Div": lambda _, a, b: a / b,
    "Equal": lambda _, a, b: a == b,
    "Gather": _gathered,
    "Gemm": _linear,
    "MaxPool": _pooled,
    "Mul": lambda _, a, b: a * b,
    "Relu": lambda _, x: x.relu(),
    "Reshape": lambda _, x, shape: x.reshape(shape.tolist()),
    "Resize": _resized,
    "Sigmoid": lambda _, x: x.sigmoid(),
    "Slice": _slice,
    "Sub": lambda _, a, b: a - b,
}
