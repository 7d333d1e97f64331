"""Groups of pictures before the part of a video that is wanted: read, but not decoded.

All packets are read from the first one on, so that numbers, times and what is missing are found as
ever; most of the time goes in decoding. Where it is not certain that a group can be left out, none
is from there on.
"""

from collections.abc import Callable

from av.packet import Packet
from av.video.stream import VideoStream

from actionunits.media import mp4
from actionunits.media.opening import Opened

_FORMATS = {mp4.KIND, "matroska,webm"}  # packets have the times of their frames
_MOST = 1 << 26  # bytes of a group that may be kept back
_MARGIN = 1e-6  # seconds


class UnlikeError(Exception):
    """What comes out behind the groups that were left out is not what must; decode all."""


class Passing:
    """Keeps packets back until it is known whether anything of their group is wanted."""

    def __init__(self, video: Opened, start: float, seconds: Callable[[int], float]) -> None:
        """Begin before the first packet.

        Args:
            video: which is read.
            start: seconds, the first that are wanted.
            seconds: of a packet's time in ticks, from the start of the video.
        """
        self._begins_anew = _begins_anew(video)
        self._start, self._seconds = start, seconds
        self._held: list[Packet[VideoStream]] = []
        self._size = 0
        self._is_on = start > 0 and video.container.format.name in _FORMATS
        self.passed: int | None = None
        """Time in ticks of the packet that comes next, once others were left out."""

    def take(self, packet: "Packet[VideoStream]") -> tuple[int, list["Packet[VideoStream]"]]:
        """Take the next packet; how many before it are left out, and which go to the decoder."""
        if not self._is_on:
            return 0, [packet]
        left_out = 0
        time = packet.pts
        is_plain = packet.size and time is not None and not packet.is_discard
        if is_plain and not packet.is_corrupt and self._goes_on(packet):
            if packet.is_keyframe and self._held and self._begins_anew(packet):
                left_out, self.passed = len(self._held), time
                self._held, self._size = [], 0
            self._held.append(packet)
            self._size += packet.size
            if self._size <= _MOST:
                return left_out, []
            packets = self._held
        else:
            packets = [*self._held, packet]
        self._held, self._is_on = [], False
        return left_out, packets

    def _goes_on(self, packet: "Packet[VideoStream]") -> bool:
        """Whether what is kept back may still turn out not to be wanted."""
        assert packet.pts is not None
        if not packet.is_keyframe:
            return bool(self._held)
        latest = max((held.pts or 0 for held in self._held), default=packet.pts - 1)
        return latest < packet.pts and self._seconds(packet.pts) < self._start - _MARGIN


def _begins_anew(video: Opened) -> Callable[["Packet[VideoStream]"], bool]:
    """Whether nothing from a packet on needs anything before it: tells of H.264 and H.265."""
    codec = video.stream.codec_context
    extra = codec.extradata or b""
    h264 = codec.name == "h264"
    place = 4 if h264 else 21  # in their configuration record, whose first byte is 1
    if codec.name not in {"h264", "hevc"} or len(extra) <= place or extra[0] != 1:
        return lambda packet: False
    length = (extra[place] & 3) + 1

    def begins(packet: "Packet[VideoStream]") -> bool:
        data, at = memoryview(packet), 0
        while at + length < len(data):
            head = data[at + length]
            kind = head & 31 if h264 else head >> 1 & 63
            if 1 <= kind <= 5 if h264 else kind < 32:  # a slice of the picture
                return kind == 5 if h264 else kind in {19, 20}
            at += length + int.from_bytes(data[at : at + length])
        return False

    return begins
