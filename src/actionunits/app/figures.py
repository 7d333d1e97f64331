"""One frame to look at: the picture with what was read drawn over it, and bars of its AUs."""

import base64
import io
from collections.abc import Collection, Sequence
from contextlib import closing
from html import escape
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from actionunits import media
from actionunits.app.reading import Seen
from actionunits.aus import STAR, STARRED
from actionunits.detect.paint import paint
from actionunits.errors import UserError, printable
from actionunits.types import Frame

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#e69f00", "#666666")
"""Of models, in their order."""

_LARGEST = 960  # pixels of the long side of what is shown
_ENLARGED = 2  # times at most, so that lines over small pictures are fine
_ROWS = 30  # lines of letters in its long side, which a phone shows a few hundred points wide


def picture(file: Path, frame: Frame) -> NDArray[np.uint8]:
    """The picture (H, W, 3) of a frame that was read, decoded once more.

    Raises:
        UserError: it cannot be decoded any more.
    """
    span = media.Span(start=frame.seconds)
    with closing(media.frames(str(file), span=span)) as frames:
        for each in frames:
            if each.number >= frame.number:
                return each.image
    raise UserError(f"{file.name}: frame {frame.number + 1} cannot be decoded again")


def still(
    image: NDArray[np.uint8], seen: Sequence[Seen], overlays: Collection[str], caption: str = ""
) -> str:
    """A picture with overlays, as HTML that holds it all.

    Args:
        image: (H, W, 3) RGB.
        seen: one a model. What several say is drawn in the colours of the models, but for boxes,
            which they have in common.
        overlays: of `paint.KINDS`.
        caption: below it.
    """
    height, width = image.shape[:2]
    scale = min(_LARGEST / max(height, width), _ENLARGED)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    canvas = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    draw, row = ImageDraw.Draw(canvas), max(size) / _ROWS
    boxes, others = {"boxes"} & {*overlays}, {*overlays} - {"boxes"}
    paint(draw, seen[0].reading, scale, row, boxes)
    for colour, each in zip(cycle(COLOURS), seen, strict=False):
        shades = [colour] * len(each.reading.faces) if len(seen) > 1 else None
        paint(draw, each.reading, scale, row, others, shades)
    data = io.BytesIO()
    canvas.save(data, "JPEG", quality=88)
    code = base64.b64encode(data.getvalue()).decode()
    return (
        f'<figure class="au-still"><img src="data:image/jpeg;base64,{code}" '
        f'width="{size[0]}" height="{size[1]}" alt="picture {caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def bars(seen: Sequence[Seen], face: int) -> str:
    """AUs of one face as models read them, side by side, as an HTML table.

    Args:
        seen: one a model, of one frame.
        face: identity number.
    """
    numbers = sorted({au.number for each in seen for au in each.aus})
    names = {au.number: au.name for each in seen for au in each.aus}
    heads = "".join(
        f'<th scope="col" style="--colour:{colour}">{escape(printable(each.model))}</th>'
        for colour, each in zip(cycle(COLOURS), seen, strict=False)
    )
    columns = [_column(each, face) for each in seen]
    rows = []
    for number in numbers:
        cells = (
            column.get(number, '<td class="au-none"></td>').replace("COLOUR", colour)
            for colour, column in zip(cycle(COLOURS), columns, strict=False)
        )
        rows.append(
            f'<tr data-au="{number}"><th scope="row"><b>{number}</b> '
            f"<span>{names[number]}</span></th>{''.join(cells)}</tr>"
        )
    starred = any(each.aus.experimental for each in seen)
    note = f'<p class="au-note">{STARRED}</p>' if starred else ""
    return (
        f'<table class="au-bars"><thead><tr><th scope="col">AU</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{note}"
    )


def _column(seen: Seen, face: int) -> dict[int, str]:
    """Cells of one model by the number of the AU; none where it does not see the face."""
    reading = seen.reading
    place = next((i for i, each in enumerate(reading.faces) if each.track == face), None)
    if place is None:
        return {}
    cells = {}
    for i, au in enumerate(seen.aus):
        probability = float(reading.probability[place, i])
        graded = None if reading.intensity is None else float(reading.intensity[place, i])
        share = probability if graded is None else graded / 5
        occurs = "au-occurs" if reading.present[place, i] and not reading.doubtful[place] else ""
        value = f"{probability:.2f}" if graded is None else f"{graded:.1f}"
        value += STAR if au.number in seen.aus.experimental else ""
        cells[au.number] = (
            f'<td class="{occurs}" style="--share:{np.clip(share, 0, 1):.3f};--colour:COLOUR" '
            f'title="probability {probability:.2f}"><div><i></i><b>{value}</b></div></td>'
        )
    return cells
