"""The sound of a video, copied beside pictures that were drawn anew.

This decodes nothing: packets go from one file to the other as they are.
"""

from collections.abc import Generator, Iterator
from heapq import merge
from pathlib import Path
from typing import Any

import av
from av.packet import Packet

from actionunits.errors import MediaError
from actionunits.media.opening import BROKEN, Opened, opened
from actionunits.media.span import Span
from actionunits.media.videos import origin

_NOW_AND_THEN = 500  # packets

_Timed = tuple[float, int, "Packet[Any]"]  # when it goes in, of which stream, and it


def joined(name: str, drawn: str, out: str, span: Span) -> Generator[bool, None, None]:
    """Write the pictures of one file and the sound of another.

    Args:
        name: the video whose sound is copied.
        drawn: its pictures, whose times begin at the start of the span.
        out: the file to write.
        span: the part of the video that the pictures are of.

    Yields:
        Whether something has been written; now and then, and at the end.

    Raises:
        MediaError: `out` is of a kind that cannot hold such sound.
    """
    with opened(name) as video:
        sounds = [sound for sound in video.container.streams.audio if sound.codec_context]
        if not sounds:
            yield False
            return
        with av.open(drawn) as pictures, av.open(out, "w") as file:
            streams: list[Any] = [file.add_stream_from_template(pictures.streams.video[0])]
            try:
                streams += [file.add_stream_from_template(sound) for sound in sounds]
                file.start_encoding()
            except BROKEN as error:
                kinds = ", ".join(sound.codec_context.name for sound in sounds)
                raise MediaError(
                    f"{name}: its sound ({kinds}) cannot be stored in {Path(out).suffix}, and the "
                    "overlay has none; an overlay .mkv takes any"
                ) from error
            for count, (_, at, packet) in enumerate(
                merge(_pictures(pictures), _sounds(video, span), key=lambda timed: timed[:2])
            ):
                packet.stream = streams[at]
                file.mux(packet)
                if count % _NOW_AND_THEN == 0:
                    yield True
        yield True


def _pictures(container: Any) -> Iterator[_Timed]:
    for packet in container.demux(video=0):
        if packet.dts is not None:
            yield float(packet.dts * packet.time_base), 0, packet


def _sounds(video: Opened, span: Span) -> Iterator[_Timed]:
    """Packets of the sound that begin in the span, with its times; up to where it is damaged."""
    start = (origin(video) or 0.0) + span.start
    end = float("inf") if span.end is None else span.end - span.start
    number = {s.index: at for at, s in enumerate(video.container.streams.audio, 1)}
    last = dict.fromkeys(number, -1.0)
    packets: Iterator[Any] = video.container.demux(audio=tuple(range(len(number))))
    while True:
        try:
            packet = next(packets, None)
        except BROKEN:
            return
        if packet is None:
            return
        if packet.dts is None or packet.pts is None:
            continue
        shift = round(start / packet.time_base)
        seconds = float((packet.dts - shift) * packet.time_base)
        # a clock that starts anew is past its end by the times of the pictures
        if 0 <= seconds < end and seconds > last[packet.stream.index]:
            last[packet.stream.index] = seconds
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            yield seconds, number[packet.stream.index], packet
