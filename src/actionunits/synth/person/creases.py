"""Wrinkles and furrows: lines over the rest face that follow AUs and age.

Each line is a soft ribbon in frontal rest coordinates (decimetres, as in `sculpt`); the renderer
draws the ribbons of a head into a small map and shades the skin with it.
"""

from typing import NamedTuple

import numpy as np

from actionunits.aus import RENDERED

Acting = int | tuple[int, int]  # an AU, or two by what they do together


class Crease(NamedTuple):
    """A line: three points on the subject's left half, half width, AUs with gains, gain of age."""

    name: str
    points: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    width: float
    gains: dict[Acting, float]
    age: float
    mirrored: bool = True


def _forehead(name: str, y: float, sag: float, reach: float, gain: float, age: float) -> Crease:
    """A line across the forehead, as a brow that goes up as a whole folds it.

    Age alone draws it faintly: on photographs such lines are what tells a raised brow from a high
    one.
    """
    points = ((-reach, y - sag), (0.0, y + sag), (reach, y - sag))
    return Crease(f"across {name}", points, 0.028, {(1, 2): gain}, age, False)


CREASES = (
    Crease(
        "forehead low",
        ((-0.22, 7.66), (0.0, 7.675), (0.22, 7.66)),
        0.030,
        {1: 0.7, (1, 2): -0.6},
        0.2,
        False,
    ),
    Crease(
        "forehead mid",
        ((-0.24, 7.78), (0.0, 7.80), (0.24, 7.78)),
        0.034,
        {1: 0.8, (1, 2): -0.7},
        0.2,
        False,
    ),
    Crease(
        "forehead high",
        ((-0.22, 7.91), (0.0, 7.92), (0.22, 7.91)),
        0.034,
        {1: 0.5, (1, 2): -0.4},
        0.1,
        False,
    ),
    _forehead("first", 7.5, 0.020, 0.46, 1.8, 0.2),
    _forehead("second", 7.585, 0.012, 0.50, 2.4, 0.3),
    _forehead("third", 7.67, 0.004, 0.52, 2.4, 0.35),
    _forehead("fourth", 7.76, -0.004, 0.50, 2.0, 0.3),
    _forehead("fifth", 7.86, -0.010, 0.44, 1.3, 0.15),
    Crease(
        "lateral low",
        ((0.18, 7.69), (0.36, 7.73), (0.54, 7.68)),
        0.030,
        {2: 0.9, (1, 2): -0.7},
        0.2,
    ),
    Crease(
        "lateral high",
        ((0.20, 7.80), (0.38, 7.84), (0.55, 7.78)),
        0.034,
        {2: 0.8, (1, 2): -0.6},
        0.2,
    ),
    Crease("glabella", ((0.055, 7.38), (0.07, 7.50), (0.09, 7.64)), 0.026, {4: 1.2, 9: 0.5}, 0.5),
    Crease("glabella mid", ((0.01, 7.42), (0.0, 7.52), (0.0, 7.60)), 0.022, {4: 0.5}, 0.1, False),
    Crease(
        "nasion", ((-0.1, 7.325), (0.0, 7.30), (0.1, 7.325)), 0.022, {9: 1.5, 4: 0.4}, 0.2, False
    ),
    Crease("nose root", ((0.05, 7.21), (0.10, 7.24), (0.15, 7.29)), 0.020, {9: 1.8}, 0.0),
    Crease("nose side", ((0.07, 7.10), (0.12, 7.14), (0.18, 7.20)), 0.018, {9: 1.5}, 0.0),
    Crease(
        "nasolabial",
        ((0.185, 6.94), (0.30, 6.80), (0.36, 6.58)),
        0.034,
        {12: 1.3, 9: 0.8, 10: 0.8, 6: 0.5, 27: 0.5, 26: 0.2},
        1.0,
    ),
    Crease(
        "upper nasolabial",
        ((0.18, 6.96), (0.23, 6.90), (0.28, 6.80)),
        0.032,
        {10: 1.0, 9: 0.7},
        0.2,
    ),
    Crease("crow's foot low", ((0.53, 7.22), (0.60, 7.20), (0.67, 7.17)), 0.016, {6: 0.8}, 0.9),
    Crease("crow's foot mid", ((0.54, 7.27), (0.61, 7.28), (0.69, 7.29)), 0.016, {6: 0.9}, 0.9),
    Crease("crow's foot high", ((0.53, 7.31), (0.60, 7.34), (0.67, 7.40)), 0.016, {6: 0.7}, 0.8),
    Crease(
        "infraorbital", ((0.17, 7.13), (0.31, 7.06), (0.46, 7.10)), 0.034, {6: 0.9, 7: 0.3}, 0.7
    ),
    Crease("lower lid", ((0.20, 7.16), (0.33, 7.13), (0.44, 7.15)), 0.020, {6: 0.4, 7: 0.7}, 0.3),
    Crease("eye bag", ((0.17, 7.185), (0.31, 7.115), (0.45, 7.165)), 0.030, {6: 0.5}, 1.0),
    Crease("dimple", ((0.325, 6.54), (0.345, 6.62), (0.33, 6.70)), 0.026, {14: 1.3, 12: 0.3}, 0.0),
    Crease("marionette", ((0.31, 6.57), (0.355, 6.47), (0.36, 6.36)), 0.034, {15: 0.9}, 1.0),
    Crease(
        "mentolabial",
        ((-0.17, 6.46), (0.0, 6.435), (0.17, 6.46)),
        0.040,
        {17: 1.0, 15: 0.3, 16: 0.7, 28: 0.4},
        0.3,
        False,
    ),
    Crease("chin high", ((0.05, 6.38), (0.10, 6.36), (0.15, 6.38)), 0.018, {17: 0.9}, 0.0),
    Crease("chin low", ((0.02, 6.30), (0.07, 6.28), (0.13, 6.30)), 0.018, {17: 0.9}, 0.0),
    Crease("chin mid", ((-0.05, 6.34), (0.0, 6.33), (0.05, 6.34)), 0.018, {17: 0.9}, 0.0, False),
    Crease("stretch", ((0.40, 6.76), (0.435, 6.62), (0.41, 6.48)), 0.030, {20: 0.8}, 0.2),
    Crease(
        "lip line inner",
        ((0.06, 6.75), (0.065, 6.79), (0.07, 6.83)),
        0.012,
        {23: 0.9, 24: 0.4, 18: 0.55, 28: 0.4},
        0.4,
    ),
    Crease(
        "lip line outer",
        ((0.14, 6.74), (0.15, 6.78), (0.16, 6.82)),
        0.012,
        {23: 0.9, 24: 0.4, 18: 0.55, 28: 0.4},
        0.4,
    ),
    Crease(
        "below lip",
        ((0.08, 6.47), (0.085, 6.44), (0.09, 6.41)),
        0.012,
        {23: 0.6, 24: 0.4, 18: 0.55},
        0.2,
    ),
)

SEGMENTS = 10
_POINTS = np.array([crease.points for crease in CREASES], np.float32)
_WIDTH = np.array([crease.width for crease in CREASES], np.float32)
_AGE = np.array([crease.age for crease in CREASES], np.float32)
_MIRRORED = np.array([crease.mirrored for crease in CREASES])
_PAIRS = sorted({pair for c in CREASES for pair in c.gains if isinstance(pair, tuple)})
_ACTING: tuple[Acting, ...] = (*RENDERED.numbers, *_PAIRS)
_GAIN = np.array([[c.gains.get(acting, 0.0) for c in CREASES] for acting in _ACTING], np.float32)
_FIRST, _SECOND = ([RENDERED.index(pair[i]) for pair in _PAIRS] for i in range(2))
_T = np.linspace(0, 1, SEGMENTS).astype(np.float32)
_PARABOLA = np.stack([(2 * _T - 1) * (_T - 1), 4 * _T * (1 - _T), _T * (2 * _T - 1)])
_REACH = 2.2  # half width of a ribbon in half widths of its line
_STRANGE_SHARE = 0.12  # of lines that a subject carries whatever their age
_PLACES = ("fore", "across", "glab", "crow", "eye", "infra", "nasolabial", "marion")  # age together


class CreaseTraits(NamedTuple):
    """How a person's skin folds: what stays the same in all their pictures."""

    severity: float
    resting: np.ndarray  # (L,) amplitude at rest
    shift: np.ndarray  # (2, L, 3, 2) displacement of the points
    gain: np.ndarray  # (2, L)
    width: np.ndarray  # (L,)
    phase: np.ndarray  # (2, L)


def draw_traits(rng: np.random.Generator, age: float) -> CreaseTraits:
    """Draw how a person of this age (0 young .. 1 old) wrinkles.

    A line alone must not betray an AU, so some lines are there at rest in the young too.
    """
    lines = len(CREASES)
    worn = {place: float(rng.random()) for place in _PLACES}
    share = [next((worn[p] for p in _PLACES if c.name.startswith(p)), 0.3) for c in CREASES]
    aged = age * np.array(share) * (0.4 + 0.6 * rng.random(lines)) * _AGE
    strange = (rng.random(lines) < _STRANGE_SHARE) * rng.uniform(0.1, 0.6, lines)
    return CreaseTraits(
        severity=float(0.35 + 0.75 * rng.random() + 0.6 * age * rng.random()),
        resting=np.maximum(aged, strange).astype(np.float32),
        shift=rng.normal(0, 0.010, (2, lines, 3, 2)).astype(np.float32),
        gain=(0.6 + 0.6 * rng.random((2, lines))).astype(np.float32),
        width=(0.5 + 0.7 * rng.random(lines)).astype(np.float32),
        phase=rng.random((2, lines)).astype(np.float32),
    )


def ribbon_indices() -> np.ndarray:
    """(T, 3) int32 triangles of one head's ribbons, over the vertices of `ribbons`."""
    quad = np.array([[0, 1, 2], [1, 3, 2]])
    steps = quad[None] + 2 * np.arange(SEGMENTS - 1)[:, None, None]
    lines = steps[None] + 2 * SEGMENTS * np.arange(2 * len(CREASES))[:, None, None, None]
    return lines.reshape(-1, 3).astype(np.int32)


def ribbons(traits: list[CreaseTraits], au: np.ndarray) -> np.ndarray:
    """Ribbons of B heads.

    Args:
        traits: of B people.
        au: (B, 24, 2) intensity 0..5 of the subject's right and left side.

    Returns:
        (B, 2 * L * SEGMENTS * 2, 6) float32: x, y, across (-1..1), amplitude, and the direction
        (x, y) across the line.
    """
    stacked = [np.stack(field).astype(np.float32) for field in zip(*traits, strict=True)]
    severity, resting, shift, gain, width, phase = stacked
    share = np.asarray(au, np.float32) / 5.0
    together = np.sqrt(share[:, _FIRST] * share[:, _SECOND])
    moved = np.einsum("bas,al->bsl", np.concatenate([share, together], axis=1), _GAIN)
    moved[:, :, ~_MIRRORED] = moved[:, :, ~_MIRRORED].mean(axis=1, keepdims=True)
    amplitude = np.maximum(moved * severity[:, None, None], resting[:, None]) * gain
    amplitude[:, 0] *= _MIRRORED  # a line across the middle is drawn once
    mirror = np.array([[-1, 1], [1, 1]], np.float32)[:, None, None]
    points = np.einsum("bslpc,pt->bsltc", _POINTS * mirror + shift, _PARABOLA)
    along = np.gradient(points, axis=3)
    along /= np.linalg.norm(along, axis=-1, keepdims=True) + 1e-9
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    wavy = 1 + 0.35 * np.sin(9 * _T + 2 * np.pi * phase[..., None])
    strength = amplitude[..., None] * np.sin(np.pi * np.clip(_T, 0.02, 0.98)) ** 0.8 * wavy
    half = (_WIDTH * _REACH * width)[:, None, :, None] * (0.75 + 0.25 * np.sin(np.pi * _T))
    half = np.broadcast_to(half, strength.shape)
    out = np.empty((*strength.shape, 2, 6), np.float32)
    for edge, sign in enumerate((-1.0, 1.0)):
        out[..., edge, :2] = points + across * (sign * half)[..., None]
        out[..., edge, 2] = sign
        out[..., edge, 3] = strength
        out[..., edge, 4:] = across
    return out.reshape(len(traits), -1, 6)
