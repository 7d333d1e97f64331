"""Pictures that a program holds already: arrays, tensors, Pillow's; one by one, or many."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actionunits.errors import UserError
from actionunits.media.pictures import upright_rgb

_HELD = "expected (H, W, 3) RGB of uint8, or (N, H, W, 3)"
_TENSOR = "expected (3, H, W) RGB of uint8, or of floats from 0 to 1, or (N, 3, H, W)"


def is_picture(given: Any) -> bool:
    """Whether this is, or should be, a picture or an array of several; of names it is not."""
    if isinstance(given, np.ndarray):
        return given.dtype.kind not in "OSU"
    return isinstance(given, Image.Image) or _is_tensor(given)


def pictures(given: Any, name: str) -> Iterator[NDArray[np.uint8]]:
    """Pictures as (H, W, 3) RGB uint8, copies of what is held.

    Args:
        given: an array (H, W, 3) or (N, H, W, 3) of uint8; a Pillow picture of any mode; a tensor
            (3, H, W) or (N, 3, H, W) of uint8, or of floats from 0 to 1, on any device.
        name: what it is called in errors.

    Raises:
        UserError: it has another shape, kind of numbers or range: which is said.
    """
    if isinstance(given, Image.Image):
        yield upright_rgb(name, given)
        return
    held = _of_tensor(given, name) if _is_tensor(given) else _of_array(given, name)
    for picture in held if held.ndim == 4 else [held]:
        yield np.array(picture)


def _of_array(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    found = f"{name}: {_HELD}, found {array.shape} of {array.dtype}"
    if array.dtype != np.uint8:
        floats = np.issubdtype(array.dtype, np.floating)
        advice = (
            "multiply floats from 0 to 1 by 255, then" if floats else "bring it to 0 to 255 and"
        )
        raise UserError(f"{found}; {advice} .astype(np.uint8)")
    _check_shape(array.shape, array.shape[-1:], found, _advice(array.shape))
    return array


def _of_tensor(tensor: Any, name: str) -> NDArray[np.uint8]:
    shape = tuple(tensor.shape)
    kind = str(tensor.dtype).removeprefix("torch.")
    found = f"{name}: {_TENSOR}, found {shape} of {kind}"
    if not tensor.is_floating_point() and kind != "uint8":
        raise UserError(f"{found}; bring it to 0 to 255 and .to(torch.uint8)")
    advice = "; channels come first: .permute(2, 0, 1)" if shape[-1:] == (3,) else ""
    _check_shape(shape, shape[-3:-2], found, advice)
    values = tensor.detach().cpu()
    array = (values.float() if tensor.is_floating_point() else values).numpy()
    if tensor.is_floating_point():
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):
            advice = "divide it by 255" if low >= 0 and high <= 255 else "undo what normalised it"
            raise UserError(f"{found} from {low:.3g} to {high:.3g}; {advice}")
        array = np.rint(array * 255).astype(np.uint8)
    placed: NDArray[np.uint8] = np.moveaxis(array, -3, -1)
    return placed


def _check_shape(
    shape: tuple[int, ...], channels: tuple[int, ...], found: str, advice: str
) -> None:
    if len(shape) not in (3, 4) or channels != (3,):
        raise UserError(f"{found}{advice}")
    if 0 in shape[-3:]:
        raise UserError(f"{found}, which is empty")


def _advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 2 or shape[-1:] == (1,):
        return "; repeat a grey picture three times in a last axis"
    if len(shape) in (3, 4) and shape[-1] == 4:
        return "; leave out the fourth channel: [..., :3]"
    if len(shape) in (3, 4) and shape[-3] == 3:
        return "; channels come last: np.moveaxis(x, -3, -1)"
    return ""


def _is_tensor(given: Any) -> bool:
    torch = sys.modules.get("torch")  # where nobody has imported it there are no tensors
    return torch is not None and isinstance(given, torch.Tensor)
