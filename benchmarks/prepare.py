"""Speed of `au data prepare` on decoded pictures: aligned, anti-aliased and encoded as JPEG.

Where the data set brings landmarks, the baselines do the same with one call each: Pillow's affine
transform, which takes one sample a pixel however much it shrinks, and scikit-image's warp after the
Gaussian blur that its `resize` would apply. Where faces are looked for, by the detector alone or
also by the landmark model, one baseline looks at one frame at a time, the other at whole pictures,
as if each chunk were a recording of its own.

Processor time is what counts; on a busy machine frames pass more slowly, as the time on the clock
beside it tells. Nothing is timed before each case has run once.

    python benchmarks/prepare.py [--workers 2]
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import skimage.data
import skimage.filters
import skimage.transform
import torch
from PIL import Image

from actionunits.data.table import FACE_SIDE
from actionunits.datasets.shard import _CHUNK, QUALITY, _align, _Picture
from actionunits.detect.finder import landmark_finder
from actionunits.faces import templates
from actionunits.faces.align import FloatArray, invert
from actionunits.faces.main_face import FIVE_POINTS, Points
from actionunits.media import encode_jpeg
from actionunits.types import Frame

SCENES = {  # size of the picture and, in it, width of an aligned face of the canonical template
    "1040 x 1392, as BP4D": (1040, 1392, 460),
    "1024 x 768, as DISFA": (1024, 768, 300),
}
FINDERS = {"five points, canonical": FIVE_POINTS, "49 points, box49": landmark_finder()}
Size = tuple[int, int, int]
_CENTRE, _WIDTH = (224, 123), 147  # of the aligned face in the photograph


class Scene(NamedTuple):
    """A decoded picture of one face."""

    image: np.ndarray  # (H, W, 3)
    points: FloatArray  # (49, 2) of the face in its middle


def scene(width: int, height: int, face: int) -> Scene:
    """A photograph of this size."""
    step = _WIDTH / face
    x, y = _CENTRE[0] - step * width / 2, _CENTRE[1] - step * height / 2
    photograph = Image.fromarray(skimage.data.astronaut()).transform(
        (width, height),
        Image.Transform.AFFINE,
        (step, 0, x, 0, step, y),
        Image.Resampling.BICUBIC,
    )
    points = (templates.MEAN49 - 0.5) * face + np.array([width, height]) / 2
    return Scene(np.array(photograph), points)


def ours(of: Scene, template: str) -> None:
    picture = _Picture(0, Frame(of.image, "", 0, 0.0), "")
    faces, lost, _ = _align([picture], of.points[None], None, template)
    assert faces
    assert not lost


def pillow(of: Scene, template: str) -> None:
    back = invert(templates.place(of.points[None], template, FACE_SIDE)[0])
    crop = Image.fromarray(of.image).transform(
        (FACE_SIDE, FACE_SIDE),
        Image.Transform.AFFINE,
        back.ravel().tolist(),
        Image.Resampling.BILINEAR,
    )
    encode_jpeg(np.asarray(crop), QUALITY)


def scikit_image(of: Scene, template: str) -> None:
    back = np.vstack([invert(templates.place(of.points[None], template, FACE_SIDE)[0]), [0, 0, 1]])
    shrink = np.sqrt(np.linalg.det(back[:2, :2]))
    smooth = skimage.filters.gaussian(of.image, max(0, (shrink - 1) / 2), channel_axis=-1)
    transform = skimage.transform.AffineTransform(matrix=back)
    crop = skimage.transform.warp(smooth, transform, output_shape=(FACE_SIDE, FACE_SIDE))
    encode_jpeg((255 * crop).round().astype(np.uint8), QUALITY)


@cache
def following(finder: str) -> Points:
    """One that knows the face of the frames before, as it does but for the first of a recording."""
    return FINDERS[finder].make()


def frames(of: Scene) -> list[Frame]:
    return [Frame(of.image, "", number, 0.0) for number in range(_CHUNK)]


def chunk(of: Scene, finder: str) -> None:
    """Find, align and encode, as a preparation does."""
    pictures = [_Picture(frame.number, frame, "") for frame in frames(of)]
    template = finder.rpartition(" ")[2]
    faces, lost, _ = _align(pictures, None, lambda: following(finder), template)
    assert len(faces) == _CHUNK
    assert not lost


def found(of: Scene, finder: str) -> None:
    assert np.isfinite(following(finder)(frames(of))).all()


def found_singly(of: Scene, finder: str) -> None:
    for frame in frames(of):
        assert np.isfinite(following(finder)([frame])).all()


def found_anew(of: Scene, finder: str) -> None:
    assert np.isfinite(FINDERS[finder].make()(frames(of))).all()


class Cost(NamedTuple):
    """Seconds a frame."""

    processor: float
    clock: float


def cost(case: Callable[[Scene], None], size: Size, repeats: int) -> Cost:
    """What a call costs in this process."""
    torch.set_num_threads(1)
    of = scene(*size)
    case(of)
    processor, clock = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        case(of)
    spent = time.process_time() - processor, time.perf_counter() - clock
    return Cost(*(seconds / repeats for seconds in spent))


class Bench(NamedTuple):
    """Where cases are timed, in all processes at once."""

    pool: Executor
    workers: int
    frames: int

    def rate(self, case: Callable[[Scene], None], size: Size, each: int = 1) -> float:
        """Print and return frames a second of processor time; a call sees to `each` frames."""
        repeats = max(self.frames // each, 1)
        jobs = [self.pool.submit(cost, case, size, repeats) for _ in range(self.workers)]
        costs = [job.result() for job in jobs]
        rates = [sum(each / seconds for seconds in kind) for kind in zip(*costs, strict=True)]
        milliseconds = 1000 * self.workers / rates[0]
        print(f"{rates[0]:8.0f}{rates[1]:8.0f}{milliseconds:10.1f} ms", end="")
        return rates[0]

    def compare(self, rows: dict[str, tuple[Callable[[Scene], None], int]], size: Size) -> None:
        """Print a row a case, the first being ours; a call of each sees to so many frames."""
        first = 0.0
        for name, (case, each) in rows.items():
            print(f"  {name:24s}", end="")
            rate = self.rate(case, size, each)
            first = first or rate
            print("" if rate == first else f"    ours is {first / rate:.2f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--frames", type=int, default=100)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        bench = Bench(pool, options.workers, options.frames)
        print(f"frames a second of {options.workers} processes: of processor time, on the clock;")
        print("processor time a frame")
        for name, size in SCENES.items():
            for template in ("canonical", "box49"):
                print(f"{name}, {template}, landmarks given")
                cases = {"ours": ours, "Pillow": pillow, "scikit-image": scikit_image}
                rows = {who: (partial(case, template=template), 1) for who, case in cases.items()}
                bench.compare(rows, size)
            for finder in FINDERS:
                print(f"{name}, {finder}, nothing given")
                print(f"  {'found and aligned':24s}", end="")
                bench.rate(partial(chunk, finder=finder), size, _CHUNK)
                print()
                cases = {
                    "found": found,
                    "found, one at a time": found_singly,
                    "found in whole pictures": found_anew,
                }
                rows = {who: (partial(case, finder=finder), _CHUNK) for who, case in cases.items()}
                bench.compare(rows, size)


if __name__ == "__main__":
    main()
