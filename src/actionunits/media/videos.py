"""Videos through PyAV (FFmpeg), and streams from one connection to the next.

These functions decode in the process that calls them; `actionunits.media` calls them in another.
"""

import logging
import struct
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from actionunits.errors import MediaError, counted
from actionunits.media import mp4, transport
from actionunits.media.account import Account, promised
from actionunits.media.addresses import PATIENCE, why
from actionunits.media.names import is_stored
from actionunits.media.numbers import Numbers
from actionunits.media.opening import BROKEN, Opened, listening, opened
from actionunits.media.passing import Passing, UnlikeError
from actionunits.media.pictures import LARGEST
from actionunits.media.span import WHOLE, Choice, Span
from actionunits.media.tail import Tail
from actionunits.system.machine import allowed

Decoded = tuple[NDArray[np.uint8] | None, int, float, str]
"""Upright RGB picture, number, seconds and doubt; see `actionunits.types.Frame`."""

_HOPELESS = 100  # packets in a row, from the first on, that do not decode
_NOW_AND_THEN = 500  # packets that are counted
_SILENCE = 0.25  # seconds: after each it is asked whether more is wanted
_LARGE = 1 << 24  # pixels of a frame: more than 4K
_OBLONG = 8  # times as wide as high, or as high as wide, pixels are at most
_TURNED = 6  # number of the side data that say how a frame is turned
_WRITTEN = {mp4.KIND, "asf", "avi", "flv", "matroska,webm", "nut", "ogg"}
_SIDE_DATA = 48  # kinds of side data, more than there are

_log = logging.getLogger(__name__)


class BrokenOffError(MediaError):
    """A stream ended before it was over; the message says why."""


def frames(name: str, threads: int, span: Span = WHOLE) -> Generator[Decoded, None, None]:
    """Frames of a video in the order in which they are shown; their times never fall.

    Args:
        name: a file.
        threads: of the decoder; 0 lets it choose, up to what is allowed (OMP_NUM_THREADS).
        span: which are wanted. Others are decoded where those build on them.

    Yields:
        The frames; and now and then, while others go by, one without a picture.

    Raises:
        MediaError: the source cannot be read, holds nothing of the span, or there should have been
            more; then at the end.
    """
    try:
        yield from _frames(name, threads, span, span.start)
    except UnlikeError:  # before the first picture
        yield from _frames(name, threads, span, 0.0)


def _frames(name: str, threads: int, span: Span, passing: float) -> Iterator[Decoded]:
    """The same; what is before `passing` seconds need not be decoded."""
    with opened(name) as video:
        size = video.stream.codec_context.width * video.stream.codec_context.height
        # threads that decode a frame each hold one each, and one more that waits
        video.stream.thread_type = "SLICE" if size > _LARGE else "AUTO"
        video.stream.codec_context.thread_count = threads or allowed()
        video.stream.codec_context.options = {"max_pixels": str(LARGEST)}
        yield from _Reading(name, video, passing).frames(Choice(span))


def of_stream(name: str, video: Opened) -> Iterator[Decoded]:
    """All frames of a stream, from this connection on, each as soon as it is there.

    Raises:
        BrokenOffError: it ended before it was over; the message says why.
        MediaError: it has no frames.
    """
    video.stream.thread_type = "SLICE"  # several frames at a time would be late
    video.stream.codec_context.options = {"max_pixels": str(LARGEST)}
    yield from _Reading(name, video).frames(Choice(WHOLE))


def duration(name: str) -> float:
    """Seconds that a video promises; 0 where nobody knows.

    Raises:
        MediaError: it cannot be opened.
    """
    with opened(name) as video:
        return promised(video)


def count(name: str) -> Iterator[int]:
    """Frames that a video says it holds; its first one is decoded, the others are not.

    Yields:
        How many there are so far, now and then, which shows that it goes on; at the end, all.

    Raises:
        MediaError: it cannot be opened, holds no pictures, or none of its first ones decodes.
    """
    with closing(frames(name, 1)) as shown:
        next(shown)
    with opened(name) as video:
        number = video.stream.frames
        # Matroska and its like do not tell: their packets are counted, which reads the file.
        packets = iter(()) if number else _Reading(name, video).packets()
        for packet in packets:
            number += bool(packet.size)
            if number % _NOW_AND_THEN == 0:
                yield number
        yield number


def origin(video: Opened) -> float | None:
    """Seconds of its own clock at which a video starts; None where its first frame tells."""
    # Without the list at the end of an MXF file FFmpeg takes storage for time.
    is_known = video.container.format.name != "mxf" and not video.is_helped
    start = video.container.start_time if is_known else None
    return None if start is None else start / av.time_base


class _Reading:
    """One reading of a video, from its first frame to what is missing at its end."""

    def __init__(self, name: str, video: Opened, passing: float = 0.0) -> None:
        self._passing = Passing(video, passing, self._from_start)
        self._name, self._container, self._stream = name, video.container, video.stream
        self._numbers = Numbers(video, begins_whole=_begins_whole(name, video))
        self._account = Account(name, video)
        self._origin = origin(video)
        self._count, self._seconds, self._step = 0, 0.0, 0.0
        self._clock, self._lead = 0, 0.0  # which clock it is, and seconds before it began
        self._turns: dict[int, tuple[int, ...]] = {}
        self._converter = VideoReformatter()  # one for all: to begin one costs more than to use it
        self._broke = ""  # why a stream did

    def frames(self, choice: Choice) -> Iterator[Decoded]:
        heard = time.monotonic()  # when who waits for frames last heard that it goes on
        for picture in self._pictures():
            if picture is None:
                yield None, self._count, 0.0, ""
                continue
            number, doubt = self._numbers.place(picture)
            seconds = self._time(picture, number)
            if choice.is_over(seconds):
                return
            takes = choice.takes(number, seconds)
            try:
                image = self._upright(picture) if takes else None
            except BROKEN:  # such as memory that is short for a size that damage made up
                self._account.damage()
                continue
            self._account.frame(seconds)
            if picture.is_corrupt:
                self._account.damage()
            self._count += 1
            if takes or time.monotonic() - heard >= _SILENCE:
                yield image, number, seconds, doubt
                heard = time.monotonic()
            del image  # before the next one takes as much room
        if self._broke and not is_stored(self._name):
            raise BrokenOffError(self._broke)
        if not self._count:
            raise MediaError(
                f"{self._name}: the video holds no frame that can be decoded; get a whole copy"
            )
        if not is_stored(self._name):  # it does not say how much there should be
            return
        if self._account.is_short(self._numbers.swallowed()):
            raise self._loss()
        if not choice.taken:
            raise MediaError(f"{self._name}: {choice.missing(self._seconds)}")

    def _pictures(self) -> Iterator[VideoFrame | None]:
        """All that decodes, of the packets in their order; None where some are left out."""
        refused, tail, last = 0, Tail(), None
        for packet in self._wanted():
            if packet is None:
                yield None
                continue
            pictures: list[VideoFrame] = []
            if packet.size:
                tail.add(packet)
            try:
                pictures = packet.decode()
            except BROKEN:
                self._refuse(packet.pts)
                refused += 1
            if refused > _HOPELESS and not self._count:
                return  # not worth reading gigabytes
            for picture in pictures:
                if last is None and self._passing.passed not in {None, picture.pts}:
                    raise UnlikeError
                last = picture.pts
                yield picture
        if last is not None and is_stored(self._name) and self._numbers.holds_back():
            for ticks, more in tail.decode(self._name, last):
                if more is None:
                    self._refuse(ticks)
                yield from more or ()

    def _wanted(self) -> Iterator["Packet[VideoStream] | None"]:
        """Packets that are to be decoded; None where some before the next are not."""
        for packet in self.packets():
            left_out, packets = self._passing.take(packet)
            if left_out:
                self._numbers.leave_out(left_out, packet)
                self._account.leave_out(left_out)
                self._count += left_out
                yield None
            yield from packets

    def _from_start(self, ticks: int) -> float:
        """Seconds of a time in ticks, from the start of the source."""
        seconds = float(ticks * (self._stream.time_base or 0))
        return seconds - (self._origin or 0.0)

    def _refuse(self, time: int | None) -> None:
        """The decoder refused a packet."""
        self._account.damage()
        self._numbers.complain(time)

    def packets(self) -> Iterator["Packet[VideoStream]"]:
        """Packets of the pictures; those of the sound only tell how far the file goes."""
        packets: Iterator[Any] = self._container.demux()
        while True:
            packet: Any = None
            asked = time.monotonic()
            with listening() as said:
                try:
                    packet = next(packets, None)
                except IndexError:  # of a stream that FFmpeg found late, and PyAV does not know
                    self._account.damage()
                    packets = self._container.demux()
                    continue
                except BROKEN as error:  # nothing more comes, but the decoder holds what is whole
                    self._account.damage()
                    silent = time.monotonic() - asked >= PATIENCE
                    self._broke = why(TimeoutError() if silent else error)
                    packet = Packet()
                    packet.stream = self._stream
            self._account.log(said)
            if packet is None:
                return
            if packet.size:
                self._account.packet(packet)
            if packet.stream.index != self._stream.index:
                continue
            if packet.size and self._numbers.expect(packet):
                self._account.damage()
            if self._origin is None and packet.pts is not None:
                self._origin = float(packet.pts * packet.time_base)
            if packet.is_corrupt:
                self._account.corrupt()
            if self._numbers.has_restarted:
                self._account.joint()
            yield packet

    def _time(self, picture: VideoFrame, number: int) -> float:
        """Seconds from the start of the source; a clock that starts anew goes on from there."""
        ticks = self._numbers.ticks(picture, number)
        if ticks is None or not picture.time_base:
            # Raw streams carry no times; their rate is all there is.
            seconds = number / float(self._stream.guessed_rate or 25)
        else:
            seconds = float(ticks * picture.time_base)
            self._origin = seconds if self._origin is None else self._origin
            seconds -= self._origin
        if self._clock < self._numbers.clock:
            self._clock = self._numbers.clock
            self._lead = self._seconds + self._step - seconds
            _log.warning(
                "%s: its clock starts anew after frame %d, as where two videos were joined; times "
                "go on from %.2f s",
                *(self._name, number, self._seconds + self._step),
            )
        seconds = max(seconds + self._lead, self._seconds)
        self._step, self._seconds = seconds - self._seconds, seconds
        return seconds

    def _loss(self) -> MediaError:
        frames, seconds = self._account.frames(), self._account.seconds()
        of_frames = f" of {frames:,}" if frames > self._count else ""
        of_seconds = f" of {seconds:.2f} s" if seconds > self._seconds else ""
        noun = counted(frames if of_frames else self._count, "frame").partition(" ")[2]
        return MediaError(
            f"{self._name}: the video is damaged or breaks off: {self._count:,}{of_frames} {noun} "
            f"up to {self._seconds:.2f} s{of_seconds} could be decoded and are kept; "
            "get a whole copy"
        )

    def _upright(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """RGB with square pixels, turned and mirrored as the display matrix says."""
        aspect = self._stream.sample_aspect_ratio or Fraction(1)
        if not 1 / _OBLONG <= aspect <= _OBLONG:
            aspect = Fraction(1)
        width = max(round(picture.width * aspect), 1)
        if width * picture.height > LARGEST:
            raise ValueError("too large")
        # in this thread: others would cost more than they save, and wait beside other programs
        converted = self._converter.reformat(picture, width, format="rgb24", threads=1)
        image: NDArray[Any] = converted.to_ndarray()
        if picture.rotation not in self._turns:
            self._turns[picture.rotation] = _turn(picture)
        a, b, c, d = self._turns[picture.rotation]
        # Row vectors: (x, y) goes to (a x + c y, b x + d y), up to a shift.
        if abs(b) > abs(a):
            image, a, d = image.swapaxes(0, 1), c, b
        return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _begins_whole(name: str, video: Opened) -> bool:
    """Whether the first picture of a video must need none before it.

    So it is in all that is written as a file. What is received, as a broadcast, may begin amid
    pictures.
    """
    kind = video.container.format.name
    if not is_stored(name):
        return False
    if kind == "mpegts":
        return transport.begins_whole(name, video.stream.id)
    return kind in _WRITTEN


def _turn(picture: VideoFrame) -> tuple[int, ...]:
    """Display matrix of a frame without its shift, 16.16 fixed point.

    PyAV 18 crashes where it lists side data with names of their own (colour profiles), and fails
    on kinds it does not know (EXIF): all but the matrix are taken away first.
    """
    graph = av.filter.Graph()
    steps = [
        graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=picture.time_base or Fraction(1),
        ),
        *(
            graph.add("sidedata", f"mode=delete:type={kind}")
            for kind in range(_SIDE_DATA)
            if kind != _TURNED
        ),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    graph.push(picture)
    bare: Any = graph.pull()
    matrix = bare.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    return a, b, c, d
