"""Material of ``au demo``: a photograph in the public domain and a clip of a rendered person."""

from importlib import resources
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from actionunits import datasets
from actionunits.data.faces import Faces
from actionunits.files import atomic, writing

_SUBJECT, _TASK = "S003", "T4"  # blinks, a smile, raised brows
_ROOM, _GRAY = 64, 110  # pixels around the aligned face, so that it has to be found


def photograph(folder: Path) -> Path:
    """Write the portrait of Eileen Collins (NASA, public domain) that comes with scikit-image."""
    path = folder / "astronaut.png"
    with writing(path), atomic(path) as temporary:
        temporary.write_bytes((resources.files("skimage") / "data" / "astronaut.png").read_bytes())
    return path


def clip(folder: Path) -> Path:
    """Write one person's first task of the embedded corpus as a video of its true speed."""
    table = datasets.load("synfacs")
    rows = table.rows
    chosen = table.subset(((rows["subject"] == _SUBJECT) & (rows["task"] == _TASK)).to_numpy())
    faces = Faces(chosen.images, chosen.rows["image"].to_numpy(np.int64), 256)
    frames = faces(np.arange(len(chosen))).permute(0, 2, 3, 1).numpy()
    room = ((0, 0), (_ROOM, _ROOM), (_ROOM, _ROOM), (0, 0))
    frames = np.pad(frames, room, constant_values=_GRAY)
    rate = round(1 / chosen.rows["seconds"].diff().median())
    path = folder / "rendered.mp4"
    with writing(path), atomic(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.bit_rate = 4_000_000
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path
