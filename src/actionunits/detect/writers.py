"""Files that readings are written to as they come: whole at the end, or not there."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits.aus import AUSet
from actionunits.detect.tables import Rows, rounded
from actionunits.errors import UserError
from actionunits.files import atomic, writing
from actionunits.types import Reading

_FLUSH_ROWS = 1024


class Writer(Protocol):
    """Takes readings one at a time; a context manager that completes its file at the end.

    A block that ends with an error leaves no file behind.
    """

    def __enter__(self) -> Self:
        """Begin the file."""
        ...

    def __exit__(self, *failure: Any) -> None:
        """Complete the file, or drop it after an error."""
        ...

    def add(self, reading: Reading) -> None:
        """Write one frame."""
        ...


def writer(out: Path | str, sources: Sequence[str], aus: AUSet, embedding: int = 0) -> Writer:
    """Writer of one ``.csv`` or ``.parquet`` file, or of one CSV file an input into a folder.

    Args:
        out: the file, or a folder (one that exists, or a name without a suffix).
        sources: the inputs, see `media.sources`.
        aus: label axis of the readings.
        embedding: numbers of the embedding, 0 for none.

    Raises:
        UserError: the suffix names no format that can be written.
    """
    out = Path(out)
    if is_folder(out):
        return PerInput(
            destinations(sources, out, lambda _: ".csv"),
            lambda path: TableFile(path, aus, embedding),
        )
    if out.suffix.lower() not in _FORMATS:
        raise UserError(f"{out}: expected a file .csv or .parquet, or a folder")
    return TableFile(out, aus, embedding)


def is_folder(out: Path) -> bool:
    """Whether an output path means a folder: it is one, or it has no suffix."""
    return out.is_dir() or not out.suffix


def destinations(
    sources: Sequence[str], folder: Path, ending: Callable[[str], str]
) -> dict[str, Path]:
    """Output file of each input: its name with another ending, in the same tree of folders.

    Args:
        sources: the inputs.
        folder: where the tree of their outputs begins.
        ending: of the output of an input, such as ".csv".

    Returns:
        Paths by input. Inputs that differ only in their suffix keep it in the name.
    """
    files = {source: Path(source.replace(":", "")).absolute() for source in sources}
    root = os.path.commonpath([file.parent for file in files.values()]) if files else ""
    inside = {source: file.relative_to(root) for source, file in files.items()}
    shared = Counter(file.with_suffix("") for file in inside.values())
    return {
        source: folder
        / file.with_name(
            (file.name if shared[file.with_suffix("")] > 1 else file.stem) + ending(source)
        )
        for source, file in inside.items()
    }


class PerInput:
    """A writer that begins a new file when the readings come to another input."""

    def __init__(self, paths: Mapping[str, Path], begin: Callable[[Path], Writer]) -> None:
        """Begin nothing yet.

        Args:
            paths: output file of each input.
            begin: builds the writer of an output file.
        """
        self._paths, self._begin = paths, begin
        self._source: str | None = None
        self._current: Writer | None = None

    def __enter__(self) -> Self:
        """Do nothing: files begin with their first frame."""
        return self

    def __exit__(self, *failure: Any) -> None:
        """Complete the last file, or drop it after an error; the others stay."""
        if self._current is not None:
            self._current.__exit__(*failure)

    def add(self, reading: Reading) -> None:
        """Write one frame to the file of its input."""
        if self._current is None or reading.frame.source != self._source:
            if self._current is not None:
                finished, self._current = self._current, None
                finished.__exit__(None, None, None)
            self._source = reading.frame.source
            self._current = self._begin(self._paths[self._source]).__enter__()
        self._current.add(reading)


class TableFile:
    """Writer of one CSV or Parquet file, at constant memory."""

    def __init__(self, path: Path, aus: AUSet, embedding: int = 0) -> None:
        """Begin nothing yet.

        Args:
            path: the file; its suffix is the format.
            aus: label axis of the readings.
            embedding: numbers of the embedding, 0 for none.
        """
        self._path, self._columns = path, (aus, embedding)
        self._rows = Rows(*self._columns)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Begin the file."""
        with writing(self._path), ExitStack() as stack:
            temporary = stack.enter_context(atomic(self._path))
            self._put = stack.enter_context(_FORMATS[self._path.suffix.lower()](temporary))
            self._put(self._rows.table())  # a table without rows still has its header
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: Any) -> None:
        """Complete the file, or drop it after an error."""
        if failure[0] is None:
            with writing(self._path), self._stack:
                self._put(self._rows.table())
        else:
            with suppress(OSError):  # the disk may be full: the first error says so
                self._stack.__exit__(*failure)

    def add(self, reading: Reading) -> None:
        """Write one frame."""
        self._rows.add(reading)
        if len(self._rows) >= _FLUSH_ROWS:
            with writing(self._path):
                self._put(self._rows.table())
            self._rows = Rows(*self._columns)


@contextmanager
def _csv(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    with path.open("w", encoding="utf-8", newline="") as file:
        yield lambda table: rounded(table).to_csv(file, index=False, header=file.tell() == 0)


@contextmanager
def _parquet(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    with ExitStack() as stack:
        file: list[pq.ParquetWriter] = []

        def put(table: pd.DataFrame) -> None:
            rows = pa.Table.from_pandas(table, preserve_index=False)
            if not file:
                file.append(stack.enter_context(pq.ParquetWriter(path, rows.schema)))
            file[0].write_table(rows)

        yield put


_FORMATS = {".csv": _csv, ".parquet": _parquet}
