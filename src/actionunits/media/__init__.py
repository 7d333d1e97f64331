"""Pictures, folders, videos, cameras and streams as one stream of frames.

Photographs go through Pillow, videos through PyAV (FFmpeg), both in another process: a file that
crashes or hangs its decoder costs itself alone, see `actionunits.media.worker`. Every frame is
upright RGB with square pixels, and its time is the presentation time of the container, not a count
divided by a rate.
"""

import logging
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actionunits.errors import MediaError, counted
from actionunits.media import addresses, decode, numbered, received
from actionunits.media.names import STDIN, is_camera, is_rtsp, is_stored
from actionunits.media.pictures import encode_jpeg
from actionunits.media.sources import IMAGES, VIDEOS, check, expand, sources
from actionunits.media.span import WHOLE, Choice, Span
from actionunits.media.worker import Item, LostError, stream, warm_up
from actionunits.types import Frame

__all__ = [
    "IMAGES",
    "VIDEOS",
    "WHOLE",
    "Span",
    "count_frames",
    "duration",
    "encode_jpeg",
    "frames",
    "is_camera",
    "is_live",
    "is_still",
    "is_stored",
    "join_sound",
    "read_image",
    "sources",
    "warm_up",
]

_CAN_MOVE = {".apng", ".avif", ".gif", ".png", ".webp"}
_KINDS_KEPT = 1 << 14

_log = logging.getLogger(__name__)


def frames(
    source: str | Path | int,
    threads: int = 0,
    span: Span = WHOLE,
    unwanted: Callable[[], bool] = lambda: False,
) -> Generator[Frame, None, None]:
    """Frames of a picture, of each file of a folder, of a video or of a stream, one at a time.

    Of an animated picture (GIF, WebP, APNG, AVIF) all frames with their times, of a TIFF all pages,
    which are stills: numbered, and all at 0 s.

    Args:
        source: a path, a camera's number or "camera:NUMBER", an address, "-".
        threads: of the video decoder; 0 lets it choose.
        span: which frames of what moves are wanted.
        unwanted: is asked now and then while no frame comes, and ends a stream.

    Yields:
        Upright RGB frames. Their times never fall.

    Raises:
        MediaError: the source cannot be read, or not to its end: it is damaged, breaks off, or its
            decoder crashed or hung. All that can be decoded is yielded first; of a folder, all
            files are.
    """
    problems: list[MediaError] = []
    for name in expand(source, problems.append, clips=span.rate is not None):
        try:
            if span.rate is not None and numbered.is_clip(name):
                yield from _clip(name, span, span.rate)
                continue
            with closing(_items(name, threads, span)) as items:
                for (number, seconds, doubt), image in items:
                    if image is not None:
                        yield Frame(image, name, number, seconds, doubt)
                    elif unwanted():
                        return
                    del image  # before the next one takes as much room
        except MediaError as error:
            problems.append(error)
    if problems:
        more = f" (and {counted(len(problems) - 1, 'problem')} more)" if problems[1:] else ""
        raise MediaError(f"{problems[0]}{more}") from problems[0]


def is_live(source: str) -> bool:
    """Whether a source goes on until somebody ends it: a camera, or a stream of any kind."""
    return is_rtsp(source) or received.stored(source) is None


def is_still(source: str) -> bool:
    """Whether this source is a picture that does not move; by its suffix, then by what it holds.

    A picture that cannot be read is one by its suffix alone.
    """
    if is_live(source) or numbered.is_clip(source):
        return False
    suffix = Path(source).suffix.lower() if is_stored(source) else ""
    if suffix in VIDEOS:
        return False
    if suffix in IMAGES - _CAN_MOVE:
        return True
    try:
        state = os.stat(received.stored(source) or source)
        return _is_still(source, (state.st_mtime_ns, state.st_size))
    except (MediaError, OSError, ValueError):  # `frames` says what is wrong with it
        return suffix in IMAGES


@lru_cache(_KINDS_KEPT)
def _is_still(name: str, state: tuple[int, int]) -> bool:
    """Found out once for each state of a file: whoever writes rows and pictures asks often."""
    return bool(_one(decode.is_still, name))


def count_frames(file: str) -> int:
    """Frames that a video file says it holds; its first one is decoded, the others are not.

    Raises:
        MediaError: it cannot be opened, holds no pictures, or none of its first ones decodes.
    """
    return int(_one(decode.count, file))


def duration(source: str, span: Span = WHOLE) -> float:
    """Seconds that a video promises; 0 for a picture, a stream, and where nobody knows."""
    if span.rate is not None and numbered.is_clip(source):
        with suppress(MediaError):  # `frames` says what is wrong with it
            return (max(numbered.pictures(source)) + 1) / span.rate
    if is_live(source) or is_still(source):
        return 0.0
    try:
        return float(_one(decode.duration, source))
    except MediaError:  # `frames` says what is wrong with it
        return 0.0


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """One picture as (H, W, 3) RGB uint8, upright by its EXIF tag; of several the first.

    Transparency is laid on white, as photo viewers show it; more than 8 bits are scaled to 8.

    Raises:
        MediaError: the file is not a picture, is damaged or too large.
    """
    image = next(_ask(decode.picture, str(path)))[1]
    assert image is not None
    return image


def _clip(name: str, span: Span, rate: float) -> Generator[Frame, None, None]:
    """Numbered pictures as frames of a clip; one that cannot be read costs itself."""
    places = numbered.pictures(name, partial(_log.warning, "%s: %s", name))
    choice = Choice(span)
    broken: list[MediaError] = []
    seconds = 0.0
    for number, file in places.items():
        seconds = number / rate
        if choice.is_over(seconds):
            break
        if choice.takes(number, seconds):
            try:
                yield Frame(read_image(file), name, number, seconds)
            except MediaError as error:
                broken.append(error)
    if broken:
        left = f"{counted(len(broken), 'picture')} of the clip left out"
        raise MediaError(f"{name}: {left}, the first since {broken[0]}") from broken[0]
    if not choice.taken:
        raise MediaError(f"{name}: {choice.missing(seconds)}")


def _items(name: str, threads: int, span: Span) -> Generator[Item, None, None]:
    """Frames of a source as items."""
    if not is_live(name):
        yield from _ask(decode.frames, name, threads, *span)
    elif is_camera(name):
        yield from _ask(decode.camera, name, *span)
    elif name == STDIN:
        pipe = os.dup(0)
        try:
            head = received.head(name).decode("latin-1")
            yield from _ask(decode.pipe, name, head, pipe, *span, lent=pipe)
        finally:
            os.close(pipe)
    else:
        yield from _ask(decode.address, name, addresses.full(name), *span)


def join_sound(source: str, drawn: Path, out: Path, span: Span = WHOLE) -> bool:
    """Write pictures that were drawn, with the sound of the video that they were drawn from.

    The sound is copied as it is, also where it goes on after the pictures.

    Args:
        source: the video.
        drawn: file of the pictures, whose times begin at the start of the span.
        out: file to write.
        span: the part of the video that the pictures are of.

    Returns:
        Whether there is sound, and `out` was written. It is not, and that is logged, where such a
        file cannot hold such sound.
    """
    if is_live(source) or numbered.is_clip(source):
        return False
    try:
        return bool(
            _one(decode.joined, source, os.path.abspath(drawn), os.path.abspath(out), *span)
        )
    except MediaError as error:
        _log.warning("%s", error)
        return False


def _ask(
    function: Callable[..., Iterator[Item]], name: str, *args: Any, lent: int | None = None
) -> Generator[Item, None, None]:
    """Items of a function of `decode` on a source, in the other process."""
    check(name)
    file = None if is_stored(name) else received.stored(name)
    where, folder = (name, None) if file is None else (file.name, str(file.parent))
    try:
        yield from stream(function, where, *args, folder=folder, lent=lent)
    except LostError as lost:
        raise MediaError(
            f"{name}: its decoder {lost}; what came before is kept. Get a whole copy, or convert "
            "it to MP4 or PNG"
        ) from lost


def _one(function: Callable[..., Iterator[Item]], name: str, *args: Any) -> Any:
    """The only value of the last item."""
    *_, ((value,), _) = _ask(function, name, *args)
    return value
