"""Files that are either whole or not there, and folders that one process writes at a time."""

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from actionunits.errors import UserError

_LOCK = ".au.lock"
_PRIVATE = re.compile(r"\.au-([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-")  # host, process, its token
_TOKEN = secrets.token_hex(4)  # an earlier process may have had the number of this one
_LONGEST = 64  # bytes of a suffix; what is longer names no format, and would not fit
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path that takes the place of `path` when the block ends without error.

    It lies beside `path` in a hidden folder that only its owner can read, and keeps the suffix,
    which writers use to choose a format. An interrupted or failed block leaves nothing; what a
    killed process left is removed the next time that somebody writes there. The file has the mode
    that it had, or a new one that of the umask, and is on the disk before it has its name. A link
    stays, and what it points to is replaced.

    Raises:
        UserError: it cannot be written there.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    folder(target.parent if os.path.islink(path) else path.parent)
    with writing(path):
        if target.exists() and not target.is_file():
            kind = "a folder" if target.is_dir() else "a device"
            raise UserError(f"{path}: expected a file to write, found {kind}; give another name")
        hidden = _hidden(target.parent)
    try:
        suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST else ""
        temporary = hidden / f".au{suffix}"
        temporary.touch()
        mode = stat.S_IMODE((target if target.exists() else temporary).stat().st_mode)
        yield temporary
        with writing(path):
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            with suppress(PermissionError):  # there are file systems without modes
                temporary.chmod(mode)
            os.replace(temporary, target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


@contextmanager
def private() -> Iterator[Path]:
    """Yield a folder for temporary files that its owner alone can read, and that goes at the end.

    That of a killed process goes with the next that makes one.

    Raises:
        UserError: it cannot be made.
    """
    where = Path(tempfile.gettempdir())
    with writing(where):
        made = _hidden(where)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def folder(path: Path | str) -> Path:
    """Make a folder to write into, where it is missing.

    Raises:
        UserError: it cannot be made, such as below a file.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        above = next(p for p in (path, *path.absolute().parents) if os.path.lexists(p))
        if not above.is_dir():
            raise UserError(
                f"cannot write {path}: expected a folder, but {above} is a file; give another place"
            ) from error
        raise _cannot_write(path, error) from error
    return path


@contextmanager
def alone(path: Path | str) -> Iterator[None]:
    """Make a folder, and keep other processes from writing into it until the block ends.

    The lock dies with its process, whatever ends that. Where the file system knows no locks, as
    some of clusters do, nobody is kept out.

    Raises:
        UserError: another process writes into it, or it cannot be made or written.
    """
    path = folder(path)
    lock = FileLock(path / _LOCK, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{path}: another command is writing into this folder; wait for its end, or give "
            "another folder"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise _cannot_write(path, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes it itself, on release
            (path / _LOCK).unlink(missing_ok=True)
        lock.release()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one sentence that a file could not be written.

    Raises:
        UserError: the block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> UserError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    advice = "make room or choose" if error.errno in _FULL else "choose"
    return UserError(
        f"cannot write {path}: {reason}; {advice} another place, then run the same command again"
    )


def _hidden(where: Path) -> Path:
    """A new folder of this process."""
    _sweep(where)
    prefix = f".au-{_host()}-{os.getpid()}-{_TOKEN}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=where))


@cache
def _sweep(where: Path) -> None:
    """Remove what processes of this machine left that have died; once a process and folder."""
    for left in where.glob(".au-*"):
        found = _PRIVATE.match(left.name)
        if found and found[1] == _host() and not _is_alive(int(found[2]), found[3]):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(number: int, token: str) -> bool:
    if number == os.getpid():
        return token == _TOKEN
    try:
        return psutil.Process(number).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


@cache
def _host() -> str:
    """This machine, and its numbers of processes: containers of one machine have their own.

    Where it has no address of its own, it is another machine to each process.
    """
    space = Path("/proc/self/ns/pid")
    numbers = os.readlink(space) if space.is_symlink() else ""
    known = f"{platform.node()} {uuid.getnode()} {numbers}"
    return hashlib.sha256(known.encode()).hexdigest()[:8]
