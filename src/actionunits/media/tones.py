"""Pictures of more than 8 bits a colour: which number in them is white."""

import logging
from itertools import islice
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DEPTHS = (8, 10, 12, 14, 16, 24, 32)  # bits of what cameras and programs store
_HALF_BRIGHT = 128
_ORIENTATION = 0x0112  # in EXIF
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
    return _scaled(name, values, said, is_float=image.mode == "F")


def holds_16_bit_colours(image: Any) -> bool:
    """Whether the file has more of its colours than Pillow gives; asked before it is decoded."""
    return any("RGB;16" in str(tile.args) for tile in image.tile)


def brightened(name: str, image: Image.Image, said: float) -> Image.Image:
    """The same picture, of 16-bit colours, read anew if nothing in it is even half bright.

    Pillow keeps the upper 8 bits, in which those of a camera of 12 bits are all but black.
    """
    if np.asarray(image).max() >= _HALF_BRIGHT or image.tell():
        return image
    with open(name, "rb") as file, av.open(file, "r") as container:
        (frame,) = islice(container.decode(video=0), 1)
        values = frame.to_ndarray(format="rgb48le").astype(np.float64)
    bright = _scaled(name, values, said, is_float=False)
    bright.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return bright


def _scaled(name: str, values: NDArray[np.float64], said: float, *, is_float: bool) -> Image.Image:
    top = said or _found(values, is_float=is_float)
    if top not in ((1, 255) if is_float else (65535,)):
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
