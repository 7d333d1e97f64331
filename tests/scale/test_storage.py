import errno
import json
import re
import tempfile
import time
import tomllib
from functools import partial
from pathlib import Path

import pytest
from pools import all_rows, write

from actionunits.errors import UserError
from actionunits.scale import fetched, lock, manifest, parts, storage
from actionunits.scale.manifest import Item
from actionunits.scale.parts import Output
from actionunits.scale.tasks import Task


def test_what_a_store_fails_is_tried_again():
    asked = []

    def fails_twice():
        asked.append(time.monotonic())
        if len(asked) < 3:
            raise OSError(errno.EIO, "try later")
        return "whole"

    assert storage.persistently(fails_twice, pause=0.01) == "whole"
    assert len(asked) == 3


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_what_will_not_change_is_not_tried_again(error):
    asked = []

    def fails():
        asked.append(1)
        raise error

    with pytest.raises(error):
        storage.persistently(fails, pause=0.01)
    assert len(asked) == 1


def test_the_last_failure_is_raised():
    def fails():
        raise OSError(errno.EIO, "try later")

    with pytest.raises(OSError, match="try later"):
        storage.persistently(fails, tries=3, pause=0.001)


def test_stores_that_there_are_not():
    with pytest.raises(UserError, match="no store of the kind zz"):
        storage.storage("zz://bucket/a")


@pytest.mark.parametrize("scheme", storage._EXTRAS)
def test_without_the_library_of_a_store_the_extra_is_named(monkeypatch, scheme):
    pytest.importorskip("fsspec")

    def fails(*_, **__):
        raise ImportError("Install it")

    monkeypatch.setattr("fsspec.filesystem", fails)
    with pytest.raises(UserError, match="pip install 'actionunits") as told:
        storage.storage(f"{scheme}://bucket/a")
    extra = re.search(r"actionunits\[(.+)\]", str(told.value))[1]
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["optional-dependencies"][extra]
    with pytest.raises(UserError, match="Install it"):
        storage.storage("ftp://server/a")


def test_local_paths_need_no_fsspec(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "fsspec", None)
    storage.storage(str(tmp_path)).put(str(tmp_path / "a"), lambda file: file.write_text("x"))
    assert (tmp_path / "a").read_text() == "x"
    with pytest.raises(UserError, match="actionunits\\[ray\\]"):
        storage.storage("s3://bucket/a")


@pytest.fixture(scope="module")
def bucket():
    """A bucket of a server on this machine that stands in for S3."""
    server = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="lab")
        yield "s3://lab"
    moto.stop()


def put(name, content=b"x"):
    storage.storage(name).put(name, lambda file: file.write_bytes(content))


def test_files_of_a_bucket_are_listed_read_and_written(bucket, tmp_path):
    put(f"{bucket}/in/a.mp4", b"abc")
    put(f"{bucket}/in/deep/b.jpg")
    put(f"{bucket}/in/notes.txt")
    table = manifest.read([f"{bucket}/in"], pytest.fail)
    assert table["path"].tolist() == [f"{bucket}/in/a.mp4", f"{bucket}/in/deep/b.jpg"]
    assert table["size"].tolist() == [3, 1]
    assert table["modified"].notna().all()
    assert len(manifest.read([f"{bucket}/in/**/*.jpg"], pytest.fail)) == 1
    problems = []
    put(f"{bucket}/in/list.csv", b"path\na.mp4\ngone.mp4\ns3://lab/in/deep/b.jpg\n")
    table = manifest.read([f"{bucket}/in/list.csv"], problems.append)
    assert len(table) == 2
    assert f"there is no such file: {bucket}/in/gone.mp4" in str(problems[0])
    store = storage.storage(bucket)
    assert store.at_hand(f"{bucket}/in/a.mp4", tmp_path).read_bytes() == b"abc"
    store.remove(f"{bucket}/in/a.mp4")
    store.remove(f"{bucket}/in/a.mp4")
    with pytest.raises(FileNotFoundError):
        store.state(f"{bucket}/in/a.mp4")


def test_an_output_in_a_bucket_is_as_one_in_a_folder(bucket):
    output = Output(f"{bucket}/out")
    output.agree({"weights": "1"})
    items = [Item(f"{bucket}/{n}", size=1, modified=1.0) for n in "abc"]
    for item in items:
        write(output, [item])
    records = output.settle()
    assert not len(manifest.left(manifest._table(items), records))
    write(output, [items[0]._replace(size=2)])
    output.settle()
    output.compact(1000)
    assert all_rows(output) == [item.path for item in items]
    with pytest.raises(UserError, match="another weights"):
        output.agree({"weights": "2"})
    output.clear()
    assert not output.parts()


def test_a_bucket_has_one_run_at_a_time_and_forgets_dead_ones(bucket):
    output = Output(f"{bucket}/locked")
    with lock.only_run(output, beat=0.2):
        time.sleep(0.5)
        with pytest.raises(UserError, match="a run on .* writes there"):
            lock.only_run(output, beat=0.2).__enter__()
    dead = {"host": "gone", "token": "1", "beat": 0.1, "time": time.time() - 10}
    output.put("lock.json", lambda file: file.write_text(json.dumps(dead)))
    with lock.only_run(output, beat=0.2):
        pass
    assert not output.holds("lock.json")


def test_a_bucket_that_there_is_not(bucket):
    with pytest.raises(UserError, match="cannot be listed|holds no picture"):
        manifest.read(["s3://nobodys/in"], [].append)
    with pytest.raises(UserError, match="cannot write"), lock.only_run(Output("s3://nobodys/out")):
        pass


class _OutOfOrder:
    """A store in the eyes of fsspec, whose library raises errors of its own."""

    def __getattr__(self, name):
        def fails(*_, **__):
            raise RuntimeError("out of order")

        return fails


@pytest.mark.parametrize("command", ["tables", "compact", "plan"])
def test_what_a_store_says_is_the_users_to_mend(au, monkeypatch, command):
    pytest.importorskip("fsspec")
    pause = partial(storage.persistently, pause=0.001)
    for module in (manifest, parts):
        monkeypatch.setattr(module, "persistently", pause)
    monkeypatch.setattr("fsspec.filesystem", lambda *_, **__: _OutOfOrder())
    answer = au(command, "s3://lab/rows")
    assert answer.code == 2
    assert "the store fails: RuntimeError: out of order; check the address" in answer.err
    assert answer.err.count("out of order") == 1


def test_a_worker_reads_from_a_bucket_into_a_bucket(bucket, tmp_path):
    from actionunits.bench.scene import stills
    from actionunits.scale import tasks, work

    folder = stills(tmp_path / "pictures", 3, 1, 160, 120)
    for file in folder.iterdir():
        put(f"{bucket}/faces/{file.name}", file.read_bytes())
    put(f"{bucket}/faces/bad.jpg")
    table = manifest.read([f"{bucket}/faces"], pytest.fail)
    worker = work.Worker(work.Settings(f"{bucket}/rows", device="cpu"))
    (task,) = tasks.tasks(table)
    gone = Item(f"{bucket}/faces/gone.jpg", size=1, modified=1.0)
    answer = worker(task._replace(items=(*task.items, gone)))
    assert answer.done == 3
    assert len(answer.failed) == 2
    for name in ("bad.jpg", "gone.jpg"):
        assert any(f"{bucket}/faces/{name}" in why for why in answer.failed)
    assert all_rows(Output(f"{bucket}/rows")) == [f"{bucket}/faces/000{n}.jpg" for n in range(3)]


def test_parts_of_a_video_are_fetched_once_by_a_worker(bucket, tmp_path, monkeypatch):
    from pools import Here

    from actionunits.bench.scene import clip
    from actionunits.scale import engine, ranges, schedule, tasks, work

    put(f"{bucket}/long.mp4", clip(tmp_path / "a.mp4", 110, 1, 160, 120).read_bytes())
    put(f"{bucket}/short.mp4", clip(tmp_path / "b.mp4", 20, 1, 160, 120).read_bytes())
    copied, at_hand = [], storage._Remote.at_hand
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    (tmp_path / "copies").mkdir()

    def noted(self, name, folder):
        copied.append(name)
        return at_hand(self, name, folder)

    monkeypatch.setattr(storage._Remote, "at_hand", noted)
    monkeypatch.setattr(ranges, "BLOCK", 24)
    worker = work.Worker(work.Settings(f"{bucket}/parts", device="cpu", split=1.0))
    table = manifest.read([f"{bucket}/long.mp4"], pytest.fail)
    whole = schedule.Schedule(tasks.tasks(table), 1, pytest.fail)
    engine.work(whole, Here(worker, workers=1), lambda *_: None)
    assert whole.count.done == 1
    assert whole.count.frames == 110
    assert copied == [f"{bucket}/long.mp4"]
    assert len(list((tmp_path / "copies").iterdir())) == 1
    (task,) = tasks.tasks(manifest.read([f"{bucket}/short.mp4"], pytest.fail))
    assert worker(task).done == 1
    assert not list((tmp_path / "copies").iterdir())
    worker(Task((Item(f"{bucket}/long.mp4", size=1),), ranges.Range(0, 2, 0.0, 1.0)))
    assert list((tmp_path / "copies").iterdir())
    del worker
    assert not list((tmp_path / "copies").iterdir())


def test_what_could_not_be_fetched_is_asked_for_again(bucket, monkeypatch):
    late = Item(f"{bucket}/late.mp4")
    files = fetched.Fetched()
    there, problems = files([late])
    assert not there
    assert "late.mp4" in problems[late]
    put(late.path)
    there, problems = files([late])
    assert there[late].read_bytes() == b"x"
    assert not problems
    files.forget()
    assert not there[late].exists()
