"""Readings as rows of a local Parquet file, some at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits.detect import tables
from actionunits.files.names import escaped
from actionunits.scale import parts
from actionunits.scale.join import BESIDES
from actionunits.types import Reading

_FLUSH_ROWS = 4096


class Writer:
    """Takes readings, writes rows.

    Attributes:
        file: the Parquet file, which whoever made this closes.
        mend: what is done to all rows of an input before they are written.
    """

    def __init__(
        self, file: Path, rows: Callable[[], tables.Rows], columns: Sequence[str], *, held: bool
    ) -> None:
        """Begin a file.

        Args:
            file: to write.
            rows: makes an empty table.
            columns: of the file; with those of `join.BESIDES` at the end in parts of videos.
            held: all rows are kept until the end, since they depend on one another.
        """
        self._schema = parts.schema(columns)
        self.file = pq.ParquetWriter(file, self._schema)
        self.mend: Callable[[Any], Any] | None = None
        self._new, self._held = rows, held
        self._waiting, self._besides = rows(), list[Any]()
        self._beside = columns[-1] == BESIDES[-1]

    def add(self, reading: Reading, is_cut: bool) -> None:
        """Take a reading, and whether it begins another shot."""
        self._waiting.add(reading)
        if self._beside:
            points = [face.landmarks.ravel() for face in reading.faces]
            self._besides += [[*p, is_cut] for p in points or [np.full(10, np.nan)]]
        if len(self._waiting) >= _FLUSH_ROWS and not self._held:
            self._flush(set())

    def _flush(self, without: set[str]) -> None:
        table = self._waiting.table()
        if self._beside:
            values = np.array(self._besides, float).reshape(-1, len(BESIDES))
            table[BESIDES] = values
            self._besides.clear()
        if self.mend is not None and len(table):
            table = self.mend(table)
        if without:
            gone = {escaped(path) for path in without}
            table = table[~table["input"].isin(gone)]
        self.file.write_table(pa.Table.from_pandas(table, self._schema, preserve_index=False))
        self._waiting = self._new()

    def end(self, footer: dict[bytes, bytes], without: set[str]) -> None:
        """Write what waits, but for some inputs, and what the rows are of."""
        self._flush(without)
        self.file.add_key_value_metadata(footer)
