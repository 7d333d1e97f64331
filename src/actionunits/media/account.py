"""What a video says it holds, against what came out of it: a loss that nobody notices is the worst.

Each container tells in its own way. MP4 and AVI list their frames; Matroska, FLV and others break
their own rules where bytes are missing, which FFmpeg says in its log and then passes over;
Windows Media says how large its file is, transport streams count their packets, some others are
chains (`structure`); all others say how long they are.
"""

import os
import re
import statistics
import struct
from collections import deque
from typing import Any, BinaryIO

import av
from av.packet import Packet

from actionunits.media import avi, mp4, structure, transport
from actionunits.media.groups import CODECS, Groups
from actionunits.media.names import is_stored
from actionunits.media.opening import Line, Opened

_AT_LEAST = 0.5  # seconds, by which containers are wrong about their length,
_OF_SHORT = 0.2  # or so much of it, if less
_STEPS = 3  # so many, if longer
_ASTRAY = 4  # times as late as the file is long
_TELLING = 8  # steps, which tell what is usual
_PAUSE = 5  # usual steps that a video of a steady rate does not skip
_UNEVEN = 0.05  # share of other steps in such a video
_GAP = 1.5  # usual steps: something is left out
_SHARED = 0.5  # of a gap
_MANY = 1000  # gaps: then the rate is not steady, and more tell nothing new
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # of Windows Media
_SIZE_AT = 40  # bytes into them
_HEADER = 1 << 16
_FLV_HEADER = 11  # bytes of a tag
_FILE_SIZE = b"\x00\x08filesize\x00"  # a name of 8 letters, and that a number of 8 bytes follows
_NEAR = 2  # packets
_OF_LISTS = {mp4.KIND: re.compile(r"st[cst]\w|sample", re.IGNORECASE), "avi": re.compile(r"(?!)")}
"""Containers whose lists tell more than what FFmpeg complains of when it opens them; but what it
says of the lists themselves counts."""
_BY_STEPS = {"asf", "mpeg", "mxf", "nut", "rm"}
"""Containers that nothing but the times of their frames tells holes of."""


class Account:
    """Told of all that is read of a video, tells what is missing."""

    def __init__(self, name: str, video: Opened) -> None:
        self._video = video
        self._container, self._stream, said, is_helped = video
        self._sound = next(iter(self._container.streams.audio), None)
        self._name, self._format = name, self._container.format.name
        self._listed = len(self._stream.index_entries)
        self._is_cut = is_helped or _is_cut(name, self._format)
        self._packets = self._damaged = 0
        self._corrupt: list[int] = []  # packets by their numbers, as all below
        self._joints: list[int] = []
        self._reached = self._farthest = 0.0
        self._gaps = {True: _Gaps(), False: _Gaps()}  # of the pictures, of the sound
        self._groups = Groups()
        self._steps: deque[float] = deque(maxlen=300)
        self._uneven = self._pauses = self._shown = 0
        self._unjudged: list[float] = []
        self._begin = 0.0  # when the first frame is shown
        self._last: float | None = None
        heard = _OF_LISTS.get(self._format)
        self.log([line for line in said if heard is None or heard.search(line[2])])

    def packet(self, packet: "Packet[Any]") -> None:
        """A packet of any stream came."""
        time = packet.pts if packet.pts is not None else packet.dts
        is_picture = packet.stream.index == self._stream.index
        if (
            packet.dts is not None
            and packet.time_base
            and (is_picture or packet.stream is self._sound)
        ):
            self._gaps[is_picture].step(float(packet.dts * packet.time_base))
        if time is not None and packet.time_base:
            end = float((time + (packet.duration or 0)) * packet.time_base)
            self._reached = max(self._reached, end)
            if is_picture:
                self._farthest = max(self._farthest, end)
        self._packets += is_picture
        if is_picture and self._stream.codec_context.name in CODECS:
            self._groups.add(bytes(packet))

    def damage(self) -> None:
        """Something is known to be broken."""
        self._damaged += 1

    def corrupt(self) -> None:
        """The last packet is not whole."""
        self._corrupt.append(self._packets)

    def joint(self) -> None:
        """The last packet is the first of another video; what counts packets is upset there."""
        self._joints.append(self._packets)

    def log(self, lines: list[Line]) -> None:
        """FFmpeg said this of what it read."""
        self._damaged += any(who == self._format for _, who, _ in lines)

    def frame(self, seconds: float) -> None:
        """A frame came, shown then."""
        if self._last is not None and seconds > self._last:
            self._steps.append(seconds - self._last)
            self._unjudged.append(seconds - self._last)
            if len(self._steps) >= _TELLING:
                self._judge()
        self._begin = self._begin if self._shown else seconds
        self._last = seconds
        self._shown += 1

    def leave_out(self, count: int) -> None:
        """So many frames are not decoded, because nobody wants them."""
        self._shown += count

    def _judge(self) -> None:
        """Count the last steps that are longer or shorter than is usual."""
        usual = statistics.median(self._steps or [0])
        for step in self._unjudged:
            self._pauses += step > _PAUSE * usual
            self._uneven += usual / 4 < abs(step - usual) <= (_PAUSE - 1) * usual
        self._unjudged.clear()

    def frames(self) -> int:
        """Frames that the file says it holds, 0 where it does not tell."""
        listed = max(self._listed, len(self._stream.index_entries))
        if self._format == mp4.KIND:
            return listed
        if self._format == "avi" and listed >= self._stream.frames:
            return sum(1 for entry in self._stream.index_entries if entry.size)
        if self._format == "avi":
            least = self._stream.frames
            return avi.pictures(self._name, self._stream.index, least) or least
        if self._format == "mxf" and self._stream.duration:
            return self._stream.duration  # in pictures, at a steady rate
        return self._stream.frames

    def seconds(self) -> float:
        """How long the pictures go on by what the file says, 0 where it does not tell."""
        return promised(self._video)

    def is_short(self, swallowed: int) -> bool:
        """Whether anything is missing or broken; asked when the file has been read to its end.

        Args:
            swallowed: packets of which the decoder made nothing, see `Numbers`.
        """
        return bool(
            self._damaged
            or self._is_cut
            or self._packets < self.frames()
            or swallowed
            or self._is_torn()
            or self._skips()
            or structure.is_torn(self._name, self._format)
            or self._has_holes()
            or self._leaves_out()
            or self._lacks_pictures()
            or self._cuts_wrongly()
            or self._is_astray()
            or self._ends_early()
        )

    def _leaves_out(self) -> bool:
        """Whether pictures and sound skip the same time, which no device does by itself."""
        return not self._joints and self._gaps[True].meet(self._gaps[False])

    def _lacks_pictures(self) -> bool:
        """Whether groups of pictures that count theirs do, in a video of one piece."""
        self._groups.end()
        return not self._joints and self._groups.lacking > 0

    def _cuts_wrongly(self) -> bool:
        """Whether a list of edits that cannot be right leaves out frames."""
        is_cut = self._format == mp4.KIND and self._shown < self._stream.frames
        return is_cut and mp4.is_cut_wrongly(self._name)

    def _is_torn(self) -> bool:
        """Whether packets are, other than by where two videos were joined."""
        return any(
            all(abs(packet - joint) > _NEAR for joint in self._joints) for packet in self._corrupt
        )

    def _skips(self) -> bool:
        """Whether a transport stream lacks packets, other than by where two were joined."""
        if self._format != "mpegts":
            return False
        return transport.breaks(self._name, self._stream.id) > len(self._joints)

    def _has_holes(self) -> bool:
        """Whether a video of a steady rate skips some time, in containers that tell only so."""
        self._judge()
        is_steady = self._uneven <= _UNEVEN * self._shown
        usual = statistics.median(self._steps or [0])
        has_hole = self._pauses > 0 or self._begins_late(usual)
        return self._format in _BY_STEPS and has_hole and is_steady

    def _begins_late(self, usual: float) -> bool:
        """Whether the first frame comes after a pause in a file that counts from 0, by its end.

        The sound, which may tell that end, stops some steps before or after the pictures.
        """
        if self._format not in {"asf", "nut"} or not self._container.duration:
            return False
        begin = self._begin + (self._container.start_time or 0) / av.time_base
        end = self._container.duration / av.time_base + _STEPS * usual
        return begin > _PAUSE * usual > 0 and self._reached <= end

    def _is_astray(self) -> bool:
        """Whether frames are much later than the file is long: then their times are damaged.

        In MP4 also those that are not shown, being outside of what the file says is its length.
        """
        seconds = 0 if self._joints else self.seconds()
        latest = max(self._last or 0, self._farthest if self._format == mp4.KIND else 0)
        return seconds > 0 and latest > _ASTRAY * (seconds + 1)

    def _ends_early(self) -> bool:
        # The list of an MP4 is exact, and a transport stream is as long as its file.
        if self._format in {mp4.KIND, "mpegts", "mpeg"} and not self._is_fragmented():
            return False
        duration, start = self._container.duration, self._container.start_time or 0
        if duration is None:
            return False
        # of few frames the order of storage tells their rate better: those between may be lost
        usual = min(statistics.median(self._steps or [0]), self._gaps[True].usual())
        slack = max(min(_AT_LEAST, _OF_SHORT * duration / av.time_base), _STEPS * usual)
        # Some count their duration from the first picture and some from 0.
        return self._reached + slack < (min(start, 0) + duration) / av.time_base

    def _is_fragmented(self) -> bool:
        return self._format == mp4.KIND and not self._stream.frames


class _Gaps:
    """Where a stream, whose packets mostly come at a steady rate, skips some."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._steps: deque[float] = deque(maxlen=50)
        self._packets = 0
        self._found: list[tuple[float, float]] = []

    def step(self, seconds: float) -> None:
        """The next packet begins then, in the order of decoding."""
        if self._last is not None and seconds > self._last:
            step = seconds - self._last
            usual = self.usual() or step
            if step > _GAP * usual and len(self._found) < _MANY:
                self._found.append((self._last + usual, seconds))
            self._steps.append(step)
            self._packets += 1
        self._last = seconds

    def meet(self, other: "_Gaps") -> bool:
        """Whether both are steady, and a gap of this one is mostly in one of the other.

        Neither is where a camera sends what moves, and a microphone what is said.
        """
        return (
            self._is_steady()
            and other._is_steady()
            and any(
                min(end, until) - max(start, since) > _SHARED * (end - start)
                for start, end in self._found
                for since, until in other._found
            )
        )

    def usual(self) -> float:
        """Seconds from one packet to the next, their median; 0 where there are no times."""
        return statistics.median(self._steps or [0.0])

    def _is_steady(self) -> bool:
        return len(self._found) <= max(1, _UNEVEN * self._packets)


def promised(video: Opened) -> float:
    """Seconds that a file says its pictures go on, 0 where it does not tell."""
    container, stream, *_ = video
    if stream.time_base:  # of PyAV from 19 on 0 is what others call None
        if container.format.name == "avi":  # FFmpeg makes it as short as the file
            return float(stream.frames * stream.time_base)
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
    end = _seconds(stream.metadata.get("DURATION", "")) or (container.duration or 0) / av.time_base
    is_absolute = container.format.name == "matroska,webm"
    return end - (container.start_time or 0) / av.time_base if is_absolute else end


def _seconds(clock: str) -> float:
    """Seconds of "00:01:02.5", as in a tag of Matroska; 0 where it is none."""
    try:
        hours, minutes, seconds = map(float, clock.split(":"))
    except ValueError:
        return 0.0
    return hours * 3600 + minutes * 60 + seconds


def _is_cut(name: str, kind: str) -> bool:
    """Whether a file does not end where its container must."""
    if not is_stored(name):
        return False
    with open(name, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if kind == "flv":  # the last bytes say how long the last tag is, which says it too
            file.seek(0)
            if _said_size(file.read(_HEADER)) > size:
                return True
            file.seek(size - 4)
            tag = int.from_bytes(file.read(4))
            file.seek(max(size - 4 - tag, 0))
            return tag != _FLV_HEADER + int.from_bytes(file.read(4)[1:])
        if kind == mp4.KIND:
            return _has_torn_boxes(file, size)
        if kind == "asf":
            file.seek(0)
            start = file.read(_HEADER)
            place = start.find(_FILE_PROPERTIES) + _SIZE_AT
            return place >= _SIZE_AT and int.from_bytes(start[place : place + 8], "little") > size
    return False


def _said_size(start: bytes) -> float:
    """Bytes of a Flash file by what it says of itself at its start, 0 where it does not."""
    place = start.find(_FILE_SIZE) + len(_FILE_SIZE)
    if place < len(_FILE_SIZE) or place + 8 > len(start):
        return 0.0
    return float(struct.unpack_from(">d", start, place)[0])


def _has_torn_boxes(file: BinaryIO, size: int) -> bool:
    """Whether the boxes of a fragmented MP4 do not follow each other to its end.

    One in a single piece may have anything behind it; its list, if it is whole, tells what is
    missing.
    """
    place, is_fragmented = 0, False
    while place < size:
        file.seek(place)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4]), head[4:8]
        if length == 0 and kind == b"mdat":  # up to the end
            return False
        if length == 1:
            length = int.from_bytes(head[8:])
        if length < len(kind) + 4 or not kind.isalnum():
            break
        is_fragmented |= kind == b"moof"
        place += length
        if kind == b"moov" and place > size:
            return True
    return is_fragmented and place != size
