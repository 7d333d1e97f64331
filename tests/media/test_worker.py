"""Decoders run in another process: what happens to them costs the one source."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import troubled
from PIL import Image

import actionunits
from actionunits import media
from actionunits.media import decode, worker
from clips import collect, halves, save


def alive(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (troubled.crashes, r"its decoder crashed \("),
        (troubled.hangs, r"its decoder made no progress for 0\.5 s and was ended"),
        (troubled.fails, r"its decoder failed \(ZeroDivisionError: of all things\)"),
        (troubled.wants_too_much, r"its decoder failed \(MemoryError"),
        (troubled.complains, r"^no more$"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_trouble_costs_one_source_and_keeps_its_frames(tmp_path, monkeypatch, trouble, said):
    source = save(tmp_path, Image.fromarray(halves()))
    with monkeypatch.context() as patch:
        patch.setattr(worker, "PATIENCE", 0.5)
        patch.setattr(decode, "frames", trouble)
        seen, error = collect(source)
    assert [(f.number, f.seconds, f.image[0, 0, 0]) for f in seen] == [(0, 0, 0), (1, 0.1, 1)]
    with pytest.raises(media.MediaError, match=said):
        raise media.MediaError(error)
    assert trouble is troubled.complains or source.name in error
    seen, error = collect(source)  # the next one is read
    assert (len(seen), error) == (1, None)


def test_what_libraries_print_does_not_come_between():
    assert len(list(worker.stream(troubled.prints))) == 2


def test_folder_that_one_works_in_may_change_or_go(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        save(tmp_path / name, Image.fromarray(halves()), f"{name}.png")
        assert collect(f"{name}.png")[1] is None
    if sys.platform != "win32":
        shutil.rmtree(tmp_path / "b")
        assert collect(tmp_path / "a" / "a.png")[1] is None


def test_process_is_kept_for_the_next_source():
    first, second = ([v for (v,), _ in worker.stream(troubled.process)] for _ in range(2))
    assert first == second != [os.getpid()]


def test_two_sources_can_be_read_at_once():
    for one, other in zip(worker.stream(troubled.two), worker.stream(troubled.two), strict=True):
        assert one[0] == other[0]


def test_reader_that_lags_does_not_fill_the_memory(tmp_path):
    progress = tmp_path / "progress"
    items = worker.stream(troubled.endless, str(progress))
    assert [next(items)[0] for _ in range(3)] == [[0], [1], [2]]
    time.sleep(0.3)
    assert int(progress.read_text()) <= 6
    items.close()
    assert len(list(worker.stream(troubled.two))) == 2  # nothing is left in the pipe


def test_reader_that_gives_up_keeps_the_process():
    (process,) = [v for (v,), _ in worker.stream(troubled.process)]
    for _ in range(3):
        next(worker.stream(troubled.two))
    assert process == next(worker.stream(troubled.process))[0][0]


def test_reader_that_gives_up_does_not_wait_for_a_large_picture():
    (process,) = [v for (v,), _ in worker.stream(troubled.process)]
    next(worker.stream(troubled.large))
    assert not alive(process)  # it was ended at once; another one is started
    assert [v for v, _ in worker.stream(troubled.two)] == [[0, 0.0, ""], [1, 0.1, ""]]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says where a thread runs")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_process_keeps_to_the_core_of_its_reader(monkeypatch, threads):
    """Where the reader has one core alone: with that and the decoder's it would take two."""
    mine = os.sched_getaffinity(0)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    worker._end_all()
    try:
        (process,), _ = next(worker.stream(troubled.process))
        kept = os.sched_getaffinity(process)
        assert kept <= mine
        assert len(kept) == (1 if threads == "1" else len(mine))
    finally:
        worker._end_all()


def test_process_ends_with_the_one_that_started_it():
    script = (
        "import os, sys, troubled\n"
        "from actionunits.media import worker\n"
        "print(next(worker.stream(troubled.process))[0][0], flush=True)\n"
        "hangs = worker.stream(troubled.hangs)\n"
        "next(hangs)\n"
        "sys.stdout.flush()\n"
        "os._exit(0)\n"  # without a farewell, as after a crash
    )
    paths = [str(Path(actionunits.__file__).parents[1]), str(Path(troubled.__file__).parent)]
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        check=True,
    )
    child = int(said.stdout)
    deadline = time.monotonic() + 20
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


def test_process_that_decodes_knows_no_pytorch():
    names = worker.stream(troubled.modules)
    (((loaded,), _),) = names
    assert "av" in loaded
    assert not {"torch", "pandas"} & set(loaded)
