"""Peak memory of `au detect` on a clip of 10 seconds against one of 10 minutes.

Each runs in a process of its own: decode, face search, model, CSV, Parquet and annotated video.

    python benchmarks/memory.py [--rate 5]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from torch import nn

from actionunits.aus import ALL
from actionunits.detect import outputs, plots
from actionunits.detect.predict import Predictor
from actionunits.types import InputSpec, Output
from clips import portrait_clip


class Small(nn.Module):
    """A model that costs nothing: the streams around it are measured."""

    spec = InputSpec(64, 72, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, len(ALL), 8, 8), nn.AdaptiveAvgPool2d(1))

    def forward(self, images: torch.Tensor) -> Output:
        """Map (B, 3, 64, 64) to an `Output`."""
        logits = self.net(images).flatten(1)
        return Output(logits, 5 * logits.sigmoid())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=5, help="frames a second of the clips")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    with tempfile.TemporaryDirectory() as folder:
        peaks = {}
        for name, seconds in (("10 s", 10), ("10 min", 600)):
            clip = portrait_clip(
                Path(folder) / f"{seconds}.mp4", seconds * options.rate, options.rate, 320, 180
            )
            command = [sys.executable, __file__, "--read", str(clip)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            peaks[name] = float(output.split()[-1])
            print(f"{name:7s} {seconds * options.rate:6d} frames, peak {peaks[name]:7.1f} MiB")
        print(f"ratio   {peaks['10 min'] / peaks['10 s']:.3f} (10 min over 10 s)")


def read(clip: Path) -> None:
    """Run everything on one clip and print the peak of this process, MiB."""
    torch.set_num_threads(1)
    predictor = Predictor(Small(), ALL, np.full(len(ALL), 0.5))
    sources = [str(clip)]
    job = outputs.Job(sources, ALL)
    with ExitStack() as stack:
        outs = [
            outputs.table(clip.with_suffix(".csv"), job),
            outputs.table(clip.with_suffix(".parquet"), job),
            plots.overlay_writer(clip.with_name(f"{clip.stem}-read.mp4"), job),
        ]
        files = [stack.enter_context(out) for out in outs]
        for reading in predictor.readings(sources, print):
            for file in files:
                file.add(reading)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / (1024 if sys.platform == "linux" else 1024**2))


if __name__ == "__main__":
    main()
