"""Frames a second on the processor, with the model on a graphics card, and with everything there.

    python benchmarks/on_device.py [--model default] [--frames 600] [--device cuda]

One command, some minutes on a machine with a card; without one it says so and ends. Videos and
pictures of rendered people are made first. All three read the same, in turns; printed are the
medians, how many times as fast as the processor they are, by how much their probabilities differ
from its, and the milliseconds of each step on the card, in batches of 8. ``--device cpu`` has
PyTorch on the processor stand in for the card.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from actionunits import weights
from actionunits.bench.scene import clip, pictures
from actionunits.detect import runtime
from actionunits.detect.predict import Predictor
from actionunits.faces.align import similarity, template
from actionunits.faces.device import OnDevice
from actionunits.learn.card import read_card
from timing import milliseconds

CASES = {  # faces, width, height
    "640 x 360, one face": (1, 640, 360),
    "1920 x 1080, one face": (1, 1920, 1080),
    "1920 x 1080, nine faces": (9, 1920, 1080),
}
BATCH = 8


def predictor(model: str, device: str, sight: OnDevice | None, kind: str = "torch") -> Predictor:
    """What reads on a device, with its faces found and cropped there or on the processor."""
    path = weights.locate(model)
    card = read_card(path)
    network = runtime.network(path, card, device, kind)
    if kind == "torch":
        network.sight = sight
    return Predictor(network, card.au_set(), card.thresholds, template=card.template)


def steps(reads: Predictor, device: torch.device, repeats: int) -> dict[str, float]:
    """Milliseconds of what is done on a device with eight pictures of 640 x 360, one face each."""
    sight, spec = reads.network.sight, reads.network.spec
    images = [image.copy() for image in pictures(BATCH, 1, 640, 360)]
    five = template(160) + [240, 100]
    owners, faces = np.arange(BATCH), np.tile(five, (BATCH, 1, 1))
    looks, crops = (similarity(faces, template(*size)) for size in ((64,), spec[:2]))
    canvas = sight.canvas(images, (180, 320))
    cut = sight.warp(images, owners, crops, spec.size)

    def whole(work: Callable[[], object]) -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def sent() -> None:
        for image in images:
            sight._picture(image.copy())

    cases = {
        "pictures sent": sent,
        "pictures scaled": partial(sight.canvas, images, (180, 320)),
        "search": partial(sight.search, canvas),
        "look": partial(sight.look, images, owners, looks),
        "a look at one": partial(sight.look, images, owners[:1], looks[:1]),
        "crops for the model": partial(sight.warp, images, owners, crops, spec.size),
        "model": partial(reads.network.values, cut),
    }
    return milliseconds({name: partial(whole, work) for name, work in cases.items()}, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("PyTorch finds no graphics card here: nothing to measure (--device cpu stands in)")
        return
    device = torch.device(args.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    with_all = predictor(args.model, args.device, OnDevice(device))
    readers = {
        "processor": predictor(args.model, "cpu", None, "auto"),
        "model there": predictor(args.model, args.device, None),
        "all there": with_all,
    }
    print(f"{name}, {torch.get_num_threads()} threads, {args.model}: frames a second")
    print(f"{'':26}" + "".join(f"{reader:>22}" for reader in readers))
    with tempfile.TemporaryDirectory() as folder:
        for case, (faces, width, height) in CASES.items():
            count = max(args.frames * 640 * 360 // (width * height), BATCH)
            video = clip(Path(folder) / "video.mp4", count, faces, width, height)
            compare(case, readers, [video], count, args.turns)
        stills = [Path(folder) / f"{number}.png" for number in range(max(args.frames // 8, BATCH))]
        for still, picture in zip(stills, pictures(len(stills), 3, 960, 640), strict=True):
            Image.fromarray(picture).save(still, compress_level=1)
        compare("960 x 640, pictures of three", readers, stills, len(stills), args.turns)
    print(f"milliseconds of {BATCH} pictures of 640 x 360, one face each, on {name}")
    for step, each in steps(with_all, device, 3 * args.turns).items():
        print(f"  {step:24}{each:9.2f}")


def compare(
    case: str, readers: dict[str, Predictor], files: list[Path], count: int, turns: int
) -> None:
    """Print the rates of all readers of the same files, of which there are so many frames."""
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    chances: dict[str, np.ndarray] = {}
    for turn in range(turns + 1):
        for name, reader in readers.items():
            start = time.perf_counter()
            rows = reader.predict(*files)
            if turn:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
            chances[name] = rows.filter(regex="_p$").to_numpy()
    first = chances["processor"]
    slowest = np.median(seconds["processor"])
    line = f"{case:26}"
    for name, taken in seconds.items():
        same = chances[name].shape == first.shape
        apart = f"{np.nanmean(np.abs(chances[name] - first)):.4f}" if same else "rows!"
        rate = count / np.median(taken)
        line += f"{rate:8.0f} {slowest / np.median(taken):4.1f}x {apart:>7}"
    print(line, flush=True)


if __name__ == "__main__":
    main()
