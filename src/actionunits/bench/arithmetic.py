"""How fast the arithmetic of a network alone could be on this machine."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from actionunits.bench.clock import seconds
from actionunits.system.privacy import onnx_session

_SIDE = 1024  # of the matrices, which no processor's units are too wide for
_FACES = 8  # of a batch


def peak() -> float:
    """Multiply-adds a second of one thread in one large matrix product in float32, in billions."""
    rows = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [_SIDE, _SIDE])]
    product = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [_SIDE, _SIDE])]
    values = np.ones((_SIDE, _SIDE), np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        *("product", rows, product, [numpy_helper.from_array(values, "w")]),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnx_session(model.SerializeToString(), options)
    return _SIDE**3 / seconds(lambda: session.run(None, {"x": values})) / 1e9


def multiply_adds(graph: Path) -> float:
    """Multiply-adds of the convolutions and matrix products of a graph for one face, in billions.

    Args:
        graph: ONNX file whose first axis of the input is the batch.
    """
    model = onnx.load(graph, load_external_data=False)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = _FACES
    del model.graph.value_info[:]  # of any batch
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }
    shapes |= {weight.name: list(weight.dims) for weight in inferred.initializer}
    total = sum(
        np.prod(shapes[node.output[0]], dtype=float) * _terms(node, shapes)
        for node in inferred.node
        if node.op_type in {"Conv", "Gemm", "MatMul"}
    )
    return float(total) / _FACES / 1e9


def _terms(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> float:
    """Products that are summed for one number of the output of a node."""
    second = shapes[node.input[1]]
    if node.op_type == "Conv":
        return float(np.prod(second[1:]))
    transposed = any(each.name == "transB" and each.i for each in node.attribute)
    return float(second[-1] if transposed else second[-2])
