"""AUs over the last seconds, in a strip below the frames of an overlay."""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from actionunits.aus import AUSet
from actionunits.detect.paint import COLOURS, FAINT, PANEL, TEXT, TRACK, font
from actionunits.types import Reading

LANES = 4
"""AUs that are shown at a time."""

ROWS = LANES + 1
"""Height of the strip in rows of the panel: the lanes, and the seconds below them."""

_SECONDS = 10.0  # that are shown
_GRID = 2.0  # seconds from line to line
_GAP = 0.5  # seconds without a face, or between frames, that no line bridges


class _Moment(NamedTuple):
    seconds: float
    track: int  # -1: nobody
    strength: NDArray[np.floating]  # (A,) 0..1
    present: NDArray[np.bool_]  # (A,)


class Strip:
    """The AUs of the face of the lowest number through the last seconds of one video.

    An AU that occurs has a lane; if there is none left, it takes that of the weakest AU which does
    not occur any more, and was weaker in these seconds.
    """

    def __init__(self, aus: AUSet) -> None:
        """Begin before the first frame.

        Args:
            aus: label axis of the readings.
        """
        self._aus = aus
        self._moments: deque[_Moment] = deque()
        self._lanes: list[int] = []  # position of the AU of each

    def add(self, reading: Reading) -> None:
        """Take the next frame."""
        now = reading.frame.seconds
        nobody = np.zeros(len(self._aus))
        moment = _Moment(now, -1, nobody, nobody > 0)
        if reading.faces and not reading.doubtful[0]:
            told = reading.probability if reading.intensity is None else reading.intensity / 5
            moment = _Moment(now, reading.faces[0].track, told[0].clip(0, 1), reading.present[0])
        self._moments.append(moment)
        while now - self._moments[0].seconds > _SECONDS:
            self._moments.popleft()
        wanting = np.setdiff1d(np.flatnonzero(moment.present), self._lanes)
        peaks = np.max([each.strength for each in self._moments], axis=0)
        for au in wanting[np.argsort(-peaks[wanting])]:
            if len(self._lanes) < LANES:
                self._lanes.append(int(au))
                continue
            over = [lane for lane, old in enumerate(self._lanes) if not moment.present[old]]
            weakest = min(over, key=lambda lane: peaks[self._lanes[lane]], default=None)
            if weakest is not None and peaks[self._lanes[weakest]] < peaks[au]:
                self._lanes[weakest] = int(au)

    def draw(
        self, draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], row: float
    ) -> None:
        """Draw the strip.

        Args:
            draw: onto what.
            box: left, top, right and bottom in pixels.
            row: height of a lane in pixels.
        """
        left, top, right, bottom = box
        draw.rectangle(box, fill=PANEL)
        text, small = font(0.62 * row), font(0.5 * row)
        begin = left + min(9 * row, 0.3 * (right - left))
        end = right - 0.5 * row
        now = self._moments[-1].seconds
        scale = (end - begin) / _SECONDS
        for line in np.arange(np.floor(now / _GRID) * _GRID, now - _SECONDS, -_GRID):
            x = end - (now - line) * scale
            if line >= 0 and x - begin > row:
                draw.line((x, top, x, top + LANES * row), fill=TRACK)
                draw.text((x, top + (LANES + 0.45) * row), f"{line:g} s", FAINT, small, "mm")
        for lane, au in enumerate(self._lanes):
            foot = top + (lane + 0.95) * row
            known = self._aus.aus[au]
            occurs = bool(self._moments[-1].present[au])
            colour = TEXT if occurs else FAINT
            draw.text(
                (left + 0.4 * row, foot - 0.45 * row), self._aus.label(known), colour, text, "lm"
            )
            if begin - left > 8 * row:
                draw.text((left + 1.7 * row, foot - 0.45 * row), known.name, colour, small, "lm")
            draw.line((begin, foot, end, foot), fill=TRACK)
            for run in self._runs():
                x = [end - (now - each.seconds) * scale for each in run]
                y = [foot - each.strength[au] * 0.9 * row for each in run]
                x, y = [x[0], *x, x[-1] + 1], [foot, *y, foot]
                draw.polygon(
                    list(zip(x, y, strict=True)), fill=COLOURS[run[0].track % len(COLOURS)]
                )

    def _runs(self) -> list[list[_Moment]]:
        """Moments of one face without a gap."""
        runs: list[list[_Moment]] = []
        last: _Moment | None = None
        for moment in self._moments:
            if moment.track >= 0:
                goes_on = (
                    last is not None
                    and last.track == moment.track
                    and moment.seconds - last.seconds <= _GAP
                )
                if goes_on:
                    runs[-1].append(moment)
                else:
                    runs.append([moment])
                last = moment
        return runs
