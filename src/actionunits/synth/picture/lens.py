"""What a real camera does to a clean rendering: occlusion, blur, tone, noise, compression."""

import io
import zlib
from functools import cache

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import uniform_filter

from actionunits.synth.picture.looks import Scene

_WINDOWS = 256  # places each way at which a frame may take its noise out of the field
_MAX_SMEAR = 9
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


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
    if scene.small and scene.small < len(image):
        picture = _stored_small(picture, scene)
    if scene.grey:
        picture = np.repeat((picture @ _LUMA)[..., None], 3, axis=2)
    if scene.contrast != 1.0 or np.any(scene.balance != 1.0):
        balance = 1.0 if scene.grey else scene.balance.astype(np.float32)
        picture = (picture * balance - 0.45) * scene.contrast + 0.45
    if scene.noise > 0:
        picture = picture + _grain(len(image), scene, key) * scene.noise
    result = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    return _compress(result, scene.quality) if scene.quality else result


def covered(points: np.ndarray, occluder: np.ndarray) -> np.ndarray:
    """(..., 2) points of the unit square to how much of each an occluder hides, (...) 0..1."""
    shares = [_rod(points[..., 0], points[..., 1], rod)[0] for rod in occluder]
    return np.asarray(np.max(shares, axis=0))


def _rod(x: np.ndarray, y: np.ndarray, rod: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cover (0..1) and roundness (1 on its axis, 0 at its edge) of a rod with round ends."""
    x0, y0, x1, y1, radius, _, _, _, soft = rod
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    far = ((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2) / radius**2
    return np.clip((1 - np.sqrt(far)) / soft, 0, 1), np.clip(1 - far, 0, 1)


def _occlude(picture: np.ndarray, occluder: np.ndarray) -> np.ndarray:
    at = (np.arange(len(picture), dtype=np.float32) + 0.5) / len(picture)
    for rod in occluder.astype(np.float32):
        inside, round_ = _rod(at[None, :], at[:, None], rod)
        shade = rod[5:8] * (0.55 + 0.45 * np.sqrt(round_))[..., None]
        picture = picture + (shade - picture) * inside[..., None]
    return np.asarray(picture, np.float32)


def _stored_small(picture: np.ndarray, scene: Scene) -> np.ndarray:
    """What is left of a picture that was kept small, compressed, and enlarged again."""
    image = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    little = image.resize((scene.small, scene.small), Image.Resampling.BOX)
    if scene.quality:
        little = Image.fromarray(_compress(np.asarray(little), max(scene.quality, 70)))
    way = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)[scene.seed % 2]
    return np.asarray(little.resize(image.size, way), np.float32) / 255


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
    field = _noise(side, scene.coarse)[row : row + side, column : column + side]
    return field[..., :1] if scene.grey else field


@cache
def _noise(side: int, coarse: int) -> np.ndarray:
    whole = (side + _WINDOWS, side + _WINDOWS, 3)
    field = np.random.default_rng(11).standard_normal(whole, np.float32)
    if coarse:
        field = uniform_filter(field, (coarse + 1, coarse + 1, 0), mode="wrap")
        field /= field.std()
    return field


def _compress(image: np.ndarray, quality: int) -> np.ndarray:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality)
    with Image.open(data) as decoded:
        return np.asarray(decoded.convert("RGB"))
