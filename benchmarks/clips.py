"""Test clips for the benchmarks: a public-domain portrait that wanders through the picture."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image


def portrait_clip(
    path: Path, frames: int, rate: int = 30, width: int = 640, height: int = 360
) -> Path:
    """Write an H.264 clip in which scikit-image's astronaut moves and her face stays in view."""
    scene = Image.fromarray(skimage.data.astronaut()).resize((width * 5 // 4, width * 5 // 4))
    room_x, room_y = scene.width - width, scene.width // 8

    def picture(number: int) -> NDArray[np.uint8]:
        x = round((1 + np.sin(number / 40)) / 2 * room_x)
        y = round((1 + np.cos(number / 55)) / 2 * room_y)
        return np.asarray(scene.crop((x, y, x + width, y + height)))

    return write_clip(path, map(picture, range(frames)), rate)


def write_clip(path: Path, pictures: Iterable[NDArray[np.uint8]], rate: int = 30) -> Path:
    """Write pictures (H, W, 3) as an H.264 clip."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.pix_fmt, stream.options = "yuv420p", {"preset": "ultrafast"}
        for number, picture in enumerate(pictures):
            if not number:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
