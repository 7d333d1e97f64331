"""Names of sources, which say what they are: files, cameras, addresses, standard input."""

import os
import re

STDIN = "stdin"
"""Standard input; a file that is called so is ``./stdin``."""

PATTERN = re.compile(r"%\d*d")
"""Stands for a number in the names of pictures, as C and FFmpeg write it."""

_CAMERA = re.compile(r"camera:(\d+)")
_ADDRESS = re.compile(r"(rtsp|https?)://.*", re.IGNORECASE | re.DOTALL)


def is_camera(source: str) -> bool:
    """Whether this source, as `sources` gives it, is a camera."""
    return _CAMERA.fullmatch(source) is not None


def is_address(source: str) -> bool:
    """Whether this source, as `sources` gives it, is on the network."""
    return _ADDRESS.fullmatch(source) is not None


def is_rtsp(source: str) -> bool:
    """Whether it is of the Real-Time Streaming Protocol, which has nothing but streams."""
    return source[:7].lower() == "rtsp://"


def is_stored(source: str) -> bool:
    """Whether this source, as `sources` gives it, is on the disk, and can be read again."""
    return not (is_camera(source) or is_address(source) or source == STDIN)


def is_pattern(source: str) -> bool:
    """Whether it names numbered pictures, by a pattern such as ``frame_%05d.png``."""
    return len(PATTERN.findall(os.path.basename(source))) == 1 and not os.path.lexists(source)
