"""Generators that run in another process, so that whatever happens to them happens to them alone.

Decoders are C code that reads files of strangers: they can crash, hang and take all memory. Here a
generator function is called by its name in a process that is kept for the next calls, started anew
after a crash, and ended when this process ends. It is no fork and no `multiprocessing`, whose new
processes run the user's script again and are forbidden inside of data loaders.

What goes through the pipes is a line of JSON, and behind it the bytes of an array if there is one;
a full pipe makes the generator wait, so that memory stays constant. Nothing is unpickled.
"""

import atexit
import contextlib
import faulthandler
import functools
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from actionunits.errors import MediaError
from actionunits.system.machine import keep_beside

PATIENCE = 60.0
"""Seconds that a generator may take from one item to the next before it is taken to hang."""

Item = tuple[list[Any], NDArray[np.uint8] | None]
"""What a generator yields: values that JSON knows, and an array of bytes or none."""

_START = (
    "import json, sys\n"
    "sys.path[:] = json.loads(sys.stdin.buffer.readline())\n"
    "from actionunits.media.worker import serve\n"
    "serve()"
)
_PIPE_BYTES = 1 << 20  # where the system lets one choose
_KEEPS_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 26))
"""Has Linux's allocator keep the memory of a picture for the next one: to clear it anew each time
takes longer than to decode a photograph."""
_WAITED_FOR = 1 << 24  # bytes of a picture; after larger ones a new process comes sooner
_HUNG = 1  # exit code of `faulthandler`, and of Python when it fails to start


class LostError(Exception):
    """The generator did not come to its end; the message says what became of it."""


def stream(
    function: Callable[..., Iterator[Item]],
    *args: Any,
    folder: str | None = None,
    lent: int | None = None,
) -> Generator[Item, None, None]:
    """Items of a generator that runs in another process.

    Args:
        function: a generator function that can be imported by its name.
        args: values that JSON knows.
        folder: that names of files are relative to; None: the one that one works in.
        lent: a descriptor of an open file that the generator reads, by the same number; not on
            Windows.

    Raises:
        MediaError: the generator raised it.
        LostError: the process crashed, hung, or met an error of another kind. The items before that
            have been yielded.
    """
    worker = _borrow() if lent is None else _Worker((lent,))
    name = f"{function.__module__}:{function.__qualname__}"
    try:
        yield from worker.call(name, args, _folder() if folder is None else folder)
    finally:
        if lent is None:
            _give_back(worker)
        else:
            worker.end()


def warm_up() -> None:
    """Start the process, without waiting, so that the first call finds it ready."""
    with contextlib.suppress(LostError):  # which that call will say
        _give_back(_borrow())


_idle: list["_Worker"] = []


def _borrow() -> "_Worker":
    while True:
        try:
            worker = _idle.pop()
        except IndexError:
            return _Worker()
        if worker.is_ready():
            return worker
        worker.end()


def _give_back(worker: "_Worker") -> None:
    if worker.is_ready():
        _idle.append(worker)
    else:
        worker.end()


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()


def _forget_all() -> None:
    """A process that was forked has the pipes, but the workers at their ends are not its own."""
    while _idle:
        _idle.pop().forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


class _Worker:
    """The other process, seen from this one."""

    def __init__(self, lent: tuple[int, ...] = ()) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**_KEEPS_MEMORY, **os.environ},
                pass_fds=lent,
            )
        except OSError as error:
            raise LostError(f"cannot be started ({error.strerror})") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asks, self._answers = self._process.stdin, self._process.stdout
        _widen(self._answers)
        self._number, self._since, self._bytes = 0, time.monotonic(), 0
        self._is_between_calls = True
        with contextlib.suppress(OSError):  # one that died at once is noticed at the first call
            self._send(sys.path)

    def is_ready(self) -> bool:
        return self._is_between_calls and self._process.poll() is None

    def call(
        self, function: str, args: tuple[Any, ...], folder: str
    ) -> Generator[Item, None, None]:
        self._number += 1
        self._is_between_calls = False
        message = [self._number, function, args, PATIENCE, folder]
        try:
            self._send(message)
        except OSError:
            raise LostError(self._fate()) from None
        try:
            yield from iter(self._next, None)  # none is kept while the next one comes
        except GeneratorExit:  # nobody wants the rest
            if self._bytes <= _WAITED_FOR:
                with contextlib.suppress(MediaError, LostError, OSError):
                    self._send([self._number])
                    while self._next() is not None:
                        pass
            raise

    def _next(self) -> Item | None:
        """The next item, or None at the end; `_is_between_calls` is then set."""
        self._since = time.monotonic()
        keep_beside(self._process.pid)
        while True:
            line = self._answers.readline()
            if not line.endswith(b"\n"):
                raise LostError(self._fate())
            kind, *said = json.loads(line)
            if kind == "log":
                name, level, message = said
                logging.getLogger(name).log(level, "%s", message)
            elif kind == "item":
                values, shape = said
                return values, None if shape is None else self._array(shape)
            else:
                self._is_between_calls = True
                if kind == "end":
                    return None
                raise MediaError(*said) if kind == "error" else LostError(*said)

    def _array(self, shape: list[int]) -> NDArray[np.uint8]:
        array = np.empty(shape, np.uint8)
        wanted = memoryview(array.data).cast("B")
        self._bytes = len(wanted)
        if self._answers.readinto(wanted) < len(wanted):  # type: ignore[attr-defined]
            raise LostError(self._fate())
        return array

    def _send(self, message: Any) -> None:
        self._asks.write(json.dumps(message).encode() + b"\n")
        self._asks.flush()

    def _fate(self) -> str:
        code = self._process.wait()
        if code == _HUNG and time.monotonic() - self._since >= PATIENCE / 2:
            return f"made no progress for {PATIENCE:g} s and was ended"
        with contextlib.suppress(ValueError):
            return f"crashed ({signal.Signals(-code).name})"
        return f"crashed (exit code {code})"

    def end(self) -> None:
        """End the process: it goes when nobody can ask it any more, or else by force."""
        self.forget()
        if not self._is_between_calls:
            self._process.kill()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        for pipe in (self._asks, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()


def _folder() -> str:
    """The folder that one works in; any, where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return os.sep


def _widen(pipe: Any) -> None:
    """Let a pipe hold a whole small frame, where one can choose: fewer changes of process."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def serve() -> None:
    """Do what is asked on standard input until that ends: the other process itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what libraries print must not come between
    os.dup2(nowhere, 2)  # nor are the last words of a decoder for the user
    asked: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    unwanted = {0}  # the latest call of which the rest is not wanted
    threading.Thread(target=_listen, args=(asked, unwanted), daemon=True).start()
    logging.getLogger("actionunits").addHandler(_Handler(answers))
    while True:
        number, function, args, patience, folder = asked.get()
        with contextlib.suppress(OSError):  # names are often relative
            os.chdir(folder)
        is_unwanted = functools.partial(unwanted.__contains__, number)
        _answer(answers, function, args, patience, is_unwanted)


def _listen(asked: "queue.SimpleQueue[list[Any]]", unwanted: set[int]) -> None:
    """Take what is asked; leave when the process that asks is gone, even if a decoder hangs."""
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if len(message) > 1:
            asked.put(message)
        else:
            unwanted.clear()
            unwanted.add(message[0])
    os._exit(0)


def _answer(
    answers: BinaryIO,
    function: str,
    args: list[Any],
    patience: float,
    is_unwanted: Callable[[], bool],
) -> None:
    module, _, name = function.partition(":")
    try:
        with contextlib.closing(getattr(import_module(module), name)(*args)) as items:
            while not is_unwanted():
                faulthandler.dump_traceback_later(patience, exit=True)
                item = next(items, None)
                faulthandler.cancel_dump_traceback_later()
                if item is None:
                    break
                values, array = item
                _say(answers, array, "item", values, None if array is None else array.shape)
                del item, array  # before the next one takes as much room
        last = ["end"]
    except MediaError as error:
        last = ["error", str(error)]
    except Exception as error:  # whatever it is, it is the trouble of this one source
        last = ["lost", f"failed ({type(error).__name__}: {error})"]
    faulthandler.cancel_dump_traceback_later()
    _say(answers, None, *last)


def _say(answers: BinaryIO, array: NDArray[np.uint8] | None, *message: Any) -> None:
    with _turn:  # threads that read streams log too
        answers.write(json.dumps(message).encode() + b"\n")
        if array is not None:
            answers.write(np.ascontiguousarray(array).data)
        answers.flush()


_turn = threading.Lock()


class _Handler(logging.Handler):
    """Hands log messages on to the process that asks."""

    def __init__(self, answers: BinaryIO) -> None:
        super().__init__()
        self._answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        _say(self._answers, None, "log", record.name, record.levelno, record.getMessage())
