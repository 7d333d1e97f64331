"""Readings to look at: annotated pictures and videos, and AUs over time."""

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
from PIL import Image, ImageDraw, ImageFont

from actionunits import media
from actionunits.aus import AUSet
from actionunits.detect.outputs import Job
from actionunits.detect.places import check, destinations, is_folder
from actionunits.detect.writers import PerInput
from actionunits.errors import UserError, counted
from actionunits.files import atomic, writing
from actionunits.types import Face, Reading

_COLOURS = ["#4cc3ff", "#ffb03a", "#7be07b", "#ff7a7a", "#c9a0ff", "#ffe14d"]
_PANEL, _TRACK, _TEXT, _FAINT = "#14181d", "#2b323b", "#f2f5f7", "#8b96a3"
_ROW = 16  # pixels, the least height of a panel row that can be read
_ENLARGED = 2048  # pixels, the width to which small frames are enlarged at most
_LARGE = 1 << 22  # pixels of a frame of an overlay
_SHRUNK = 3840  # pixels, the long side of what larger frames become
_COLUMNS = len(_COLOURS)  # faces that the panel shows side by side
_WRITTEN = media.IMAGES - {".apng", ".heic", ".heif", ".hif"}  # the others are only read
_CLOCK = Fraction(1, 60_000)  # seconds per tick of an overlay video; MPEG-4 allows 1/65535


def overlay(reading: Reading, aus: AUSet) -> NDArray[np.uint8]:
    """Frame with boxes, landmarks and identity numbers, and beside it a panel of AU bars.

    The bars show intensity on 0 to 5, or probability where the model tells no intensity; an AU that
    occurs is bright. A face that was read with too little confidence is grey and has a question
    mark. Small frames are enlarged until the panel can be read, those of more than 4K shrunk to it.
    Of more faces than the panel has room for, the lowest identity numbers are shown.

    Args:
        reading: of one frame, (H, W, 3).
        aus: its label axis.

    Returns:
        (H', W', 3) uint8, both even; the same for all frames of a size.
    """
    height, width = reading.frame.image.shape[:2]
    lines = len(aus) + 2
    scale = max(min(_ROW * lines / height, _ENLARGED / width), 1.0)
    scale = min(scale, _SHRUNK / max(height, width))
    height, width = (2 * round(edge * scale / 2 + 0.5) for edge in (height, width))
    # As high as the frame, but in a tall frame not wider than about half of it.
    row = max(min(height / lines, width / 20), _ROW)
    panel = 2 * round(row * 9)
    canvas = Image.new("RGB", (width + panel, max(height, 2 * round(row * lines / 2))), _PANEL)
    frame = Image.fromarray(reading.frame.image)
    same = frame.size == (width, height)  # a copy less of what may be a hundred megabytes
    canvas.paste(frame if same else frame.resize((width, height), Image.Resampling.BICUBIC))
    draw = ImageDraw.Draw(canvas)
    for face, colour, doubt in zip(reading.faces, _colours(reading), reading.doubtful, strict=True):
        _draw_face(draw, face, scale, row, colour, "?" if doubt else "")
    _draw_panel(draw, reading, aus, width, panel, row)
    return np.asarray(canvas)


def _colours(reading: Reading) -> list[str]:
    return [
        _FAINT if doubt else _COLOURS[face.track % len(_COLOURS)]
        for face, doubt in zip(reading.faces, reading.doubtful, strict=True)
    ]


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(round(size), 9))


def _draw_face(
    draw: ImageDraw.ImageDraw, face: Face, scale: float, row: float, colour: str, mark: str
) -> None:
    x, y, width, height = face.box * scale
    line = max(round(row / 9), 1)
    draw.rectangle((x, y, x + width, y + height), outline=colour, width=line)
    for px, py in face.landmarks * scale:
        draw.circle((px, py), line * 1.2, fill=colour)
    label = f" {face.track}{mark} "
    font = _font(0.75 * row)
    top = max(y - row, 0)
    draw.rectangle((x, top, x + draw.textlength(label, font), top + row), fill=colour)
    draw.text((x, top + row / 2), label, _PANEL, font, anchor="lm")


def _draw_panel(
    draw: ImageDraw.ImageDraw, reading: Reading, aus: AUSet, left: int, width: int, row: float
) -> None:
    """AU names in rows and a column of bars a face."""
    font, small = _font(0.62 * row), _font(0.55 * row)
    names, end = left + 0.4 * row, left + width - 0.5 * row
    first = left + width * 0.56
    faces = reading.faces[:_COLUMNS]
    step = (end - first) / max(len(faces), 1)
    hidden = len(reading.faces) - len(faces)
    title = f"{reading.frame.seconds:.2f} s" if reading.frame.number else ""
    more = f"{counted(hidden, 'more face')} not shown" if hidden else "" if faces else "no face"
    draw.text((names, row / 2), title or more, _FAINT, small, anchor="lm")
    if title and more:
        draw.text((names, row * (len(aus) + 1.5)), more, _FAINT, small, anchor="lm")
    colours = _colours(reading)
    present = reading.present & ~reading.doubtful[:, None]
    for column, face in enumerate(faces):
        draw.text((first + step * column, row / 2), str(face.track), colours[column], font, "lm")
    for i, au in enumerate(aus):
        middle = row * (i + 1.5)
        occurs = bool(present[:, i].any())
        colour = _TEXT if occurs else _FAINT
        draw.text((names, middle), aus.label(au), colour, font, anchor="lm")
        draw.text((names + 1.3 * row, middle), au.name, colour, small, anchor="lm")
        for column in range(len(faces)):
            start = first + step * column
            full = step * (0.86 if len(faces) > 1 else 0.8)
            share = reading.probability[column, i]
            if reading.intensity is not None:
                share = reading.intensity[column, i] / 5
            top, bottom = middle - 0.25 * row, middle + 0.25 * row
            draw.rectangle((start, top, start + full, bottom), fill=_TRACK)
            bar = start + full * float(np.clip(share, 0, 1))
            fill = colours[column] if present[column, i] else _FAINT
            draw.rectangle((start, top, bar, bottom), fill=fill)
            if len(faces) == 1:
                value = share * 5 if reading.intensity is not None else share
                draw.text((end + 0.2 * row, middle), f"{value:.1f}", colour, small, anchor="rm")


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
    stills = {path for source, path in paths.items() if media.is_still(source)}
    return PerInput(
        paths,
        lambda path: _Picture(path, job.aus) if path in stills else _Video(path, job.aus),
        job.problems,
    )


class _Picture:
    """Writer of one annotated picture; of further pages of a source beside it (``NAME_au-2``)."""

    def __init__(self, path: Path, aus: AUSet) -> None:
        self._path, self._aus = path, aus

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        """Nothing is open between frames."""

    def add(self, reading: Reading) -> None:
        path = self._path
        if reading.frame.number:
            path = path.with_stem(f"{path.stem}-{reading.frame.number + 1}")
        with writing(path), atomic(path) as temporary:
            Image.fromarray(overlay(reading, self._aus)).save(temporary, quality=92)


class _Video:
    """Writer of one annotated video with the times of its source; sound is left out."""

    def __init__(self, path: Path, aus: AUSet) -> None:
        self._path, self._aus = path, aus
        self._stack = ExitStack()
        self._last = -1

    def __enter__(self) -> Self:
        with writing(self._path), ExitStack() as stack:
            temporary = stack.enter_context(atomic(self._path))
            self._container: OutputContainer = stack.enter_context(av.open(temporary, "w"))
            self._stream: VideoStream | None = None
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: Any) -> None:
        if failure[0] is None:
            with writing(self._path), self._stack:
                if self._stream is not None:
                    self._container.mux(self._stream.encode(None))
        else:
            with suppress(OSError):  # the disk may be full: the first error says so
                self._stack.__exit__(*failure)

    def add(self, reading: Reading) -> None:
        image = overlay(reading, self._aus)
        if self._stream is None:
            self._stream = self._begin(image.shape[1], image.shape[0])
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(width=self._stream.width, height=self._stream.height)
        # Encoders want times that grow, which those of damaged videos do not always do.
        self._last = max(round(reading.frame.seconds / _CLOCK), self._last + 1)
        frame.pts, frame.time_base = self._last, _CLOCK
        with writing(self._path):
            self._container.mux(self._stream.encode(frame))

    def _begin(self, width: int, height: int) -> VideoStream:
        """Stream in H.264 where FFmpeg was built with it, which browsers play, else MPEG-4."""
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = self._container.add_stream(codec, rate=30)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = stream.time_base = _CLOCK
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "crf": "21"}
            if width * height > _LARGE:  # else the encoder keeps some fifty frames
                stream.options |= {"rc-lookahead": "0", "bf": "0"}
        else:
            stream.bit_rate = 4 * width * height
        return stream
