"""Pictures, folders, videos and cameras as one stream of frames.

Photographs go through Pillow, videos through PyAV (FFmpeg). Every frame is upright RGB with square
pixels, and its time is the presentation time of the container, not a count divided by a rate.
"""

import contextlib
import heapq
import io
import math
import platform
import re
import struct
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from actionunits.errors import MediaError, counted
from actionunits.types import Frame

_PICTURES = ".avif .bmp .gif .jfif .jpe .jpeg .jpg .jp2 .pbm .pgm .png .ppm .tga .tif .tiff .webp"
_MOVIES = ".3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .webm .wmv"
IMAGES, VIDEOS = frozenset(_PICTURES.split()), frozenset(_MOVIES.split())
_CAMERA = re.compile(r"camera:(\d+)")
_AVI_HEADER = 8  # bytes before each packet, its name and size
_REORDERED = 16  # frames that H.264 and its like store out of order at most
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # of damaged pictures


def sources(paths: Iterable[str | Path | int], report: Callable[[MediaError], None]) -> list[str]:
    """Files and cameras behind these paths, in order, each once.

    A folder gives the pictures and videos in it and below it, in natural order (2 before 10),
    without hidden ones. A number, or "camera:NUMBER", is a camera. Whether a file can be read is
    found out by `frames`.

    Args:
        paths: files, folders, cameras.
        report: is told of each path that does not exist and of each folder that holds no picture
            and no video; the others go on.
    """
    found: dict[str, None] = {}
    for path in paths:
        try:
            found.update(dict.fromkeys(_expand(path)))
        except MediaError as error:
            report(error)
    return list(found)


def is_camera(source: str) -> bool:
    """Whether this source, as `sources` gives it, is a camera."""
    return _CAMERA.fullmatch(source) is not None


def is_still(source: str) -> bool:
    """Whether this source is a picture: by its extension, then by what it holds."""
    if is_camera(source) or Path(source).suffix.lower() in VIDEOS:
        return False
    if Path(source).suffix.lower() in IMAGES:
        return True
    try:
        with Image.open(source):
            return True
    except _UNREADABLE:
        return False


def frames(source: str | Path | int, threads: int = 0) -> Generator[Frame, None, None]:
    """Frames of a picture, of each file of a folder, of a video or of a camera, one at a time.

    Args:
        source: a path, a camera's number or "camera:NUMBER".
        threads: of the video decoder; 0 lets it choose.

    Yields:
        Upright RGB frames. Of an animated picture the first one.

    Raises:
        MediaError: the source cannot be read. A video that is damaged or breaks off yields all
            that can be decoded first.
    """
    for name in _expand(source):
        if is_still(name):
            yield Frame(read_image(name), name, 0, 0.0)
        else:
            yield from _video(name, threads)


def count_frames(file: str) -> int:
    """Frames that a video file says it holds; its first one is decoded, the others are not.

    Raises:
        MediaError: it cannot be opened, holds no pictures, or none of its first ones decodes.
    """
    with contextlib.closing(_video(file, threads=1)) as shown:
        next(shown)
    with _open_file(file) as container:
        stream = container.streams.video[0]
        # Matroska and its like do not tell: their packets are counted, which reads the file.
        return stream.frames or sum(1 for packet in container.demux(stream) if packet.size)


def duration(source: str) -> float:
    """Seconds that a video promises; 0 for a picture, a camera, and where nobody knows."""
    if is_camera(source) or is_still(source):
        return 0.0
    try:
        with _open_file(source) as container:
            return _duration(container, container.streams.video[0])
    except (MediaError, IndexError):  # `frames` says what is wrong with it
        return 0.0


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """One picture as (H, W, 3) RGB uint8, upright by its EXIF tag.

    Transparency is laid on white, as photo viewers show it; 16-bit grey is scaled to 8 bit.

    Raises:
        MediaError: the file is not a picture, is damaged or larger than Pillow's safety limit.
    """
    try:
        with warnings.catch_warnings():
            # Large is fine; the size at which Pillow refuses is an error below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.array(_rgb(ImageOps.exif_transpose(image)))
    except Image.DecompressionBombError as error:
        raise MediaError(
            f"{path}: a picture of at most {2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6} megapixels "
            "was expected; this one claims more. Scale it down"
        ) from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{path}: not a picture that Pillow knows; convert it to PNG") from error
    except _UNREADABLE as error:
        raise MediaError(
            f"{path}: the picture is truncated or damaged ({error}); get a whole copy"
        ) from error


def encode_jpeg(image: NDArray[np.uint8], quality: int, **options: bool) -> bytes:
    """JPEG bytes of an (H, W, 3) RGB picture; `options` are Pillow's."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality, **options)
    return data.getvalue()


def _rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as 8-bit RGB."""
    if image.mode.startswith("I"):  # 16-bit grey; older Pillow opens it as 32-bit
        values = np.asarray(image).astype(np.float64) / 257
        image = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
    elif image.mode == "F":  # floating point TIFF, on 0..1 or on 0..255
        values = np.nan_to_num(np.asarray(image))
        scale = 255 if values.max() <= 1 else 1
        image = Image.fromarray((values * scale).round().clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")


def _expand(path: str | Path | int) -> list[str]:
    name = str(path)
    if name.isdecimal() and not Path(name).exists():
        return [f"camera:{int(name)}"]
    if is_camera(name):
        return [name]
    folder = Path(name)
    if not folder.exists():
        raise MediaError(f"{path}: there is no such file or folder; check the path")
    if not folder.is_dir():
        return [name]
    inside = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    visible = (file for file in inside if not any(part.startswith(".") for part in file.parts))
    media = [file for file in visible if file.suffix.lower() in IMAGES | VIDEOS]
    if not media:
        raise MediaError(
            f"{path}: a folder with pictures or videos was expected, but it holds none; "
            "name another folder or the file itself"
        )
    return [str(folder / file) for file in sorted(media, key=_natural)]


def _natural(file: Path) -> list[tuple[int, str]]:
    """Sorting key in which frame2 comes before frame10."""
    pieces = re.split(r"(\d+)", file.as_posix().lower())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


def _video(name: str, threads: int) -> Generator[Frame, None, None]:
    container = _open_camera(name) if is_camera(name) else _open_file(name)
    with container:
        if not container.streams.video:
            raise MediaError(f"{name}: no pictures in it, only sound; name a video or a picture")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        yield from _decode(container, stream, name)


def _decode(container: InputContainer, stream: VideoStream, name: str) -> Iterator[Frame]:
    """All frames that decode; a MediaError at the end if there should have been more."""
    origin = None if container.start_time is None else container.start_time / av.time_base
    count, damaged, last, step, numbers = 0, 0, 0.0, 0.0, _Numbers(container, stream)
    packets = container.demux(stream)
    while True:
        packet = None
        try:
            packet = next(packets, None)
            if packet is not None:
                damaged += numbers.expect(packet)
            decoded = packet.decode() if packet is not None else []
        except av.FFmpegError:
            damaged += 1
            numbers.complain(None if packet is None else packet.pts)
            if damaged > 100 and not count:
                break  # nothing decodes: not worth reading gigabytes
            continue
        if packet is None:
            break
        for picture in decoded:
            number, doubt = numbers.place(picture)
            if picture.time is not None:
                origin = picture.time if origin is None else origin
                seconds = picture.time - origin
            else:  # raw streams carry no times; their rate is all there is
                seconds = number / float(stream.guessed_rate or 25)
            step, last = seconds - last, seconds
            yield Frame(_upright(picture, stream), name, number, seconds, doubt)
            count += 1
            damaged += picture.is_corrupt
    if not count:
        raise MediaError(f"{name}: the video holds no frame that can be decoded; get a whole copy")
    expected = _duration(container, stream)
    if damaged or last + max(0.5, 3 * step) < expected:
        raise MediaError(
            f"{name}: the video is damaged or breaks off: {counted(count, 'frame')} up to "
            f"{last:.2f} s"
            f"{f' of {expected:.2f} s' if expected else ''} could be decoded and are kept; "
            "get a whole copy"
        )


class _Numbers:
    """Numbers the frames of a video, and says which of them cannot be relied on.

    Frames are counted while all is well. From the first damage on, those that do not come out count
    too: the number of a frame is that of the packets with earlier times. Until then the frames must
    have come out in the order of their times, one for each packet. AVI files have no times but the
    order in which frames are stored, and a list of where that is.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        is_avi = container.format.name == "avi"
        filled = [entry.pos for entry in stream.index_entries if entry.size] if is_avi else []
        self._places = {place + _AVI_HEADER: number for number, place in enumerate(filled)}
        self._packets = 0
        # Until so many frames are out, their order says little of times.
        self._unsure = _REORDERED if is_avi and stream.codec_context.has_b_frames else 0
        self._waiting: list[int] = []  # heap of the times of packets that have not come out
        self._before = 0  # packets with times before those
        self._next, self._last = 0, -math.inf
        self._timed, self._damaged = True, False
        self._uncounted = False  # nobody knows how many frames are lost
        self._broken: float | None = None  # time of damage that later frames may build on

    def expect(self, packet: "Packet[VideoStream]") -> bool:
        """Take note of a packet that goes to the decoder; return whether some before it are lost.

        They were passed over where an AVI file is damaged between its pictures.
        """
        if packet.pts is not None and not packet.is_discard:
            heapq.heappush(self._waiting, packet.pts)
        place = self._places.get(packet.pos or 0, self._packets)
        lost = place > self._packets
        self._packets = place + 1
        self._uncounted |= lost
        return lost

    def complain(self, time: int | None) -> None:
        """The decoder refused a packet."""
        self._damaged = True
        self._uncounted |= not self._timed or self._next < self._unsure
        self._broken = -math.inf if time is None else time

    def place(self, picture: VideoFrame) -> tuple[int, str]:
        """Number of the next frame that comes out, from 0, and why not to rely on it, if so."""
        rank, number = self._rank(picture.pts), self._next
        if not self._damaged:
            self._timed &= rank == number
        elif self._timed and rank is not None:
            number = max(number, rank)
        self._next = number + 1
        return number, self._doubt(picture, rank == number)

    def _rank(self, time: int | None) -> int | None:
        """Packets with earlier times; None if this one is not later than that of the last frame."""
        if time is None or time <= self._last:
            return None
        self._last = time
        while self._waiting and self._waiting[0] < time:
            heapq.heappop(self._waiting)
            self._before += 1
        return self._before

    def _doubt(self, picture: VideoFrame, is_placed: bool) -> str:
        if picture.is_corrupt:
            self._broken = -math.inf if picture.pts is None else picture.pts
            return "it is damaged in its video"
        if self._uncounted or self._damaged and not is_placed:
            return "its video is damaged before it and has no times that tell which frame it is"
        if self._broken is not None and picture.key_frame:
            # One that comes out late may be from before the damage: others still build on that.
            if picture.pts is None or picture.pts > self._broken:
                self._broken = None
            return ""
        return "" if self._broken is None else "it may build on a damaged frame of its video"


def _duration(container: InputContainer, stream: VideoStream) -> float:
    """Seconds that the container promises for the pictures, 0 where it does not tell."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / av.time_base
    return 0.0


def _upright(picture: VideoFrame, stream: VideoStream) -> NDArray[np.uint8]:
    """RGB with square pixels, turned and mirrored as the display matrix says."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width = max(round(picture.width * aspect), 1)
    image: NDArray[Any] = picture.to_ndarray(format="rgb24", width=width)
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    # Row vectors: (x, y) goes to (a x + c y, b x + d y), up to a shift; 16.16 fixed point.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if abs(b) > abs(a):
        image, a, d = image.swapaxes(0, 1), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _open_file(name: str) -> InputContainer:
    try:
        return av.open(name, metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise MediaError(
            f"{name}: neither a picture nor a video that can be read ({_reason(error)}); "
            "get a whole copy or convert it to MP4 or PNG"
        ) from error


def _open_camera(name: str) -> InputContainer:
    number = name.removeprefix("camera:")
    file, driver = {
        "Linux": (f"/dev/video{number}", "v4l2"),
        "Darwin": (number, "avfoundation"),
        "Windows": (number, "vfwcap"),
    }.get(platform.system(), (number, "v4l2"))
    options = {"framerate": "30"} if driver == "avfoundation" else {}
    try:
        return av.open(file, format=driver, options=options)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{name}: this camera cannot be opened ({_reason(error)}); check that it is plugged in "
            "and that no other program uses it"
        ) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
