"""Pictures of more than 8 bits a colour: which number in them is white."""

import logging
from itertools import islice
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

_DEPTHS = (8, 10, 12, 14, 16, 24, 32)  # bits of what cameras and programs store
_HALF_BRIGHT = 128
_STRIP = 64  # rows that are converted at a time, as numbers eight times as large
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
    return _scaled(name, np.asarray(image), said, is_float=image.mode == "F")


def holds_16_bit_colours(image: Any) -> bool:
    """Whether the file has more of its colours than Pillow gives; asked before it is decoded."""
    return any("RGB;16" in str(tile.args) for tile in image.tile)


def brightened(name: str, image: Image.Image, said: float) -> Image.Image:
    """The same picture, of 16-bit colours, read anew if nothing in it is even half bright.

    Pillow keeps the upper 8 bits, in which those of a camera of 12 bits are all but black.
    """
    if np.max(image.getextrema()) >= _HALF_BRIGHT or image.tell():
        return image
    with open(name, "rb") as file, av.open(file, "r") as container:
        (frame,) = islice(container.decode(video=0), 1)
        values = frame.to_ndarray(format="rgb48le")
    bright = _scaled(name, values, said, is_float=False)
    turn = ExifTags.Base.Orientation
    bright.getexif()[turn] = image.getexif().get(turn, 1)
    return bright


def _scaled(name: str, values: NDArray[Any], said: float, *, is_float: bool) -> Image.Image:
    """Numbers of any kind as a picture; those that are none, or have no end, are black."""
    strips = [slice(top, top + _STRIP) for top in range(0, len(values), _STRIP)]
    highest = max(float(_finite(values[rows]).max()) for rows in strips)
    top = said or _found(highest, is_float=is_float)
    if top not in ((1, 255) if is_float else (65535,)):
        _log.warning(
            "%s: its numbers go up to %g; %g is taken for white, as %s",
            *(name, highest, top, "the file says" if said else "the fewest bits allow"),
        )
    scaled = np.empty(values.shape, np.uint8)
    for rows in strips:
        scaled[rows] = (_finite(values[rows]) * (255 / top)).round().clip(0, 255)
    return Image.fromarray(scaled)


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)


def _found(highest: float, *, is_float: bool) -> float:
    if is_float and highest <= 2:  # lights may be a little brighter than white
        return 1
    return next((2**bits - 1 for bits in _DEPTHS if highest <= 2**bits - 1), highest)


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
