"""Which frames of a video, an animation or a camera are wanted. Stills are always."""

import math
from typing import NamedTuple

from actionunits.errors import UserError

_ROUNDING = 1e-6  # seconds


class Span(NamedTuple):
    """From when to when, and how many; and what is a clip. See `checked`."""

    start: float = 0.0  # seconds
    end: float | None = None  # seconds, the first that are not wanted; None: to the end
    every: int = 1  # frame of a video
    fps: float | None = None  # frames a second at the most; None: all
    rate: float | None = None  # of folders of pictures that are clips, a second; None: none is

    def checked(self) -> "Span":
        """Itself.

        Raises:
            UserError: there is no such part, saying which of the five is wrong.
        """
        if not 0 <= self.start < math.inf:
            raise UserError(f"start: expected seconds from 0 on, got {self.start:g}")
        if self.end is not None and not self.end > self.start:
            raise UserError(
                f"end: expected seconds after the start, {self.start:g}, got {self.end:g}"
            )
        if self.every < 1:
            raise UserError(f"every: expected 1 for every frame, 2 for half, ...; got {self.every}")
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise UserError(f"fps: expected frames a second, more than 0; got {self.fps:g}")
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise UserError(
                f"--as-clip, or rate: expected frames a second, more than 0, got {self.rate:g}"
            )
        if self.fps is not None and self.every > 1:
            raise UserError("every and fps both thin out the frames; leave one of them out")
        return self


WHOLE = Span()


class Choice:
    """Which frames of one source are in a span; asked for one after the other."""

    def __init__(self, span: Span) -> None:
        """Begin before the first frame."""
        self._span = span
        self._last = -1  # which of the wanted moments has had its frame
        self.taken = 0
        """How many frames are in the span so far."""

    def takes(self, number: int, seconds: float) -> bool:
        """Whether the next frame is wanted.

        At `fps`, that is the first one at or after each moment.

        Args:
            number: its position in its source, from 0.
            seconds: its time.
        """
        span = self._span
        wanted = seconds >= span.start - _ROUNDING and number % span.every == 0
        if wanted and span.fps is not None:
            moment = math.floor((seconds - span.start + _ROUNDING) * span.fps)
            wanted = moment > self._last
            self._last = moment
        self.taken += wanted
        return wanted

    def is_over(self, seconds: float) -> bool:
        """Whether neither a frame of this time nor a later one is wanted."""
        return self._span.end is not None and seconds >= self._span.end - _ROUNDING

    def missing(self, seconds: float) -> str:
        """What to say of a source that ended, at this time, without any frame in the span."""
        return (
            f"has no frame from {self._span.start:g} s on: its last one is at {seconds:.2f} s; "
            "let the start be earlier"
        )
