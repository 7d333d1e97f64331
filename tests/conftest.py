"""Fixtures for all tests; `builders` and `trees` beside this file are importable from any test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from actionunits.cli import main
from actionunits.cli.boundary import FAULT, TRACEBACK
from builders import write_synfacs
from command import Au, Said
from network import ASKED

# Files of this name have no doctests; looked for there, two of them in one run would clash.
collect_ignore_glob = ["*conftest.py"]

# The tests' inputs are tiny: more threads than one cost more than they give.
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

# PyTorch's fused attention in half precision asks the processor whether it has AVX-512, and then
# fails ("pack_vnni2 is only supported when avx512 is supported") where it was told to do without.
if os.environ.get("ATEN_CPU_CAPABILITY") in {"default", "avx2"}:
    torch.backends.cuda.enable_flash_sdp(False)  # in spite of its name, for all processors


@pytest.fixture
def seed() -> int:
    """Seed of the tests of learning, which must not hang on one: ``TEST_SEED``, or 0."""
    return int(os.environ.get("TEST_SEED", "0"))


@pytest.fixture(autouse=True)
def _seeded(seed: int) -> None:
    """Whatever ran before, a test draws the same."""
    torch.manual_seed(seed)


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """Whatever a test does, it asks nobody but this machine."""
    yield
    asked = ASKED[:]
    ASKED.clear()
    assert not asked, f"the network was asked for {asked}"


@pytest.fixture(scope="session")
def synfacs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 6 subjects x 2 tasks x 4 frames whose pictures carry their labels."""
    return write_synfacs(tmp_path_factory.mktemp("corpus") / "tiny.parquet")


@pytest.fixture
def au(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Au:
    """Run the command in this process; a fault of ours fails the test and shows its traceback."""
    monkeypatch.setenv(TRACEBACK, "1")

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["au", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        code = stop.value.code
        assert code is None or isinstance(code, int)
        said = Said(code or 0, *capfd.readouterr())
        assert said.code != FAULT, said.err
        return said

    return run
