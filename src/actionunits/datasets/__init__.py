"""Data sets by name.

One that comes with the package is a function ``read(root) -> FrameTable``; one that its owners hand
out is a function ``read(root) -> RawTable``, and becomes a `FrameTable` when it has been prepared.
The function may be that of another package, in its entry points ``actionunits.datasets``.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from actionunits import plugins
from actionunits.data import prepared, synfacs
from actionunits.data.classes import ClassTable
from actionunits.data.table import FrameTable
from actionunits.data.triplets import TripletTable
from actionunits.datasets import affectnet, bp4d, bp4d_plus, disfa, fec, fera2017, listed
from actionunits.datasets.people import population
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError, naming
from actionunits.types import Coding

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
    "fera2017": fera2017.read,
}
_TRIPLETS: dict[str, Callable[[Path | None], tuple[TripletTable, TripletTable]]] = {"fec": fec.read}

_COUNTS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "affectnet": affectnet.count,
    "fec": fec.count,
}


def list_datasets() -> list[str]:
    """Return the names of all data sets, sorted."""
    return sorted({*_READERS, *list_raw()})


def load(name: str, root: Path | str | None = None, coding: Coding | None = None) -> FrameTable:
    """Read a data set that can be trained on.

    Args:
        name: one of `list_datasets`.
        root: its file or folder, as `au data prepare` wrote it; None for one that comes
            with the package.
        coding: which of its labels; None takes occurrence where it is coded, else intensity.

    Raises:
        DataError: there is no such data set, it is not what it should be or has not these labels.
    """
    _check_name(name, list_datasets())
    folder = None if root is None else Path(root)
    with naming(folder):
        if name not in _READERS:
            frames = prepared.read(name, folder, coding)
            return replace(frames, population=population(name, frames))
        table = _READERS[name](folder)
    if coding not in (None, table.coding):
        raise DataError(
            f"{name} codes {table.coding}, not {coding}: leave data.coding out, an AU occurs from "
            "data.threshold on"
        )
    return table


def list_raw() -> list[str]:
    """Return the names of the data sets that `read_raw` reads, sorted."""
    return sorted({*_RAW, *plugins.names("actionunits.datasets")})


def read_raw(name: str, root: Path | str) -> RawTable:
    """Read a data set as its owners hand it out: labels, and where the pictures are.

    Args:
        name: one of `list_raw`.
        root: its folder, or for ``csv`` the file.

    Raises:
        DataError: there is no such data set, or nothing in it can be used.
        PluginError: it is one of another package, which cannot be imported or fails.
    """
    _check_name(name, list_raw())
    if name in _RAW:
        with naming(root):
            return _RAW[name](Path(root))
    reader = plugins.load("actionunits.datasets", name)
    with naming(root), plugins.running("actionunits.datasets", name):
        table: RawTable = reader(Path(root))
    return table


def _check_name(name: str, known: Iterable[str], kind: str = "") -> None:
    if name not in known:
        names = ", ".join(sorted(known))
        close = difflib.get_close_matches(name, names.split(", "), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise DataError(f"there is no data set {kind}{name!r}{hint}; known: {names}")


def load_classes(name: str, root: Path | str | None = None) -> tuple[ClassTable, ClassTable]:
    """Read the training and the test pictures of a data set of expression classes.

    Args:
        name: of the data set.
        root: its folder.

    Raises:
        DataError: there is no such data set, or it is not what it should be.
    """
    _check_name(name, _CLASSES, "of expression classes ")
    with naming(root):
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
    _check_name(name, _TRIPLETS, "of triplets ")
    with naming(root):
        return _TRIPLETS[name](None if root is None else Path(root))


def list_counted() -> list[str]:
    """Return the names of the data sets without AUs that `count` reads, sorted."""
    return sorted(_COUNTS)


def count(name: str, root: Path | str) -> pd.DataFrame:
    """Count what is in a data set without AUs, as its owners hand it out: a row a kind of sample.

    Args:
        name: one of `list_counted`.
        root: its folder.

    Raises:
        DataError: there is no such data set, or it is not what it should be.
    """
    _check_name(name, list_counted())
    return _COUNTS[name](Path(root))
