"""The networks as the two ONNX files that `faces.synface` runs."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.export import Dim

from actionunits.errors import DataError
from actionunits.faces.sight import LOOK_SIDE
from actionunits.files import atomic, writing
from actionunits.system.privacy import onnx_session

_TOLERANCE = 0.02  # of what comes out, by weights of half precision
_LARGE = 256  # numbers of a weight from which on it is stored in half precision


class Peaks(nn.Module):
    """The first network, with probabilities where no cell nearby says more, and 0 elsewhere."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `SearchNet`."""
        logits, place = self.network(images)
        chance = torch.sigmoid(logits)
        return chance * (nn.functional.max_pool2d(chance, 3, 1, 1) == chance), place


class Chances(nn.Module):
    """The second network, with probabilities."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `LookNet`."""
        logits, values = self.network(images)
        return torch.sigmoid(logits), values


def write(search: nn.Module, look: nn.Module, out: Path) -> None:
    """Write ``search.onnx`` and ``look.onnx`` into a folder, and check what they compute.

    Raises:
        DataError: ONNX Runtime computes something else than PyTorch.
    """
    many, high, wide = Dim("many"), Dim("high"), Dim("wide")
    sizes = {0: many, 2: 32 * high, 3: 32 * wide}
    shown = torch.rand(2, 3, 96, 128) * 255
    _write(Peaks(search).eval(), shown, sizes, ("peaks", "places"), out / "search.onnx")
    shown = torch.rand(2, 3, LOOK_SIDE, LOOK_SIDE) * 255
    _write(Chances(look).eval(), shown, {0: many}, ("scores", "values"), out / "look.onnx")


def _write(
    network: nn.Module, shown: Tensor, sizes: dict[int, Dim], names: tuple[str, str], file: Path
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with writing(file), atomic(file) as temporary:
        torch.onnx.export(
            network,
            (shown,),
            temporary,
            input_names=["images"],
            output_names=list(names),
            dynamic_shapes=(sizes,),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        _halve(temporary)
        with torch.no_grad():
            expected = network(shown)
        computed = onnx_session(temporary).run(None, {"images": shown.numpy()})
        off = max(
            float(np.abs(a.numpy() - b).mean()) for a, b in zip(expected, computed, strict=True)
        )
        if not off < _TOLERANCE:
            raise DataError(
                f"{file}: ONNX Runtime is off by {off:.3g} from PyTorch; it is not written"
            )


def _halve(file: Path) -> None:
    """Store weights in half precision; they are widened once, when the graph is loaded."""
    model = onnx.load(file)
    graph, casts = model.graph, []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size >= _LARGE:
            name = weight.name
            stored = numpy_helper.from_array(values.astype(np.float16), f"{name}_half")
            weight.CopyFrom(stored)
            casts.append(helper.make_node("Cast", [stored.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, file)
