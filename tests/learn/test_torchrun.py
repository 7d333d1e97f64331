"""`torchrun` as its users start it: two machines, played by two agents on this one."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import load_file

from actionunits.learn.card import WEIGHTS
from actionunits.learn.evaluate import evaluate
from actionunits.learn.recipe import load_recipe
from actionunits.learn.report import Report
from actionunits.learn.run import CHECKPOINT, LOG
from actionunits.learn.train import train
from cases import tiny
from processes import free_port, two
from runs import tiny_recipe

pytestmark = pytest.mark.slow

EPOCHS = 8
SYSTEMS = ["renet", "mgrrnet", "gtlenet", "sacl", "mdhr"]
LONGEST = 500.0  # seconds


class Machine:
    """An agent of `torchrun` and its one worker."""

    def __init__(self, port: int, restarts: int, *command: object) -> None:
        launch = ["torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
        launch.append(f"--max-restarts={restarts}")
        meet = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=test"]
        words = [sys.executable, "-m", *launch, *meet, "-m", "actionunits", *map(str, command)]
        own = {"OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
        self._agent = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | own
        )

    def worker(self) -> psutil.Process | None:
        """The process that trains, if there is one at the moment."""
        for child in psutil.Process(self._agent.pid).children():
            if "actionunits" in child.cmdline():
                return child
        return None

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, standard output and standard error."""
        try:
            out, err = self._agent.communicate(timeout=LONGEST)
        finally:
            if self._agent.poll() is None:
                for child in psutil.Process(self._agent.pid).children(recursive=True):
                    child.kill()
                self._agent.kill()
        return self._agent.returncode, out, err


def machines(*commands: list[object], restarts: int = 0) -> list[Machine]:
    """Two machines, each with its command."""
    port = free_port()
    return [Machine(port, restarts, *command) for command in commands]


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def epochs(run: Path) -> int:
    """Epochs that a run has finished."""
    log = run / LOG
    return len(pd.read_csv(log)) if log.is_file() else 0


def uninterrupted(folder: Path) -> None:
    train(load_recipe(str(folder / "recipe.yaml")), 1, folder / "whole", show=False)


@pytest.mark.parametrize("system", SYSTEMS)
def test_workers_that_are_killed_change_nothing(
    system: str, synfacs_file: Path, tmp_path: Path
) -> None:
    recipe, run = tmp_path / "recipe.yaml", tmp_path / "run"
    values = tiny(f"{system}_synfacs", synfacs_file).model_copy(update={"epochs": EPOCHS})
    recipe.write_text(values.model_dump_json(), "utf-8")
    command: list[object] = ["train", recipe, "--fold", 1, "--out", run]
    both = machines(command, command, restarts=5)
    for victim in random.sample(both, 2):
        seen = epochs(run)
        wait_for(lambda seen=seen: epochs(run) > seen)
        time.sleep(random.uniform(0, 0.5))
        worker = victim.worker()
        assert worker is not None
        worker.kill()
    ended = [machine.end() for machine in both]
    assert [code for code, _, _ in ended] == [0, 0], ended
    two(uninterrupted, tmp_path)
    weights = load_file(run / CHECKPOINT / WEIGHTS)
    for name, expected in load_file(tmp_path / "whole" / CHECKPOINT / WEIGHTS).items():
        assert torch.equal(weights[name], expected), name
    assert epochs(run) == EPOCHS
    assert [err.count("checkpoint: ") for _, _, err in ended] in ([1, 0], [0, 1])
    assert sum("F1" in out for _, out, _ in ended) == 1  # one of them prints the report

    scored = machines(*[["evaluate", run, "--json"]] * 2)
    (report,) = (out for _, out, _ in (machine.end() for machine in scored) if out)
    one = evaluate(run)
    assert isinstance(one, Report)
    assert Report.model_validate_json(report).confusion == one.confusion


def test_machines_with_other_recipes_end_at_once(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(tiny_recipe(synfacs_file, epochs=1).model_dump_json(), "utf-8")
    command: list[object] = ["train", recipe, "--out", tmp_path / "run"]
    began = time.monotonic()
    for machine in machines(command, [*command, "--set", "seed=1"]):
        code, out, err = machine.end()
        assert code != 0
        assert out == ""
        assert "au: recipe.seed: process 0 on " in err
    assert time.monotonic() - began < LONGEST


def test_what_fails_on_one_machine_ends_the_other(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(tiny_recipe(synfacs_file, epochs=1).model_dump_json(), "utf-8")
    command: list[object] = ["train", recipe, "--out", tmp_path / "run"]
    missing: list[object] = ["train", tmp_path / "missing.yaml", "--out", tmp_path / "run"]
    good, bad = machines(command, missing)
    assert "there is no recipe" in bad.end()[2]
    code, _, err = good.end()
    assert code != 0
    assert "another process of this run cannot be reached any more" in err
