"""Files that readings are written to as they come: whole at the end, or partial beside their place.

The rows of a table are appended to ``NAME.part`` and are on the disk within a second or two; when
all are there it takes the place of ``NAME``. It is CSV whatever it will become, and holds as many
digits as that will.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, Protocol, Self

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from actionunits.aus import AUSet
from actionunits.detect.added import NOTHING, Added
from actionunits.detect.faults import reason
from actionunits.detect.neutral import Neutral, fill
from actionunits.detect.tables import AS_READ, Layout, Rows, rounded
from actionunits.errors import UserError
from actionunits.files import atomic, writing
from actionunits.files.names import fitted
from actionunits.system.machine import give_back_memory
from actionunits.types import Reading

_FLUSH_ROWS = 1024
_FLUSH_SECONDS = 1.0
_PIECE_BYTES = 1 << 19  # of text that becomes Parquet at a time: some 500 rows
_GROUP_PIECES = 8  # of a row group, each of which takes memory until the end


class Writer(Protocol):
    """Takes readings one at a time; a context manager that completes its file at the end."""

    def __enter__(self) -> Self:
        """Begin the file."""
        ...

    def __exit__(self, *failure: Any) -> None:
        """Complete the file; after an error leave of it what is of use, or nothing."""
        ...

    def add(self, reading: Reading) -> None:
        """Write one frame."""
        ...


def unwritten(what: object, error: Exception) -> UserError:
    """What to say of a file that could not be written."""
    if isinstance(error, UserError):
        return error
    told = UserError(f"cannot write {what}: {reason(error)}; the other files go on")
    told.__cause__ = error
    return told


def part(path: Path) -> Path:
    """The unfinished form of a table; beside what a link leads to, since it takes its place."""
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    return path.with_name(fitted(path.name, ".part"))


class PerInput:
    """A writer that begins a new file when the readings come to another input.

    A file that cannot be written is reported; those of the other inputs go on.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        begin: Callable[[Path], Writer],
        problems: list[UserError],
        finished: Callable[[str], None] = lambda source: None,
    ) -> None:
        """Begin nothing yet.

        Args:
            paths: output file of each input.
            begin: builds the writer of an output file.
            problems: takes what goes wrong.
            finished: is told of each input whose file is complete.
        """
        self._paths, self._begin, self._finished = paths, begin, finished
        self._problems = problems
        self._source = ""
        self._current: Writer | None = None

    def __enter__(self) -> Self:
        """Do nothing: files begin with their first frame."""
        return self

    def __exit__(self, *failure: Any) -> None:
        """Complete the last file, or what its writer does after an error; the others stay."""
        current, self._current = self._current, None
        if current is not None:
            self._attempt(lambda: self._close(current, *failure))

    def add(self, reading: Reading) -> None:
        """Write one frame to the file of its input."""
        if reading.frame.source != self._source:
            self.__exit__(None, None, None)
            self._source = reading.frame.source
            self._attempt(self._open)
        if self._current is not None:
            current = self._current
            self._attempt(lambda: current.add(reading))

    def holds(self, source: str) -> bool:
        """Whether the file of an input is there."""
        return self._paths[source].exists()

    def _open(self) -> None:
        self._current = self._begin(self._paths[self._source]).__enter__()

    def _close(self, current: Writer, *failure: Any) -> None:
        current.__exit__(*failure)
        if failure[0] is None:
            self._finished(self._source)

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._problems.append(unwritten(self._paths[self._source], error))
            current, self._current = self._current, None
            if current is not None:
                with suppress(Exception):  # it has failed, which is told
                    current.__exit__(type(error), error, error.__traceback__)


class TableFile:
    """Writer of one CSV or Parquet file, at constant memory.

    After an error what was written stays as `part`, if it is more than a header.
    """

    def __init__(
        self,
        path: Path,
        aus: AUSet,
        added: Added = NOTHING,
        *,
        neutral: Neutral | None = None,
        layout: Layout = AS_READ,
        start: int = 0,
        ended: Callable[[Sequence[str], int], None] | None = None,
    ) -> None:
        """Begin nothing yet.

        Args:
            path: the file; its suffix is the format.
            aus: label axis of the readings.
            added: what is told besides AUs.
            neutral: whose rest to compare with, at the end, if it is wanted.
            layout: how the rows are written.
            start: bytes of the part that is there to go on from.
            ended: is told of sources whose rows are all on the disk, and of the bytes up to there.
        """
        self._path, self._aus, self._neutral, self._layout = path, aus, neutral, layout
        self._new_rows = partial(Rows, aus, added, rest=neutral is not None)
        self._format = FORMATS[path.suffix.lower()]
        self._part, self._start, self._ended = part(path), start, ended
        self._rows, self._whole = self._new_rows(), 0  # so many rows are of sources that ended
        self._sources: list[str] = []  # not told of yet; the last one goes on
        self._flushed = monotonic()

    def __enter__(self) -> Self:
        """Begin the part."""
        with writing(self._path):
            self._part.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("r+b" if self._start else "wb")
            self._file.seek(self._start)
            self._file.truncate()
            if not self._start:
                self._append(self._rows.table(), header=True)
            self._empty = 0 if self._start else self._file.tell()
        return self

    def __exit__(self, *failure: Any) -> None:
        """Complete the file, or leave its part after an error."""
        if failure[0] is None:
            self._whole = len(self._rows)
            try:
                self._flush(self._sources)
            finally:
                self._close()
            with writing(self._path):
                if self._neutral is not None:
                    fill(self._part, self._aus, self._neutral)
                empty = self._layout.table(self._rows.table())
                self._format.publish(self._part, self._path, empty)
            return
        with suppress(OSError, UserError):  # the disk may be full: the first error says so
            self._flush(self._sources[:-1])
        self._close()
        with suppress(OSError):
            if self._part.stat().st_size == self._empty:
                self._part.unlink()

    def add(self, reading: Reading) -> None:
        """Write one frame."""
        if [reading.frame.source] != self._sources[-1:]:
            self._whole = len(self._rows)
            self._sources.append(reading.frame.source)
        self._rows.add(reading)
        if len(self._rows) >= _FLUSH_ROWS or monotonic() - self._flushed >= _FLUSH_SECONDS:
            self._flush(self._sources[:-1])

    def _flush(self, ended: list[str]) -> None:
        """Write all rows; tell of these sources as soon as theirs are on the disk."""
        rows, self._rows = self._rows, self._new_rows()
        whole, self._whole = self._whole, 0
        self._sources = self._sources[len(ended) :]
        self._flushed = monotonic()
        table = rows.table()
        with writing(self._path):
            self._append(table[:whole])
            if ended and self._ended is not None:
                os.fsync(self._file.fileno())
                self._ended(ended, self._file.tell())
            self._append(table[whole:])

    def _append(self, table: pd.DataFrame, *, header: bool = False) -> None:
        if len(table) or header:
            rows = self._format.rows(table, self._layout)
            text = rows.to_csv(index=False, header=header, lineterminator="\n")
            self._file.write(text.encode("utf-8"))
            self._file.flush()

    def _close(self) -> None:
        with suppress(OSError):  # what a full disk does not take was told when it was written
            self._file.close()


class _Format(NamedTuple):
    """How the part of a table becomes the table."""

    rows: Callable[[pd.DataFrame, Layout], pd.DataFrame]  # that stand in the part
    publish: Callable[[Path, Path, pd.DataFrame], None]  # part, path, and a table without rows


def _csv(unfinished: Path, path: Path, _: pd.DataFrame) -> None:
    os.replace(unfinished, os.path.realpath(path))


def _parquet(unfinished: Path, path: Path, empty: pd.DataFrame) -> None:
    schema = _schema(empty)
    # Arrow's own reader of pieces runs ahead of the writer, by as much as there is.
    reading = pa.csv.ReadOptions(column_names=schema.names, use_threads=False)
    converting = pa.csv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=False
    )
    give_back_memory()  # what reading took and has left is not in Arrow's reach
    repeating = [each.name for each in schema if not pa.types.is_floating(each.type)]
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(temporary, schema, use_dictionary=repeating) as file,
        unfinished.open("rb") as lines,
    ):
        next(lines)  # the names
        texts = iter(lambda: b"".join(lines.readlines(_PIECE_BYTES)), b"")
        pieces = (
            pa.csv.read_csv(pa.BufferReader(text), reading, convert_options=converting)
            for text in texts
        )
        while group := list(islice(pieces, _GROUP_PIECES)):
            file.write_table(pa.concat_tables(group))
    unfinished.unlink()


def _schema(empty: pd.DataFrame) -> pa.Schema:
    """Types of a table without rows, in which text of pandas 2 has none."""
    found = pa.Schema.from_pandas(empty, preserve_index=False)
    return pa.schema(
        [
            each.with_type(pa.large_string()) if pa.types.is_null(each.type) else each
            for each in found
        ],
        found.metadata,
    )


FORMATS = {
    ".csv": _Format(rounded, _csv),
    ".parquet": _Format(lambda rows, layout: layout.table(rows), _parquet),
}
"""Suffixes of tables that can be written."""
