"""The commands of docs/scale.md as they stand there, here and where one of two machines dies."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from nodes import added

from actionunits.bench.scene import clip
from actionunits.detect.predict import load
from actionunits.scale import parts
from actionunits.scale.parts import Output

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
FILES, FRAMES = 8, 60
MINUTES = 10


@pytest.fixture
def here(tmp_path):
    """A folder with the videos that the page reads."""
    (tmp_path / "videos").mkdir()
    for number in range(FILES):
        clip(tmp_path / "videos" / f"{number}.mp4", FRAMES, 1, 160, 120)
    return tmp_path


def commands(*words: str) -> list[list[str]]:
    """Those of the page that begin with these words and are of no cluster."""
    lines = PAGE.read_text("utf-8").splitlines()
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("au ")]
    return [each for each in found if each[: len(words)] == [*words] and "--address" not in each]


def started(command: list[str], here: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "actionunits", *command[1:], *more],
        **{"cwd": here, "env": {**os.environ, "COLUMNS": "80"}, "text": True},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
    )


def said(running: "subprocess.Popen[str]") -> str:
    """All that a command says, which ends well."""
    out, err = running.communicate(timeout=60 * MINUTES)
    assert running.returncode == 0, f"{running.args}: {out}{err}"
    return out + err


def assert_read(here: Path) -> None:
    """The rows are those of one process, to the bit, each once."""
    output = Output(str(here / "rows"))
    got = pd.concat(parts.table(output, name).to_pandas() for name in output.parts())
    want = load().predict(here / "videos")
    keys = ["input", "frame"]
    got["input"] = [str(here / path) for path in got["input"]]
    got, want = (each.sort_values(keys).reset_index(drop=True) for each in (got, want))
    pd.testing.assert_frame_equal(got, want, check_dtype=False, rtol=0, atol=0)


def assert_asked(here: Path) -> None:
    """The other commands of the page answer."""
    (smiles,), (failed,) = ([c for c in commands("au", "tables") if flag in c]
                            for flag in ("--out", "--failed"))  # fmt: skip
    assert "written: smiles.csv" in said(started(smiles, here))
    assert list(pd.read_csv(here / "smiles.csv")) == ["input", "frame", "timestamp", "AU12_r"]
    assert "0 inputs that went wrong" in said(started(failed, here))
    (compact,) = commands("au", "compact")
    assert f"{FILES} parts before" in said(started(compact, here))
    assert_read(here)


@pytest.mark.slow
def test_on_a_laptop(here):
    pytest.importorskip("ray")
    (plan,), (detect,) = commands("au", "plan"), commands("au", "detect")
    assert "hours on 8 cores" in said(started(plan, here))
    told = said(started(detect, here))
    assert f"{FILES} inputs, {FILES * FRAMES} rows" in told
    assert "read already" in said(started(detect, here))
    assert_read(here)
    assert_asked(here)


@pytest.mark.slow
def test_on_two_machines_one_of_which_dies(one_node, here):
    other = added(one_node)
    one_node.wait_for_nodes()
    (detect,) = commands("au", "detect")
    running = started(detect, here, "--address", one_node.address)
    output, end = Output(str(here / "rows")), time.monotonic() + 60 * MINUTES
    while running.poll() is None and not output.parts():
        assert time.monotonic() < end
        time.sleep(0.2)
    one_node.remove_node(other, allow_graceful=False)
    assert f"{FILES} inputs, {FILES * FRAMES} rows" in said(running)
    assert_read(here)
    assert_asked(here)
