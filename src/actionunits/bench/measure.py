"""What `au detect` takes on this machine: each stage alone, the whole, and how it grows."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from actionunits import media, weights
from actionunits.bench import scene
from actionunits.bench.arithmetic import multiply_adds, peak
from actionunits.bench.clock import seconds
from actionunits.detect.found import Cropper
from actionunits.detect.predict import Predictor, load
from actionunits.detect.seek import Found
from actionunits.faces import templates
from actionunits.faces.synface import SynFace
from actionunits.learn.card import GRAPH, folder, read_card
from actionunits.system.machine import cores
from actionunits.types import Face, Frame

_COARSE, _FINE = 320, 640
_BATCH = 8
_SHORT = 60  # frames of which stages and slow ways are measured


class Line(NamedTuple):
    """One thing that was measured."""

    section: str
    what: str
    value: float
    unit: str
    beside: str = ""
    """What it is compared with, in words."""


def measured(name: str, frames: int, place: Path) -> Iterator[Line]:
    """Measure one thing after the other.

    Args:
        name: of weights, or the folder of a run.
        frames: of the videos, from 16 on.
        place: an empty folder, for pictures and videos.

    Yields:
        Each as soon as it is known; rates are medians of three turns.

    Raises:
        CheckpointError: there are no such weights, or they are damaged.
    """
    predictor = load(name)
    clip = scene.clip(place / "one.mp4", frames, 1, 640, 360)
    yield from _stages(name, predictor, scene.clip(place / "short.mp4", _SHORT, 1, 640, 360))
    yield from _whole(name, predictor, clip, frames, place)
    yield from _growth(predictor, clip, frames, place)


def _stages(name: str, predictor: Predictor, clip: Path) -> Iterator[Line]:
    """One thread, milliseconds a frame with one face."""
    section = "stages, one thread, 640 x 360, one face"
    frames = list(media.frames(clip))
    detector = SynFace(threads=1)

    def line(what: str, took: float, count: int, beside: str = "") -> Line:
        return Line(section, what, 1000 * took / count, "ms a frame", beside)

    with _threads(1):
        yield line("decode", seconds(lambda: list(media.frames(clip))), len(frames))
        some = frames[:_BATCH]
        for side, often in ((_COARSE, "4 frames in 60"), (_FINE, "1 in 60")):
            took = seconds(partial(detector.search, some, side))
            yield line(f"search at {side} pixels", took, len(some), f"on {often}")
        found = [each.landmarks[:1] for each in detector(some, _COARSE)]
        seen = [(frame, at) for frame, at in zip(some, found, strict=True) if len(at)]
        images, marks = [frame.image for frame, _ in seen], np.concatenate([at for _, at in seen])
        owners = np.arange(len(seen))
        took = seconds(lambda: detector.refine(images, owners, marks))
        yield line("look at a face", took, len(seen), "on every frame")
        part, (cropper, read) = _found(seen), _model(name, predictor)
        took = seconds(lambda: cropper(part, range(len(seen))))
        yield line("align", took, len(seen))
        crops = np.concatenate([each.crops for each in cropper(part, range(len(seen)))])
        eights = 1000 * seconds(lambda: read(crops)) / len(crops)
        floor = _floor(name)
        beside = f"{eights / floor:.1f} times float32 arithmetic, {floor:.2f} ms" if floor else ""
        yield Line(section, f"model, {len(crops)} at a time", eights, "ms a frame", beside)
        yield line("model, one at a time", seconds(lambda: read(crops[:1])), 1)


def _whole(name: str, predictor: Predictor, clip: Path, frames: int, place: Path) -> Iterator[Line]:
    """All cores, from file to readings."""
    section = f"from file to readings, {cores()} threads"
    rate = frames / seconds(lambda: _read(predictor, clip))
    every = load(name, search_every=1)
    searched = frames / seconds(lambda: _read(every, clip))
    single = _SHORT / seconds(lambda: _one_by_one(name, predictor, place / "short.mp4"))
    yield Line(section, "video 640 x 360, one face", rate, "frames/s")
    yield Line(
        section,
        "searching every frame",
        searched,
        "frames/s",
        f"{rate / searched:.1f} times slower",
    )
    yield Line(
        *(section, "and one frame after the other", single, "frames/s"),
        f"{rate / single:.1f} times slower",
    )
    shots = scene.stills(place / "stills", 2 * _BATCH, 1, 1280, 960)
    took = seconds(lambda: _read(predictor, shots))
    yield Line(section, "photographs 1280 x 960", 2 * _BATCH / took, "pictures/s")


def _growth(predictor: Predictor, clip: Path, frames: int, place: Path) -> Iterator[Line]:
    """How the rate changes with what is read, and with the cores."""
    first = 0.0
    for times in (1, 4):
        long = scene.clip(place / f"{times}.mp4", times * frames, 1, 640, 360)
        took = seconds(partial(_read, predictor, long))
        memory = psutil.Process().memory_info().rss / 1e6
        yield Line(
            *("length", f"{times * frames} frames", times * frames / took, "frames/s"),
            f"{memory:.0f} MB of memory",
        )
    for faces in (1, 2, 4, 8):
        many = scene.clip(place / f"faces{faces}.mp4", _SHORT, faces, 1280, 720)
        took = 1000 * seconds(partial(_read, predictor, many)) / _SHORT
        first = first or took
        beside = "" if faces == 1 else f"{(took - first) / (faces - 1):.1f} ms for each more"
        yield Line(
            "faces, 1280 x 720",
            "one face" if faces == 1 else f"{faces} faces",
            took,
            "ms a frame",
            beside,
        )
    for width, height in ((640, 360), (1280, 720), (1920, 1080), (3840, 2160)):
        large = scene.clip(place / f"{height}.mp4", _SHORT // 2, 1, width, height)
        rate = _SHORT // 2 / seconds(partial(_read, predictor, large))
        yield Line("resolution, one face", f"{width} x {height}", rate, "frames/s")
    alone = 0.0
    for threads in sorted({1, 2, 4, 8, 16, cores()} & set(range(cores() + 1))):
        with _threads(threads):
            rate = frames / seconds(lambda: _read(predictor, clip))
        alone = alone or rate
        beside = "" if threads == 1 else f"{rate / alone:.2f} times one"
        yield Line("cores", f"{threads}", rate, "frames/s", beside)


def _read(predictor: Predictor, path: Path) -> None:
    for _ in predictor.readings(path, _raise):
        pass


def _raise(error: Exception) -> None:
    raise error


def _one_by_one(name: str, predictor: Predictor, clip: Path) -> None:
    """Decode, search, align and read a frame, then the next one."""
    cropper, read = _model(name, predictor)
    detector = SynFace()
    for frame in media.frames(clip):
        (found,) = detector([frame], _COARSE)
        part = _found([(frame, found.landmarks[:1])] if len(found.landmarks) else [])
        for each in cropper(part, range(len(part.frames))):
            read(each.crops)


def _model(
    name: str, predictor: Predictor
) -> tuple[Cropper, Callable[[NDArray[np.uint8]], object]]:
    """What crops faces for a model, and the model; of one of clips what it does with a frame."""
    network = predictor.network
    cropper = Cropper(network.spec, templates.target(read_card(weights.locate(name)).template))
    return cropper, network.encode if hasattr(network, "encode") else network.values


def _found(seen: list[tuple[Frame, np.ndarray]]) -> Found:
    faces: list[tuple[Face, ...]] = [
        (Face(frame, 0, np.zeros(4), at[0], 1.0),) for frame, at in seen
    ]
    return Found([frame for frame, _ in seen], faces, 0)


def _floor(name: str) -> float | None:
    """Milliseconds that the arithmetic of a face takes at the peak of a thread."""
    graph = folder(weights.locate(name)) / GRAPH
    return 1000 * multiply_adds(graph) / peak() if graph.is_file() else None


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads, as `OMP_NUM_THREADS` would have it."""
    key, torch = "OMP_NUM_THREADS", sys.modules.get("torch")
    before, threads = os.environ.get(key), torch.get_num_threads() if torch else 0
    os.environ[key] = str(count)
    if torch:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        os.environ.pop(key)
        if before is not None:
            os.environ[key] = before
        if torch:
            torch.set_num_threads(threads)
