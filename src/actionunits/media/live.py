"""Streams as they come: cameras, addresses, pipes.

What comes faster than it is read is passed over, but for the newest frame, and counted; of a pipe
nothing is: who writes into it waits. A connection that breaks is made again, and times go on by the
clock. While nothing comes there is an item without a picture now and then, so that whoever reads
can leave.

These functions decode in the process that calls them; `actionunits.media` calls them in another.
"""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from threading import Condition, Thread
from time import monotonic

from actionunits.errors import MediaError, counted
from actionunits.media.opening import Opened
from actionunits.media.span import Choice, Span
from actionunits.media.videos import BrokenOffError, Decoded, of_stream

Connect = Callable[[], AbstractContextManager[Opened]]

_TIMELESS = {"mjpeg", "mpjpeg"}  # pictures one after another; off the network they come in time
_TICK = 0.25  # seconds between signs of life

_log = logging.getLogger(__name__)


def frames(
    name: str, connect: Connect, span: Span, waits: tuple[float, ...] | None
) -> Generator[Decoded, None, None]:
    """Frames of a stream from now on.

    Args:
        name: of the source.
        connect: opens the stream.
        span: which frames are wanted, counted from the first that comes.
        waits: seconds before each try to connect again; none is made of what is only read once.
            None: it is a pipe, none of whose frames is passed over.

    Yields:
        The frames; and one without a picture now and then while none comes.

    Raises:
        MediaError: it cannot be opened, or breaks off for good.
    """
    desk, choice = _Desk(keeps_all=waits is None), Choice(span)
    came = _connected(name, connect, waits or (), desk.pause)
    Thread(target=desk.fill, args=(came, choice), daemon=True).start()
    try:
        yield from desk.frames()
        if not choice.taken:
            raise MediaError(f"{name}: {choice.missing(desk.seconds)}")
    finally:
        desk.close()
        if desk.passed:
            _log.warning(
                "%s: %s of %d passed over, which came faster than they were read; the newest were "
                "read, at their times",
                *(name, counted(desk.passed, "frame"), desk.came),
            )


class _Desk:
    """Where one thread lays down frames, and another takes them up."""

    def __init__(self, *, keeps_all: bool) -> None:
        self._keeps_all = keeps_all
        self._changed = Condition()
        self._frame: Decoded | None = None
        self._error: BaseException | None = None
        self._is_over = self._is_closed = False
        self.came, self.passed, self.seconds = 0, 0, 0.0

    def fill(self, frames: Generator[Decoded, None, None], choice: Choice) -> None:
        """Lay down what is wanted of these frames, until nobody takes them any more."""
        try:
            with closing(frames):
                for frame in frames:
                    _, number, seconds, _ = frame
                    if choice.is_over(seconds) or not self._lay(frame, choice, number, seconds):
                        break
        except BaseException as error:  # is raised where the frames are taken up
            self._error = error
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _lay(self, frame: Decoded, choice: Choice, number: int, seconds: float) -> bool:
        with self._changed:
            self.seconds = seconds
            if choice.takes(number, seconds):
                if self._keeps_all:
                    self._changed.wait_for(lambda: self._frame is None or self._is_closed)
                self.came += 1
                self.passed += self._frame is not None
                self._frame = frame
                self._changed.notify_all()
            return not self._is_closed

    def frames(self) -> Iterator[Decoded]:
        """Take frames up."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frame or self._is_over, _TICK)
                frame, self._frame = self._frame, None
                is_over = self._is_over
                self._changed.notify_all()
            if frame is None and is_over:
                break
            yield frame or (None, 0, 0.0, "")
        if self._error is not None:
            raise self._error

    def pause(self, seconds: float) -> None:
        """Wait, unless nobody takes frames up any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, seconds)

    def close(self) -> None:
        """Take no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def _connected(
    name: str,
    connect: Connect,
    waits: tuple[float, ...],
    pause: Callable[[float], None],
) -> Generator[Decoded, None, None]:
    """All frames, of one connection after another; numbers and times go on."""
    number, seconds, began = -1, 0.0, 0.0
    left = iter(waits)
    while True:
        before, lead = number, None
        try:
            with connect() as video:
                by_clock = bool(waits) and video.container.format.name in _TIMELESS
                for image, count, there, doubt in of_stream(name, video):
                    now = monotonic()
                    began = began or now
                    if lead is None:  # the clock tells how long nothing came
                        lead = now - began - there
                        left = iter(waits)
                        if before >= 0:
                            _log.warning("%s: connected again at %.1f s", name, now - began)
                    number = before + 1 + count
                    seconds = max(now - began if by_clock else there + lead, seconds)
                    yield image, number, seconds, doubt
            return
        except MediaError as error:
            is_broken = isinstance(error, BrokenOffError)
            if number < 0 and not is_broken:
                raise
            wait = next(left, None) if number >= 0 else None
            if wait is None:
                at = f"at {seconds:.1f} s" if number >= 0 else "before its first frame"
                tries = f", and no try of {len(waits)} to connect again succeeded" if waits else ""
                raise MediaError(
                    f"{name}: the stream broke off {at} ({error}){tries}; what came before is kept"
                ) from error
            _log.warning(
                "%s: broke off at %.1f s (%s); connecting again in %g s",
                *(name, seconds, error, wait),
            )
            pause(wait)
