"""What the other process is asked for: pictures and videos as items of `worker.stream`."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from actionunits.errors import MediaError
from actionunits.media import addresses, connecting, live, opening, pictures, sound, videos
from actionunits.media.sources import IMAGES
from actionunits.media.span import WHOLE, Choice, Span
from actionunits.media.worker import Item


def frames(name: str, threads: int, *span: Any) -> Iterator[Item]:
    """Number, seconds and doubt of each frame of a span, and the frame.

    Now and then, while frames go by that are not wanted, there is an item without one.
    """
    wanted = Span(*span)
    if not _is_picture(name):
        yield from _items(videos.frames(name, threads, wanted))
        return
    choice = Choice(wanted if wanted != WHOLE and pictures.is_moving(name) else WHOLE)
    seconds = 0.0
    for number, (image, seconds) in enumerate(pictures.pages(name)):
        if choice.is_over(seconds):
            return
        if choice.takes(number, seconds):
            yield [number, seconds, ""], image
    if not choice.taken:
        raise MediaError(f"{name}: {choice.missing(seconds)}")


def camera(name: str, *span: Any) -> Iterator[Item]:
    """Frames of a camera as they come, see `frames`."""
    connect = partial(opening.opened, name)
    yield from _items(live.frames(name, connect, Span(*span), ()))


def address(name: str, where: str, *span: Any) -> Iterator[Item]:
    """Frames of a stream at an address, which has its password, as they come."""
    connect = partial(connecting.address, name, where)
    yield from _items(live.frames(name, connect, Span(*span), addresses.WAITS))


def pipe(name: str, head: str, descriptor: int, *span: Any) -> Iterator[Item]:
    """Frames of a stream in a pipe, of which the head, as Latin-1, was read already."""
    connect = partial(connecting.pipe, name, head.encode("latin-1"), descriptor)
    yield from _items(live.frames(name, connect, Span(*span), None))


def picture(name: str) -> Iterator[Item]:
    """The first picture in a file of pictures."""
    with closing(pictures.pages(name)) as pages:
        yield [], next(pages)[0]


def is_still(name: str) -> Iterator[Item]:
    """Whether it is a picture that does not move; damaged ones count as such."""
    try:
        yield [_is_picture(name) and not pictures.is_moving(name)], None
    except MediaError:
        yield [True], None


def duration(name: str) -> Iterator[Item]:
    """Seconds that it promises, 0 where nobody knows."""
    yield [0.0 if _is_picture(name) else videos.duration(name)], None


def count(name: str) -> Iterator[Item]:
    """Frames that a video says it holds; the last item tells."""
    for number in videos.count(name):
        yield [number], None


def joined(name: str, drawn: str, out: str, *span: Any) -> Iterator[Item]:
    """Whether the sound of a video was written beside pictures; the last item tells."""
    for written in [False] if _is_picture(name) else sound.joined(name, drawn, out, Span(*span)):
        yield [written], None


def _items(decoded: Iterator[videos.Decoded]) -> Iterator[Item]:
    return map(_item, decoded)  # which keeps no picture while the next one is decoded


def _item(decoded: videos.Decoded) -> Item:
    image, *said = decoded
    return said, image


def _is_picture(name: str) -> bool:
    """By its suffix where that names pictures, else by what it holds.

    A picture under the name of a video is none the less one: FFmpeg, which reads some, does not
    notice where they break off.
    """
    return Path(name).suffix.lower() in IMAGES or pictures.is_picture(name)
