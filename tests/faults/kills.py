"""Commands that are killed at random moments and run again, as often as is wanted.

``python tests/faults/kills.py FOLDER KILLS SEED NAME...`` runs each command to its end, then into
another folder, killing it so many times, and prints as JSON what differs at the end: a list a name,
empty where all is well. Commands run in forks of this process, which has all that they import.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd
import psutil
import pyarrow.parquet as pq
import yaml
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))

import trees
from actionunits.cli import main
from actionunits.learn import train  # noqa: F401  (a fork has it then)
from actionunits.synth import corpus  # noqa: F401
from beside import SHARED
from builders import write_synfacs
from runs import tiny_recipe

ASSETS = Path(os.environ.get("ACTIONUNITS_ASSETS", SHARED / "makehuman"))
_PATIENCE = 20.0  # seconds until workers must have noticed


class Case(NamedTuple):
    """A command that can be killed."""

    make: Callable[[Path], object]
    """Writes its input into a folder."""
    command: Callable[[Path, Path], list[object]]
    """Folders of input and output to its arguments."""
    result: Callable[[Path], dict[str, object]]
    """What of its output must be the same."""


def recipe(folder: Path) -> None:
    corpus_file = write_synfacs(folder / "corpus.parquet")
    data = {"name": "synfacs", "root": str(corpus_file), "aus": [1, 2, 6, 12], "workers": 2}
    inner = {"rule": "inner", "share": 0.25, "metric": "auc"}
    tiny = tiny_recipe(corpus_file, data=data, epochs=3, selection=inner, batch=3)
    values = yaml.safe_dump(tiny.model_dump(mode="json"))
    (folder / "tiny.yaml").write_text(values, encoding="utf-8")


def trained(out: Path) -> dict[str, object]:
    weights = load_file(out / "checkpoint" / "model.safetensors")
    log = pd.read_csv(out / "log.csv").drop(columns=["images_per_second", "waiting"])
    return {
        **{name: tensor.numpy().tobytes() for name, tensor in weights.items()},
        "log": log.to_csv(),
        "report": (out / "report.json").read_bytes(),
        "card": (out / "checkpoint" / "card.json").read_bytes(),
        "files": names(out),
    }


def prepared(out: Path) -> dict[str, object]:
    return {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}


def rendered(out: Path) -> dict[str, object]:
    """All but the pictures, whose last bit is the driver's."""
    tables = {f.name: pq.read_table(f).drop_columns("image") for f in out.glob("*.parquet")}
    return {name: table.to_pylist() for name, table in tables.items()} | {"files": names(out)}


CASES = {
    "train": Case(
        recipe,
        lambda given, out: ["train", given / "tiny.yaml", "--fold", 1, "--out", out],
        trained,
    ),
    "prepare": Case(
        lambda folder: trees.bp4d(folder, landmarks=True),
        lambda given, out: ["data", "prepare", "bp4d", given, out, "--workers", 1],
        prepared,
    ),
    "prepare in processes": Case(
        lambda folder: trees.bp4d(folder, landmarks=True, frames=6),
        lambda given, out: ["data", "prepare", "bp4d", given, out, "--workers", 2],
        prepared,
    ),
    "render": Case(
        lambda folder: None,
        lambda given, out: [
            *("synth", "render", "--assets", ASSETS, "--out", out, "--preset", "mini"),
            *("--subjects", 9, "--tasks", 1, "--frames", 8, "--size", 64, "--workers", 2),
        ],
        rendered,
    ),
}


def names(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*"))


def fork(work: Callable[[], object], log: Path) -> int:
    """Do something in a process of its own; returns its number."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        os.setsid()
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else bool(stop.code)
    except BaseException:  # nothing of it may go on in what is the parent's
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def au(*arguments: object) -> None:
    sys.argv = ["au", *map(str, arguments)]
    sys.modules["__main__"] = ModuleType("__main__")  # its workers do not begin with this file
    main()


def ended(number: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def killed(number: int, after: float) -> list[psutil.Process]:
    """Kill a process after some seconds; returns those that it has left alive."""
    time.sleep(after)
    workers: list[psutil.Process] = []
    with suppress(psutil.Error):
        workers = psutil.Process(number).children(recursive=True)
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    return psutil.wait_procs(workers, _PATIENCE)[1]


def differences(name: str, folder: Path, kills: int, generator: random.Random) -> Iterator[str]:
    """What is not as it should be after some kills."""
    case = CASES[name]
    given, whole, out, log = (folder / each for each in ("given", "whole", "out", "log.txt"))
    given.mkdir(parents=True)
    assert ended(fork(lambda: case.make(given), log)) == 0, log.read_text()
    start = time.monotonic()
    assert ended(fork(lambda: au(*case.command(given, whole)), log)) == 0, log.read_text()
    usual = time.monotonic() - start
    for _ in range(kills):
        after = generator.uniform(0, usual)
        left = killed(fork(lambda: au(*case.command(given, out)), log), after)
        yield from (f"alive after a kill at {after:.2f} s: {process}" for process in left)
    code = ended(fork(lambda: au(*case.command(given, out)), log))
    if code:
        yield f"the last run ended with {code}: {log.read_text()[-2000:]}"
        return
    first, second = case.result(whole), case.result(out)
    yield from (f"differs: {key}" for key in first if first[key] != second.get(key))
    yield from (f"too much: {key}" for key in second.keys() - first.keys())
    yield from (f"left over: {path}" for path in names(out) if "/.au" in f"/{path}")


if __name__ == "__main__":
    where, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    found = {
        name: list(differences(name, where / name, count, random.Random(f"{seed} {name}")))
        for name in sys.argv[4:]
    }
    json.dump(found, sys.stdout)
