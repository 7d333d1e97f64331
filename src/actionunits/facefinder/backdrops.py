"""What is behind and about faces: photographs of places and things, patterns, and shapes."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from actionunits.errors import UserError

_PHOTOGRAPHS, _PATTERNS = 0.6, 0.2  # shares of the backdrops; the others are of one colour
_LONGEST = 700  # pixels of a photograph
_SKIN = np.array([200.0, 150.0, 120.0])
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Backdrops:
    """Backgrounds of scenes.

    Args:
        folder: of photographs that show nobody.

    Raises:
        UserError: there is no picture in the folder.
    """

    def __init__(self, folder: Path) -> None:
        files = sorted(file for file in folder.glob("*") if file.suffix.lower() in _SUFFIXES)
        if not files:
            raise UserError(
                f"{folder}: no photograph found; give a folder of photographs that show nobody "
                f"({', '.join(_SUFFIXES)})"
            )
        self._photographs = [_opened(file) for file in files]

    def draw(self, rng: np.random.Generator, side: int) -> Image.Image:
        """A background, (side, side) RGB."""
        kind = rng.random()
        if kind < _PHOTOGRAPHS:
            canvas = self._part(rng, side)
        elif kind < _PHOTOGRAPHS + _PATTERNS:
            canvas = _pattern(rng, side)
        else:
            canvas = Image.new("RGB", (side, side), _colour(rng.uniform(0, 256, 3)))
        if rng.random() < 0.6:
            for _ in range(rng.integers(0, 14)):
                _shape(rng, canvas)
        return canvas

    def _part(self, rng: np.random.Generator, side: int) -> Image.Image:
        photograph = self._photographs[rng.integers(len(self._photographs))]
        part = min(photograph.size) * np.exp(rng.uniform(np.log(0.15), 0))
        x, y = (rng.uniform(0, edge - part) for edge in photograph.size)
        box = (x, y, x + part, y + part)
        canvas = photograph.resize((side, side), Image.Resampling.BILINEAR, box)
        if rng.random() < 0.5:
            canvas = canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return canvas.rotate(90 * int(rng.integers(4))) if rng.random() < 0.33 else canvas


def _opened(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        photograph = picture.convert("RGB")
    photograph.thumbnail((_LONGEST, _LONGEST))
    return photograph


def _pattern(rng: np.random.Generator, side: int) -> Image.Image:
    """Smooth or hard squares, coarse or fine, in colour or grey."""
    cells = int(rng.choice([2, 3, 5, 9, 17, 33, 65]))
    values = rng.uniform(0, 255, (cells, cells, 3 if rng.random() < 0.6 else 1))
    values = np.repeat(values, 3 // values.shape[2], axis=2)
    mean = values.mean(axis=(0, 1))
    values = mean + (values - mean) * rng.uniform(0.1, 1)
    way = Image.Resampling.BICUBIC if rng.random() < 0.7 else Image.Resampling.NEAREST
    return Image.fromarray(values.astype(np.uint8)).resize((side, side), way)


def _shape(rng: np.random.Generator, canvas: Image.Image) -> None:
    """An ellipse, a rectangle, a polygon, a stroke, or a disc with spots, not quite a face."""
    width, height = canvas.size
    draw = ImageDraw.Draw(canvas)
    plain = rng.random() < 0.5
    colour = _colour(
        rng.uniform(0, 256, 3) if plain else _SKIN * rng.uniform(0.25, 1.2) + rng.normal(0, 15, 3)
    )
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    radius = np.exp(rng.uniform(np.log(3), np.log(width / 2)))
    wide = radius * np.exp(rng.normal(0, 0.6))
    box = (x - wide, y - radius, x + wide, y + radius)
    kind = rng.choice(["ellipse", "rectangle", "polygon", "stroke", "spots"])
    if kind == "ellipse":
        draw.ellipse(box, fill=colour)
    elif kind == "rectangle":
        draw.rectangle(box, fill=colour)
    elif kind == "polygon":
        corners = rng.normal([x, y], radius, (rng.integers(3, 7), 2))
        draw.polygon([(float(a), float(b)) for a, b in corners], fill=colour)
    elif kind == "stroke":
        end = (x + rng.normal(0, 2 * radius), y + rng.normal(0, 2 * radius))
        draw.line((x, y, *end), fill=colour, width=int(rng.integers(1, max(2, radius / 3))))
    else:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        dark = _colour(rng.uniform(0, 120, 3))
        for _ in range(rng.integers(0, 4)):
            (across, down), spot = (
                rng.uniform(-0.7, 0.7, 2) * radius,
                radius * rng.uniform(0.05, 0.25),
            )
            centre = (x + across, y + down)
            draw.ellipse(
                (centre[0] - spot, centre[1] - spot, centre[0] + spot, centre[1] + spot), fill=dark
            )


def _colour(values: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = np.clip(values, 0, 255).astype(int)
    return int(red), int(green), int(blue)


def clothes(
    rng: np.random.Generator, canvas: Image.Image, neck: tuple[float, float], width: float
) -> None:
    """Draw shoulders and trunk, striped perhaps, below a neck.

    Args:
        rng: of all chance.
        canvas: changed in place.
        neck: x, y of the collar, pixels.
        width: of half the shoulders.
    """
    draw = ImageDraw.Draw(canvas)
    (x, y), bottom = neck, canvas.size[1] + width
    tinted = rng.normal(0, 30, 3) if rng.random() < 0.6 else rng.uniform(-128, 128, 3)
    collar, slope = width * rng.uniform(0.28, 0.6), width * rng.uniform(0.1, 0.35)
    hem = width * rng.uniform(1, 1.25)
    outline = [
        *((x - collar, y), (x - width, y + slope), (x - hem, bottom)),
        *((x + hem, bottom), (x + width, y + slope), (x + collar, y)),
    ]
    if rng.random() < 0.6:  # cut out to a point
        outline.append((x + rng.normal(0, 0.05) * width, y + collar * rng.uniform(0.2, 1.4)))
    draw.polygon(outline, fill=_colour(rng.uniform(0, 255) + tinted))
    for _ in range(rng.integers(0, 5)):
        start = x + rng.uniform(-1, 1) * width
        stripe = max(1, int(width * rng.uniform(0.01, 0.12)))
        end = start + rng.normal(0, 0.2) * width
        draw.line(
            (start, y + slope, end, bottom), fill=_colour(rng.uniform(0, 256, 3)), width=stripe
        )
