"""Commands end as they are asked to, and their workers with them."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from actionunits.learn.run import STATE, Run
from command import Au
from runs import tiny_recipe

posix = pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without asking them")

POOL = """
    import os, time
    from multiprocessing import get_context
    from actionunits.system import processes

    if __name__ == "__main__":
        with processes.pool(2, get_context("spawn"), os.getpid) as pool:
            jobs = [pool.submit(time.sleep, 60) for _ in range(2)]
            while len(pool._processes) < 2:
                time.sleep(0.01)
            print(*pool._processes, flush=True)
            time.sleep(60)
"""
LOADER = """
    import time
    from torch.utils.data import DataLoader
    from actionunits.system.processes import follow_parent

    class Slow(list):
        def __getitem__(self, index):
            time.sleep(60)

    loader = iter(DataLoader(Slow(range(9)), num_workers=2, worker_init_fn=follow_parent))
    print(*(worker.pid for worker in loader._workers), flush=True)
    time.sleep(60)
"""
COMMAND = """
    import sys, time
    from actionunits import cli

    @cli.app.command()
    def wait() -> None:
        try:
            print("begun", flush=True)
            time.sleep(60)
        finally:
            print("cleaned up", flush=True)

    sys.argv = ["au", "wait"]
    cli.main()
"""


@contextmanager
def running(code: str, *ignored: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs some code, which its starter has told to ignore some signals."""
    ignore = "import signal\n" + "".join(
        f"signal.signal(signal.{name}, signal.SIG_IGN)\n" for name in ignored
    )
    command = [sys.executable, "-c", ignore + textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("code", [POOL, LOADER], ids=["pool", "loader"])
def test_workers_do_not_outlive_a_killed_command(code: str) -> None:
    with running(code) as process:
        workers = [psutil.Process(int(number)) for number in first_line(process).split()]
        assert len(workers) == 2
        process.kill()
        process.wait()
        assert not psutil.wait_procs(workers, timeout=30)[1]


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_end_a_command_like_ctrl_c(name: str) -> None:
    with running(COMMAND) as process:
        assert first_line(process) == "begun"
        process.send_signal(signal.Signals[name])
        assert process.wait(30) == 130
        assert first_line(process) == "cleaned up"


@posix
def test_what_the_starter_ignores_is_ignored() -> None:
    with running(COMMAND, "SIGHUP") as process:  # as nohup does
        assert first_line(process) == "begun"
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_run_is_stopped_by_any_of_them_and_goes_on(
    name: str, au: Au, synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "tiny.yaml"
    values = tiny_recipe(synfacs_file, epochs=1).model_dump(mode="json")
    recipe.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = ("train", recipe, "--fold", 1, "--out", tmp_path / "run")
    record = Run.record

    def stopped(run: Run, *loss: object) -> None:
        record(run, *loss)
        signal.raise_signal(signal.Signals[name])

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", stopped)
        said = au(*command)
    assert said.code == 130
    assert "au: stopped in epoch 1 after pass 1 of 8; the same command goes on from" in said.err
    assert au(*command).code == 0


@posix
def test_scoring_is_stopped_at_once(
    au: Au, synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "tiny.yaml"
    values = tiny_recipe(synfacs_file, epochs=1).model_dump(mode="json")
    recipe.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = ("train", recipe, "--fold", 1, "--out", tmp_path / "run")

    def stopped(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("it went on")

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_score", stopped)
        assert au(*command).code == 130
    assert (tmp_path / "run" / STATE).is_file()
    assert au(*command).code == 0
