"""Names, colours and spans that all figures of a page share."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actionunits.aus import RENDERED, STAR
from actionunits.report.data import AWAY, DOUBTFUL, File, Track, runs
from actionunits.report.written import Weights

# Wong's palette for colour-blind readers (Nature Methods 8, 441, 2011), and greys.
BLUE, SKY, ORANGE, VERMILION = "#0072b2", "#56b4e9", "#e69f00", "#d55e00"
INK, FAINT, LINE, ABSENT = "#1b1f24", "#59626c", "#d3d8dd", "#b9c0c7"
_EVEN = 0.179  # luminance on which black and white are equally well read, 4.6 to 1
_DARKEST = np.array([8, 48, 107])  # of the ramp, at the top of the scale

QUALITY = "Confidence; grey no face, orange low, dashed cut"
"""Title of the strip that says how sure the reading is."""

_KNOWN = {au.column: au for au in RENDERED}


class Spans(NamedTuple):
    """From when to when, in seconds: (R, 2) each."""

    away: NDArray[np.float64]
    doubtful: NDArray[np.float64]


def number(column: str, weights: Weights) -> str:
    """``AU12``, with a star where it is experimental.

    >>> number("AU01", Weights(experimental=frozenset({"AU01"})))
    'AU1*'
    """
    return f"AU{int(column[2:])}{STAR * (column in weights.experimental)}"


def name(column: str) -> str:
    """What FACS calls an AU; nothing of those that the library does not know."""
    au = _KNOWN.get(column)
    return au.name if au else ""


def title(column: str, weights: Weights) -> str:
    """Number and name."""
    return f"{number(column, weights)} {name(column)}".strip()


def top(file: File) -> float:
    """End of the scale of strength."""
    return 5.0 if file.frames.graded else 1.0


def unit(file: File) -> str:
    """What strength is."""
    return "intensity, 0 to 5" if file.frames.graded else "probability, 0 to 1"


def spans(file: File, track: Track) -> Spans:
    """When a face is not there, or is read with little confidence."""
    ends = np.append(file.times[1:], file.times[-1] + file.step)
    found = (runs(track.state == state) for state in (AWAY, DOUBTFUL))
    away, doubtful = (
        np.stack([file.times[run[:, 0]], ends[run[:, 1] - 1]], axis=1) for run in found
    )
    return Spans(away, doubtful)


def ramp(share: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colour from white (0) to dark blue (1), monotone in lightness; grey for NaN: (..., 3)."""
    known = np.clip(np.nan_to_num(share), 0, 1)[..., None]
    middle = np.array([66, 146, 198])
    lower = 255 + (middle - 255) * known * 2
    upper = middle + (_DARKEST - middle) * (known * 2 - 1)
    colour = np.where(known < 0.5, lower, upper)
    return np.where(np.isfinite(share)[..., None], colour, 225).round().astype(np.uint8)


def cell(share: float) -> str:
    """Style of a cell of a table that shows a share 0 to 1 as a colour, in ink that can be read."""
    colour = ramp(np.array(share))
    red, green, blue = colour.tolist()
    ink = "#000" if luminance(colour) > _EVEN else "#fff"
    return f"background:#{red:02x}{green:02x}{blue:02x};color:{ink}"


def luminance(colour: NDArray[np.uint8]) -> float:
    """Relative luminance of an sRGB colour (3,), 0 to 1, as WCAG 2.2 defines it."""
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
