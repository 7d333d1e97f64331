"""Pictures and videos that tests write and read: importable from any test."""

from fractions import Fraction

import av
import numpy as np

from actionunits import media
from actionunits.errors import MediaError

RED, BLUE = (200, 30, 30), (30, 30, 200)


def halves(width=40, height=30):
    """Picture whose left half is red and whose right half is blue."""
    image = np.full((height, width, 3), BLUE, np.uint8)
    image[:, : width // 2] = RED
    return image


def near(pixel, colour, tolerance=12):
    return np.abs(np.asarray(pixel, int) - colour).max() <= tolerance


def save(tmp_path, image, name="picture.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def write_video(path, times, size=(64, 48), rotation=None, shades=None, codec="libx264", **options):
    """Video with a frame at each time; frame i is grey of shade i * 10, or as given."""
    clock = Fraction(1, 1000)
    with av.open(path, "w", options=options) as container:
        stream = container.add_stream(codec, rate=1000)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = stream.time_base = clock
        stream.options = {"bf": "0", "g": "4"}
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for i, time in enumerate(times):
            image = np.full((size[1], size[0], 3), i * 10 % 250, np.uint8)
            frame = av.VideoFrame.from_ndarray(image if shades is None else shades[i], "rgb24")
            frame.pts, frame.time_base = round(time / clock), clock
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def collect(path, threads=0):
    """Frames, and the error after them or None."""
    seen = []
    try:
        for frame in media.frames(path, threads):
            seen.append(frame)
    except MediaError as error:
        return seen, str(error)
    return seen, None
