"""Which sources an output holds already, written beside it: what a stopped run goes on from.

A record is a file of JSON lines. The first holds the settings of the run; then comes one for each
source that is in the output. A line that is not whole was being written when the run ended.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from actionunits.errors import UserError
from actionunits.files import atomic, writing

Settings = Mapping[str, Any]
"""What the rows of a run depend on, by what it is called in a sentence; JSON values."""


class Held(NamedTuple):
    """A source that an output holds."""

    source: str
    stamp: list[int] | None  # size and time of change of its file, see `stamp`
    end: int  # bytes of the output up to the last row of the source
    problems: list[str]  # why it could not be read to its end, if so


def stamp(source: str) -> list[int] | None:
    """Size and time of change of a file, which tell whether it has changed; None of a camera."""
    try:
        found = os.stat(source)
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns]


class Record:
    """The record of one output.

    Attributes:
        held: what the output holds, by source.
    """

    def __init__(self, path: Path, settings: Settings, held: Sequence[Held] = ()) -> None:
        """Take what is known; nothing is written yet.

        Args:
            path: of the record.
            settings: of the run.
            held: what the output holds.
        """
        self.path, self._settings = path, json.loads(json.dumps(settings))
        self.held = {each.source: each for each in held}

    @classmethod
    def read(cls, path: Path, settings: Settings) -> Self:
        """Read the record of an earlier run of the same settings; an empty one if there is none.

        Raises:
            UserError: it is of other settings, or nobody can read it.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            header, *rest = [json.loads(line) for line in lines if line.endswith("\n")]
            held = [Held(**each) for each in rest]
            record = cls(path, settings, held)
            other = [
                key
                for key in sorted({*header, *settings})
                if header.get(key) != record._settings.get(key)
            ]
        except (FileNotFoundError, NotADirectoryError):
            return cls(path, settings)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}: expected the record of an earlier run, found something else ({error}); "
                "begin anew with --overwrite"
            ) from None
        if other:
            raise UserError(
                f"{path}: the earlier run had other {' and '.join(other)}; run it again as it was, "
                "or begin anew with --overwrite"
            )
        return record

    def begin(self) -> None:
        """Write all that is known.

        Raises:
            UserError: it cannot be written.
        """
        lines = [self._settings, *(each._asdict() for each in self.held.values())]
        with writing(self.path), atomic(self.path) as temporary:
            temporary.write_text(_lines(lines), encoding="utf-8")

    def add(self, held: Sequence[Held]) -> None:
        """Write down that the output holds these sources.

        Raises:
            UserError: it cannot be written.
        """
        self.held |= {each.source: each for each in held}
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_lines([each._asdict() for each in held]))

    def remove(self) -> None:
        """The output is whole and needs no record.

        Raises:
            UserError: it cannot be deleted.
        """
        with writing(self.path):
            self.path.unlink(missing_ok=True)


def _lines(values: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)
