"""Whatever a command raises ends in sentences and an exit code; a traceback is for reports."""

import errno
import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import torch

from actionunits.cli.boundary import BATCH, FAULT, STOPPED, TRACEBACK, USER, boundary
from actionunits.errors import UserError


def _ends(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Exit code and lines of what a command that raises this says."""
    with pytest.raises(SystemExit) as stop, boundary():
        raise error
    assert isinstance(stop.value.code, int)
    return stop.value.code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UserError("x.csv: two\nlines"), USER, "au: x.csv: two lines"),
        (OSError(errno.ENOSPC, "", "a.csv"), USER, "a.csv: No space left"),
        (OSError(errno.ENOSPC, ""), USER, "No space left"),
        (OSError(errno.EROFS, "", "a.csv"), USER, "a.csv: Read-only"),
        (PermissionError(errno.EACCES, "", ".tmp", None, "b.csv"), USER, "b.csv: Permission"),
        (OSError(errno.EMFILE, "", "a.csv"), USER, "a.csv: Too many open files"),
        (OSError(errno.ENAMETOOLONG, "", "a.csv"), USER, "a.csv: File name too long"),
        (NotADirectoryError(errno.ENOTDIR, "", "a/b"), USER, "a/b: Not a directory"),
        (IsADirectoryError(errno.EISDIR, "", b"folder"), USER, "folder: Is a directory"),
        (MemoryError(), USER, "memory is too small"),
        (OSError(errno.ENOMEM, ""), USER, "memory is too small"),
        (torch.OutOfMemoryError("CUDA out of memory"), USER, "memory is too small"),
        (RuntimeError("DefaultCPUAllocator: can't allocate"), USER, "memory is too small"),
        (KeyboardInterrupt(), STOPPED, "stopped"),
        (ExceptionGroup("1 of 3 failed", [UserError("x: no")]), BATCH, "au: x: no"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_may_happen_to_anybody_is_a_sentence(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, lines = _ends(error, capsys)
    assert found == code
    assert says in lines[0]
    assert all(line.startswith("au: ") for line in lines)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        OSError(errno.EINVAL, "from nowhere"),
        RecursionError("maximum recursion depth exceeded"),
        ExceptionGroup("1 of 3 failed", [ExceptionGroup("x", [ValueError("y")])]),
    ],
    ids=repr,
)
def test_a_fault_of_ours_says_so_and_keeps_its_traceback(
    error: Exception,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, lines = _ends(error, capsys)
    assert code == FAULT
    assert "fault in actionunits" in lines[0]
    (file,) = tmp_path.iterdir()
    assert lines[-1].endswith(f"report it, with what you ran and the file {file}")
    assert "raise error" in file.read_text("utf-8")
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0

    monkeypatch.setenv(TRACEBACK, "1")
    assert "Traceback (most recent call last):" in "\n".join(_ends(error, capsys)[1])
    monkeypatch.delenv(TRACEBACK)
    monkeypatch.setattr("tempfile.tempdir", str(file / "no folder"))
    assert "Traceback (most recent call last):" in "\n".join(_ends(error, capsys)[1])


def test_what_a_terminal_cannot_show_is_escaped_as_json_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = TextIOWrapper(BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    names = ["é", "…", "😀", "caf\udce9"]
    with boundary():
        print(json.dumps(names, ensure_ascii=False))
    shown.flush()
    text = shown.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert json.loads(text) == names


@pytest.mark.parametrize(
    "command",
    [["--help"], ["recipes"], ["recipes", "wholeface_people"], ["data", "folds", "synfacs"]],
)
@pytest.mark.parametrize(
    "terminal",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252", "COLUMNS": "40"},
        {"TERM": "dumb", "COLUMNS": "10", "FORCE_COLOR": "1"},
        {"PYTHONIOENCODING": "utf-16"},
    ],
    ids=lambda terminal: "-".join(terminal.values()),
)
def test_tables_fit_any_terminal(command: list[str], terminal: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "actionunits", *command],
        capture_output=True,
        check=False,
        env=os.environ | terminal,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no closed pipes of this kind")
@pytest.mark.parametrize("command", [["recipes"], ["recipes", "--json"], ["synth", "card"]])
def test_a_reader_that_has_seen_enough_is_no_error(command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "actionunits", *command],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.stderr == b""
    assert done.returncode in {0, 1}
