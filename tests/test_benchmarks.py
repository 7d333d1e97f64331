"""Benchmarks run, at sizes that take seconds; how fast they find anything is not looked at."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SHARED = {"clips.py", "timing.py", "mdhr_literal.py"}  # what benchmarks have in common
ELSEWHERE = {"against_mediapipe.py"}  # needs an environment that has the rival
OPTIONS = {
    "busy.py": "--frames 8 --others 1",
    "busy_training.py": "--seconds 0.1 --batch 4 --others 1",
    "compare_weights.py": "default default-fast --resamples 2",
    "detect_video.py": "--frames 8",
    "gtlenet_heads.py": "--repeats 1 --size 128",
    "mdhr_video.py": "--frames 16 --chunk 8 --size 64 --repeats 1",
    "memory.py": "--minutes 2 --width 64 --height 48 --model default-fast",
    "mgrrnet_blocks.py": "--repeats 1 --batch 1",
    "on_device.py": "--device cpu --frames 8 --turns 1 --model default-fast",
    "prepare.py": "--workers 1 --frames 1",
    "renet_batched.py": "--repeats 1 --size 64",
    "sacl_blocks.py": "--repeats 1 --batch 1 --size 64",
    "scale.py": "--frames 48 --pictures 500 --tasks 2 --minutes 1 --turns 1",
    "small_maps.py": "--repeats 1 --batch 2",
    "training.py": "--repeats 1 --batch 4",
    "weights.py": "default",
}


def test_every_benchmark_is_run_here() -> None:
    assert {file.name for file in FOLDER.glob("*.py")} == SHARED | ELSEWHERE | OPTIONS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_runs(name: str) -> None:
    command = [sys.executable, str(FOLDER / name), *OPTIONS[name].split()]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert any(character.isdigit() for character in said.stdout)
