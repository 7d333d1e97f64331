"""The last frames of a video once more, of which a decoder with several threads drops some.

Where one of its threads fails at the end of a video, FFmpeg gives up what the others hold, and
mostly says nothing of it. With a single thread it gives what there is, and says what it refused.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from actionunits.media.opening import BROKEN, opened

_KEPT = 600  # packets at most: some seconds


class Tail:
    """Packets from the last but one picture on that needs no other."""

    def __init__(self) -> None:
        self._groups: list[list[Packet[VideoStream]]] = []

    def add(self, packet: "Packet[VideoStream]") -> None:
        """The next packet of the pictures."""
        if packet.is_keyframe or not self._groups:
            self._groups = [*self._groups[-1:], []]
        group = self._groups[-1]
        if len(group) < _KEPT:
            group.append(packet)

    def decode(self, name: str, after: int) -> Iterator[tuple[int | None, list[VideoFrame] | None]]:
        """What the packets become by one thread.

        Args:
            name: of their file.
            after: time of the last frame that came, in ticks of the stream.

        Yields:
            Time of each packet and the frames behind `after` that come with it, None instead where
            it is refused.
        """
        if any(len(group) == _KEPT for group in self._groups):
            return  # too long: what is missing at the end is not known to be there
        with opened(name) as again:
            again.stream.codec_context.thread_count = 1
            packets: Iterator[Any] = itertools.chain(*self._groups, [Packet()])
            for packet in packets:
                packet.stream, packet.time_base = again.stream, again.stream.time_base
                try:
                    pictures = packet.decode()
                except BROKEN:
                    yield packet.pts, None
                else:
                    yield packet.pts, [p for p in pictures if p.pts is not None and p.pts > after]
