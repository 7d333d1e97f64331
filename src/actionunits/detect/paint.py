"""What was read of faces painted over their picture; colours and letters of all overlays."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont

from actionunits.faces.pose import axes
from actionunits.types import Reading

COLOURS = ("#4cc3ff", "#ffb03a", "#7be07b", "#ff7a7a", "#c9a0ff", "#ffe14d")
"""Of faces, by their numbers."""

AXES = ("#ff5a5a", "#5ad65a", "#5a8cff")
"""Of the head: to the subject's left, up, forward."""

PANEL, TRACK, TEXT, FAINT = "#14181d", "#2b323b", "#f2f5f7", "#8b96a3"

KINDS = ("boxes", "landmarks", "head pose")
"""What is painted over a face."""

_FINE = 60  # of these a face is wide, its lines are one; at the most as wide as those of letters
_NOSE = {5: 2, 49: 13}  # the point at which axes begin, of so many
_AXIS = 0.6  # times the width of the face


def colours(reading: Reading) -> list[str]:
    """Colours of the faces of a reading, grey where it was read with too little confidence."""
    return [
        FAINT if doubt else COLOURS[face.track % len(COLOURS)]
        for face, doubt in zip(reading.faces, reading.doubtful, strict=True)
    ]


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Letters that can be read, of so many pixels or a few more."""
    return ImageFont.load_default(max(round(size), 9))


def paint(
    draw: ImageDraw.ImageDraw,
    reading: Reading,
    scale: float,
    row: float,
    kinds: Collection[str] = KINDS,
    shades: Sequence[str] | None = None,
) -> None:
    """Paint what was read of all faces of a frame over its picture.

    Landmarks are the 49 of the model and axes those of its pose where the reading has them, else
    the five points by which the face was aligned, and no axes.

    Args:
        draw: onto what.
        reading: of the frame.
        scale: pixels there for one of the frame.
        row: pixels there of a line of letters.
        kinds: of `KINDS`.
        shades: colours of the faces, `colours` where not given.
    """
    for at, shade in enumerate(shades or colours(reading)):
        width = reading.faces[at].box[2] * scale
        line = max(round(min(row / 8, width / _FINE)), 1)
        told = reading.faces[at].landmarks if reading.landmarks is None else reading.landmarks[at]
        points = told * scale
        if "boxes" in kinds:
            _box(draw, reading, at, scale, row, line, shade)
        if "landmarks" in kinds:
            for x, y in points:
                draw.circle((x, y), line * (1.2 if len(points) == 5 else 0.8), fill=shade)
        if "head pose" in kinds and reading.pose is not None:
            _axes(draw, reading.pose[at], points[_NOSE[len(points)]], _AXIS * width, line)


def _box(
    draw: ImageDraw.ImageDraw,
    reading: Reading,
    at: int,
    scale: float,
    row: float,
    line: int,
    shade: str,
) -> None:
    """Draw the box, with the number of the face above it, or in it at the top of the picture."""
    face, mark = reading.faces[at], "?" if reading.doubtful[at] else ""
    x, y, width, height = face.box * scale
    draw.rectangle((x, y, x + width, y + height), outline=shade, width=line)
    label, letters, top = f" {face.track}{mark} ", font(0.75 * row), max(y - row, 0)
    draw.rectangle((x, top, x + draw.textlength(label, letters), top + row), fill=shade)
    draw.text((x, top + row / 2), label, PANEL, letters, anchor="lm")


def _axes(
    draw: ImageDraw.ImageDraw,
    pose: NDArray[np.floating],
    origin: NDArray[np.floating],
    length: float,
    line: int,
) -> None:
    """Draw the head's axes as a camera far away sees them, the nearest last."""
    pointing = axes(pose)
    for which in np.argsort(-pointing[:, 2]):
        end = (origin[0] + length * pointing[which, 0], origin[1] + length * pointing[which, 1])
        draw.line((*origin, *end), fill=AXES[which], width=line + 1)
        draw.circle(end, 1.5 * line, fill=AXES[which])
