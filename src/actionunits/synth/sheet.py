"""Contact sheets: every Action Unit on several people, and random subjects in random scenes."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from actionunits.aus import RENDERED, AUSet
from actionunits.files import atomic, writing
from actionunits.synth.person.face import draw_identity
from actionunits.synth.picture.looks import Scene, draw_appearance, draw_scene, studio
from actionunits.synth.picture.render import Renderer, Shot
from actionunits.synth.prototypes import PEOPLE
from actionunits.synth.sample import draw_performance

_LEVELS = (0, 2, 5)
_CELL = 176
_MARGIN = 150  # of the labels, left
_HEAD = 34  # of the labels, above
_COLUMNS = 8  # of the sheet of random subjects
COMPANION = {16: 25, 22: 25, 26: 25, 27: 25}
"""AUs that nearly always come with another, and are shown with it."""
_DOT = 1.5


def contact_sheet(
    renderer: Renderer, out: Path, identities: int = 4, seed: int = 0, aus: AUSet = RENDERED
) -> None:
    """Draw each AU at intensities 0, 2 and 5 on several people in studio light.

    Args:
        renderer: of the pictures.
        out: PNG or JPEG file.
        identities: number of people.
        seed: of the people.
        aus: which AUs.
    """
    images = exemplars(renderer, aus, _LEVELS, range(identities), seed)
    images = images.reshape(-1, *images.shape[3:])
    labels = [
        f"AU{au.number}" + (f"+{COMPANION[au.number]}" if au.number in COMPANION else "")
        for au in aus
    ]
    titles = [str(level) for level in _LEVELS] * identities
    _save(_table(images, labels, [au.name for au in aus], titles), out)


def exemplars(
    renderer: Renderer,
    aus: AUSet,
    levels: Sequence[float],
    identities: Iterable[int],
    seed: int = 0,
) -> np.ndarray:
    """Draw AUs one at a time, with their `COMPANION` alone, in studio light.

    Args:
        renderer: of the pictures, S pixels a side.
        aus: which AUs, A of them.
        levels: intensities on 0..5, L of them.
        identities: numbers of P people.
        seed: of the people.

    Returns:
        (A, P, L, S, S, 3) uint8 RGB.
    """
    people = [_shot(renderer, seed, number, studio()) for number in identities]
    shots = []
    for au, person, level in product(aus, people, levels):
        intensity = np.zeros((len(RENDERED), 2))
        intensity[RENDERED.index(au.number)] = level
        if au.number in COMPANION:
            intensity[RENDERED.index(COMPANION[au.number])] = level
        shots.append(person._replace(au=intensity))
    images = renderer.render(shots).images
    return images.reshape(len(aus), len(people), len(levels), *images.shape[1:])


def looks_sheet(
    renderer: Renderer, out: Path, subjects: int = 32, seed: int = 0, landmarks: bool = False
) -> None:
    """Draw random subjects as the programme `people` shows them, its tasks one after the other.

    Args:
        renderer: of the pictures.
        out: PNG or JPEG file.
        subjects: number of pictures.
        seed: of the subjects and scenes.
        landmarks: draw the 49 landmarks too.
    """
    shots = []
    for number in range(subjects):
        rng = np.random.default_rng([seed, number, 1])
        shot = _shot(renderer, seed, number, draw_scene(rng))
        au, pose, gaze, _ = draw_performance(rng, PEOPLE[number % len(PEOPLE)], 1, 1.0)
        jitter = rng.normal(0, 0.02, (5, 2))
        shots.append(
            shot._replace(au=au[0], pose=tuple(pose[0]), gaze=tuple(gaze[0]), jitter=jitter)
        )
    images, points, *_ = renderer.render(shots)
    if landmarks:
        images = np.stack([_dotted(i, p) for i, p in zip(images, points, strict=True)])
    size = renderer.size
    sheet = Image.new("RGB", (size * _COLUMNS, size * -(-subjects // _COLUMNS)))
    for number, image in enumerate(images):
        corner = (number % _COLUMNS * size, number // _COLUMNS * size)
        sheet.paste(Image.fromarray(image), corner)
    _save(sheet, out)


def _shot(renderer: Renderer, seed: int, number: int, scene: Scene) -> Shot:
    """A person, at rest and facing the camera."""
    rng = np.random.default_rng([seed, number])
    identity = draw_identity(rng, renderer.head)
    return Shot(
        identity=identity,
        appearance=draw_appearance(rng, identity, renderer.head.assets),
        scene=scene,
        au=np.zeros((len(RENDERED), 2)),
        pose=(0.0, 0.0, 0.0),
        gaze=(0.0, 0.0),
        jitter=np.zeros((5, 2)),
    )


def _table(
    images: np.ndarray, labels: list[str], names: list[str], titles: list[str]
) -> Image.Image:
    """One row a label, one column a title."""
    columns = len(titles)
    size = (_MARGIN + columns * _CELL, _HEAD + len(labels) * _CELL)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(size=22), ImageFont.load_default(size=13)
    for column, title in enumerate(titles):
        draw.text((_MARGIN + (column + 0.5) * _CELL, 6), title, "black", large, anchor="ma")
    for row, (label, name) in enumerate(zip(labels, names, strict=True)):
        top = _HEAD + row * _CELL
        draw.text((8, top + 60), label, "black", large)
        draw.text((8, top + 90), name, "black", small)
        for column in range(columns):
            image = Image.fromarray(images[row * columns + column])
            cell = image.resize((_CELL, _CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (_MARGIN + column * _CELL, top))
    return sheet


def _dotted(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for x, y in points:
        draw.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=(0, 255, 0))
    return np.asarray(picture)


def _save(sheet: Image.Image, out: Path) -> None:
    with writing(out), atomic(out) as temporary:
        sheet.save(temporary)
