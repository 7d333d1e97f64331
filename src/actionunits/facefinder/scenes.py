"""Pictures of some people, and crops of one face, with the truth about them."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from actionunits.facefinder.backdrops import Backdrops, clothes
from actionunits.facefinder.cuts import (
    Cut,
    Cuts,
    face_box,
    paste,
    placed_points,
    placing,
    sampled,
)
from actionunits.faces.align import TEMPLATE, FloatArray, five_points, similarity
from actionunits.faces.sight import LOOK_SIDE

SIDE = 256
_SMALLEST = 9  # pixels of a face
_LARGEST = {1: 250, 2: 130, 3: 110}  # by the number of faces
_OF_MANY = 60
_FILLING = (110, 270)  # pixels of a face that fills the picture, as in a passport's
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_HAIR, _BODY = np.array([0.25, 0.4]), np.array([0.25, 1.0])  # reach of a head beyond its face


class Scene(NamedTuple):
    """A picture of K people."""

    image: np.ndarray  # (S, S, 3) uint8
    boxes: FloatArray  # (K, 4) x0, y0, x1, y1
    points: FloatArray  # (K, 5, 2)
    seen: FloatArray  # (K,) share of each face that can be seen


class Crop(NamedTuple):
    """What the second look sees."""

    image: np.ndarray  # (LOOK_SIDE, LOOK_SIDE, 3) uint8
    points: FloatArray  # (5, 2) in the unit square
    box: FloatArray  # (4,) x0, y0, x1, y1 in the unit square
    face: float  # 1 a face in its place, 0 none, NaN one that can hardly be seen


class Composer:
    """Puts faces before backdrops.

    Args:
        cuts: the faces.
        backdrops: what is behind them.
    """

    def __init__(self, cuts: Cuts, backdrops: Backdrops) -> None:
        self._cuts, self._backdrops = cuts, backdrops

    def scene(self, rng: np.random.Generator, side: int = SIDE) -> Scene:
        """Compose a picture of nobody, somebody, or up to a dozen people."""
        canvas = self._backdrops.draw(rng, side)
        crowd = int(rng.choice([0, 1, 2, 4], p=[0.1, 0.45, 0.25, 0.2]))
        count = int(rng.integers(crowd, {0: 1, 1: 2, 2: 4, 4: 13}[crowd]))
        if rng.random() < 0.25:
            for _ in range(rng.integers(1, 4)):
                self._turned_away(rng, canvas, np.exp(rng.uniform(np.log(10), np.log(90))))
        faces = []
        for x, y, size in _places(rng, count, side):
            single = count == 1 and size > 60 and rng.random() < 0.45
            cut = self._cuts.closeup(rng) if single else self._cuts.head(rng)
            matrix = placing(cut, size, np.array([x, y]), _tilt(rng), rng.random() < 0.5)
            if self._put(rng, canvas, cut, matrix, size, dressed=not single):
                faces.append((placed_points(cut, matrix), cut.seen))
        boxes = np.array([face_box(points) for points, _ in faces]).reshape(-1, 4)
        five = five_points(np.array([points for points, _ in faces]).reshape(-1, 49, 2))
        seen = np.array([seen for _, seen in faces]) * _uncovered(boxes, side)
        return Scene(np.asarray(photographed(rng, canvas)), boxes, five, seen)

    def crop(self, rng: np.random.Generator) -> Crop:
        """Compose what a look shows: a face almost in place, one that is not, or none."""
        kind = rng.choice(["nothing", "astray", "face"], p=[0.2, 0.15, 0.65])
        if kind == "nothing":
            return self._nothing(rng)
        picture, cut, matrix = self._one_face(rng)
        astray = _astray(rng) if kind == "astray" else _almost(rng)
        points = placed_points(cut, matrix)
        to_crop = similarity(five_points(points)[None], TEMPLATE)[0]
        to_crop = np.concatenate(
            [astray[:, :2] @ to_crop[:, :2], (astray[:, :2] @ (to_crop[:, 2] - 0.5))[:, None]],
            axis=1,
        )
        to_crop[:, 2] += 0.5 + astray[:, 2]
        image = sampled(picture, to_crop * LOOK_SIDE, (0, 0, LOOK_SIDE, LOOK_SIDE))
        if rng.random() < 0.6:
            image = photographed(rng, image)
        placed = points @ to_crop[:, :2].T + to_crop[:, 2]
        hardly = np.nan if cut.seen < 0.35 else 1.0
        face = 0.0 if kind == "astray" else hardly
        return Crop(np.asarray(image), five_points(placed), face_box(placed), face)

    def _nothing(self, rng: np.random.Generator) -> Crop:
        canvas = self._backdrops.draw(rng, 160)
        if rng.random() < 0.35:
            self._turned_away(rng, canvas, rng.uniform(40, 110))
        scale = 1 / np.exp(rng.uniform(np.log(30), np.log(150)))
        cos, sin = (f(rng.normal(0, 0.4)) * scale for f in (np.cos, np.sin))
        turn = np.array([[cos, -sin], [sin, cos]])
        matrix = np.concatenate([turn, (0.5 - turn @ (80 + rng.normal(0, 15, 2)))[:, None]], axis=1)
        image = sampled(canvas, matrix * LOOK_SIDE, (0, 0, LOOK_SIDE, LOOK_SIDE))
        return Crop(np.asarray(photographed(rng, image)), TEMPLATE, np.zeros(4), 0.0)

    def _one_face(self, rng: np.random.Generator) -> tuple[Image.Image, Cut, FloatArray]:
        """A picture with a face somewhere, the face, and the matrix that put it there."""
        if rng.random() < 0.6:
            cut = self._cuts.closeup(rng)
            side = cut.picture.width
            if rng.random() < 0.5:
                return cut.picture.convert("RGB"), cut, np.eye(2, 3)
            flip = np.array([[-1.0, 0, side], [0, 1, 0]])
            mirrored = cut.picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            return mirrored.convert("RGB"), cut, flip
        side, size = 224, np.exp(rng.uniform(np.log(28), np.log(150)))
        canvas = self._backdrops.draw(rng, side)
        if rng.random() < 0.3:  # somebody else, behind
            other, near = self._cuts.head(rng), size * rng.uniform(0.5, 1)
            place = placing(other, near, rng.uniform(0, side, 2), _tilt(rng), rng.random() < 0.5)
            self._put(rng, canvas, other, place, near, dressed=True)
        cut, centre = self._cuts.head(rng), side / 2 + rng.normal(0, 20, 2)
        matrix = placing(cut, size, centre, _tilt(rng), rng.random() < 0.5)
        self._put(rng, canvas, cut, matrix, size, dressed=True)
        return canvas, cut, matrix

    def _turned_away(self, rng: np.random.Generator, canvas: Image.Image, size: float) -> None:
        cut = self._cuts.turned_away(rng)
        centre = rng.uniform(0, canvas.size[0], 2)
        matrix = placing(cut, size, centre, _tilt(rng), rng.random() < 0.5)
        self._put(rng, canvas, cut, matrix, size, dressed=True)

    @staticmethod
    def _put(
        rng: np.random.Generator,
        canvas: Image.Image,
        cut: Cut,
        matrix: FloatArray,
        size: float,
        *,
        dressed: bool,
    ) -> bool:
        """Put a face into a picture, between what its clothes show behind and before the neck."""
        x, y = matrix[:, :2] @ [(cut.box[0] + cut.box[2]) / 2, cut.box[3]] + matrix[:, 2]
        if dressed and rng.random() < 0.5:
            collar = y + size * rng.uniform(0.35, 0.85)
            clothes(rng, canvas, (float(x), float(collar)), size * rng.uniform(0.9, 1.5))
        gain = np.exp(rng.normal(0, 0.18)) * (1 + rng.normal(0, 0.04, 3))
        inside = paste(canvas, cut, matrix, gain)
        if dressed and rng.random() < 0.7:
            collar = y + size * rng.uniform(0.05, 0.35)
            clothes(rng, canvas, (float(x), float(collar)), size * rng.uniform(1.0, 1.7))
        return inside


def _tilt(rng: np.random.Generator) -> float:
    """Radians by which a head is turned in the picture."""
    degrees = rng.normal(0, 14) if rng.random() < 0.9 else rng.uniform(-60, 60)
    return float(np.deg2rad(degrees))


def _places(rng: np.random.Generator, count: int, side: int) -> list[tuple[float, float, float]]:
    """Centres x, y and sizes of faces that hardly overlap, those farther down last."""
    found: list[tuple[float, float, float]] = []
    largest = _LARGEST.get(count, _OF_MANY)
    for _ in range(count):
        size = np.exp(rng.uniform(np.log(_SMALLEST), np.log(largest)))
        if count == 1 and rng.random() < 0.3:
            size = rng.uniform(*_FILLING)
        rim = min(0.35 * size, side / 2)
        for _ in range(8):
            x, y = rng.uniform(rim, side - rim, 2)
            if all(max(abs(x - a), abs(y - b)) > 0.55 * (size + c) for a, b, c in found):
                found.append((float(x), float(y), float(size)))
                break
    return sorted(found, key=lambda place: place[1] + place[2])


def _uncovered(boxes: FloatArray, side: int) -> FloatArray:
    """(K,) share of each face that lies in the picture, before all who were put there later."""
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    within = np.clip(boxes, 0, side)
    inside = (within[:, 2:] - within[:, :2]).prod(axis=1) / area
    sizes = boxes[:, 2:] - boxes[:, :2]
    low = np.maximum(boxes[:, None, :2], (boxes[:, :2] - _HAIR * sizes)[None])
    high = np.minimum(boxes[:, None, 2:], (boxes[:, 2:] + _BODY * sizes)[None])
    shared = np.clip(high - low, 0, None).prod(axis=-1) / area[:, None]
    later = np.triu(shared, 1).max(axis=1, initial=0)
    share: FloatArray = np.minimum(inside, 1 - 0.8 * later)
    return share


def _almost(rng: np.random.Generator) -> FloatArray:
    """(2, 3) by which a face is off the template: turn and scale about the centre, then a shift."""
    return _moved(np.exp(rng.normal(0, 0.12)), rng.normal(0, 0.12), rng.normal(0, 0.06, 2))


def _astray(rng: np.random.Generator) -> FloatArray:
    """(2, 3) of a look that goes wrong: beside the face, far too near or far, or upside down."""
    kind = rng.choice(["beside", "size", "turned"], p=[0.5, 0.25, 0.25])
    if kind == "beside":
        way = rng.uniform(0, 2 * np.pi)
        return _moved(1.0, 0.0, np.array([np.cos(way), np.sin(way)]) * rng.uniform(0.45, 1.1))
    if kind == "size":
        return _moved(float(rng.choice([0.3, 0.4, 2.6, 3.5])), 0.0, rng.normal(0, 0.06, 2))
    return _moved(1.0, float(rng.choice([-1, 1]) * rng.uniform(1.2, np.pi)), np.zeros(2))


def _moved(scale: float, turn: float, shift: FloatArray) -> FloatArray:
    cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def photographed(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """What a camera and a file make of a picture: blur, tone, noise, compression, no colour."""
    width, height = picture.size
    if rng.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3)))
    if rng.random() < 0.2:
        share = rng.uniform(0.4, 0.9)
        small = (int(width * share), int(height * share))
        picture = picture.resize(small, Image.Resampling.BILINEAR)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    values = np.asarray(picture, np.float32) / 255
    if rng.random() < 0.35:
        values = np.repeat((values @ _LUMA)[..., None], 3, axis=2)
    values = values ** np.float32(np.exp(rng.normal(0, 0.25)))
    values = (values - 0.5) * np.exp(rng.normal(0, 0.2)) + 0.5 + rng.normal(0, 0.06)
    if rng.random() < 0.5:
        values = values * (1 + rng.normal(0, 0.06, 3))
    if rng.random() < 0.6:
        values = values + rng.normal(0, rng.uniform(0.003, 0.05), values.shape)
    picture = Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))
    if rng.random() < 0.6:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=int(rng.integers(30, 96)))
        with Image.open(data) as stored:
            picture = stored.convert("RGB")
    return picture
