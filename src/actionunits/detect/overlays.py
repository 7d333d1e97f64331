"""Files of overlays: annotated pictures and videos, written as the readings come."""

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageOps

from actionunits import media
from actionunits.detect.hidden import Hider, with_hidden
from actionunits.detect.outputs import Job
from actionunits.detect.paint import PANEL
from actionunits.detect.places import check, destinations, is_folder
from actionunits.detect.plots import overlay
from actionunits.detect.strip import Strip
from actionunits.detect.writers import PerInput
from actionunits.errors import UserError, counted
from actionunits.files import atomic, writing
from actionunits.types import Reading

DRAWN = ("landmarks", "pose")
"""What is drawn besides AUs where the model tells it, see `added.ADDABLE`."""

_LARGE = 1 << 22  # pixels of a frame of an overlay
_WRITTEN = media.IMAGES - {".apng", ".heic", ".heif", ".hif"}  # the others are only read
_CLOCK = Fraction(1, 60_000)  # seconds per tick of an overlay video; MPEG-4 allows 1/65535


def overlay_files(out: Path | str, sources: Sequence[str]) -> dict[str, Path]:
    """Annotated picture or video of each input.

    Args:
        out: a picture or video file for a single input, or a folder for a file an input
            (``NAME_au.jpg``, ``NAME_au.mp4``).
        sources: the inputs, see `media.sources`.

    Raises:
        UserError: one file was named for several inputs, or a picture for a video.
    """
    if is_folder(out):
        ending = {True: "_au.jpg", False: "_au.mp4"}
        return destinations(sources, Path(out), lambda source: ending[media.is_still(source)])
    if len(sources) > 1:
        raise UserError(
            f"{out}: one file for {counted(len(sources), 'input')}; name a folder instead"
        )
    for source in sources:
        is_still = media.is_still(source)
        if Path(out).suffix.lower() not in (_WRITTEN if is_still else media.VIDEOS):
            kind = "picture, such as .png" if is_still else "video, such as .mp4"
            raise UserError(f"{out}: the overlay of {source} is a {kind}; change the suffix")
    return dict.fromkeys(sources, Path(out))


def overlay_writer(out: Path | str, job: Job) -> PerInput:
    """Writer of annotated pictures and videos.

    Args:
        out: see `overlay_files`.
        job: what to write.

    Raises:
        UserError: one file was named for several inputs, a picture for a video, or an input.
    """
    paths = overlay_files(out, job.sources)
    check(paths.values(), job.sources)
    source = {path: source for source, path in paths.items()}
    stills = {path for path in source if media.is_still(source[path])}
    return PerInput(
        paths,
        lambda path: _Picture(path, job) if path in stills else _Video(path, source[path], job),
        job.problems,
    )


class _Picture:
    """Writer of one annotated picture; of further pages of a source beside it (``NAME_au-2``)."""

    def __init__(self, path: Path, job: Job) -> None:
        self._path, self._job = path, job

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        """Nothing is open between frames."""

    def add(self, reading: Reading) -> None:
        path = self._path
        if reading.frame.number:
            path = path.with_stem(f"{path.stem}-{reading.frame.number + 1}")
        shown = with_hidden(reading) if self._job.blur else reading
        with writing(path), atomic(path) as temporary:
            Image.fromarray(overlay(shown, self._job.aus)).save(temporary, quality=92)


class _Video:
    """Writer of one annotated video with the times of its source, from the start of its part.

    It has the sound of its source, but for that of people who are hidden: a voice is known too.
    """

    def __init__(self, path: Path, source: str, job: Job) -> None:
        self._path, self._source, self._job = path, source, job
        self._strip, self._hider = Strip(job.aus), Hider() if job.blur else None
        self._stack = ExitStack()
        self._last = -1

    def __enter__(self) -> Self:
        with writing(self._path), ExitStack() as stack:
            self._temporary = stack.enter_context(atomic(self._path))
            self._container: OutputContainer = av.open(self._temporary, "w")
            stack.enter_context(self._container)
            self._stream: VideoStream | None = None
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: Any) -> None:
        if failure[0] is None:
            with writing(self._path), self._stack:
                for reading in self._hider.finish() if self._hider else ():
                    self._draw(reading)
                if self._stream is not None:
                    self._container.mux(self._stream.encode(None))
                self._container.close()
                if self._hider is None:
                    self._add_sound()
        else:
            with suppress(OSError):  # the disk may be full: the first error says so
                self._stack.__exit__(*failure)

    def add(self, reading: Reading) -> None:
        for each in self._hider.push(reading) if self._hider else (reading,):
            self._draw(each)

    def _draw(self, reading: Reading) -> None:
        self._strip.add(reading)
        frame = self._drawn(reading)
        seconds = reading.frame.seconds - self._job.span.start
        # Encoders want times that grow, which those of damaged videos do not always do.
        self._last = max(round(seconds / _CLOCK), self._last + 1)
        frame.pts, frame.time_base = self._last, _CLOCK
        assert self._stream is not None
        with writing(self._path):
            self._container.mux(self._stream.encode(frame))

    def _drawn(self, reading: Reading) -> av.VideoFrame:
        image = overlay(reading, self._job.aus, self._strip)
        if self._stream is None:
            self._stream = self._begin(image.shape[1], image.shape[0])
        return av.VideoFrame.from_ndarray(self._fitted(image), format="rgb24")

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture of the size of the first, where those of a clip differ."""
        assert self._stream is not None
        size = self._stream.width, self._stream.height
        if image.shape[1::-1] == size:
            return image
        return np.asarray(ImageOps.pad(Image.fromarray(image), size, color=PANEL))

    def _add_sound(self) -> None:
        joined = self._temporary.with_name(f"joined{self._path.suffix}")
        if media.join_sound(self._source, self._temporary, joined, self._job.span):
            os.replace(joined, self._temporary)

    def _begin(self, width: int, height: int) -> VideoStream:
        """Stream in H.264 where FFmpeg was built with it, which browsers play, else MPEG-4."""
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = self._container.add_stream(codec, rate=30)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = stream.time_base = _CLOCK
        if codec == "libx264":
            # frames in their order, so that the first is at 0 wherever sound is added
            stream.options = {"preset": "veryfast", "crf": "21", "bf": "0"}
            if width * height > _LARGE:
                # else the encoder keeps some fifty frames, and copies of them to look ahead by
                stream.options |= {"preset": "ultrafast", "tune": "zerolatency"}
        else:
            stream.bit_rate = 4 * width * height
        return stream
