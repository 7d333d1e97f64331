"""Where outputs go: files and folders, names that do not clash, and never over an input."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from unicodedata import normalize

from actionunits import media
from actionunits.errors import UserError
from actionunits.files.names import digest, fitted, plain

_SPARE = 16  # bytes by which names of unfinished files are longer


def is_folder(out: Path | str) -> bool:
    """Whether an output means a folder: it is one, it ends in a slash, or it has no suffix."""
    slashes = tuple(mark for mark in ("/", os.sep, os.altsep) if mark)
    return str(out).endswith(slashes) or Path(out).is_dir() or not Path(out).suffix


def destinations(
    sources: Sequence[str], folder: Path, ending: Callable[[str], str]
) -> dict[str, Path]:
    """Output file of each input: its name with another ending, in the same tree of folders.

    Args:
        sources: the inputs.
        folder: where the tree of their outputs begins.
        ending: of the output of an input, such as ".csv".

    Returns:
        Paths by input, no two alike, also where a system does not tell ``A`` from ``a``. Inputs
        that differ only in their suffix keep it in the name; those that would still clash have a
        digest of their path in it, and so have names that are too long. Colons and others that
        Windows does not allow in a name, and what cannot be printed, become ``_``.
    """
    trees = {source: _tree(source) for source in sources}
    files = [tree[:-1] for source, tree in trees.items() if media.is_stored(source)]
    root = len(os.path.commonprefix(files))
    names = {source: _names(source, trees[source]) for source in sources}
    while True:
        paths = {
            source: folder.joinpath(
                *(fitted(plain(part), "") for part in tree[root:-1]),
                fitted(plain(names[source][0]), ending(source), _SPARE),
            )
            for source, tree in trees.items()
        }
        taken = Counter(map(_alike, paths.values()))
        clashing = [s for s in paths if taken[_alike(paths[s])] > 1 and len(names[s]) > 1]
        if not clashing:
            return paths
        for source in clashing:
            del names[source][0]


def _tree(source: str) -> tuple[str, ...]:
    """Folders and name of an input, from the drive on."""
    if not media.is_stored(source):  # of an address, all but the protocol
        return (re.sub("^.*?://|:", "", source).strip("/").replace("/", "_"),)
    drive, *parts = Path(os.path.abspath(source)).parts
    return (re.sub(r"\W", "", drive) or "root", *parts)


def _names(source: str, tree: tuple[str, ...]) -> list[str]:
    """What its output may be called; the later, the surer that no other is called so."""
    file = tree[-1]
    # the same file in two spellings is two inputs
    digests = [digest("/".join(tree)), digest(source)]
    stem = Path(file).stem if media.is_stored(source) else file
    return [stem, file, *(f"{file}-{each}" for each in digests)]


def _alike(path: Path) -> str:
    """The same for paths that some system takes for one."""
    return normalize("NFC", str(path)).casefold()


def check(outputs: Iterable[Path], inputs: Iterable[Path | str]) -> None:
    """Refuse outputs that would take the place of an input or of another output.

    Args:
        outputs: all files and folders that will be written.
        inputs: all files and folders that are read.

    Raises:
        UserError: an output is an input, however it is written, or two outputs are one file.
    """
    read = {_identity(path) for path in inputs}
    written: set[object] = set()
    for path in outputs:
        identity = _identity(path)
        if identity in read:
            raise UserError(
                f"{path}: the output would take the place of an input; choose another name"
            )
        if identity in written:
            raise UserError(f"{path}: two outputs would be this file; choose another name for one")
        written.add(identity)


def _identity(path: Path | str) -> object:
    """The same for paths that lead to the same file, whether it is there or not."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.normcase(os.path.realpath(path))
    return found.st_dev, found.st_ino
