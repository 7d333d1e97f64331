"""Encoded pictures by number: in files of their own, or in columns of Parquet files."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits.errors import DataError
from actionunits.files import seals
from actionunits.files.stored import NOT_PARQUET

_KEPT_GROUPS = 4096


class ImageStore(Protocol):
    """Encoded pictures by number. Picklable, so that it can travel to the workers of a loader."""

    def __len__(self) -> int:
        """Return the number of pictures."""
        ...

    def read(self, index: int) -> bytes:
        """Return the bytes of one picture (JPEG or PNG)."""
        ...

    def name(self, index: int) -> str:
        """Say where a picture is, for error messages."""
        ...


class FileStore:
    """One picture a file."""

    def __init__(self, paths: Iterable[Path | str]) -> None:
        self._paths = [str(path) for path in paths]

    def __len__(self) -> int:
        return len(self._paths)

    def read(self, index: int) -> bytes:
        """Return the bytes of one file.

        Raises:
            DataError: the file cannot be read.
        """
        try:
            return Path(self._paths[index]).read_bytes()
        except OSError as error:
            raise DataError(f"{self._paths[index]}: cannot be read: {error.strerror}") from error

    def name(self, index: int) -> str:
        """Return the path."""
        return self._paths[index]


class ParquetStore:
    """The ``image`` column of Parquet files, one file after the other.

    A row group is read when one of its pictures is first wanted, and those last wanted are kept,
    encoded as they are: about 2 GB of photographs in groups of 16. Only the paths are pickled.

    Args:
        files: with a column ``image``.
        checked: those whose checksum is compared, for which they are read once.

    Raises:
        DataError: a file is damaged, by its checksum.
    """

    def __init__(self, files: Iterable[Path | str], checked: slice = slice(None)) -> None:
        paths = [Path(file) for file in files]
        own = paths[checked]
        with ThreadPoolExecutor() as threads:  # sums leave the interpreter to others
            for file, whole in zip(own, threads.map(seals.is_whole_parquet, own), strict=True):
                if not whole:
                    raise DataError(
                        f"{file}: damaged: it is not what its checksum says; make it anew by the "
                        "command that wrote it"
                    )
        self.__setstate__([str(path) for path in paths])

    def __getstate__(self) -> list[str]:
        return self._files

    def __setstate__(self, files: list[str]) -> None:
        self._files = files
        self._metadata = [pq.read_metadata(file) for file in files]
        groups = [(f, g) for f, m in enumerate(self._metadata) for g in range(m.num_row_groups)]
        rows = [self._metadata[file].row_group(group).num_rows for file, group in groups]
        self._groups = groups
        self._starts = np.cumsum([0, *rows])
        self._images = lru_cache(_KEPT_GROUPS)(self._read_group)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, index: int) -> bytes:
        """Return the bytes of one picture.

        Raises:
            DataError: its file is damaged, by the checksums that it was written with.
        """
        place, row = self._locate(index)
        content: bytes = self._images(place)[row].as_py()
        return content

    def name(self, index: int) -> str:
        """Return file and row, rows counted from 0."""
        file, _ = self._groups[self._locate(index)[0]]
        before = sum(metadata.num_rows for metadata in self._metadata[:file])
        return f"{self._files[file]}, row {index - before}"

    def _locate(self, index: int) -> tuple[int, int]:
        """Row group and row in it."""
        place = int(np.searchsorted(self._starts, index, side="right")) - 1
        return place, int(index - self._starts[place])

    def _read_group(self, place: int) -> pa.ChunkedArray:
        file, group = self._groups[place]
        source = pq.ParquetFile(
            self._files[file],
            metadata=self._metadata[file],
            memory_map=True,
            page_checksum_verification=True,
        )
        try:
            with source:
                return source.read_row_group(group, columns=["image"])["image"].combine_chunks()
        except NOT_PARQUET as error:
            raise DataError(
                f"{self._files[file]}: damaged ({error}); make it anew by the command that wrote it"
            ) from error
