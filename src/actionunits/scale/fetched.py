"""Files of a task on this machine: those of a store are copied, and the copies go again."""

import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from actionunits.errors import UserError
from actionunits.scale.manifest import Item
from actionunits.scale.storage import is_remote, persistently, storage


class Fetched:
    """Copies of what one task reads, until another reads something else."""

    def __init__(self) -> None:
        """Fetch nothing yet."""
        self._items: tuple[Item, ...] = ()
        self._there: dict[Item, Path] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __call__(self, items: Sequence[Item]) -> tuple[dict[Item, Path], dict[Item, str]]:
        """Files of inputs on this machine, and why others cannot be had.

        Those that were asked for last are still there: parts of a long video follow one another.
        """
        if self._there and self._items == tuple(items):
            return self._there, {}
        self.forget()
        self._folder = tempfile.TemporaryDirectory(prefix="au-")
        there, problems = _at_hand(items, Path(self._folder.name))
        if not problems:
            self._items, self._there = tuple(items), there
        return there, problems

    def forget(self) -> None:
        """Remove the copies."""
        self._items, self._there = (), {}
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _at_hand(items: Sequence[Item], folder: Path) -> tuple[dict[Item, Path], dict[Item, str]]:
    there, problems = {}, {}
    for number, item in enumerate(items):
        place = folder / f"{number}"
        if is_remote(item.path):
            place.mkdir()
        try:
            there[item] = persistently(partial(storage(item.path).at_hand, item.path, place))
        except UserError as error:  # names the file, too
            problems[item] = str(error)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            problems[item] = f"{item.path}: cannot be fetched: {why}; check it, then run again"
    return there, problems
