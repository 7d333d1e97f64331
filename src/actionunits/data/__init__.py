"""Data sets by name: each is one ``read(root) -> FrameTable``."""

from collections.abc import Callable
from pathlib import Path

from actionunits.data import affectnet, fec, synfacs
from actionunits.data.classes import ClassTable
from actionunits.data.table import FrameTable
from actionunits.data.triplets import TripletTable
from actionunits.errors import DataError

_READERS: dict[str, Callable[[Path | None], FrameTable]] = {"synfacs": synfacs.read}
_CLASSES: dict[str, Callable[[Path | None], tuple[ClassTable, ClassTable]]] = {
    "affectnet": affectnet.read
}
_TRIPLETS: dict[str, Callable[[Path | None], tuple[TripletTable, TripletTable]]] = {"fec": fec.read}


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


def has_triplets(name: str) -> bool:
    """Whether a data set brings triplets of its own, which `load_triplets` reads."""
    return name in _TRIPLETS


def load_triplets(name: str, root: Path | str | None = None) -> tuple[TripletTable, TripletTable]:
    """Read the training and the test triplets of a data set that brings its own.

    Args:
        name: of the data set.
        root: its prepared folder.

    Raises:
        DataError: there is no such data set, or it is not what it should be.
    """
    if name not in _TRIPLETS:
        known = ", ".join(sorted(_TRIPLETS))
        raise DataError(f"there is no data set of triplets {name!r}; known: {known}")
    return _TRIPLETS[name](None if root is None else Path(root))
