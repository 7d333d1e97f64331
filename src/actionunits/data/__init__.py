"""Data sets by name: each is one ``read(root)``.

What can be trained on is a `FrameTable` (or a `ClassTable`); what its owners hand out a `RawTable`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from actionunits.data import affectnet, bp4d, bp4d_plus, disfa, listed, synfacs
from actionunits.data.classes import ClassTable
from actionunits.data.raw import RawTable
from actionunits.data.table import FrameTable
from actionunits.errors import DataError

_READERS: dict[str, Callable[[Path | None], FrameTable]] = {"synfacs": synfacs.read}
_CLASSES: dict[str, Callable[[Path | None], tuple[ClassTable, ClassTable]]] = {
    "affectnet": affectnet.read
}
_RAW: dict[str, Callable[[Path], RawTable]] = {
    "bp4d": bp4d.read,
    "bp4d_plus": bp4d_plus.read,
    "csv": listed.read,
    "disfa": disfa.read,
    "disfa_right": partial(disfa.read, camera="right"),
}


def list_datasets() -> list[str]:
    """Return the names of all data sets, sorted."""
    return sorted(_READERS)


def load(name: str, root: Path | str | None = None) -> FrameTable:
    """Read a data set.

    Args:
        name: one of `list_datasets`.
        root: its file or folder; None for one that comes with the package.

    Raises:
        DataError: there is no such data set, or it is not what it should be.
    """
    if name not in _READERS:
        raise DataError(f"there is no data set {name!r}; known: {', '.join(list_datasets())}")
    return _READERS[name](None if root is None else Path(root))


def load_classes(name: str, root: Path | str | None = None) -> tuple[ClassTable, ClassTable]:
    """Read the training and the test pictures of a data set of expression classes.

    Args:
        name: of the data set.
        root: its folder.

    Raises:
        DataError: there is no such data set, or it is not what it should be.
    """
    if name not in _CLASSES:
        known = ", ".join(sorted(_CLASSES))
        raise DataError(f"there is no data set of expression classes {name!r}; known: {known}")
    return _CLASSES[name](None if root is None else Path(root))


def list_raw() -> list[str]:
    """Return the names of the data sets that are read as they were handed out, sorted."""
    return sorted(_RAW)


def read_raw(name: str, root: Path | str) -> RawTable:
    """Read a data set as it was handed out: labels, and where the pictures are.

    Args:
        name: one of `list_raw`.
        root: its folder, or for ``csv`` the file.

    Raises:
        DataError: there is no such data set, or nothing in it can be used.
    """
    if name not in _RAW:
        raise DataError(f"there is no data set {name!r}; known: {', '.join(list_raw())}")
    return _RAW[name](Path(root))
