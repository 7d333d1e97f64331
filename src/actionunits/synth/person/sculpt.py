"""What each Action Unit does to the head, as data, and the blendshapes made of it.

Every AU is a sum of terms: MakeHuman's expression units (per ancestry) and fields sculpted by hand
after the appearance changes that Ekman, Friesen and Hager (FACS, 2002) describe. Fields are given
for the subject's left half (x > 0) of the rest head in decimetres and mirrored to the right: eye
centre (.31, 7.28), brow y 7.41, nose tip (0, 6.94), mouth corner (.26, 6.61), chin boss y 6.3.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from actionunits.aus import RENDERED
from actionunits.synth.person.assets import SKIN, TONGUE, Assets

ANCESTRIES = ("african", "asian", "caucasian")
SEAM = 6.607  # height at which the closed lips meet


class Unit(NamedTuple):
    """An expression unit of MakeHuman; ``{side}`` in its name stands for left and right."""

    name: str
    gain: float = 1.0
    region: str = "all"


class Bump(NamedTuple):
    """A Gaussian push: centre, widths and displacement."""

    x: float
    y: float
    wide: float
    high: float
    dx: float
    dy: float
    dz: float
    region: str = "front"


class Scale(NamedTuple):
    """A Gaussian stretch about (0, y): kx and ky are relative, dz is a push."""

    x: float
    y: float
    wide: float
    high: float
    kx: float
    ky: float
    dz: float = 0.0
    region: str = "lips"


Term = Unit | Bump | Scale


class Corrective(NamedTuple):
    """Terms that act when two AUs act together."""

    pair: tuple[int, int]
    terms: tuple[Term, ...]
    mean: bool = False  # weighted by the geometric mean instead of the product of the two


# Resting shape, added to everyone: the base mesh frowns a little.
REST: tuple[Term, ...] = (
    Unit("eyebrows-{side}-up", 0.35),
    Unit("eyebrows-{side}-inner-up", 0.2),
    Bump(0.14, 7.42, 0.10, 0.07, 0.012, 0.020, 0.0),
    Bump(0.26, 6.61, 0.08, 0.06, 0.004, 0.012, 0.0),
    # The upper incisors reach below the lip, the lower ones hide behind theirs.
    Bump(0.0, 6.65, 0.40, 0.30, 0.0, -0.026, 0.0, "upper teeth"),
    Bump(0.0, 6.57, 0.40, 0.30, 0.0, -0.046, 0.0, "lower teeth"),
    Bump(0.0, 6.66, 0.40, 0.14, 0.0, -0.050, -0.06, "tongue"),
)

AU_TERMS: dict[int, tuple[Term, ...]] = {
    1: (
        Unit("eyebrows-{side}-inner-up", 1.9),
        Bump(0.12, 7.44, 0.11, 0.09, -0.006, 0.045, 0.004),
        Bump(0.13, 7.62, 0.16, 0.12, -0.005, 0.03, 0.0),
        Bump(0.0, 7.53, 0.05, 0.13, 0.0, 0.055, 0.0),
    ),
    2: (
        Unit("eyebrows-{side}-extern-up", 1.25),
        Unit("eyebrows-{side}-up", 0.5),
        Bump(0.45, 7.65, 0.16, 0.12, 0.0, 0.02, 0.0),
    ),
    4: (
        Unit("eyebrows-{side}-down", 1.2),
        Bump(0.17, 7.46, 0.10, 0.08, -0.05, -0.015, 0.012),
        Bump(0.35, 7.45, 0.14, 0.08, -0.01, -0.03, 0.01),
    ),
    5: (
        Unit("eye-{side}-opened-up", 1.7),
        Bump(0.31, 7.345, 0.10, 0.018, 0.0, 0.012, 0.0, "upper lid"),
    ),
    6: (
        Bump(0.42, 6.98, 0.16, 0.12, 0.0, 0.085, 0.075),
        Bump(0.32, 7.14, 0.15, 0.045, 0.0, 0.035, 0.030),
        Bump(0.50, 7.22, 0.09, 0.09, -0.032, 0.0, 0.012),
        Bump(0.55, 7.40, 0.10, 0.07, -0.012, -0.022, 0.0),
        Unit("eye-{side}-slit", 0.75, "lower lid"),
        Unit("eye-{side}-slit", 0.2, "upper lid"),
    ),
    7: (
        Unit("eye-{side}-slit", 1.25, "lower lid"),
        Unit("eye-{side}-slit", 0.35, "upper lid"),
        Bump(0.25, 7.245, 0.05, 0.02, 0.0, 0.014, 0.0, "lower lid"),
        Bump(0.31, 7.19, 0.14, 0.025, 0.0, 0.016, 0.014),
    ),
    9: (
        Unit("nose-{side}-elevation", 1.3),
        Unit("nose-compression", 1.5),
        Bump(0.13, 7.42, 0.10, 0.08, -0.015, -0.04, 0.01),
        Bump(0.15, 7.10, 0.07, 0.09, 0.0, 0.03, 0.016),
        Bump(0.12, 6.72, 0.12, 0.06, 0.0, 0.026, 0.0),
    ),
    10: (
        Unit("mouth-elevation", 0.55, "above mouth"),
        Bump(0.13, 6.69, 0.075, 0.09, 0.0, 0.055, 0.012, "upper lip"),
        Bump(0.22, 6.84, 0.08, 0.07, 0.012, 0.035, 0.028),
        Bump(0.30, 6.97, 0.11, 0.08, 0.0, 0.03, 0.022),
        Unit("nose-{side}-elevation", 0.4),
    ),
    12: (
        Unit("mouth-corner-puller", 0.9),
        Bump(0.28, 6.62, 0.10, 0.10, 0.018, 0.015, -0.03),
        Bump(0.43, 6.88, 0.15, 0.12, 0.005, 0.03, 0.045),
        Scale(0.0, SEAM, 0.22, 0.12, 0.0, -0.16, -0.012),
    ),
    14: (
        Bump(0.255, 6.61, 0.055, 0.055, 0.040, 0.008, -0.060),
        Bump(0.335, 6.63, 0.035, 0.08, -0.010, 0.0, -0.075),
        Bump(0.42, 6.66, 0.07, 0.12, -0.020, 0.0, 0.055),
        Scale(0.16, SEAM, 0.14, 0.10, 0.06, -0.24, -0.022),
    ),
    15: (
        Unit("mouth-depression", 0.95),
        Bump(0.26, 6.60, 0.07, 0.06, 0.006, -0.022, -0.008),
    ),
    16: (
        Bump(0.0, 6.54, 0.22, 0.075, 0.0, -0.058, -0.012, "lower lip"),
        Bump(0.15, 6.54, 0.09, 0.07, 0.010, -0.040, 0.0, "lower lip"),
        Bump(0.0, 6.47, 0.18, 0.06, 0.0, -0.020, 0.022),
        Bump(0.16, 6.40, 0.12, 0.08, 0.012, -0.025, 0.0),
    ),
    17: (
        Bump(0.0, 6.31, 0.20, 0.13, 0.0, 0.125, 0.055),
        Bump(0.0, 6.53, 0.17, 0.07, 0.0, 0.075, 0.050),
        Bump(0.0, 6.70, 0.17, 0.06, 0.0, 0.045, 0.024),
        Bump(0.0, 6.45, 0.18, 0.035, 0.0, 0.015, -0.040),
        Bump(0.25, 6.58, 0.07, 0.06, 0.0, -0.018, 0.0),
    ),
    18: (
        Unit("mouth-pursing", 0.8),
        Bump(0.22, 6.61, 0.09, 0.09, -0.022, 0.0, 0.02),
        Bump(0.0, 6.61, 0.20, 0.10, 0.0, 0.0, 0.030),
        # Rounded lips lie longer over the teeth.
        Bump(0.0, 6.65, 0.40, 0.30, 0.0, 0.038, -0.030, "upper teeth"),
        Bump(0.0, 6.57, 0.40, 0.30, 0.0, -0.030, -0.030, "lower teeth"),
    ),
    20: (
        Bump(0.27, 6.605, 0.12, 0.075, 0.085, -0.014, -0.055),
        Bump(0.40, 6.58, 0.12, 0.12, 0.03, -0.008, 0.012),
        Unit("mouth-retraction", 0.3),
        Scale(0.0, SEAM, 0.24, 0.12, 0.10, -0.20, -0.012),
    ),
    22: (
        Unit("mouth-protusion", 0.55),
        Unit("mouth-pursing", 0.25),
        Bump(0.0, 6.70, 0.16, 0.05, 0.0, 0.012, 0.035, "upper lip"),
        Bump(0.0, 6.53, 0.22, 0.05, 0.0, -0.008, 0.045, "lower lip"),
        Bump(0.0, 6.65, 0.40, 0.30, 0.0, 0.020, -0.020, "upper teeth"),
    ),
    23: (
        Scale(0.0, SEAM, 0.30, 0.14, -0.07, -0.58, -0.045),
        Bump(0.26, 6.61, 0.08, 0.06, -0.020, 0.0, -0.004),
        Bump(0.10, 6.76, 0.16, 0.035, 0.0, -0.010, 0.012),
        Bump(0.10, 6.44, 0.16, 0.035, 0.0, 0.012, 0.012),
    ),
    24: (
        Scale(0.0, SEAM, 0.30, 0.13, -0.12, -0.54, -0.018),
        Bump(0.26, 6.61, 0.09, 0.07, -0.028, 0.004, -0.022),
        Bump(0.0, 6.75, 0.20, 0.04, 0.0, -0.008, 0.040),
        Bump(0.0, 6.46, 0.19, 0.05, 0.0, 0.028, 0.050),
    ),
    25: (
        Unit("mouth-parling", 1.2),
        Bump(0.0, 6.57, 0.20, 0.12, 0.0, -0.050, -0.006, "lower lip"),
        Bump(0.0, 6.68, 0.20, 0.10, 0.0, 0.014, 0.0, "upper lip"),
    ),
    26: (
        Unit("mouth-open", 0.62, "sealed jaw"),
        Bump(0.0, 6.66, 0.40, 0.14, 0.0, -0.20, 0.0, "tongue"),
        Bump(0.0, 6.41, 0.40, 0.20, 0.0, 0.0, -0.17, "floor of mouth"),
        Bump(0.0, 6.57, 0.40, 0.30, 0.0, -0.045, 0.0, "lower teeth"),
        Bump(0.0, 6.65, 0.40, 0.30, 0.0, 0.018, 0.0, "upper teeth"),
    ),
    27: (
        Unit("mouth-open", 0.92, "sealed jaw"),
        Unit("mouth-open", -0.6, "upper lip"),
        Bump(0.0, 6.66, 0.40, 0.14, 0.0, -0.30, 0.0, "tongue"),
        Bump(0.0, 6.41, 0.40, 0.20, 0.0, 0.0, -0.30, "floor of mouth"),
        Bump(0.26, 6.55, 0.10, 0.12, -0.03, 0.0, -0.08, "lining"),
        Bump(0.0, 6.57, 0.40, 0.30, 0.0, -0.01, -0.09, "lower teeth"),
        Bump(0.40, 6.75, 0.16, 0.22, -0.01, -0.02, -0.012),
    ),
    28: (
        Scale(0.0, SEAM, 0.30, 0.19, -0.06, -0.92, -0.075),
        Bump(0.0, 6.76, 0.20, 0.05, 0.0, -0.018, 0.0),
        Bump(0.0, 6.45, 0.20, 0.06, 0.0, 0.030, 0.012),
        Bump(0.25, 6.61, 0.08, 0.07, -0.012, 0.0, -0.02),
    ),
    43: (Unit("eye-{side}-closure"),),
    45: (Unit("eye-{side}-closure"),),
}

CORRECTIVES: tuple[Corrective, ...] = (
    # The jaw alone drops behind closed lips; AU25 opens them by the drop of the jaw.
    Corrective((25, 26), (Unit("mouth-open", 0.62, "jaw opening"),), mean=True),
    Corrective((25, 27), (Unit("mouth-open", 0.92, "jaw opening"),), mean=True),
    Corrective((25, 27), (Unit("mouth-parling", -0.7), Unit("mouth-protusion", 0.12))),
    Corrective((25, 26), (Bump(0.0, 6.55, 0.22, 0.12, 0.0, 0.05, 0.01, "lower lip"),)),
    Corrective(
        (12, 25),
        (
            Bump(0.30, 6.63, 0.12, 0.09, 0.015, 0.02, -0.015),
            # a broad smile bares the upper teeth, without AU10
            Bump(0.0, 6.68, 0.28, 0.10, 0.0, 0.12, -0.014, "upper lip"),
            Bump(0.0, 6.56, 0.22, 0.12, 0.0, -0.012, -0.006, "lower lip"),
        ),
    ),
    Corrective((6, 12), (Bump(0.42, 7.0, 0.14, 0.10, 0.0, 0.012, 0.025),)),
    Corrective(
        (1, 4),
        (
            Bump(0.13, 7.44, 0.09, 0.09, -0.012, 0.022, 0.01),
            Bump(0.36, 7.44, 0.12, 0.06, 0.0, -0.012, 0.0),
        ),
    ),
    # The brow goes up as a whole: its head no less than its tail, and the forehead shortens.
    Corrective(
        (1, 2),
        (
            Unit("eyebrows-{side}-inner-up", -1.0),
            Unit("eye-{side}-opened-up", 0.35),
            Bump(0.36, 7.46, 0.17, 0.12, 0.0, 0.072, 0.0),
            Bump(0.0, 7.54, 0.09, 0.15, 0.0, 0.055, 0.0),
        ),
    ),
    Corrective((4, 7), (Bump(0.25, 7.36, 0.12, 0.05, 0.0, -0.008, 0.006),)),
    Corrective((9, 10), (Bump(0.13, 6.72, 0.12, 0.07, 0.0, -0.022, 0.0, "upper lip"),)),
    Corrective((15, 17), (Bump(0.27, 6.56, 0.08, 0.07, 0.0, -0.014, 0.012),)),
    Corrective((17, 24), (Bump(0.0, 6.53, 0.20, 0.06, 0.0, -0.012, -0.010),)),
    Corrective((23, 24), (Scale(0.0, SEAM, 0.30, 0.13, 0.06, 0.36, 0.014),)),
    Corrective((6, 7), (Unit("eye-{side}-slit", -0.5, "lower lid"),)),
)

# Half width, at the midline, over which a shape passes from one side's intensity to the other's.
_SPREAD = {
    **{10: 0.15, 12: 0.2, 15: 0.2, 16: 0.2, 17: 0.35, 18: 0.3, 20: 0.2, 22: 0.3, 23: 0.3, 24: 0.35},
    **{25: 0.3, 26: 4.0, 27: 4.0, 28: 0.35},
}
_NARROW = 0.1
_TEETH_DROP = 0.15  # how much further than the lower lip the lower teeth fall with the jaw


class Regions:
    """Soft masks over the vertices, (V,) each on 0..1, that limit a term."""

    def __init__(self, assets: Assets) -> None:
        x, y, z = assets.vertices.T
        skin = np.zeros(len(x), np.float32)
        skin[np.unique(assets.triangles[assets.materials == SKIN])] = 1.0
        jaw = np.clip(-assets.targets["unit/caucasian/mouth-open"][:, 1] / 0.25, 0.0, 1.0)
        front = np.clip((z - 0.5) / 0.5, 0.0, 1.0)
        mouth = np.exp(-0.5 * ((x / 0.30) ** 4 + ((y - SEAM) / 0.16) ** 4)) * (z > 1.2)
        # How far a vertex takes part in opening the mouth: the lower lip all, the chin not.
        height = np.clip((y - 6.38) / 0.17, 0.0, 1.0)
        opening = jaw * height * height * (3 - 2 * height)
        tongue = np.zeros_like(skin)
        tongue[np.unique(assets.triangles[assets.materials == TONGUE])] = 1.0
        lining = _lining_of_mouth(assets)
        within = (1 - skin) * (1 - tongue) * (z > 0.6)
        self._masks: dict[str, np.ndarray] = {
            "all": np.ones_like(skin),
            "front": front * skin,
            "above mouth": np.clip((y - 6.56) / 0.1, 0.0, 1.0),
            "upper lid": (y > 7.287).astype(np.float32),
            "lower lid": (y < 7.287).astype(np.float32),
            "upper lip": (1 - jaw) * np.clip((z - 1.2) / 0.2, 0.0, 1.0) * skin,
            "lower lip": jaw * np.clip((z - 0.9) / 0.4, 0.0, 1.0) * skin,
            "lips": mouth * skin,
            "jaw opening": opening * skin,
            "sealed jaw": 1
            - opening * skin
            + _TEETH_DROP * jaw * (1 - skin),  # the teeth stay behind the lip
            "upper teeth": (1 - jaw) * within,
            "lower teeth": jaw * within,
            "tongue": tongue,
            "lining": lining,
            "floor of mouth": np.maximum(tongue, lining * (y < 6.455)),
        }

    def __getitem__(self, name: str) -> np.ndarray:
        """(V, 1) mask."""
        return self._masks[name][:, None]


def _lining_of_mouth(assets: Assets) -> np.ndarray:
    """(V,) 1 on the skin inside the mouth, which the asset's opening jaw would leave behind."""
    inside = assets.masks[..., 1]
    sizes = np.array(inside.shape) - 1
    corners, place = assets.triangles.reshape(-1), assets.uv.reshape(-1, 2)
    row, column = ((1 - place[:, 1]) * sizes[0]).astype(int), (place[:, 0] * sizes[1]).astype(int)
    lining = np.zeros(len(assets.vertices), np.float32)
    lining[corners[(np.repeat(assets.materials, 3) == SKIN) & (inside[row, column] > 127)]] = 1.0
    return lining


def blendshapes(assets: Assets) -> tuple[np.ndarray, np.ndarray]:
    """Sculpt all AUs and correctives for each ancestry and side.

    Returns:
        (V, 3) float32 resting shape, and (3, 2, 24 + C, V, 3) float32 displacements at intensity 5:
        ancestry, side (subject's right, left), AU or corrective.
    """
    regions = Regions(assets)
    listed = [AU_TERMS[number] for number in RENDERED.numbers] + [c.terms for c in CORRECTIVES]
    spreads = [_SPREAD.get(number, _NARROW) for number in RENDERED.numbers]
    spreads += [max(_SPREAD.get(number, _NARROW) for number in c.pair) for c in CORRECTIVES]
    shapes = []
    for ancestry in ANCESTRIES:
        whole = [
            _sides(assets, regions, ancestry, t, s) for t, s in zip(listed, spreads, strict=True)
        ]
        shapes.append(np.stack(whole, axis=1))
    rest = _sides(assets, regions, "caucasian", REST, _NARROW).sum(axis=0)
    return rest, np.stack(shapes)


def coefficients(au: np.ndarray) -> np.ndarray:
    """Weights of the blendshapes for AU intensities.

    Args:
        au: (B, 24, 2) intensity 0..5 of the subject's right and left side.

    Returns:
        (B, 2, 24 + C) float32.
    """
    share = np.swapaxes(np.asarray(au, np.float32), 1, 2) / 5.0
    first = share[..., [RENDERED.index(c.pair[0]) for c in CORRECTIVES]]
    second = share[..., [RENDERED.index(c.pair[1]) for c in CORRECTIVES]]
    both = np.maximum(first, 0.0) * np.maximum(second, 0.0)
    together = np.where([c.mean for c in CORRECTIVES], np.sqrt(both), both)
    return np.concatenate([share, together], axis=-1).astype(np.float32)


def _sides(
    assets: Assets, regions: Regions, ancestry: str, terms: Sequence[Term], spread: float
) -> np.ndarray:
    """(2, V, 3) displacement of the subject's right and left side."""
    x = assets.vertices[:, :1]
    left = np.clip(0.5 + 0.5 * x / spread, 0.0, 1.0)
    left = left * left * (3 - 2 * left)
    shape = np.zeros((2, *assets.vertices.shape), np.float32)
    for term in terms:
        if isinstance(term, Unit) and "{side}" in term.name:
            for side, name in enumerate(("right", "left")):
                unit = assets.targets[f"unit/{ancestry}/{term.name.format(side=name)}"]
                shape[side] += unit * term.gain * regions[term.region]
        else:
            field = _field(assets, ancestry, term) * regions[term.region]
            shape[0] += field * (1 - left)
            shape[1] += field * left
    return shape


def _field(assets: Assets, ancestry: str, term: Term) -> np.ndarray:
    """(V, 3) symmetric displacement of one term, before its region."""
    if isinstance(term, Unit):
        return assets.targets[f"unit/{ancestry}/{term.name}"] * term.gain
    x, y, _ = assets.vertices.T
    far = ((y - term.y) / term.high) ** 2
    near = np.exp(-0.5 * (((np.abs(x) - term.x) / term.wide) ** 2 + far))
    if isinstance(term, Scale):
        push = np.stack([term.kx * x, term.ky * (y - term.y), np.full_like(x, term.dz)], axis=1)
    else:
        sign = np.tanh(x / 0.03)
        push = np.stack(
            [sign * term.dx, np.full_like(x, term.dy), np.full_like(x, term.dz)], axis=1
        )
    return np.asarray(near[:, None] * push, np.float32)
