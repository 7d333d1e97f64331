"""What is killed at any moment is finished by the same command, and leaves nothing behind.

``FAULT_CASES`` is how often each command is killed by the slow test, ``FAULT_SEED`` draws when.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from beside import SHARED

KILLS = Path(__file__).with_name("kills.py")
SEED = os.environ.get("FAULT_SEED", "0")
MANY = int(os.environ.get("FAULT_CASES", "5"))

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the harness forks")


def found(folder: Path, kills: int, *names: str) -> dict[str, list[str]]:
    """What differs, by the name of the command."""
    command = [sys.executable, KILLS, folder, str(kills), SEED, *names]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    differences: dict[str, list[str]] = json.loads(said)
    return differences


def test_a_killed_command_is_taken_up_by_the_same_one(tmp_path: Path) -> None:
    assert found(tmp_path, 1, "train", "prepare") == {"train": [], "prepare": []}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "prepare", "prepare in processes"])
def test_commands_that_are_killed_often(name: str, tmp_path: Path) -> None:
    assert found(tmp_path, MANY, name) == {name: []}


@pytest.mark.slow
def test_rendering_that_is_killed_often(tmp_path: Path) -> None:
    assets = Path(os.environ.get("ACTIONUNITS_ASSETS", SHARED / "makehuman"))
    if not (assets / "mpfb").is_dir():
        pytest.skip(f"no MakeHuman assets at {assets}: set ACTIONUNITS_ASSETS to run this")
    pytest.importorskip("moderngl")
    assert found(tmp_path, MANY, "render") == {"render": []}
