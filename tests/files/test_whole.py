"""Files are whole or not there, private until then, and nobody's leftovers stay."""

import errno
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from actionunits import files
from actionunits.errors import UserError
from actionunits.files import alone, atomic, folder, whole

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
no_links = pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
not_root = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="nothing is forbidden to root"
)


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(where: Path) -> set[str]:
    return {path.name for path in where.iterdir()}


def stopped(_: object) -> None:
    raise KeyboardInterrupt


def dying(where: Path) -> Path:
    """A process that was killed while it wrote; returns what it left."""
    code = f"""
        import os, sys
        from actionunits.files import atomic
        with atomic({str(where / "clip_au.mp4")!r}) as temporary:
            temporary.write_bytes(b"faces")
            os._exit(9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=60)
    (left,) = where.glob(".au-*")
    return left


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    with atomic(tmp_path / "a.csv") as temporary:
        assert temporary.suffix == ".csv"
        temporary.write_text("one", encoding="utf-8")
        assert not (tmp_path / "a.csv").exists()
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "one"
    with pytest.raises(KeyboardInterrupt):  # noqa: SIM117
        with atomic(tmp_path / "a.csv") as temporary:
            stopped(temporary.write_text("tw", encoding="utf-8"))
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "one"
    assert names(tmp_path) == {"a.csv"}


@posix
def test_a_new_file_follows_the_umask_and_is_private_before(tmp_path: Path, umask: int) -> None:
    with atomic(tmp_path / "a.mp4") as temporary:
        temporary.write_bytes(b"faces")
        assert mode(temporary.parent) == 0o700
    assert mode(tmp_path / "a.mp4") == 0o666 & ~umask


@posix
def test_a_library_that_makes_its_own_file_changes_nothing(tmp_path: Path, umask: int) -> None:
    with atomic(tmp_path / "a.bin") as temporary:
        temporary.unlink()
        temporary.touch(0o600)
    assert mode(tmp_path / "a.bin") == 0o666 & ~umask


@posix
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "a.csv").chmod(0o640)
    with atomic(tmp_path / "a.csv") as temporary:
        temporary.touch()
    assert mode(tmp_path / "a.csv") == 0o640


@no_links
@pytest.mark.parametrize("there", [True, False], ids=["there", "dangling"])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "disk" / "real.csv", tmp_path / "link.csv"
    if there:
        folder(target.parent)
        target.write_text("old", encoding="utf-8")
    link.symlink_to(target)
    with atomic(link) as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "new"
    assert names(target.parent) == {"real.csv"}


@pytest.mark.parametrize("name", ["x" * 251 + ".csv", "y" * 255, "z." + "s" * 253])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    with atomic(tmp_path / name) as temporary:
        temporary.write_text("whole", encoding="utf-8")
    assert names(tmp_path) == {name}


def test_a_name_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*; choose another place"):  # noqa: SIM117
        with atomic(tmp_path / ("x" * 400)):
            pytest.fail("it cannot be written")


@pytest.mark.parametrize("below", ["x.csv", "deep/er/x.csv"])
def test_a_place_below_a_file_is_said(tmp_path: Path, below: str) -> None:
    (tmp_path / "file.txt").touch()
    where = tmp_path / "file.txt" / below
    with pytest.raises(UserError, match=r"expected a folder, but .*file\.txt is a file"):  # noqa: SIM117
        with atomic(where):
            pytest.fail("it cannot be written")
    with pytest.raises(UserError, match=r"expected a folder, but .*file\.txt is a file"):
        folder(where)
    with pytest.raises(UserError, match=r"is a file; give another"), alone(where):
        pytest.fail("it cannot be written")


@pytest.mark.parametrize("what", [os.mkdir, getattr(os, "mkfifo", os.mkdir)], ids=str)
def test_what_is_no_file_is_not_replaced(tmp_path: Path, what) -> None:
    what(tmp_path / "there")
    with pytest.raises(UserError, match="expected a file to write, found a"):  # noqa: SIM117
        with atomic(tmp_path / "there"):
            pytest.fail("it cannot be written")
    assert not (tmp_path / "there").is_file()


@not_root
def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for writer in (atomic(tmp_path / "a.csv"), alone(tmp_path), alone(tmp_path / "deep")):
        with pytest.raises(UserError, match=r"cannot write .*: Permission denied; choose"), writer:
            pytest.fail("it cannot be written")


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = dying(tmp_path)
    assert names(left) == {".au.mp4"}
    with atomic(tmp_path / "other.csv") as temporary:
        temporary.touch()
    assert names(tmp_path) == {"other.csv"}


def test_what_is_not_ours_to_remove_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = dying(tmp_path)
    host, number, token = left.name.split("-")[1:4]
    living = left.with_name(f".au-{host}-{os.getppid()}-{token}-abc")  # some process is alive
    elsewhere = left.with_name(f".au-{'0' * 8}-{number}-{token}-abc")
    users = left.with_name(".au-mine")
    earlier = left.with_name(f".au-{host}-{os.getpid()}-{'0' * 8}-abc")  # had our number, is dead
    for place in (living, elsewhere, users, earlier):
        place.mkdir()
    with atomic(tmp_path / "a.csv") as temporary:
        whole._sweep.cache_clear()
        whole._sweep(tmp_path)
        temporary.touch()  # that of this process is there still
    assert names(tmp_path) == {living.name, elsewhere.name, users.name, "a.csv"}


def test_the_content_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _n=name, _o=original: done.append(_n) or _o(*a))
    with atomic(tmp_path / "a") as temporary:
        temporary.touch()
    assert done == ["fsync", "replace"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "make room or choose"), (errno.EROFS, "; choose another")],
)
def test_the_advice_is_for_what_is_wrong(number: int, advice: str) -> None:
    with pytest.raises(UserError, match=advice), files.writing(Path("a")):
        raise OSError(number, os.strerror(number))


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"""
        import sys, time
        from actionunits.files import alone
        with alone({str(out)!r}):
            print("mine", flush=True)
            time.sleep(60)
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(UserError, match="another command is writing into this folder"):  # noqa: SIM117
            with alone(out):
                pytest.fail("two write into one folder")
    finally:
        other.kill()
        other.communicate()
    with alone(out):  # the lock has died with its process
        (out / "a").touch()
    with alone(out):
        pass
    assert names(out) == {"a"}


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def acquire(lock: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(whole.FileLock, "acquire", acquire)
    with alone(tmp_path / "out"):
        (tmp_path / "out" / "a").touch()
    assert names(tmp_path / "out") == {"a"}
