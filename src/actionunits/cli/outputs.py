"""Where a command may write: not over what it reads, and nothing but files of a kind it writes."""

from collections.abc import Iterable
from pathlib import Path

from actionunits.errors import UserError


def check_output(
    out: Path, inputs: Iterable[Path | str | None], suffixes: tuple[str, ...] = ()
) -> None:
    """Refuse a file that a command had better not write, before anything is computed.

    Args:
        out: the file.
        inputs: files that are read, and folders of which any file may be; None is none.
        suffixes: that it may have, in small letters; none are any.

    Raises:
        UserError: it is a folder, has another suffix, or is read by the command.
    """
    if suffixes and out.suffix.lower() not in suffixes:
        raise UserError(f"{out}: expected the name of a file {' or '.join(suffixes)}")
    if out.is_dir():
        raise UserError(f"{out}: expected the name of a file to write, this is a folder")
    there = [Path(each) for each in inputs if each is not None] if out.exists() else []
    if any(each.exists() and _holds(each, out) for each in there):
        raise UserError(
            f"{out}: is among what this command reads, and would be lost: choose another name"
        )


def check_folder(out: Path, source: Path) -> None:
    """Refuse to write into the folder that is read.

    Raises:
        UserError: the two are the same.
    """
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError(f"{out}: is what this command reads: choose another folder to write")


def _holds(source: Path, out: Path) -> bool:
    return out.samefile(source) or (source.is_dir() and source.resolve() in out.resolve().parents)
