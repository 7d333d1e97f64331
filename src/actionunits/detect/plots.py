"""A reading to look at: its frame with what was read drawn into it and beside it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from actionunits.aus import AUSet
from actionunits.detect import strip
from actionunits.detect.paint import COLOURS, FAINT, PANEL, TEXT, TRACK, colours, font, paint
from actionunits.errors import counted
from actionunits.faces.align import reduced
from actionunits.media.pictures import rgb
from actionunits.types import Reading

_ROW = 16  # pixels, the least height of a panel row that can be read
_ENLARGED = 2048  # pixels, the width to which small frames are enlarged at most
_LARGEST = 3840  # pixels of the long side of it all: players and browsers often decode no more
_PANEL = 18  # rows, the width of the panel
_COLUMNS = len(COLOURS)  # faces that the panel shows side by side


def overlay(reading: Reading, aus: AUSet, history: strip.Strip | None = None) -> NDArray[np.uint8]:
    """Frame with what was read painted over it, see `paint`, and AU bars beside it.

    The bars show intensity on 0 to 5, or probability where the model tells no intensity; an AU that
    occurs is bright. A face that was read with too little confidence is grey and has a question
    mark. Small frames are enlarged until the panel can be read, large ones shrunk until all of it
    is about as large as 4K. Frames of videos have the AUs of the last seconds below them, and
    need no enlarging from 336 pixels of height on. Of more faces than the panel has room for, the
    lowest identity numbers are shown.

    Args:
        reading: of one frame, (H, W, 3).
        aus: its label axis.
        history: of the video up to this frame.

    Returns:
        (H', W', 3) uint8, both even; the same for all frames of a size.
    """
    height, width = reading.frame.image.shape[:2]
    lines = len(aus) + 2
    below = strip.ROWS if history else 0
    beside = max(lines - below, 1)
    row = min(height / beside, width / 20)
    scale = max(min(_ROW * beside / height, _ENLARGED / width), 1.0)
    scale = min(scale, _LARGEST / max(width + _PANEL * row, height + below * row))
    height, width = (2 * round(edge * scale / 2 + 0.49) for edge in (height, width))
    # As high as the frame, but in a tall frame not wider than about half of it.
    row = max(min(height / beside, width / 20), _ROW)
    panel = 2 * round(row * _PANEL / 2)
    bottom = max(height + 2 * round(row * below / 2), 2 * round(row * lines / 2))
    frame = _scaled(reading.frame.image, (width, height))  # before its canvas takes room too
    canvas = Image.new("RGB", (width + panel, bottom), PANEL)
    canvas.paste(frame)
    draw = ImageDraw.Draw(canvas)
    paint(draw, reading, scale, row)
    if history:
        history.draw(draw, (0, height, width, bottom), row)
    _draw_panel(draw, reading, aus, width, panel, row)
    return rgb(canvas)


def _scaled(image: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    shrunk = max(image.shape[1] // size[0], 1)
    frame = reduced(image, shrunk, shrunk)
    if frame.size == size:  # a copy less of what may be a hundred megabytes
        return frame
    return frame.resize(size, Image.Resampling.BICUBIC)


def _draw_panel(
    draw: ImageDraw.ImageDraw, reading: Reading, aus: AUSet, left: int, width: int, row: float
) -> None:
    """AU names in rows and a column of bars a face."""
    letters, small = font(0.62 * row), font(0.55 * row)
    names, end = left + 0.4 * row, left + width - 0.5 * row
    first = left + width * 0.56
    faces = reading.faces[:_COLUMNS]
    step = (end - first) / max(len(faces), 1)
    hidden = len(reading.faces) - len(faces)
    title = f"{reading.frame.seconds:.2f} s" if reading.frame.number else ""
    more = f"{counted(hidden, 'more face')} not shown" if hidden else "" if faces else "no face"
    draw.text((names, row / 2), title or more, FAINT, small, anchor="lm")
    if title and more:
        draw.text((names, row * (len(aus) + 1.5)), more, FAINT, small, anchor="lm")
    shades = colours(reading)
    present = reading.present & ~reading.doubtful[:, None]
    for column, face in enumerate(faces):
        draw.text((first + step * column, row / 2), str(face.track), shades[column], letters, "lm")
    for i, au in enumerate(aus):
        middle = row * (i + 1.5)
        occurs = bool(present[:, i].any())
        colour = TEXT if occurs else FAINT
        draw.text((names, middle), aus.label(au), colour, letters, anchor="lm")
        draw.text((names + 1.3 * row, middle), au.name, colour, small, anchor="lm")
        for column in range(len(faces)):
            start = first + step * column
            full = step * (0.86 if len(faces) > 1 else 0.8)
            share = reading.probability[column, i]
            if reading.intensity is not None:
                share = reading.intensity[column, i] / 5
            top, bottom = middle - 0.25 * row, middle + 0.25 * row
            draw.rectangle((start, top, start + full, bottom), fill=TRACK)
            bar = start + full * float(np.clip(share, 0, 1))
            fill = shades[column] if present[column, i] else FAINT
            draw.rectangle((start, top, bar, bottom), fill=fill)
            if len(faces) == 1:
                value = share * 5 if reading.intensity is not None else share
                draw.text((end + 0.2 * row, middle), f"{value:.1f}", colour, small, anchor="rm")
