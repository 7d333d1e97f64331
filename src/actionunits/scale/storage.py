"""Where files are: folders of this machine, or object stores through fsspec.

A place is a path, or a URL such as ``s3://bucket/folder``. Local ones need no fsspec. What is
written has its name only when it is whole: by a rename here, by one put there.
"""

import errno
import glob
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, Protocol, TypeVar, cast

from actionunits.errors import UserError
from actionunits.files import atomic

_T = TypeVar("_T")

_TRIES = 5
_PAUSE = 0.5  # seconds before the second try; doubles with each
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_EXTRAS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "az": "azure"}
"""What of this package brings the library for a kind of store."""


class StoreError(OSError, UserError):
    """A store does not give or take a file; another try may help."""


class State(NamedTuple):
    """What tells whether a file is still the one that was read."""

    size: int  # bytes
    modified: float  # seconds since 1970; NaN where the store does not tell


class Storage(Protocol):
    """Files by their names; every method raises `OSError` where the store refuses."""

    def state(self, name: str) -> State:
        """Size and time of a file."""
        ...

    def below(self, folder: str) -> Iterator[tuple[str, State]]:
        """All files in a folder and below it, in any order; none where there is no folder."""
        ...

    def matching(self, pattern: str) -> list[str]:
        """Files of a pattern with ``*``, ``?`` and ``**``, sorted."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file to read, from any place in it."""
        ...

    def put(self, name: str, write: Callable[[Path], object]) -> None:
        """Have a file written, which then takes its name as a whole."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no fault."""
        ...

    def at_hand(self, name: str, folder: Path) -> Path:
        """The file on this machine, copied into `folder` if need be."""
        ...


def is_remote(name: str) -> bool:
    """Whether a name is a URL of a store, not a path."""
    return "://" in name


def joined(folder: str, *names: str) -> str:
    """Name of a file in a folder."""
    return (
        "/".join([folder.rstrip("/"), *names]) if is_remote(folder) else str(Path(folder, *names))
    )


def storage(name: str) -> Storage:
    """The store that a name is of.

    Raises:
        UserError: there is no such kind of store, or its package is not installed.
    """
    return _Remote(name) if is_remote(name) else _Local()


def persistently(work: Callable[[], _T], tries: int = _TRIES, pause: float = _PAUSE) -> _T:
    """What `work` gives; again, after longer and longer pauses, where a store fails it.

    Args:
        work: may be called several times.
        tries: at the most.
        pause: seconds before the second try, on average.

    Raises:
        OSError: at once where another try would not help: no such file, no permission; or of the
            last try.
    """
    for left in reversed(range(tries)):
        try:
            return work()
        except _LASTING:
            raise
        except OSError:
            if not left:
                raise
        time.sleep(pause * 2 ** (tries - 1 - left) * random.uniform(0.5, 1.5))  # not all at once
    raise AssertionError("unreachable")


class _Local:
    """Files of this machine, and of what is mounted on it."""

    def state(self, name: str) -> State:
        found = os.stat(name)
        return State(found.st_size, found.st_mtime)

    def below(self, folder: str) -> Iterator[tuple[str, State]]:
        for place, folders, files in os.walk(folder):
            folders[:] = [each for each in folders if not each.startswith(".")]
            for file in files:
                if not file.startswith("."):
                    name = os.path.join(place, file)
                    with suppress(FileNotFoundError):  # another process has just removed it
                        yield name, self.state(name)

    def matching(self, pattern: str) -> list[str]:
        return sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))

    def open(self, name: str) -> BinaryIO:
        return open(name, "rb")

    def put(self, name: str, write: Callable[[Path], object]) -> None:
        with atomic(name) as file:
            write(file)

    def remove(self, name: str) -> None:
        Path(name).unlink(missing_ok=True)

    def at_hand(self, name: str, folder: Path) -> Path:
        return Path(name)


@contextmanager
def _as_os_errors(name: str) -> Iterator[None]:
    """Libraries of stores raise what they like, often without saying of which file."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from error
    except PermissionError as error:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name) from error
    except Exception as error:
        raise StoreError(
            f"{name}: the store fails: {type(error).__name__}: {error}; check the address, the "
            "network and your credentials, then run the same command again"
        ) from error


class _Remote:
    """Files of an object store."""

    def __init__(self, name: str) -> None:
        self._scheme = name.partition("://")[0]
        try:
            import fsspec
        except ModuleNotFoundError:
            raise UserError(
                f"{name}: object stores are read through fsspec, which is not installed: pip "
                "install 'actionunits[ray]'"
            ) from None
        try:
            self._fs: Any = fsspec.filesystem(self._scheme, use_listings_cache=False)
        except ImportError as error:  # fsspec names the library
            extra = _EXTRAS.get(self._scheme)
            what = f"pip install 'actionunits[{extra}]'" if extra else str(error)
            raise UserError(
                f"{name}: what reads {self._scheme}:// is not installed: {what}"
            ) from None
        except ValueError:
            raise UserError(
                f"{name}: there is no store of the kind {self._scheme}; expected a path, or a URL "
                f"of {', '.join(sorted(_EXTRAS))} or another that fsspec knows"
            ) from None

    def state(self, name: str) -> State:
        with _as_os_errors(name):
            return _state(self._fs.info(name))

    def below(self, folder: str) -> Iterator[tuple[str, State]]:
        with _as_os_errors(folder):
            try:
                found = self._fs.find(folder, detail=True)
            except FileNotFoundError:
                return
        for name, about in found.items():
            if not PurePosixPath(name).name.startswith("."):
                yield self._fs.unstrip_protocol(name), _state(about)

    def matching(self, pattern: str) -> list[str]:
        with _as_os_errors(pattern):
            found = self._fs.glob(pattern, detail=True)
        return sorted(
            self._fs.unstrip_protocol(name)
            for name, about in found.items()
            if about["type"] == "file"
        )

    def open(self, name: str) -> BinaryIO:
        with _as_os_errors(name):
            return cast(BinaryIO, self._fs.open(name, "rb"))

    def put(self, name: str, write: Callable[[Path], object]) -> None:
        with tempfile.TemporaryDirectory(prefix="au-") as folder:
            file = Path(folder, PurePosixPath(name).name)
            write(file)
            with _as_os_errors(name):
                self._fs.put_file(str(file), name)

    def remove(self, name: str) -> None:
        with _as_os_errors(name):
            try:
                self._fs.rm_file(name)
            except FileNotFoundError:
                return

    def at_hand(self, name: str, folder: Path) -> Path:
        file = folder / PurePosixPath(name).name
        with _as_os_errors(name):
            self._fs.get_file(name, str(file))
        return file


def _state(about: dict[str, Any]) -> State:
    stamps = (about.get(key) for key in ("LastModified", "mtime", "last_modified", "updated"))
    stamp: Any = next((each for each in stamps if each is not None), float("nan"))
    if isinstance(stamp, str):
        stamp = datetime.fromisoformat(stamp)
    seconds = stamp.timestamp() if isinstance(stamp, datetime) else float(stamp)
    return State(int(about["size"]), seconds)
