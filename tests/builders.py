"""Tiny stand-ins for corpora, made on the spot: their pictures carry the signal of their labels."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from actionunits.data.synfacs import VERSIONS
from actionunits.files import atomic

SIDE = 256
_PATCH = 24  # height of the patch of one AU, in pixels


def landmarks49() -> np.ndarray:
    """Return a frontal, left-right symmetric face: (49, 2) float32 pixels of the 256 px image."""
    brow = [(52, 72), (60, 66), (70, 63), (82, 65), (94, 70)]
    eye = [(76, 93), (84, 88), (95, 88), (103, 94), (95, 98), (84, 98)]
    left = {
        **dict(zip(range(5), brow, strict=True)),
        **dict(zip(range(10, 14), [(128, y) for y in (95, 110, 124, 136)], strict=True)),
        **dict(zip(range(14, 17), [(112, 146), (120, 149), (128, 151)], strict=True)),
        **dict(zip(range(19, 25), eye, strict=True)),
        **dict(zip(range(31, 35), [(97, 181), (109, 175), (120, 172), (128, 174)], strict=True)),
        **dict(zip(range(40, 43), [(128, 196), (118, 195), (107, 190)], strict=True)),
        **dict(zip((43, 44), [(120, 179), (128, 180)], strict=True)),
        **dict(zip((47, 48), [(128, 186), (120, 185)], strict=True)),
    }
    mirror = {9 - i: i for i in range(5)}
    mirror |= {18: 14, 17: 15, 28: 19, 27: 20, 26: 21, 25: 22, 30: 23, 29: 24}
    mirror |= {37: 31, 36: 32, 35: 33, 38: 42, 39: 41, 45: 43, 46: 48}
    points = np.empty((49, 2), np.float32)
    for index, point in left.items():
        points[index] = point
    for index, source in mirror.items():
        points[index] = SIDE - left[source][0], left[source][1]
    return points


def picture(intensity: np.ndarray, base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one face stand-in: AU i brightens its own pair of patches, the same left and right.

    Args:
        intensity: (A,) on 0..5; there is room for the patches of 18.
        base: (3,) colour of the subject, 0..255.
        rng: source of the pixel noise.

    Returns:
        (256, 256, 3) RGB uint8.
    """
    image = np.broadcast_to(base, (SIDE, SIDE, 3)).astype(np.float32).copy()
    image += rng.normal(0, 4, image.shape).astype(np.float32)
    for position, level in enumerate(intensity):
        top = 20 + _PATCH * (position // 2)
        near, far = ((88, 128), (40, 84))[position % 2]
        for lo, hi in ((near, far), (SIDE - far, SIDE - near)):
            image[top : top + _PATCH - 2, min(lo, hi) : max(lo, hi)] += 28 * level
    return image.clip(0, 255).astype(np.uint8)


def draw_intensity(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw intensities with about a third of the labels at 2 or more: float32 of `shape`, 0..5."""
    active = rng.random(shape) < 0.35
    return np.where(active, rng.uniform(1.6, 5, shape), rng.uniform(0, 1.2, shape)).astype("f4")


def write_synfacs(
    path: Path | str,
    subjects: int = 6,
    tasks: int = 2,
    frames: int = 4,
    seed: int = 0,
    version: int = 1,
) -> Path:
    """Write a corpus file in the format of synfacs-mini, or of a later version of the renderer.

    Args:
        path: the Parquet file to write.
        subjects: number of subjects, S001 on; subject s is in part (s - 1) % 3 + 1.
        tasks: tasks a subject, T1 on.
        frames: frames a task, numbered from 1.
        seed: same seed, same file.
        version: of the renderer; 1 is that of synfacs-mini.

    Returns:
        `path`.
    """
    rng = np.random.default_rng(seed)
    count = subjects * tasks * frames
    subject = np.repeat(np.arange(1, subjects + 1), tasks * frames)
    task = np.tile(np.repeat(np.arange(1, tasks + 1), frames), subjects)
    frame = np.tile(np.arange(1, frames + 1), subjects * tasks)
    vocabulary = VERSIONS[version]
    intensity = draw_intensity((count, len(vocabulary)), rng)
    bases = rng.uniform(30, 90, (subjects, 3))
    images = []
    for row in range(count):
        buffer = io.BytesIO()
        drawn = picture(intensity[row], bases[subject[row] - 1], rng)
        Image.fromarray(drawn).save(buffer, "JPEG", quality=90)
        images.append(buffer.getvalue())
    points = landmarks49() + rng.normal(0, 0.5, (count, 49, 2)).astype("f4")
    angles = rng.normal(0, 8, (3, count)).astype("f4")
    columns = {
        "subject": [f"S{s:03d}" for s in subject],
        "task": [f"T{t}" for t in task],
        "frame": frame,
        "seconds": (frame - 1) / 6,
        "part": (subject - 1) % 3 + 1,
        "image": pa.array(images, pa.binary()),
        **dict(zip(vocabulary.columns(), intensity.T, strict=True)),
        "landmarks": pa.array(list(points.reshape(count, 98)), pa.list_(pa.float32())),
        **dict(zip(("yaw", "pitch", "roll"), angles, strict=True)),
    }
    if version > 1:  # what version 1 does not tell
        columns |= {
            "sides": pa.array(list(_sides(intensity, rng)), pa.list_(pa.float32())),
            **dict(zip(("gaze_yaw", "gaze_pitch"), rng.normal(0, 8, (2, count)), strict=True)),
            "hidden": pa.array(list(rng.uniform(0, 1, (count, 6))), pa.list_(pa.float32())),
        }
    card = {"name": "test", "version": version, "seed": seed}
    card |= {"license": "CC0-1.0", "coding": "intensity", "settings": {"size": 256}}
    table = pa.table(columns).replace_schema_metadata({"actionunits": json.dumps(card)})
    path = Path(path)
    with atomic(path) as temporary:
        pq.write_table(table, temporary)
    return path


def _sides(intensity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 2 A) intensities of each AU on the right and left, one of which is `intensity`."""
    sides = intensity[..., None].repeat(2, axis=2)
    weaker = rng.integers(0, 2, intensity.shape)[..., None]
    np.put_along_axis(sides, weaker, rng.uniform(0, 1, weaker.shape) * intensity[..., None], 2)
    return sides.reshape(len(sides), -1)
