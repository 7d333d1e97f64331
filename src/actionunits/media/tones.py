"""Pictures of more than 8 bits a colour: which number in them is white."""

import logging

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DEPTHS = (8, 10, 12, 14, 16, 24, 32)  # bits of what cameras and programs store
_MAXIMA = (341, 281)  # TIFF's SMaxSampleValue and MaxSampleValue

_log = logging.getLogger(__name__)


def eight_bit(name: str, image: Image.Image, said: float) -> Image.Image:
    """The same picture with 8 bits a colour.

    Where white is not all that the format could hold, it is logged.

    Args:
        name: of the file.
        image: of any kind.
        said: which number is white. If 0, it is the largest one of the fewest bits that hold all
            the numbers in the picture, and for floats 1 if none is much above.
    """
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0, neginf=0)
    top = said or _found(values, is_float=image.mode == "F")
    usual = (1, 255) if image.mode == "F" else (65535,)
    if top not in usual:
        _log.warning(
            "%s: its numbers go up to %g; %g is taken for white, as %s",
            *(name, values.max(), top, "the file says" if said else "the fewest bits allow"),
        )
    return Image.fromarray((values * (255 / top)).round().clip(0, 255).astype(np.uint8))


def _found(values: NDArray[np.float64], *, is_float: bool) -> float:
    top = float(values.max())
    if is_float and top <= 2:  # lights may be a little brighter than white
        return 1
    return next((2**bits - 1 for bits in _DEPTHS if top <= 2**bits - 1), top)


def white(name: str, image: Image.Image) -> float:
    """Number that is white by sBIT of PNG or MaxSampleValue of TIFF; 0 where they do not tell."""
    bits = _significant_bits(name) if image.format == "PNG" else 0
    if bits:
        return float(2**bits - 1)
    tags = getattr(image, "tag_v2", {})
    for tag in _MAXIMA:
        value = tags.get(tag)
        if value:
            return float(value[0] if isinstance(value, tuple) else value)
    return 0


def _significant_bits(name: str) -> int:
    """Bits that a PNG says count (sBIT), 0 where it does not tell; Pillow passes them over."""
    with open(name, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            content = file.read(int.from_bytes(head[:4]))
            if head[4:] == b"sBIT":
                return content[0]
            file.seek(4, 1)
    return 0
