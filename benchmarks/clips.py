"""Test clips for the benchmarks: a public-domain portrait that wanders through the picture."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import skimage.data
from PIL import Image


def portrait_clip(
    path: Path, frames: int, rate: int = 30, width: int = 640, height: int = 360
) -> Path:
    """Write an H.264 clip in which scikit-image's astronaut moves and her face stays in view."""
    scene = Image.fromarray(skimage.data.astronaut()).resize((width * 5 // 4, width * 5 // 4))
    room_x, room_y = scene.width - width, scene.width // 8
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for i in range(frames):
            x = round((1 + np.sin(i / 40)) / 2 * room_x)
            y = round((1 + np.cos(i / 55)) / 2 * room_y)
            frame = av.VideoFrame.from_image(scene.crop((x, y, x + width, y + height)))
            frame.pts, frame.time_base = i, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
