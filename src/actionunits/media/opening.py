"""Opens videos and cameras in such a way that nothing else is opened with them."""

import errno
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import av
from av.container import InputContainer
from av.logging import Capture
from av.stream import Disposition
from av.video.stream import VideoStream

from actionunits.errors import MediaError
from actionunits.media import avi
from actionunits.media.names import is_camera
from actionunits.media.pictures import LARGEST

BROKEN = (av.FFmpegError, ArithmeticError, MemoryError, OSError, ValueError)
"""What damaged bytes lead to."""
SEALED = {"protocol_whitelist": "none"}
"""A video is read from its own file: what it names, on the disk or the network, is not opened."""

TEXT: dict[str, Any] = (
    {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
)
"""For PyAV, which by itself reads titles in any encoding from version 19 on."""

Line = tuple[int, str, str]
"""Of FFmpeg's log: level, who, what."""


class Opened(NamedTuple):
    """A video or camera."""

    container: InputContainer
    stream: VideoStream
    """Of its pictures."""
    said: list[Line]
    """Errors that FFmpeg found in it and got over when it was opened."""
    is_helped: bool = False
    """It can only be read from its front on, since what is at its end is damaged."""


class _Forward:
    """A file that is read from its front on, so that FFmpeg does without what is at its end."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.name = file.read, file.name


class _File(_Forward):
    """A file in which FFmpeg may look for places that no file has.

    It does where damage names them, and goes on without; an exception would end all.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.tell, self._seek = file.tell, file.seek

    def seek(self, place: int, whence: int) -> int:
        """Return the place, or FFmpeg's code of an error."""
        try:
            return self._seek(place, whence)
        except (OSError, ValueError):
            return -errno.EINVAL


@contextmanager
def listening() -> Iterator[list[Line]]:
    """Errors that FFmpeg logs in this thread, in which it reads.

    Decoders have threads of their own, and are not listened to: what they cannot decode they say in
    other ways.
    """
    av.logging.set_skip_repeated(False)  # the same may be said of the next file
    av.logging.set_level(av.logging.ERROR)
    try:
        with Capture() as lines:
            yield lines
    finally:
        av.logging.set_level(None)


@contextmanager
def opened(name: str) -> Iterator[Opened]:
    """A video or camera and the stream of its pictures.

    Raises:
        MediaError: it cannot be opened, has no pictures, or none that FFmpeg can decode.
    """
    if is_camera(name):
        with _camera(name) as container:
            yield Opened(container, pictures_of(name, container), [])
        return
    try:
        # A file and not its name, which FFmpeg might take for a protocol, and which need not be
        # text.
        file = open(name, "rb")  # noqa: SIM115
    except OSError as error:
        raise MediaError(f"{name}: cannot be opened ({_reason(error)}); check the path") from error
    with file:
        container, said, is_helped = _container(name, file)
        with container:
            yield Opened(container, pictures_of(name, container), said, is_helped)


def _container(name: str, file: BinaryIO) -> tuple[InputContainer, list[Line], bool]:
    """What is in a file, what FFmpeg said of it, and whether it must be read from its front on."""
    failed: BaseException | None = None
    for source in (_Forward,) if avi.misleads(name) else (_File, _Forward):
        file.seek(0)
        try:
            with listening() as said:
                container = av.open(source(file), "r", options=SEALED, **TEXT)
            return container, said, source is _Forward
        except BROKEN as error:
            failed = failed or error
    assert failed is not None
    raise MediaError(
        f"{name}: neither a picture nor a video that can be read ({_reason(failed)}); "
        "get a whole copy or convert it to MP4 or PNG"
    ) from failed


def pictures_of(name: str, container: InputContainer) -> VideoStream:
    """The first stream of pictures that is not the cover of a record.

    Raises:
        MediaError: there is none, or none that FFmpeg can decode.
    """
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise MediaError(f"{name}: no pictures in it, only sound; name a video or a picture")
    codec = streams[0].codec_context
    if codec is None:
        raise MediaError(
            f"{name}: its pictures are stored in a way that FFmpeg here cannot decode; "
            "convert it to MP4"
        )
    if codec.width * codec.height > LARGEST:
        raise MediaError(
            f"{name}: frames of at most {LARGEST // 10**6} megapixels were expected; this video "
            f"claims {codec.width} x {codec.height} pixels. Scale it down"
        )
    return streams[0]


def _camera(name: str) -> InputContainer:
    number = name.removeprefix("camera:")
    file, driver = {
        "Linux": (f"/dev/video{number}", "v4l2"),
        "Darwin": (number, "avfoundation"),
        "Windows": (number, "vfwcap"),
    }.get(platform.system(), (number, "v4l2"))
    options = {"framerate": "30"} if driver == "avfoundation" else {}
    try:
        return av.open(file, format=driver, options=options)
    except BROKEN as error:
        raise MediaError(
            f"{name}: this camera cannot be opened ({_reason(error)}); check that it is plugged in "
            "and that no other program uses it"
        ) from error


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
