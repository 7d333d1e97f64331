"""Pictures that cannot be read well: rendered smiles, spoiled, and drawings that are no faces."""

import io
from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from actionunits.data.synfacs import MINI

SIZE = (640, 480)
_FACE, _TINY = 240, 30  # pixels of an aligned face in them
Spoil = Callable[[Image.Image], Image.Image]


def smiles(count: int, side: int = _FACE) -> list[Image.Image]:
    """Pictures of rendered people who smile broadly, one each."""
    table = pq.read_table(MINI, columns=["subject", "image", "AU12"]).to_pandas()
    some = table[table["AU12"] > 3].drop_duplicates("subject")["image"].head(count)
    return [_scene(Image.open(io.BytesIO(data)).convert("RGB"), side) for data in some]


def _scene(face: Image.Image, side: int) -> Image.Image:
    wall = tuple(int(value) for value in np.asarray(face)[:4].reshape(-1, 3).mean(axis=0))
    picture = Image.new("RGB", SIZE, wall)
    small = face.resize((side, side), Image.Resampling.BICUBIC)
    picture.paste(small, ((SIZE[0] - side) // 2, (SIZE[1] - side) // 2))
    return picture


def _brighter(factor: float) -> Spoil:
    return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def _covered(box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> Spoil:
    def cover(picture: Image.Image) -> Image.Image:
        picture = picture.copy()
        ImageDraw.Draw(picture).rounded_rectangle(box, 30, fill=colour)
        return picture

    return cover


def _tiny(picture: Image.Image) -> Image.Image:
    width, height = (side * _TINY // _FACE for side in SIZE)
    small = picture.resize((width, height), Image.Resampling.BICUBIC)
    back = Image.new("RGB", SIZE, small.getpixel((0, 0)))
    back.paste(small, ((SIZE[0] - width) // 2, (SIZE[1] - height) // 2))
    return back


def _stone(picture: Image.Image) -> Image.Image:
    grey = picture.convert("L").filter(ImageFilter.MedianFilter(9))
    return Image.merge("RGB", [grey.point(lambda value: int(150 + (value - 128) / 2))] * 3)


SPOILED: dict[str, Spoil] = {
    "dark": _brighter(0.06),
    "overexposed": _brighter(3.5),
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(8)),
    "tiny": _tiny,
    "a mask": _covered((250, 250, 390, 360), (120, 160, 190)),
    "a hand before the eyes": _covered((230, 170, 410, 250), (190, 140, 110)),
    "a statue": _stone,
}


def cartoon() -> Image.Image:
    """A face that a child draws."""
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((220, 120, 420, 360), fill=(250, 220, 180), outline="black", width=4)
    for x in (275, 365):
        draw.ellipse((x - 18, 205, x + 18, 235), fill="white", outline="black", width=3)
        draw.ellipse((x - 7, 212, x + 7, 228), fill="black")
        draw.line((x - 22, 190, x + 22, 185), fill="black", width=6)
    draw.line((320, 225, 310, 275, 328, 277), fill="black", width=3)
    draw.arc((265, 260, 375, 330), 20, 160, fill="red", width=5)
    return picture


def cat() -> Image.Image:
    """A cat that a child draws."""
    picture = Image.new("RGB", SIZE, (90, 130, 80))
    draw = ImageDraw.Draw(picture)
    fur = (120, 100, 80)
    draw.ellipse((220, 150, 420, 350), fill=fur)
    for ear in ([(230, 200), (240, 100), (300, 165)], [(410, 200), (400, 100), (340, 165)]):
        draw.polygon(ear, fill=fur)
    for x in (275, 365):
        draw.ellipse((x - 22, 215, x + 22, 250), fill=(200, 220, 80))
        draw.ellipse((x - 5, 215, x + 5, 250), fill="black")
    draw.polygon([(308, 275), (332, 275), (320, 290)], fill=(200, 120, 120))
    for box in ((290, 290, 320, 320), (320, 290, 350, 320)):
        draw.arc(box, 0, 180, fill="black", width=3)
    return picture


def crowd(count: int) -> Image.Image:
    """Rows of faces, 110 pixels each."""
    picture = Image.new("RGB", (1280, 960), (100, 100, 110))
    people = smiles(count)
    middle = ((SIZE[0] - _FACE) // 2, (SIZE[1] - _FACE) // 2)
    box = (*middle, middle[0] + _FACE, middle[1] + _FACE)
    for number in range(count):
        face = people[number % len(people)].crop(box).resize((110, 110))
        picture.paste(face, (number % 8 * 155 + 20, number // 8 * 180 + 20))
    return picture
