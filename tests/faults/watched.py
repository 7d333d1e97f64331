"""The command in a process that is watched: its time, its memory, and whether it dies.

    python watched.py MODULE:FUNCTION

As a program it is that process: for each line of JSON on standard input it calls the function as
the command is called, and answers with a line. What the command prints, native code included, goes
to files of its own.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any, NamedTuple

MEMORY = 6 << 30  # bytes that a run may take before it is refused more


class Ran(NamedTuple):
    """What a run of the command did."""

    code: int | None
    """Exit code; None where it did not end by itself."""
    said: str
    """On standard output and standard error."""
    fault: str
    """``traceback``, ``hang`` or ``crash``; else empty."""
    peak: int
    """Largest memory of the process so far, in bytes; 0 where the system does not tell."""


class Watched:
    """Runs the command again and again in one process, which is begun anew when it is lost."""

    def __init__(self, target: str = "actionunits.cli:main", seconds: float = 60.0) -> None:
        """Begin nothing yet.

        Args:
            target: module and function to call.
            seconds: that a run may take.
        """
        self._target, self._seconds = target, seconds
        self._process: subprocess.Popen[str] | None = None

    def run(self, arguments: list[str], folder: Path) -> Ran:
        """Run the command in a folder."""
        process = self._process or self._begin()
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(self._seconds, process.kill)
        watch.start()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps([arguments, str(folder)]) + "\n")
            process.stdin.flush()
        line = process.stdout.readline()
        hung = not watch.is_alive() and not line
        watch.cancel()
        if line:
            return Ran(**json.loads(line))
        self.close()
        return Ran(None, "", "hang" if hung else "crash", 0)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _begin(self) -> "subprocess.Popen[str]":
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        return self._process


def serve(target: str) -> None:
    """Answer standard input until it ends."""
    _limit_memory()
    # the answers keep the pipe to themselves: what the command prints goes elsewhere
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    module, name = target.split(":")
    function = getattr(importlib.import_module(module), name)
    for line in sys.stdin:
        arguments, folder = json.loads(line)
        os.chdir(folder)
        sys.argv = ["au", *arguments]
        with tempfile.TemporaryFile() as heard:
            code, fault = _call(function, heard)
            heard.seek(0)
            said = heard.read().decode("utf-8", "backslashreplace")
        if "Traceback (most recent call last)" in said or code == BUG:
            fault = "traceback"
        print(json.dumps(Ran(code, said, fault, _peak())._asdict()), file=answers, flush=True)


BUG = 70  # the exit code by which the command says that it met a fault of its own


def _call(function: Any, heard: Any) -> tuple[int | None, str]:
    """Call with both outputs in a file."""
    kept = os.dup(1), os.dup(2)
    for number in (1, 2):
        os.dup2(heard.fileno(), number)
    outputs = sys.stdout, sys.stderr
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        function()
        return 0, ""
    except SystemExit as end:
        code = end.code
        return (code if isinstance(code, int) else int(code is not None)), ""
    except BaseException:
        traceback.print_exc()
        return None, "traceback"
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):  # the command may have closed it
                stream.flush()
        sys.stdout, sys.stderr = outputs
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    with contextlib.suppress(ValueError, OSError):  # macOS knows it and refuses it
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def _peak() -> int:
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    serve(sys.argv[1])
