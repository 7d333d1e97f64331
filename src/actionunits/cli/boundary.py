"""Where errors end: what a user can put right is a sentence, anything else a fault of ours.

Inputs are checked where they are read, by code that knows what they should be. What is left for
here is what may happen anywhere: a full disk, too little memory, Ctrl-C, and our own mistakes.
"""

import codecs
import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from io import TextIOWrapper
from typing import NamedTuple

import typer

from actionunits.errors import UserError, printable

USER, BATCH, FAULT, STOPPED = 2, 1, 70, 130
"""Exit codes: a user's mistake, some of many things that failed, a fault of ours, Ctrl-C."""

TRACEBACK = "AU_TRACEBACK"
"""Environment variable: where it is set, the traceback of a fault is printed."""

_TRAINING = {
    *("accelerate", "h5py", "matplotlib", "onnxscript", "safetensors", "scipy", "skimage"),
    *("sklearn", "timm", "torch", "torchmetrics", "torchvision"),
}
"""Packages that detection does without."""

_REPORTING = {"bokeh", "jinja2", "markupsafe"}
"""Packages that `au report` needs besides."""

_ROOM = "make room or choose another place, then run the same command again"
_PLACE = "choose another place, or change its permissions"
_WHAT_TO_DO = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EACCES: _PLACE,
    errno.EPERM: _PLACE,
    errno.EROFS: _PLACE,
    errno.EMFILE: "allow more open files (ulimit -n), or use fewer --workers",
    errno.ENFILE: "close other programs, or use fewer --workers",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "choose a place whose folders are folders",
    errno.EISDIR: "give a file, this is a folder",
    errno.EEXIST: "choose another name",
    errno.ENOTEMPTY: "choose another name",
    errno.ENOENT: "look whether it was moved or deleted",
    errno.ELOOP: "give what the link should lead to",
    errno.EIO: "look whether its disk is still there and whole",
    errno.ENOTCONN: "look whether its disk is still there and whole",
    errno.ESTALE: "look whether its disk is still there and whole",
    errno.ENXIO: "look whether its disk is still there and whole",
    errno.ENODEV: "look whether its disk is still there and whole",
    errno.EBUSY: "close what else uses it",
    errno.ETXTBSY: "close what else uses it",
    errno.EINVAL: "choose a name that the disk allows",
    errno.EILSEQ: "choose a name that the disk allows",
}
_NAMELESS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE}
"""These come of writing and of opening anything, and rarely say of what."""


class _Told(NamedTuple):
    """What is said of an error."""

    lines: list[str]
    code: int


@contextmanager
def boundary() -> Iterator[None]:
    """Run a command; whatever it raises ends in lines on standard error and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the terminal cannot show must not stop us
            stream.reconfigure(errors=_ESCAPED)
    try:
        yield
    except KeyboardInterrupt:
        _stop(_Told(["stopped"], STOPPED))
    except Exception as error:
        told = _tell(error)
        if told.code == FAULT:
            told.lines.append(_report(error))
        _stop(told)


def _tell(error: Exception) -> _Told:
    """What to say of an error; of several, what to say of each and then of them together."""
    if isinstance(error, ExceptionGroup):
        each = [_tell(inner) for inner in error.exceptions]
        lines = [line for told in each for line in told.lines]
        faulty = any(told.code == FAULT for told in each)
        return _Told([*lines, error.message], FAULT if faulty else BATCH)
    where = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    if isinstance(error, UserError):
        return _Told([f"{error}{where}"], error.code)
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in {*_TRAINING, *_REPORTING}:
            extra = "train" if package in _TRAINING else "report"
            return _Told([f"this needs {package}: pip install 'actionunits[{extra}]'"], USER)
    if _for_want_of_memory(error):
        advice = "smaller batches (--batch, --set batch=N), smaller pictures or fewer --workers"
        return _Told([f"the memory is too small for this{where}: try {advice}"], USER)
    if isinstance(error, OSError) and (advice := _what_to_do(error)):
        name = error.filename2 or error.filename
        file = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else "a file"
        return _Told([f"{file}: {os.strerror(error.errno or 0)}{where}; {advice}"], USER)
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return _Told([f"a fault in actionunits {version('actionunits')}, {reason}{where}"], FAULT)


def _what_to_do(error: OSError) -> str:
    """What a user can do about an error of the system; nothing where it is likely our fault."""
    told = error.filename is not None or error.errno in _NAMELESS
    return _WHAT_TO_DO.get(error.errno or 0, "") if told else ""


def _for_want_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    from actionunits.system.machine import is_memory_error

    return is_memory_error(error)


def _report(error: Exception) -> str:
    """Print the traceback or leave it in a file that only its owner reads, and say which."""
    text = "".join(traceback.format_exception(error))
    ask = "please report it, with what you ran"
    if not os.environ.get(TRACEBACK):
        try:
            handle, name = tempfile.mkstemp(prefix="au-traceback-", suffix=".txt", text=True)
            with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:  # nowhere to write it: then it is printed
            typer.echo(text, err=True)
        else:
            return f"{ask} and the file {name}"
    else:
        typer.echo(text, err=True)
    return f"{ask} and the traceback above"


def _stop(told: _Told) -> None:
    for line in told.lines:
        typer.echo(f"au: {printable(' '.join(line.splitlines()))}", err=True)
    sys.exit(told.code)


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Characters that an encoding lacks, as JSON writes them: what was valid JSON still is."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    units = lacking.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)), error.end


_ESCAPED = "actionunits.escaped"
codecs.register_error(_ESCAPED, _escape)
