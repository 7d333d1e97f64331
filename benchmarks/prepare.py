"""Speed of `au data prepare` on decoded pictures: aligned, anti-aliased and encoded as JPEG.

The baselines do the same with one call each: Pillow's affine transform, which takes one sample a
pixel however much it shrinks, and scikit-image's warp after the Gaussian blur that its `resize`
would apply. Processor time is what counts; on a busy machine frames pass more slowly.

    python benchmarks/prepare.py [--workers 2]
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import skimage.data
import skimage.filters
import skimage.transform
import torch
from PIL import Image

from actionunits.data.shard import QUALITY, _align, _Picture
from actionunits.data.table import FACE_SIDE
from actionunits.faces import templates
from actionunits.faces.align import FloatArray, invert
from actionunits.media import encode_jpeg
from actionunits.types import Frame

SCENES = {  # size of the picture and, in it, width of an aligned face of the canonical template
    "1040 x 1392, as BP4D": (1040, 1392, 460),
    "1024 x 768, as DISFA": (1024, 768, 300),
}
TEMPLATES = ("canonical", "box49")


def scene(width: int, height: int, face: int) -> tuple[np.ndarray, FloatArray]:
    """A photograph of this size, (H, W, 3), and landmarks (49, 2) in its middle."""
    image = np.array(Image.fromarray(skimage.data.astronaut()).resize((width, height)))
    return image, (templates.MEAN49 - 0.5) * face + np.array([width, height]) / 2


def ours(image: np.ndarray, points: FloatArray, template: str) -> None:
    picture = _Picture(0, Frame(image, "", 0, 0.0), "")
    faces, lost = _align([picture], points[None], None, template)
    assert faces
    assert not lost


def pillow(image: np.ndarray, points: FloatArray, template: str) -> None:
    back = invert(templates.place(points[None], template, FACE_SIDE)[0])
    crop = Image.fromarray(image).transform(
        (FACE_SIDE, FACE_SIDE),
        Image.Transform.AFFINE,
        back.ravel().tolist(),
        Image.Resampling.BILINEAR,
    )
    encode_jpeg(np.asarray(crop), QUALITY)


def scikit_image(image: np.ndarray, points: FloatArray, template: str) -> None:
    back = np.vstack([invert(templates.place(points[None], template, FACE_SIDE)[0]), [0, 0, 1]])
    shrink = np.sqrt(np.linalg.det(back[:2, :2]))
    smooth = skimage.filters.gaussian(image, max(0, (shrink - 1) / 2), channel_axis=-1)
    transform = skimage.transform.AffineTransform(matrix=back)
    crop = skimage.transform.warp(smooth, transform, output_shape=(FACE_SIDE, FACE_SIDE))
    encode_jpeg((255 * crop).round().astype(np.uint8), QUALITY)


CASES = {"ours": ours, "Pillow": pillow, "scikit-image": scikit_image}


def seconds(case: str, size: tuple[int, int, int], template: str, frames: int) -> float:
    """Processor time of a frame."""
    torch.set_num_threads(1)
    run: Callable[[np.ndarray, FloatArray, str], None] = CASES[case]
    image, points = scene(*size)
    run(image, points, template)
    start = time.process_time()
    for _ in range(frames):
        run(image, points, template)
    return (time.process_time() - start) / frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--frames", type=int, default=100)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        for name, size in SCENES.items():
            for template in TEMPLATES:
                print(f"{name}, {template}: frames a second of {options.workers} cores")
                speed = {}
                for case in CASES:
                    frames = options.frames if case != "scikit-image" else options.frames // 10
                    jobs = [
                        pool.submit(seconds, case, size, template, frames)
                        for _ in range(options.workers)
                    ]
                    speed[case] = sum(1 / job.result() for job in jobs)
                print(f"  {'ours':14s}{speed['ours']:8.0f}")
                for case in ("Pillow", "scikit-image"):
                    ratio = speed["ours"] / speed[case]
                    print(f"  {case:14s}{speed[case]:8.0f}    ours is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
