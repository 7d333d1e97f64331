"""What a real camera does to a clean rendering: occlusion, blur, tone, noise, compression."""

import io
import math
import zlib
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from actionunits.synth.picture.looks import Scene

_WINDOWS = 256  # places each way at which a frame may take its noise out of the field
_MAX_SMEAR = 9


def expose(image: np.ndarray, scene: Scene, key: bytes) -> np.ndarray:
    """Take the picture.

    Args:
        image: (S, S, 3) uint8, clean.
        scene: gives the camera's faults.
        key: anything that tells this frame of the scene from the others: seeds its noise.

    Returns:
        (S, S, 3) uint8.
    """
    scale = len(image) / 256
    picture = image.astype(np.float32) / 255
    if scene.occluder is not None:
        picture = _occlude(picture, scene.occluder)
    picture = _smear(picture, scene.motion[0] * scale, scene.motion[1] * scale)
    if scene.blur * scale > 0.2:
        picture = _blur(picture, scene.blur * scale)
    if scene.contrast != 1.0 or np.any(scene.balance != 1.0):
        picture = (picture * scene.balance.astype(np.float32) - 0.45) * scene.contrast + 0.45
    if scene.noise > 0:
        picture = picture + _grain(len(image), scene, key) * scene.noise
    result = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    return _compress(result, scene.quality) if scene.quality else result


def _occlude(picture: np.ndarray, occluder: np.ndarray) -> np.ndarray:
    x, y, wide, high, angle, *colour, soft = occluder
    at = (np.arange(len(picture), dtype=np.float32) + 0.5) / len(picture)
    dx, dy = at[None, :] - x, at[:, None] - y
    along = (dx * math.cos(angle) + dy * math.sin(angle)) / wide
    across = (dy * math.cos(angle) - dx * math.sin(angle)) / high
    inside = np.clip((1 - np.sqrt(along**2 + across**2)) / soft, 0, 1)[..., None]
    shade = np.array(colour, np.float32) * (0.8 + 0.2 * np.clip(1 - across, 0, 1))[..., None]
    return np.asarray(picture * (1 - inside) + shade * inside, np.float32)


def _smear(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """Average over whole-pixel shifts along the motion."""
    steps = min(int(max(abs(x), abs(y))), _MAX_SMEAR)
    if steps < 1:
        return picture
    pad = _MAX_SMEAR
    wide = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    side, total = len(picture), np.zeros_like(picture)
    for share in np.linspace(-0.5, 0.5, steps + 1):
        dx, dy = (round(min(max(v * share, -pad), pad)) + pad for v in (x, y))
        total += wide[dy : dy + side, dx : dx + side]
    return total / (steps + 1)


def _blur(picture: np.ndarray, radius: float) -> np.ndarray:
    image = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def _grain(side: int, scene: Scene, key: bytes) -> np.ndarray:
    """A window of one fixed field of noise, so that a frame costs no random numbers."""
    row, column = np.random.default_rng([scene.seed, zlib.crc32(key)]).integers(_WINDOWS, size=2)
    return _noise(side)[row : row + side, column : column + side]


@cache
def _noise(side: int) -> np.ndarray:
    whole = (side + _WINDOWS, side + _WINDOWS, 3)
    return np.random.default_rng(11).standard_normal(whole, np.float32)


def _compress(image: np.ndarray, quality: int) -> np.ndarray:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality)
    with Image.open(data) as decoded:
        return np.asarray(decoded.convert("RGB"))
