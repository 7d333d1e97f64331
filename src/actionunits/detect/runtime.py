"""What computes the model of a checkpoint on this machine."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from actionunits.detect.network import RUNTIMES, ClipNetwork, Network
from actionunits.errors import UserError
from actionunits.learn.card import WEIGHTS, Card, folder
from actionunits.system.machine import has_accelerator, has_amx, has_vnni

if TYPE_CHECKING:
    from torch import device as Device  # noqa: N812
    from torch.nn import Module

    from actionunits.faces.device import OnDevice

_LARGE = 10_000_000  # bytes of weights from which on bfloat16 on AMX pays, see docs/performance.md


def asked_with_arrays(network: "Network | ClipNetwork | Module") -> "Network | ClipNetwork":
    """A model of PyTorch as what is asked with arrays; what is so already stays.

    Args:
        network: an `AUModel` of PyTorch then runs on the processor.
    """
    if not hasattr(network, "state_dict"):
        return network
    from actionunits.detect import pytorch  # not before somebody has a model of PyTorch

    return pytorch.network(cast("Module", network))


def sight(network: "Network | ClipNetwork") -> "OnDevice | None":
    """What finds and crops faces on the device of a network; None where the processor does."""
    found: OnDevice | None = getattr(network, "sight", None)
    return found


def _fastest(path: Path, device: "str | Device | None") -> str:
    """What computes a model of this size fastest here, see docs/performance.md."""
    from actionunits.detect import onnx

    torch = find_spec("torch") is not None
    if torch and (str(device or "cpu") != "cpu" or (device is None and has_accelerator())):
        return "torch"
    if has_vnni() and onnx.has_graph(path, int8=True):
        return "int8"
    large = (folder(path) / WEIGHTS).stat().st_size > _LARGE
    return "onnx" if onnx.has_graph(path) and not (torch and has_amx() and large) else "torch"


def network(
    path: Path, card: Card, device: "str | Device | None", runtime: str
) -> "Network | ClipNetwork":
    """What computes the model of a checkpoint.

    Args:
        path: of the checkpoint.
        card: its card.
        device: of the model, see `predict.load`.
        runtime: of `RUNTIMES`.

    Raises:
        UserError: there is no such runtime or device, or the checkpoint has no graph for it.
        CheckpointError: it is damaged.
    """
    from actionunits.detect import onnx

    if runtime not in RUNTIMES:
        raise UserError(f"runtime: expected {', '.join(RUNTIMES)}, found {runtime}")
    if runtime == "auto":
        runtime = _fastest(path, device)
    if runtime in {"onnx", "int8"}:
        int8 = runtime == "int8"
        if not onnx.has_graph(path, int8=int8):
            raise UserError(
                f"runtime: {path} has no graph for {runtime}; write it with au export --beside"
                f"{' --int8' if int8 else ''}, or take --runtime torch"
            )
        if device is not None and str(device) != "cpu":
            raise UserError(f"device {device}: ONNX Runtime computes on cpu; take --runtime torch")
        return onnx.network(path, card, int8=int8)
    try:
        from actionunits.detect import pytorch
        from actionunits.learn import checkpoint
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path}: is read by PyTorch, and {error.name} is not installed: pip install "
            "'actionunits[train]'"
        ) from None
    place = pytorch.accelerator(device)  # said before the model is built
    return pytorch.network(checkpoint.load(path)[0], place)
