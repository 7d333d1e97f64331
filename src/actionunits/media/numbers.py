"""Which frame of its video a decoded picture is, and when it is shown."""

import heapq
import math

from av.format import Flags
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from actionunits.media import mp4
from actionunits.media.opening import Opened

_PLAIN = {
    *("av1", "dvvideo", "ffv1", "flv", "h264", "hevc", "huffyuv", "libdav1d", "mjpeg", "png"),
    *("prores", "rv10", "rv20", "rv30", "rv40", "vp9", "wmv1", "wmv2"),
}
_ONE_EACH = {
    **dict.fromkeys((mp4.KIND, "asf", "avi", "flv", "matroska,webm", "rm"), _PLAIN),
    "mxf": _PLAIN | {"mpeg2video"},
    "mpeg": {"mpeg1video"},
}
"""Where a packet is a frame: elsewhere it may be half of one (fields), or none that is shown."""
_SKIPPING = {"mpeg4"}
"""Codecs one of whose small packets may say that nothing changes, and become no frame; a large one
becomes at least one."""
_SMALL = 20  # bytes
_AVI_HEADER = 8  # bytes before each packet, its name and size
_REORDERED = 16  # frames that H.264 and its like store out of order at most

Stamp = tuple[int, float]
"""How many times the clock has started anew before, and ticks of it."""
_BEGINNING = (-1, -math.inf)


class Numbers:
    """Numbers the frames of a video, and says which of them cannot be relied on.

    Frames are counted while all is well. From the first damage on, those that do not come out count
    too: the number of a frame is that of the packets with earlier times. Until then the frames must
    have come out in the order of their times, one for each packet. AVI files have no times but the
    order in which frames are stored, and a list of where that is.
    """

    def __init__(self, video: Opened, *, begins_whole: bool = False) -> None:
        """Begin.

        Args:
            video: whose frames are numbered.
            begins_whole: the first picture that is stored needs none before it.
        """
        container, stream, *_ = video
        is_avi = container.format.name == "avi"
        filled = [entry.pos for entry in stream.index_entries if entry.size] if is_avi else []
        self._places = {place + _AVI_HEADER: number for number, place in enumerate(filled)}
        self._packets = 0
        # Until so many frames are out, their order says little of times.
        self._unsure = _REORDERED if is_avi and stream.codec_context.has_b_frames else 0
        self._stored: list[int] = []  # times of packets that tell only the order of storage
        self._waiting: list[Stamp] = []  # heap of the times of packets that have not come out
        self._before = 0  # packets with times before those
        self._next, self._last = 0, _BEGINNING
        self._shown = self._going_in = self._large = 0
        plain = _ONE_EACH.get(container.format.name, ())
        self._codec = stream.codec_context.name
        self._is_one_each = self._codec in plain
        self._key: Stamp | None = None  # when the first frame is shown that needs no other
        self._leading: int | None = None  # packets before that, which need what was cut off
        self._begins_whole, self._lacks_beginning = begins_whole, False
        self._first: Stamp | None = None  # time of the first packet
        self._timed, self._damaged = True, False
        self._uncounted = False  # nobody knows how many frames are lost
        self._broken: Stamp | None = None  # time of damage that later frames may build on
        self._restarts = Flags.ts_discont in Flags(container.format.flags)
        self._entering: Stamp = _BEGINNING  # of the last packet that went in, by its storage
        self._clocks = [0, 0]  # that have begun, of the packets and of the frames
        self.has_restarted = False
        """Whether a clock started anew with the last packet."""

    def expect(self, packet: "Packet[VideoStream]") -> bool:
        """Take note of a packet that goes to the decoder; return whether some before it are lost.

        They were passed over where an AVI file is damaged between its pictures.
        """
        self._enter(packet)
        self._going_in += not packet.is_discard
        self._large += not packet.is_discard and packet.size > _SMALL
        if packet.pts is not None and not packet.is_discard:
            stamp = self._clocks[0], packet.pts
            heapq.heappush(self._waiting, stamp)
            self._first = self._first or stamp
            if self._key is None and packet.is_keyframe:
                self._key = stamp
        if self._unsure and packet.dts is not None:
            self._stored.append(packet.dts)
        place = self._places.get(packet.pos or 0, self._packets)
        lost = place > self._packets
        self._packets = place + 1
        self._uncounted |= lost
        return lost

    def complain(self, time: int | None) -> None:
        """The decoder refused a packet."""
        self._damaged = True
        self._uncounted |= not self._timed or self._next < self._unsure
        self._broken = _BEGINNING if time is None else (self._clocks[0], time)

    def place(self, picture: VideoFrame) -> tuple[int, str]:
        """Number of the next frame that comes out, from 0, and why not to rely on it, if so."""
        stamp = self._stamp(picture)
        if self._begins_whole and not self._shown and self._first and stamp:
            self._lacks_beginning = stamp > self._first
        # of MPEG-1, the first that comes out needs no other, if its head is whole
        may_be_cut = picture.key_frame or self._codec != "mpeg1video"
        rank = self._rank(stamp, may_be_cut=may_be_cut and not self._lacks_beginning)
        number = self._next
        is_late = rank is not None and rank > number
        self._shown += 1
        if self._lacks_beginning or is_late and self._is_one_each and not self._unsure:
            self._swallow(stamp)
        if not self._damaged:
            self._timed &= rank == number
        elif self._timed and rank is not None:
            number = max(number, rank)
        self._next = number + 1
        return number, self._doubt(picture, stamp, rank == number)

    def leave_out(self, count: int, packet: "Packet[VideoStream]") -> None:
        """So many packets, all before this one, are whole frames that nobody decodes."""
        while self._waiting and self._waiting[0] < (self._clocks[0], packet.pts or 0):
            heapq.heappop(self._waiting)
            self._before += 1
        self._shown += count
        self._next += count

    def swallowed(self) -> int:
        """Packets that went in and did not come out, when all has; not those before the first key.

        0 where that is no sign of damage.
        """
        if self._codec in _SKIPPING:
            return max(self._large - (self._leading or 0) - self._shown, 0)
        lost = self._going_in - (self._leading or 0) - self._shown
        return max(lost, 0) if self._is_one_each or self._lacks_beginning else 0

    def holds_back(self) -> bool:
        """Whether fewer frames have come out than packets went in, which need not be damage."""
        return self._shown < self._going_in

    def ticks(self, picture: VideoFrame, number: int) -> int | None:
        """When a frame is shown by the clock of its stream, None where nothing tells."""
        return self._stored[number] if number < len(self._stored) else picture.pts

    @property
    def clock(self) -> int:
        """How many times the clock has started anew before the last frame that came out."""
        return self._clocks[1]

    def _enter(self, packet: "Packet[VideoStream]") -> None:
        """Notice where a clock starts anew: there, storage goes back in time."""
        time = packet.pts if packet.dts is None else packet.dts
        if time is None:
            return
        self.has_restarted = self._restarts and (self._clocks[0], time) < self._entering
        self._clocks[0] += self.has_restarted
        self._entering = (self._clocks[0], time)

    def _stamp(self, picture: VideoFrame) -> Stamp | None:
        if picture.pts is None:
            return None
        packets, frames = self._clocks
        if frames < packets and (frames, picture.pts) <= self._last:
            self._clocks[1] += 1
        return self._clocks[1], picture.pts

    def _rank(self, stamp: Stamp | None, *, may_be_cut: bool) -> int | None:
        """Packets with earlier times; None if this one is not later than that of the last frame.

        Those before the first frame do not count where that one may begin what was cut off there.
        """
        if stamp is None or stamp <= self._last:
            return None
        self._last = stamp
        leading = 0
        while self._waiting and self._waiting[0] < stamp:
            leading += heapq.heappop(self._waiting) < (self._key or stamp)
            self._before += 1
        if self._leading is None:
            self._leading = leading if may_be_cut else 0
        return self._before - self._leading

    def _swallow(self, stamp: Stamp | None) -> None:
        """The decoder made nothing of a packet before this, and did not say so."""
        if not self._damaged:
            self._damaged, self._broken = True, stamp

    def _doubt(self, picture: VideoFrame, stamp: Stamp | None, is_placed: bool) -> str:
        if picture.is_corrupt:
            self._broken = _BEGINNING if stamp is None else stamp
            return "it is damaged in its video"
        if self._uncounted or self._damaged and not is_placed:
            return "its video is damaged before it and has no times that tell which frame it is"
        if self._broken is not None and picture.key_frame:
            # One that comes out late may be from before the damage: others still build on that.
            if stamp is None or stamp > self._broken:
                self._broken = None
            return ""
        return "" if self._broken is None else "it may build on a damaged frame of its video"
