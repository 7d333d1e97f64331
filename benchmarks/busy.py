"""Frames a second of detection on a quiet machine, and beside programs that keep cores busy.

Baseline, in the same run: the same networks on one chunk of frames after the other, with as many
threads an operation as PyTorch takes by itself.

    python benchmarks/busy.py [--checkpoint NAME] [--frames 200] [--others 1 2]

Others are programs that count, one a core. What is left of the rate stands beside what is left of
the cores, each of which a fair system shares equally.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from actionunits import media
from actionunits.detect.predict import Predictor, load
from actionunits.faces.align import similarity, warp
from actionunits.faces.centerface import CenterFace
from clips import portrait_clip
from detect_video import SIDE, batches, rate, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="default", help="a run's folder, or a name")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--others", type=int, nargs="*", default=[1, os.cpu_count() or 1])
    options = parser.parse_args()
    predictor, slow = (load(options.checkpoint, runtime=name) for name in ("auto", "torch"))
    detector = CenterFace()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        clip = portrait_clip(Path(folder) / "clip.mp4", options.frames)
        predictor.predict(clip)
        quiet: dict[str, float] = {}
        for others in (0, *options.others):
            with busy(others):
                rates = {
                    "au detect": rate(lambda: predictor.predict(clip), options.frames),
                    "baseline": rate(lambda: one_by_one(slow, detector, clip), options.frames),
                }
            quiet = quiet or rates
            left = max(cores - others, 0) / cores + min(others, cores) / cores / 2
            print(f"{others} of {cores} cores busy, {left:.2f} of them left")
            for name, value in rates.items():
                print(
                    f"  {name:12s}{value:7.1f} frames/s{value / quiet[name]:7.2f} of the quiet rate"
                )
            print(f"  {'ratio':12s}{rates['au detect'] / rates['baseline']:7.2f}")


def one_by_one(predictor: Predictor, detector: CenterFace, clip: Path) -> None:
    """Every chunk through all networks before the next."""
    size, target = predictor.network.spec.size, predictor._cropper._target
    for chunk in batches(list(media.frames(clip))):
        crops = [
            warp(frame.image, similarity(found.landmarks, target), size)
            for frame, found in zip(chunk, detector(chunk, SIDE), strict=True)
        ]
        read(predictor, np.concatenate(crops))


@contextmanager
def busy(others: int) -> Iterator[None]:
    """So many programs that count."""
    counting = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
    try:
        yield
    finally:
        for each in counting:
            each.kill()
            each.wait()


if __name__ == "__main__":
    main()
