"""Whole heads without a background, rendered to be put into scenes."""

from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from actionunits.aus import RENDERED
from actionunits.files import atomic, writing
from actionunits.synth.person.assets import load_assets
from actionunits.synth.person.face import Head, draw_identity
from actionunits.synth.picture.looks import draw_appearance, draw_scene
from actionunits.synth.picture.render import Renderer, Shot
from actionunits.synth.prototypes import PEOPLE
from actionunits.synth.sample import draw_performance
from actionunits.system import processes

SIDE = 192  # pixels
_ZOOM = 0.5
_BATCH = 16
_PICTURES, _POINTS, _SEEN = "pictures.npy", "points.npy", "seen.npy"


class Heads(NamedTuple):
    """N heads."""

    pictures: np.ndarray  # (N, SIDE, SIDE, 4) uint8, colours times cover, and cover
    points: np.ndarray  # (N, 49, 2) pixels
    seen: np.ndarray  # (N,) share of the face that nothing hides; 0 from behind


def render_heads(assets: Path, out: Path, count: int, seed: int, *, away: bool = False) -> Heads:
    """Render heads into a folder, or open those that are there already.

    Args:
        assets: folder of the MakeHuman assets.
        out: folder; written whole or not at all.
        count: how many, two of each person.
        seed: of the people.
        away: heads that show no face.

    Raises:
        UserError: the assets or OpenGL are missing, or the folder cannot be written to.
    """
    if not (out / _SEEN).exists():  # which is written last
        # Mesa's driver and PyTorch in one process end in a crash.
        with processes.pool(1, get_context("spawn"), processes.follow_parent) as pool:
            pool.submit(_write, assets, out, count, seed, away).result()
    return Heads(
        np.load(out / _PICTURES, mmap_mode="r"), np.load(out / _POINTS), np.load(out / _SEEN)
    )


def _write(assets: Path, out: Path, count: int, seed: int, away: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    points, seen = np.zeros((count, 49, 2), np.float32), np.zeros(count, np.float32)
    head = Head(load_assets(assets))
    with writing(out), atomic(out / _PICTURES) as temporary:
        shape = (count, SIDE, SIDE, 4)
        pictures = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        with Renderer(head, SIDE, _BATCH, _ZOOM) as renderer:
            for start, shots in track(
                _batches(head, count, seed, away),
                out.name,
                total=-(-count // _BATCH),
                transient=True,
            ):
                drawn = renderer.cut_out(shots)
                part = slice(start, start + len(shots))
                pictures[part], points[part] = drawn.images, drawn.landmarks
                seen[part] = 0 if away else 1 - drawn.hidden.mean(axis=1)
        pictures.flush()
    for name, values in ((_POINTS, points), (_SEEN, seen)):
        with writing(out), atomic(out / name) as temporary, temporary.open("wb") as file:
            np.save(file, values)


def _batches(head: Head, count: int, seed: int, away: bool) -> Iterator[tuple[int, Sequence[Shot]]]:
    for start in range(0, count, _BATCH):
        stop = min(start + _BATCH, count)
        yield start, [_shot(head, seed, number, away) for number in range(start, stop)]


def _shot(head: Head, seed: int, number: int, away: bool) -> Shot:
    """Somebody who does something, half of them turned by up to three quarters to a side."""
    rng = np.random.default_rng([seed, number // 2])
    identity = draw_identity(rng, head)
    looks = draw_appearance(rng, identity, head.assets)
    rng = np.random.default_rng([seed, number, 7])
    scene = draw_scene(rng)
    task = PEOPLE[rng.integers(len(PEOPLE))]
    au, pose, gaze, _ = draw_performance(rng, task, 1, 1.0)
    yaw, pitch, roll = pose[0]
    if away:
        yaw, pitch = rng.uniform(115, 245), pitch + rng.normal(0, 14)
    elif rng.random() < 0.5:
        yaw, pitch = rng.uniform(-75, 75), pitch + rng.normal(0, 14)
    return Shot(
        identity=identity,
        appearance=looks,
        scene=scene,
        au=np.asarray(au[0]).reshape(len(RENDERED), 2),
        pose=(float(yaw), float(pitch), float(roll + rng.normal(0, 12))),
        gaze=tuple(gaze[0]),
        jitter=np.zeros((5, 2)),
    )
