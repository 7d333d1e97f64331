"""Who somebody is and what the face does: identities and the head's geometry, in numpy."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from actionunits.aus import RENDERED
from actionunits.synth.person.assets import LEFT_EYE, RIGHT_EYE, Assets
from actionunits.synth.person.creases import CreaseTraits, draw_traits
from actionunits.synth.person.sculpt import ANCESTRIES, SEAM, Regions, blendshapes, coefficients

# Vertices of the base mesh at the 49 landmarks, in the order of iBUG-68 without jaw line and inner
# mouth corners: brows, nose bridge, nostrils, eyes, outer and inner lips. Lids: the margin.
_LANDMARKS = (
    *(254, 179, 176, 180, 209, 6984, 6956, 6952, 6955, 7023),
    *(133, 131, 201, 5054, 326, 353, 312, 7114, 7088),
    *(21, 0, 54, 66, 47, 41, 6850, 6838, 6784, 6805, 6825, 6831),
    *(422, 410, 456, 455, 7215, 7170, 7182, 7166, 7235, 492, 480, 406),
    *(470, 474, 7226, 7236, 493, 481),
)

_UPPER_RIM, _LOWER_RIM = [43, 44, 45], [48, 47, 46]  # landmarks of the inner lips, right to left
_UPPER_LIDS, _LOWER_LIDS = [[20, 21], [26, 27]], [[24, 23], [30, 29]]  # of the right, left eye
_LID_RAISER, _LIPS_PART = (RENDERED.index(number) for number in (5, 25))
_EYES_CLOSED = [RENDERED.index(number) for number in (43, 45)]  # for long, in a blink: alike
_LID_FOLLOWS = 1.8 / 90  # share of closing for each degree of gaze downwards
_MOST_FOLLOWED = 0.5
_FREELY_PARTED = 1.5  # intensity of AU25 from which the lips part as far as they are pulled

_MUSCLE = ("minmuscle", "averagemuscle", "maxmuscle")
_WEIGHT = ("minweight", "averageweight", "maxweight")
_OPPOSITES = (
    *(("decr", "incr"), ("down", "up"), ("in", "out"), ("concave", "convex")),
    *(("backward", "forward"), ("compress", "uncompress")),
)
# Standard deviation of a detail's signed weight, by folder of the assets. Shapes that mimic an
# expression (lids, brows, lips) vary less, yet enough that resting faces differ as people do.
_SIGMA = {
    **{"head": 0.18, "forehead": 0.28, "eyes": 0.20, "nose": 0.25, "mouth": 0.20, "cheek": 0.24},
    **{"chin": 0.22, "ears": 0.28, "eyebrows": 0.18, "asym": 0.10, "neck": 0.20},
}
# Where people differ most, and what is taken for an expression: folds and bags about the eyes, deep
# and narrow eyes, brows, thin and full lips, lines of laughter.
_SIGMA_OF = {
    **{"eyes/eye-eyefold": 0.42, "eyes/eye-epicanthus": 0.42, "eyes/eye-bag": 0.45},
    **{"eyes/eye-push": 0.32, "eyes/eye-height": 0.24, "eyebrows/": 0.28},
    **{"mouth/mouth-upperlip": 0.28, "mouth/mouth-lowerlip": 0.28, "mouth/mouth-laugh": 0.35},
}
# How far a resting face looks as if an AU acted a little, or its opposite, in intensities: mean and
# standard deviation. Brows are high, arched or low, eyes wide or narrow, lids heavy, cheeks full,
# lips thin or drooping. Without the wrinkles of the AU this is no AU. The means take back that the
# base mesh looks at the world wide-eyed.
_POSTURE = {
    **{1: (-0.2, 0.6), 2: (0.0, 0.7), 4: (0.5, 0.8), 5: (-0.2, 0.4), 6: (0.8, 0.8), 7: (0.4, 0.6)},
    **{9: (0.4, 0.4), 10: (0.2, 0.5), 12: (0.1, 0.5), 14: (0.3, 0.5), 15: (0.3, 0.7)},
    **{17: (0.4, 0.5), 18: (0.0, 0.5), 22: (0.0, 0.4), 23: (0.0, 0.6), 24: (0.0, 0.6)},
    **{28: (0.0, 0.3), 43: (0.25, 0.45)},
}
_MEAN, _SPREAD = np.array([_POSTURE.get(n, (0.0, 0.0)) for n in RENDERED.numbers]).T
_POSTURES = -1.3, 1.7
_UNEVEN = 0.05  # standard deviation of the difference between left and right details
_MAX_DETAIL = 0.9


class Identity(NamedTuple):
    """A person's head, the same in all their pictures."""

    ancestry: np.ndarray  # (3,) shares of african, asian, caucasian; sum 1
    male: float  # 0 female .. 1 male
    age: float  # 0 young .. 1 old
    build: str  # "averagemuscle-minweight"
    detail: np.ndarray  # (K,) signed weights along `Head.details`
    creases: CreaseTraits  # how the skin folds
    posture: np.ndarray  # (24,) what AUs the resting face looks like, in intensities


class _Detail(NamedTuple):
    """A direction of variation: a target for each sign, "" where there is none."""

    name: str  # without side and sign: "eyes/eye-scale"
    negative: str
    positive: str


def draw_identity(rng: np.random.Generator, head: "Head") -> Identity:
    """Draw a person.

    Args:
        rng: of this person alone.
        head: whose details are drawn.
    """
    ancestry = rng.dirichlet([0.45, 0.45, 0.45])
    male = float(np.clip(rng.beta(0.45, 0.45), 0.0, 1.0))
    age = float(rng.beta(0.9, 1.2))
    muscle = _MUSCLE[rng.choice(3, p=[0.3, 0.5, 0.2])]
    weight = _WEIGHT[rng.choice(3, p=[0.25, 0.5, 0.25])]
    shared = {name: rng.normal() for name in head.detail_names}
    detail = np.array(
        [_sigma(d.name) * shared[d.name] + _UNEVEN * rng.normal() for d in head.details]
    )
    return Identity(
        ancestry=ancestry,
        male=male,
        age=age,
        build=f"{muscle}-{weight}",
        detail=np.clip(detail, -_MAX_DETAIL, _MAX_DETAIL).astype(np.float32),
        creases=draw_traits(rng, age),
        posture=np.clip(_MEAN + _SPREAD * rng.normal(size=len(RENDERED)), *_POSTURES),
    )


def _sigma(detail: str) -> float:
    """Standard deviation of a detail's weight."""
    special = (value for name, value in _SIGMA_OF.items() if detail.startswith(name))
    return next(special, _SIGMA[detail.split("/")[0]])


class Head:
    """The parametric head: identities and AUs to vertex positions and landmarks."""

    def __init__(self, assets: Assets) -> None:
        self.assets = assets
        order = {int(number): i for i, number in enumerate(assets.numbers)}
        self._landmarks = np.array([order[number] for number in _LANDMARKS])
        self.details = _details(assets.targets)
        self.detail_names = list(dict.fromkeys(detail.name for detail in self.details))
        self._targets = [name for name in assets.targets if not name.startswith("unit/")]
        self._place = {name: i for i, name in enumerate(self._targets)}
        flat = [assets.targets[name].reshape(-1) for name in self._targets]
        self._identity_basis = np.stack(flat).astype(np.float32)  # (K, V * 3)
        rest, shapes = blendshapes(assets)
        self._rest = (assets.vertices + rest).reshape(-1)
        self._shapes = shapes.reshape(-1, assets.vertices.size)  # (3 * 2 * (24 + C), V * 3)
        self._shut = np.ascontiguousarray(shapes[:, :, _EYES_CLOSED[0]])  # (3, 2, V, 3)
        self._seal = _seal_weights(assets, Regions(assets))
        self._travel = -self.eye_openings(self._shut.reshape(6, -1, 3)).reshape(3, 2, 2)
        eyes = [np.unique(assets.triangles[assets.materials == m]) for m in (RIGHT_EYE, LEFT_EYE)]
        self.eye_vertices = eyes  # subject's right, left

    def positions(
        self, identities: Sequence[Identity], au: np.ndarray, gaze: np.ndarray | None = None
    ) -> np.ndarray:
        """Vertices of heads with these Action Units.

        Args:
            identities: B people; one who occurs several times is computed once.
            au: (B, 24, 2) intensity 0..5 of the subject's right and left side.
            gaze: (B, 2) yaw and pitch of the eyes in degrees; the upper lids follow them down.

        Returns:
            (B, V, 3) float32 in decimetres.
        """
        people = {id(identity): identity for identity in identities}
        row = {key: i for i, key in enumerate(people)}
        weights = np.stack([self._weights(identity) for identity in people.values()])
        shape = self._rest + weights @ self._identity_basis
        ancestry = np.stack([identity.ancestry for identity in identities]).astype(np.float32)
        posture = np.stack([identity.posture for identity in identities])
        # What a muscle does at rest is part of what it can do: at 5 all look alike.
        acting = np.asarray(au) + posture[..., None] * (1 - np.asarray(au) / 5)
        open_eyed, closing = _lids(acting.astype(np.float32), gaze)
        mixed = np.einsum("br,bsk->brsk", ancestry, coefficients(open_eyed))
        moved = mixed.reshape(len(identities), -1) @ self._shapes
        moved += shape[[row[id(identity)] for identity in identities]]
        vertices = moved.reshape(len(identities), -1, 3)
        self._close_eyes(vertices, closing, ancestry)
        self._close_lips(vertices, au)
        return np.asarray(vertices)

    def landmarks(self, vertices: np.ndarray) -> np.ndarray:
        """(B, V, 3) vertices to (B, 49, 3) landmarks."""
        return np.asarray(vertices[:, self._landmarks])

    def eye_centres(self, vertices: np.ndarray) -> np.ndarray:
        """(B, V, 3) vertices to the (B, 2, 3) centres of the subject's right and left eyeball."""
        return np.stack([vertices[:, eye].mean(axis=1) for eye in self.eye_vertices], axis=1)

    def eye_openings(self, vertices: np.ndarray) -> np.ndarray:
        """(B, V, 3) vertices to the (B, 2) height of the slits of the right and left eye."""
        height = self.landmarks(vertices)[:, :, 1]
        return np.asarray((height[:, _UPPER_LIDS] - height[:, _LOWER_LIDS]).mean(axis=2))

    def _close_eyes(self, vertices: np.ndarray, closing: np.ndarray, ancestry: np.ndarray) -> None:
        """Let the lids meet, whatever else acts on them and however wide the eye is, in place.

        Args:
            vertices: (B, V, 3) with open eyes.
            closing: (B, 2) share of the way.
            ancestry: (B, 3).
        """
        for side in range(2):
            shut = np.einsum("br,rvc->bvc", ancestry, self._shut[:, side])
            travel = ancestry @ self._travel[:, side, side]
            gain = closing[:, side] * self.eye_openings(vertices)[:, side] / travel
            vertices += gain[:, None, None] * shut

    def _close_lips(self, vertices: np.ndarray, au: np.ndarray) -> None:
        """Bring the lips together unless AU25 parts them, whatever pulls at them, in place."""
        parted = np.clip(np.asarray(au)[:, _LIPS_PART].mean(axis=1) / _FREELY_PARTED, 0.0, 1.0)
        height = self.landmarks(vertices)[:, :, 1]
        gap = np.maximum(height[:, _UPPER_RIM] - height[:, _LOWER_RIM], 0.0)
        shift = (gap * (1 - parted)[:, None]).astype(np.float32)
        vertices[:, :, 1] += shift @ self._seal

    def _weights(self, identity: Identity) -> np.ndarray:
        """(K,) weights of all identity targets."""
        weights = np.zeros(len(self._targets), np.float32)
        for sex, of_sex in (("male", identity.male), ("female", 1 - identity.male)):
            for age, of_age in (("old", identity.age), ("young", 1 - identity.age)):
                for name, share in zip(ANCESTRIES, identity.ancestry, strict=True):
                    weights[self._place[f"macrodetails/{name}-{sex}-{age}"]] += (
                        of_sex * of_age * share
                    )
                build = f"macrodetails/universal-{sex}-{age}-{identity.build}"
                weights[self._place[build]] += of_sex * of_age
        for detail, value in zip(self.details, identity.detail, strict=True):
            target = detail.positive if value > 0 else detail.negative
            if target:
                weights[self._place[target]] += abs(value)
        return weights


def _lids(au: np.ndarray, gaze: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Take the closing of the eyes out of the AUs; the upper lids follow the gaze, as in life.

    Returns:
        (B, 24, 2) AUs without AU43 and 45, and (B, 2) share of the way that the lids go to meet.
    """
    closing = np.clip(au[:, _EYES_CLOSED].max(axis=1) / 5.0, 0.0, 1.0)
    open_eyed = au.copy()
    open_eyed[:, _EYES_CLOSED] = 0.0
    if gaze is not None:
        follow = np.asarray(gaze, np.float32)[:, 1:2] * _LID_FOLLOWS
        closing = closing + (1 - closing) * np.clip(-follow, 0.0, _MOST_FOLLOWED)
        open_eyed[:, _LID_RAISER] += 5.0 * np.clip(follow, 0.0, _MOST_FOLLOWED)
    return open_eyed, closing


def _seal_weights(assets: Assets, regions: Regions) -> np.ndarray:
    """(3, V) height by which a gap of 1 at the right, middle and left of the rim moves a vertex."""
    x, y, _ = assets.vertices.T
    columns = np.exp(-0.5 * ((x - np.array([[-0.105], [0.0], [0.105]])) / 0.055) ** 2)
    columns /= columns.sum(axis=0) + 1e-3
    near = np.exp(-(((y - SEAM) / 0.07) ** 2)) * np.exp(-((x / 0.26) ** 8))
    upper, lower = (regions[f"{lip} lip"][:, 0] for lip in ("upper", "lower"))
    return np.asarray(columns * near * (0.56 * lower - 0.45 * upper), np.float32)


def _details(targets: dict[str, np.ndarray]) -> list[_Detail]:
    """Pair targets with their opposites: ``nose-hump-decr`` with ``nose-hump-incr``."""
    words = {word: sign for pair in _OPPOSITES for sign, word in enumerate(pair)}
    found: dict[str, list[str]] = {}
    for target in sorted(targets):
        folder = target.split("/")[0]
        if folder not in _SIGMA:
            continue
        stem, _, last = target.rpartition("-")
        side = re.fullmatch(r"asym/.*-([lr])", target)
        if side:  # asymmetry to the left and to the right are opposites
            stem, last = stem, {"l": "decr", "r": "incr"}[side[1]]
        key, sign = (stem, words[last]) if last in words else (target, 1)
        found.setdefault(key, ["", ""])[sign] = target
    return [_Detail(re.sub(r"/[lr]-", "/", key), *pair) for key, pair in found.items()]
