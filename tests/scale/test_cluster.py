"""Workers on Ray: what needs none of it running, and, slow, a cluster of two machines here."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from nodes import added
from pools import COLUMNS, Slow, all_rows

from actionunits.errors import UserError
from actionunits.scale import cluster, engine, manifest, parts, tasks
from actionunits.scale.manifest import Item
from actionunits.scale.parts import Output
from actionunits.scale.schedule import Schedule
from actionunits.scale.tasks import Answer, Crash, Task

pytest.importorskip("ray")
ITEM = Item("/in/a.mp4")
HERE = str(Path(__file__).parent)


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:1", "no Ray cluster answers"), ("somewhere", "expected HOST:PORT"),
     ("host:port", "expected HOST:PORT"), ("127.0.0.1:99999", "no Ray cluster answers")],
)  # fmt: skip
def test_an_address_without_a_cluster_is_said_at_once(address, said):
    with pytest.raises(UserError, match=said), cluster.connected(address):
        pass


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="actionunits\\[ray\\]"):
        cluster.ray_or_say()


def test_a_cluster_that_does_not_start_is_tried_again_and_then_said(monkeypatch):
    monkeypatch.setattr("ray.shutdown", lambda: None)
    left = ["timed out during startup"] * 2
    tried = []

    def start():
        tried.append(1)
        if left:
            raise Exception(left.pop())

    cluster._begin(start)
    assert len(tried) == 3
    left += ["timed out during startup"] * 9
    with pytest.raises(UserError, match="timed out during startup; if other programs"):
        cluster._begin(start)
    assert len(tried) == 3 + cluster._ATTEMPTS
    left.append("no room in /tmp")
    with pytest.raises(UserError, match="no room"):
        cluster._begin(start)
    assert len(tried) == 4 + cluster._ATTEMPTS


def test_what_a_worker_raises_is_its_tasks_fault_or_the_runs():
    several = Task((ITEM, ITEM))
    assert cluster._raised(several, MemoryError()) == Answer(starved=several.items)
    assert isinstance(cluster._raised(Task((ITEM,), tries=1), MemoryError()), Crash)
    assert "KeyError" in cluster._raised(several, KeyError("x")).why
    with pytest.raises(UserError, match="cannot write"):
        cluster._raised(several, PermissionError(13, "no"))
    with pytest.raises(UserError, match="told"):
        cluster._raised(several, UserError("told"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "spark", "--out", "o"], "expected ray, found spark"),
        (["--engine", "ray"], "--out FOLDER"),
        (["--engine", "ray", "--out", "o.csv"], "--out FOLDER"),
        (["--engine", "ray", "--out", "o", "--json"], "goes without --json"),
        (["--engine", "ray", "--out", "o", "--start", "2"], "goes without --start"),
        (["--address", "auto"], "--address is of --engine ray"),
    ],
)
def test_options_that_do_not_go_together(au, tmp_path, options, said):
    (tmp_path / "a.jpg").write_bytes(b"x")
    answer = au("detect", tmp_path, *options)
    assert answer.code == 2
    assert said in answer.err


def run(output, names, make, pool):
    """Have a pool read these; what was counted."""
    table = manifest._table([Item(name, size=1, modified=1.0) for name in names])
    left = manifest.left(table, output.settle())
    schedule = Schedule(tasks.tasks(left, 4), len(left), partial(engine._mark, output, COLUMNS))
    engine.work(schedule, pool, lambda *_: None)
    output.settle()
    return schedule.count


@pytest.mark.slow
def test_a_machine_that_dies_costs_nothing(one_node, tmp_path):
    """Ten times, at random moments: no row is lost and none is there twice."""
    draw = random.Random(5)
    names = [f"/in/{number}.{'jpg' if number % 3 else 'mp4'}" for number in range(60)]
    for turn in range(10):
        node = added(one_node)
        one_node.wait_for_nodes()
        output = Output(str(tmp_path / f"{turn}"))
        make = partial(Slow, output.place, str(tmp_path / f"{turn}.txt"), 0.2)
        with cluster.connected(one_node.address):
            pool = cluster.RayPool(make)
            killer = threading.Timer(draw.uniform(0, 4), one_node.remove_node, [node, False])
            killer.start()
            count = run(output, names, make, pool)
            killer.join()
            pool.close()
        assert all_rows(output) == sorted(names), f"turn {turn}"
        assert not count.quarantined
        assert count.done == len(names)


@pytest.mark.slow
def test_a_machine_that_says_nothing_any_more_costs_nothing(request, monkeypatch, tmp_path):
    """As one whose power or network has gone: its connections stay open, and nobody answers."""
    for name, value in (("period_ms", 500), ("timeout_ms", 1000), ("failure_threshold", 3)):
        monkeypatch.setenv(f"RAY_health_check_{name}", str(value))
    one_node = request.getfixturevalue("one_node")
    node = added(one_node)
    one_node.wait_for_nodes()
    output = Output(str(tmp_path / "out"))
    names = [f"/in/{number}.mp4" for number in range(30)]
    make = partial(Slow, output.place, str(tmp_path / "diary.txt"), 0.2)
    (raylet,) = node.all_processes["raylet"]
    family = [psutil.Process(raylet.process.pid)]
    with cluster.connected(one_node.address):
        pool = cluster.RayPool(make)
        while pool.workers < 2:
            pool.wait()
        family += family[0].children(recursive=True)
        for each in family:
            each.suspend()
        count = run(output, names, make, pool)
        pool.close()
    for each in family:
        each.kill()
    assert all_rows(output) == sorted(names)
    assert count.lost == 1
    assert count.done == len(names)


@pytest.mark.slow
def test_poison_is_quarantined_by_real_workers_too(tmp_path, monkeypatch):
    output = Output(str(tmp_path / "out"))
    names = ["/in/1.jpg", "/in/poison.jpg", "/in/2.jpg", "/in/3.mp4", "/in/poison.mp4"]
    make = partial(Slow, output.place, str(tmp_path / "diary.txt"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HERE, *sys.path]))
    monkeypatch.setenv("OMP_NUM_THREADS", "8")  # of the shell, which is of no worker
    with cluster.pool(make, workers=2) as pool:
        count = run(output, names, make, pool)
    assert sorted(count.quarantined) == ["/in/poison.jpg", "/in/poison.mp4"]
    assert all_rows(output) == ["/in/1.jpg", "/in/2.jpg", "/in/3.mp4"]
    assert count.lost == 0


@pytest.mark.slow
def test_versions_that_differ_are_said(tmp_path, monkeypatch):
    from actionunits.scale.work import About

    monkeypatch.setattr(cluster, "about", lambda: About("0.0.1", "3.99", "numpy 1"))
    make = partial(Slow, str(tmp_path), str(tmp_path / "diary.txt"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HERE, *sys.path]))
    with (
        pytest.raises(UserError, match="machines of the cluster differ.*0.0.1, Python 3.99"),
        cluster.pool(make, workers=1),
    ):
        pass


@pytest.mark.slow
def test_a_command_that_is_killed_goes_on_and_two_are_refused(tmp_path):
    """The whole command: its rows are those of one process, whatever became of it in between."""
    import pandas as pd

    from actionunits.bench.scene import clip
    from actionunits.detect.predict import load

    for number in range(6):
        clip(tmp_path / f"in{number}.mp4", 900, 1, 160, 120)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "actionunits", "detect", str(tmp_path / "in*.mp4")]
    command += ["--engine", "ray", "--workers", "1", "--out", str(out)]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    output, end = Output(str(out)), time.monotonic() + 300
    while not (out.exists() and output.parts()) and time.monotonic() < end:
        time.sleep(0.2)
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "another command is writing" in second.stderr
    first.send_signal(signal.SIGKILL)
    first.communicate()
    there = len(output.parts())
    assert there < 6
    third = subprocess.run(command, capture_output=True, text=True, check=False)
    assert third.returncode == 0, third.stderr
    again = int(re.search(r"(\d+) inputs?", third.stderr)[1])
    assert 0 <= 6 - there - again <= 1  # a worker ends what it has begun
    got = pd.concat(parts.table(output, name).to_pandas() for name in output.parts())
    want = load().predict(*(str(tmp_path / f"in{number}.mp4") for number in range(6)))
    keys = ["input", "frame"]
    got, want = (each.sort_values(keys).reset_index(drop=True) for each in (got, want))
    pd.testing.assert_frame_equal(got, want, check_dtype=False, rtol=0, atol=0)


@pytest.mark.slow
def test_functions_on_the_cluster_are_futures(monkeypatch):
    from actionunits.scale.rendering import executor

    with executor(workers=2) as pool:
        assert list(pool.map(json.dumps, range(8))) == [str(each) for each in range(8)]
        with pytest.raises(json.JSONDecodeError):
            pool.submit(json.loads, "{").result()
        with pytest.raises(TypeError, match="pickle"):
            pool.submit(json.dumps, threading.Lock()).result()
        begun, slow = time.monotonic(), pool.submit(time.sleep, 3600)
        while not slow.running():
            time.sleep(0.01)
        pool.shutdown(cancel_futures=True)
        assert time.monotonic() - begun < 1800
        assert slow.exception() is not None
