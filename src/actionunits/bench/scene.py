"""Pictures and videos to measure on: rendered people of the embedded corpus on a grey wall."""

import io
import math
from collections.abc import Iterator
from fractions import Fraction
from importlib import resources
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from actionunits.data.stores import ParquetStore

_GRAY = 110
_RATE = 30  # frames a second
_APART = 104  # frames of one person in the corpus
_SWAY = 0.03  # of the room that a face has


def people(count: int, side: int) -> list[Image.Image]:
    """Faces of as many people, `side` pixels each; from the 31st on the first ones again."""
    corpus = resources.files("actionunits") / "corpora" / "synfacs-mini.parquet"
    store = ParquetStore([Path(str(corpus))])
    contents = [store.read(number * _APART % len(store)) for number in range(count)]
    faces = [Image.open(io.BytesIO(content)).convert("RGB") for content in contents]
    return [face.resize((side, side), Image.Resampling.BICUBIC) for face in faces]


def pictures(count: int, faces: int, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures (height, width, 3) in which as many faces sway.

    Args:
        count: pictures.
        faces: in each, side by side in rows, as large as there is room for.
        width: pixels.
        height: pixels.
    """
    columns = math.ceil(math.sqrt(faces * width / height))
    rows = math.ceil(faces / columns)
    room_x, room_y = width / columns, height / rows
    shown = people(faces, round(0.8 * min(room_x, room_y)))
    for time in range(count):
        wall = Image.new("RGB", (width, height), (_GRAY,) * 3)
        for number, face in enumerate(shown):
            sway = _SWAY * np.array([np.sin(time / 9 + number), np.cos(time / 13 + number)])
            row, column = divmod(number, columns)
            x, y = (np.array([column, row]) + 0.5 + sway) * (room_x, room_y) - face.width / 2
            wall.paste(face, (round(x), round(y)))
        yield np.asarray(wall)


def clip(path: Path, count: int, faces: int, width: int, height: int) -> Path:
    """Write such pictures as a video.

    Args:
        path: of the video.
        count: see `pictures`, like the others.
        faces: in each.
        width: pixels.
        height: pixels.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=_RATE)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 4_000_000
        for number, picture in enumerate(pictures(count, faces, width, height)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def stills(folder: Path, count: int, faces: int, width: int, height: int) -> Path:
    """Write such pictures as JPEG into a folder; see `pictures`."""
    folder.mkdir()
    for number, picture in enumerate(pictures(count, faces, width, height)):
        Image.fromarray(picture).save(folder / f"{number:04}.jpg", quality=90)
    return folder
