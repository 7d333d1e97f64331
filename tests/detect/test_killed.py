"""A run that is killed at any moment goes on to what it would have written."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np
from torch import nn
from actionunits import media
from actionunits.aus import AUSet
from actionunits.cli import main
from actionunits.detect import predict
from actionunits.faces.given import Aligned
from actionunits.types import Frame, InputSpec, Output

class Gray(nn.Module):
    spec = InputSpec(size=8, align=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def forward(self, images):
        return Output(images.mean((1, 2, 3))[:, None].expand(-1, 2))

class Slow(Aligned):
    def __call__(self, frames, side):
        time.sleep(0.002 * len(frames))
        return super().__call__(frames, side)

def frames(source, span=None, **_):
    for number in range(int(Path(source).stem)):
        gray = (37 * number + len(source)) % 200
        yield Frame(np.full((8, 8, 3), gray, np.uint8), source, number, number / 30)

media.frames = frames
reader = predict.Predictor(Gray(), AUSet.of((4, 12)), [0.5, 0.5], detector=Slow())
predict.load = lambda *_, **__: reader
main()
"""


def command(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "detect", "in", *arguments], stderr=subprocess.PIPE
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["o.csv", "o.parquet"])
def test_killed_at_random_moments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for count in (1000, 1, 30, 400, 7, 1200, 90):
        (Path("in") / f"{count}.mp4").touch()
    whole = command("--out", f"whole-{name}")
    assert whole.wait() == 0, whole.stderr and whole.stderr.read()
    chance = random.Random(seed)
    kills = 0
    while not Path(name).exists():
        run = command("--out", name, "--resume")
        while run.poll() is None and not Path(f"{name}.part").exists():
            time.sleep(0.01)
        if kills < 3:
            time.sleep(chance.uniform(0, 3))
            kills += run.poll() is None
            run.kill()
        run.communicate()
    assert kills
    assert Path(name).read_bytes() == Path(f"whole-{name}").read_bytes()
    assert not list(Path().glob("*.part*"))
