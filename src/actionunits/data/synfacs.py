"""synfacs: rendered faces with exact labels. A corpus is one Parquet file or a folder of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits import aus
from actionunits.data.table import POINTS, FrameTable, ParquetStore
from actionunits.errors import DataError

MINI = Path(__file__).parents[1] / "corpora" / "synfacs-mini.parquet"  # comes with the package
VERSION = 1
THRESHOLD = 2.0  # an AU occurs from intensity B on, as in most work on DISFA
_COLUMNS = ["subject", "task", "frame", "seconds", "part", "landmarks", "yaw", "pitch", "roll"]


def read(root: Path | None = None) -> FrameTable:
    """Read a rendered corpus; the pictures stay on disk until they are wanted.

    Args:
        root: a Parquet file, a folder of them, or None for the synfacs-mini in this package.

    Raises:
        DataError: nothing is there, or a file is damaged, of another kind or of another version.
    """
    files = _files(root)
    tables = [_read(file) for file in files]
    rows = pd.concat([table.drop_columns("landmarks").to_pandas() for table in tables])
    points = [table["landmarks"].combine_chunks().flatten().to_numpy() for table in tables]
    return FrameTable(
        aus=aus.ALL,
        rows=rows.assign(image=np.arange(len(rows))).reset_index(drop=True),
        images=ParquetStore(files),
        coding="intensity",
        threshold=THRESHOLD,
        landmarks=np.concatenate(points).reshape(-1, POINTS, 2),
        population=_population(files),
    )


def _files(root: Path | None) -> list[Path]:
    if root is None:
        root = MINI
    files = sorted(root.glob("*.parquet")) if root.is_dir() else [root]
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise DataError(f"{root}: expected *.parquet files of a rendered corpus, found none")
    return files


def _read(file: Path) -> pa.Table:
    try:
        schema = pq.read_schema(file)
        _check(file, schema)
        table = pq.read_table(file, columns=[*_COLUMNS, *aus.ALL.columns()])
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file; expected a rendered corpus") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{file}: not a whole Parquet file; render it again ({error})") from error
    points = table["landmarks"]
    if points.null_count or any(chunk.flatten().null_count for chunk in points.chunks):
        raise DataError(f"{file}: a frame has no landmarks; render the file again")
    if sum(len(chunk.flatten()) for chunk in points.chunks) != len(table) * 2 * POINTS:
        raise DataError(f"{file}: expected {POINTS} landmarks a frame; render the file again")
    return table


def _population(files: list[Path]) -> str:
    """The seed of a corpus decides who S001 is."""
    cards = (_card(pq.read_schema(file)) or {} for file in files)
    seeds = sorted({str(card.get("seed")) for card in cards})
    return f"synfacs/{'+'.join(seeds)}"


def _card(schema: pa.Schema) -> dict[str, Any] | None:
    text = (schema.metadata or {}).get(b"actionunits")
    card: dict[str, Any] | None = None if text is None else json.loads(text)
    return card


def _check(file: Path, schema: pa.Schema) -> None:
    card = _card(schema)
    version = None if card is None else card.get("version")
    if version != VERSION:
        raise DataError(
            f"{file}: expected a corpus of `au synth render`, version {VERSION}, found "
            + ("another kind of Parquet file" if card is None else f"version {version}")
        )
    missing = [c for c in ["image", *_COLUMNS, *aus.ALL.columns()] if c not in schema.names]
    if missing:
        raise DataError(f"{file}: lacks the columns {', '.join(missing)}")
