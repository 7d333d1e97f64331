"""Discs with five dots where the points of a face are."""

import numpy as np
from PIL import Image, ImageDraw

from actionunits.faces.align import TEMPLATE


def landmarks(side: float, zoom: float) -> np.ndarray:
    """(49, 2) whose five points lie on the template, enlarged about the middle."""
    points = np.zeros((49, 2))
    points[:10] = np.linspace([0.3, 0.28], [0.7, 0.28], 10)
    points[10:19], points[19:25], points[25:31] = TEMPLATE[2], TEMPLATE[0], TEMPLATE[1]
    points[31:] = TEMPLATE[3:].mean(axis=0)
    points[31], points[37] = TEMPLATE[3], TEMPLATE[4]
    return side * (0.5 + zoom * (points - 0.5))


def drawn(side: int, zoom: float, mode: str) -> Image.Image:
    picture = Image.new(mode, (side, side))
    draw, centre, radius = ImageDraw.Draw(picture), side / 2, 0.45 * zoom * side
    box = (centre - radius, centre - radius, centre + radius, centre + radius)
    draw.ellipse(box, fill=(200, 150, 120, 255)[: len(mode)])
    for x, y in landmarks(side, zoom)[[19, 25, 13, 31, 37]]:
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=(20, 20, 20, 255)[: len(mode)])
    return picture
