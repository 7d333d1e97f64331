"""Everything about a picture that is not the face's geometry.

An `Appearance` belongs to a subject (skin, hair, brows, iris, beard, make-up, glasses), a `Scene`
to a task (light, camera, background). Colours are linear RGB.
"""

from typing import NamedTuple

import numpy as np

from actionunits.synth.person.assets import Assets
from actionunits.synth.person.face import Identity
from actionunits.synth.picture.light import background, facing_light, harmonics

# Albedo of fair and of deep skin of each ancestry (african, asian, caucasian).
_FAIR = np.array([[0.32, 0.165, 0.100], [0.62, 0.385, 0.255], [0.68, 0.42, 0.315]])
_DEEP = np.array([[0.080, 0.040, 0.026], [0.35, 0.190, 0.105], [0.43, 0.235, 0.145]])

_HAIR = {
    "black": (0.012, 0.010, 0.009),
    "dark brown": (0.035, 0.022, 0.015),
    "brown": (0.095, 0.055, 0.032),
    "light brown": (0.22, 0.135, 0.075),
    "blond": (0.46, 0.33, 0.18),
    "red": (0.28, 0.095, 0.040),
    "grey": (0.33, 0.32, 0.31),
}
_IRIS = {
    "dark brown": (0.035, 0.016, 0.008),
    "brown": (0.075, 0.032, 0.012),
    "hazel": (0.13, 0.085, 0.035),
    "green": (0.105, 0.155, 0.085),
    "blue": (0.105, 0.170, 0.270),
    "grey": (0.15, 0.19, 0.22),
}
_FRAMES = ((0.012, 0.012, 0.013), (0.09, 0.045, 0.025), (0.30, 0.29, 0.28), (0.22, 0.16, 0.08))
_WOMEN, _MEN = ("bob", "long", "ponytail"), ("short", "afro")


class Glasses(NamedTuple):
    """A pair of glasses: shape and colours."""

    width: float  # half width of a lens in decimetres
    height: float  # half height
    power: float  # of the superellipse: 2 oval .. 5 rectangle
    rim: float  # half thickness of the frame
    colour: tuple[float, float, float]
    tint: float  # 0 clear .. 1 dark


class Appearance(NamedTuple):
    """How a subject looks, in all their pictures."""

    skin: str  # name of the texture whose pattern is used
    tone: np.ndarray  # (3,) albedo
    mottle: float
    relief: float  # of pores
    surface: np.ndarray  # (4,) specular strength, gloss, extra gloss of the lips, depth of creases
    lip: np.ndarray  # (4,) colour, cover
    eyeshadow: np.ndarray  # (4,) colour, strength
    beard: np.ndarray  # (4,) colour, density
    whiskers: np.ndarray  # (3,) density of the moustache, its overhang, beard on the chin only
    sockets: np.ndarray  # (2,) shade about and under the eyes, 0 none .. 1
    hair_style: str | None
    hair: np.ndarray  # (3,)
    fringe: float  # height of the cut above the eyes in decimetres
    brow_style: str
    brow: np.ndarray  # (4,) colour, density
    lash_style: str
    lash: np.ndarray  # (4,) colour, density
    iris: np.ndarray  # (4,) colour, pupil's radius as an angle
    teeth: np.ndarray  # (3,) albedo
    glasses: Glasses | None


class Scene(NamedTuple):
    """Light, camera and background of a recording."""

    lights: np.ndarray  # (2, 3) directions, unit length
    light_colours: np.ndarray  # (2, 3)
    sky: np.ndarray  # (9, 3) of `light.harmonics`
    shadow: float  # strength 0..1
    softness: float  # of the shadow's edge, share of its map
    distance: float  # of the camera in decimetres
    background: np.ndarray  # (64, 64, 3) uint8
    exposure: float  # stops off the metered one
    balance: np.ndarray  # (3,) gains of the channels
    contrast: float
    blur: float  # of the lens, in pixels of a 256 px image
    motion: tuple[float, float]  # x, y extent of the smear in such pixels
    noise: float  # standard deviation on 0..1
    quality: int  # of a JPEG pass; 0 for none
    grey: bool  # a black-and-white picture
    coarse: int  # size of the grain, 0 a pixel
    small: int  # pixels a side as which the picture was once stored; 0 never
    occluder: np.ndarray | None  # (K, 9) rods: ends x, y, x, y, radius, RGB, softness; unit square
    seed: int  # of the noise


def draw_appearance(rng: np.random.Generator, identity: Identity, assets: Assets) -> Appearance:
    """Draw how a person looks.

    Args:
        rng: of this person alone.
        identity: whose ancestry, sex and age decide what is likely.
        assets: whose textures and styles there are.
    """
    woman, old = identity.male < 0.5, identity.age
    melanin = rng.beta(1.1, 1.6)
    tone = np.exp(identity.ancestry @ ((1 - melanin) * np.log(_FAIR) + melanin * np.log(_DEEP)))
    tone = tone * (1 + 0.02 * rng.normal(size=3))
    hair = _hair_colour(rng, identity)
    brow = _brow(rng, hair, woman, old)
    density, whiskers = _whiskers(rng) if identity.male > 0.6 else (0.0, np.zeros(3))
    lipstick = woman and rng.random() < 0.28
    natural = tone * np.array([0.92, 0.62, 0.66])
    painted = (
        np.array([0.32, 0.055, 0.065]) * rng.uniform(0.5, 1.5) * (1 + 0.25 * rng.normal(size=3))
    )
    lip = np.clip(painted, 0.03, 0.7) if lipstick else natural * rng.uniform(0.85, 1.05)
    shaded = woman and rng.random() < 0.3
    powder = tone * np.clip(np.array([0.6, 0.45, 0.5]) + 0.15 * rng.normal(size=3), 0.2, 1.0)
    light_eyes = identity.ancestry[2] > rng.uniform(0.35, 0.8)
    names = list(_IRIS) if light_eyes else list(_IRIS)[:2]
    iris = np.array(_IRIS[names[rng.integers(len(names))]]) * rng.uniform(0.75, 1.35)
    return Appearance(
        skin=_skin(rng, identity, assets),
        tone=np.clip(tone, 0.02, 0.8),
        mottle=rng.uniform(0.2, 0.9),
        relief=rng.uniform(0.3, 0.7),
        surface=np.array(
            [
                rng.uniform(0.25, 0.7),
                rng.uniform(9, 24),
                rng.uniform(0, 0.35) + 0.5 * (rng.random() < 0.2),  # wet
                rng.uniform(0.15, 0.5),
            ]
        ),
        lip=np.array([*lip, rng.uniform(0.6, 0.95) if lipstick else rng.uniform(0.15, 0.55)]),
        eyeshadow=np.array([*powder, rng.uniform(0.2, 0.7) if shaded else 0.0]),
        beard=np.array([*np.minimum(hair * 0.6 + 0.01, tone * 0.4), density]),
        whiskers=whiskers,
        sockets=np.clip(
            [rng.normal(0.1, 0.35), rng.normal(0.15 + 0.3 * old, 0.3)], 0.0, [1.0, 1.0]
        ),
        hair_style=_hair_style(rng, woman, old, assets),
        hair=hair,
        fringe=rng.uniform(0.06, 0.3) if rng.random() < 0.15 else rng.uniform(0.3, 0.62),
        brow_style=_pick(rng, assets, "brow"),
        brow=brow,
        lash_style=_pick(rng, assets, "lash"),
        lash=np.array(
            [0.008, 0.006, 0.005, rng.uniform(0.35, 0.8) if woman else rng.uniform(0.25, 0.5)]
        ),
        iris=np.array([*iris, rng.uniform(0.15, 0.28)]),
        teeth=np.array([0.80, 0.73, 0.63])
        * rng.uniform(0.7, 1.1)
        * [1, 1, rng.uniform(0.75, 1.05)],
        glasses=_glasses(rng) if rng.random() < 0.16 else None,
    )


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw light, camera and background of a recording."""
    warm = rng.uniform(-0.12, 0.18)
    above = np.array([1 + warm, 1, 1 - warm]) * rng.uniform(0.35, 0.9)
    below = np.array([1.06, 0.98, 0.90]) * rng.uniform(0.15, 0.45)
    lobes = rng.integers(1, 6)
    around = rng.normal(0, 1, (lobes, 3)) + [0, 0.3, 0.6]
    hue = rng.choice([0.06, 0.18])
    glow = rng.uniform(0.1, 0.6, (lobes, 1)) * (1 + hue * rng.normal(size=(lobes, 3)))
    sky = harmonics(
        np.vstack([[0, 1, 0.1], [0, -1, 0.1], around]), np.vstack([above * 0.8, below * 0.8, glow])
    )
    lights = rng.normal(0, 1, (2, 3))
    lights[:, 2] = np.abs(lights[:, 2]) + 0.35
    lights[0, 1] = np.abs(lights[0, 1]) * 0.9 + 0.1
    key, fill, shadow = rng.uniform(0.15, 1.2), rng.uniform(0, 0.45), rng.uniform(0.55, 1.0)
    kind = rng.choice(["free", "top", "side", "flash", "even"], p=[0.48, 0.18, 0.14, 0.08, 0.12])
    if kind == "top":  # sockets, nose and lip throw their shadows down
        lights[0] = rng.normal(0, 0.3), 1.0, rng.uniform(0.15, 0.7)
        sky, key, fill = sky * rng.uniform(0.3, 0.8), rng.uniform(0.8, 1.8), fill * 0.4
    elif kind == "side":
        lights[0] = rng.choice([-1.0, 1.0]), rng.uniform(-0.1, 0.5), rng.uniform(0.05, 0.5)
        sky, key, fill = sky * rng.uniform(0.3, 0.8), rng.uniform(0.8, 1.8), fill * 0.5
    elif kind == "flash":
        lights[0] = rng.normal(0, 0.12), rng.uniform(0.0, 0.3), 1.0
        sky, key = sky * rng.uniform(0.2, 0.6), rng.uniform(0.8, 1.5)
    elif kind == "even":
        key, fill = key * 0.2, fill * 0.4
    lights /= np.linalg.norm(lights, axis=1, keepdims=True)
    sharp = rng.random() < 0.5
    dim = np.exp(rng.uniform(np.log(0.06), np.log(1.2)))  # what is behind lies in less light
    moving = rng.random() < 0.1
    return Scene(
        lights=lights,
        light_colours=np.array([[1.06, 1, 0.92], [0.94, 0.98, 1.05]]) * [[key], [fill]],
        sky=sky,
        shadow=shadow,
        softness=rng.uniform(0.003, 0.010),
        distance=float(np.exp(rng.uniform(np.log(7), np.log(26)))),
        background=background(rng, above * dim, below * dim),
        exposure=float(rng.normal(-0.1, 0.34)),
        balance=1 + 0.02 * rng.normal(size=3),
        contrast=float(np.exp(rng.normal(0.14, 0.18))),
        blur=0.0 if sharp else float(rng.uniform(0.3, 1.4)),
        motion=tuple(rng.normal(0, 2.2, 2)) if moving else (0.0, 0.0),
        noise=float(rng.uniform(0, 0.012) if sharp else rng.uniform(0, 0.03)),
        quality=int(rng.integers(45, 96)) if rng.random() < 0.5 else 0,
        grey=bool(rng.random() < 0.3),
        coarse=int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15])),
        small=int(np.exp(rng.uniform(np.log(48), np.log(128)))) if rng.random() < 0.3 else 0,
        occluder=_occluder(rng) if rng.random() < 0.12 else None,
        seed=int(rng.integers(2**31)),
    )


def studio() -> Scene:
    """Even light on grey, a perfect camera: for contact sheets."""
    sky = harmonics(
        np.array([[0, 1, 0.2], [0, -1, 0.3], [0.5, 0.3, 1.0]]),
        np.array([[0.42, 0.43, 0.46], [0.20, 0.18, 0.16], [0.25, 0.25, 0.25]]),
    )
    lights = np.array([[0.45, 0.6, 0.75], [-0.7, 0.15, 0.6]])
    return Scene(
        lights=lights / np.linalg.norm(lights, axis=1, keepdims=True),
        light_colours=np.array([[0.95, 0.90, 0.83], [0.22, 0.23, 0.26]]),
        sky=sky,
        shadow=0.75,
        softness=0.006,
        distance=12.0,
        background=np.full((64, 64, 3), 150, np.uint8),
        exposure=0.0,
        balance=np.ones(3),
        contrast=1.0,
        blur=0.0,
        motion=(0.0, 0.0),
        noise=0.0,
        quality=0,
        grey=False,
        coarse=0,
        small=0,
        occluder=None,
        seed=0,
    )


def metered_exposure(scene: Scene, tone: np.ndarray) -> float:
    """Exposure of a camera that meters on the face: most of the difference in skin and light goes.

    Args:
        scene: gives the light and how far off the exposure is.
        tone: (3,) albedo of the skin.
    """
    light = facing_light(scene.sky, scene.lights, scene.light_colours)
    return float(1.55 * (0.34 / light) ** 0.85 / tone.mean() ** 0.5 * 2**scene.exposure)


def _skin(rng: np.random.Generator, identity: Identity, assets: Assets) -> str:
    shade = "darkskinned" if identity.ancestry[0] > 0.5 else "lightskinned"
    sex = "_female_" if identity.male < 0.5 else "_male_"
    age = "old" if identity.age > 0.6 else "middleage" if identity.age > 0.3 else "young"
    names = [n for n in assets.skins if sex in n]
    fitting = [n for n in names if shade in n and n.startswith(age)] or names
    return fitting[rng.integers(len(fitting))]


def _hair_colour(rng: np.random.Generator, identity: Identity) -> np.ndarray:
    if rng.random() < 0.75 * identity.age**2:
        name = "grey"
    elif identity.male < 0.5 and rng.random() < 0.2:  # dyed
        name = rng.choice(list(_HAIR)[:6])
    elif identity.ancestry[2] > rng.uniform(0.3, 0.8):
        name = rng.choice(list(_HAIR)[:6], p=[0.10, 0.27, 0.28, 0.18, 0.12, 0.05])
    else:
        name = rng.choice(list(_HAIR)[:3], p=[0.6, 0.3, 0.1])
    return np.array(_HAIR[name]) * rng.uniform(0.7, 1.35) * (1 + 0.04 * rng.normal(size=3))


def _brow(rng: np.random.Generator, hair: np.ndarray, woman: bool, old: float) -> np.ndarray:
    """(4,) colour and density: drawn with a pencil, hardly there at all, or like the hair."""
    if woman and rng.random() < 0.25:
        return np.array([*np.clip(hair * rng.uniform(0.25, 0.5), 0.006, 0.12), 1.0])
    sparse = rng.random() < 0.25 + 0.25 * old
    covers = rng.uniform(0.05, 0.45) if sparse else rng.uniform(0.5, 1.2)
    return np.array([*np.clip(hair * rng.uniform(0.5, 1.0), 0.006, 0.4), min(covers, 1.0)])


def _hair_style(rng: np.random.Generator, woman: bool, old: float, assets: Assets) -> str | None:
    if rng.random() < (0.04 if woman else 0.08 + 0.15 * old):
        return None
    names = [proxy.name for proxy in assets.of_kind("hair")]
    likely = _WOMEN if woman else _MEN
    fitting = [n for n in names if n.startswith(likely)] if rng.random() < 0.93 else names
    fitting = fitting or names
    return fitting[rng.integers(len(fitting))]


def _whiskers(rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """Density of the beard, and the moustache: most men shave, some wear stubble, few a beard."""
    kind = rng.choice(
        ["shaven", "stubble", "moustache", "chin", "full"], p=[0.45, 0.2, 0.1, 0.1, 0.15]
    )
    if kind in ("shaven", "stubble"):
        density = rng.uniform(0.0, 0.12) if kind == "shaven" else rng.uniform(0.12, 0.4)
        return float(density), np.array([density, 0.0, 0.0])
    hair, hangs = rng.uniform(0.7, 1.5), rng.random() * (rng.random() < 0.6)
    density = {"moustache": rng.uniform(0.0, 0.3), "chin": hair, "full": hair}[str(kind)]
    return float(density), np.array([hair, hangs, float(kind == "chin")])


def _pick(rng: np.random.Generator, assets: Assets, kind: str) -> str:
    names = [proxy.name for proxy in assets.of_kind(kind)]
    return names[rng.integers(len(names))]


def _glasses(rng: np.random.Generator) -> Glasses:
    return Glasses(
        width=rng.uniform(0.21, 0.26),
        height=rng.uniform(0.13, 0.20),
        power=rng.uniform(2.2, 5.0),
        rim=rng.uniform(0.006, 0.018),
        colour=_FRAMES[rng.integers(len(_FRAMES))],
        tint=rng.choice([0.0, rng.uniform(0.1, 0.4), rng.uniform(0.7, 0.97)], p=[0.82, 0.08, 0.1]),
    )


def _occluder(rng: np.random.Generator) -> np.ndarray:
    """Something before the face: a microphone, fingers, a collar, a cap, or what comes from a side.

    Returns:
        (K, 9) rods with round ends, the last in front.
    """
    kinds = ["microphone", "hand", "collar", "cap", "thing"]
    kind = rng.choice(kinds, p=[0.3, 0.25, 0.15, 0.15, 0.15])
    soft = rng.uniform(0.02, 0.25)
    if kind == "microphone":
        x, y, thick = rng.uniform(0.25, 0.75), rng.uniform(0.80, 1.0), rng.uniform(0.04, 0.10)
        dark, grey = np.full(3, rng.uniform(0.02, 0.15)), np.full(3, rng.uniform(0.05, 0.5))
        foot = x + rng.normal(0, 0.15)
        return np.array(
            [[x, y, foot, 1.4, thick * 0.55, *dark, soft], [x, y, x, y + 0.02, thick, *grey, soft]]
        )
    if kind == "hand":
        tip = rng.uniform((0.1, 0.35), (0.9, 0.95))
        angle = rng.uniform(0.25, 2.9) if rng.random() < 0.7 else rng.uniform(-0.4, 3.5)
        along = np.array([np.cos(angle), np.sin(angle)])  # from the tips to the wrist
        across, thick = np.array([-along[1], along[0]]), rng.uniform(0.03, 0.05)
        skin = np.sqrt(np.clip(rng.uniform(0.12, 0.6) * np.array([1.1, 0.72, 0.55]), 0, 1))
        rods = []
        for finger in range(int(rng.integers(2, 5))):
            start = tip + across * thick * 1.9 * finger + along * rng.uniform(0, 0.08)
            end = start + along * 0.8
            rods.append([*start, *end, thick, *(skin * rng.uniform(0.88, 1.0)), soft])
        return np.array(rods)
    colour = rng.uniform(0.05, 0.8, 3)
    if kind in ("collar", "cap"):
        y = rng.uniform(0.97, 1.1) if kind == "collar" else rng.uniform(0.0, 0.16)
        ends = [-0.2, y + rng.normal(0, 0.04), 1.2, y + rng.normal(0, 0.04)]
        return np.array([[*ends, rng.uniform(0.08, 0.16), *colour, soft]])
    x, y = (rng.uniform(0.1, 0.9), 1.1) if rng.random() < 0.6 else (rng.choice([-0.1, 1.1]), 0.6)
    ends = [x, y, *(np.array([x, y]) + rng.normal(0, 0.15, 2))]
    return np.array([[*ends, rng.uniform(0.10, 0.28), *colour, soft]])
