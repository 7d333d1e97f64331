"""synfacs: rendered faces with exact labels. A corpus is one Parquet file or a folder of them.

Corpora of version 1 have the 18 AUs of `aus.ALL`, those of version 2 the 24 of `aus.RENDERED`.
"""

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
VERSIONS = {1: aus.ALL, 2: aus.RENDERED}
"""Which AUs the corpora of each version of the renderer have."""
THRESHOLD = 2.0  # an AU occurs from intensity B on, as in most work on DISFA
_OF_ROWS = ["subject", "task", "frame", "seconds", "part", "yaw", "pitch", "roll"]
_COLUMNS = [*_OF_ROWS, "landmarks"]


def read(root: Path | None = None) -> FrameTable:
    """Read a rendered corpus; the pictures stay on disk until they are wanted.

    Args:
        root: a Parquet file, a folder of them, or None for the synfacs-mini in this package.

    Raises:
        DataError: nothing is there, or a file is damaged, of another kind or of another version.

    Files of several versions make one table; AUs that a file does not have are not coded there.
    """
    files = _files(root)
    tables = [_read(file) for file in files]
    vocabulary = max((VERSIONS[_version(file)] for file in files), key=len)
    rows = pd.concat([table.drop_columns("landmarks").to_pandas() for table in tables])
    points = [table["landmarks"].combine_chunks().flatten().to_numpy() for table in tables]
    return FrameTable(
        aus=vocabulary,
        rows=rows.reindex(columns=[*_OF_ROWS, *vocabulary.columns()])
        .assign(image=np.arange(len(rows)))
        .reset_index(drop=True),
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
        wanted = _check(file, pq.read_schema(file))
        table = pq.read_table(file, columns=wanted)
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
    """Version and seed of a corpus decide who S001 is."""
    people = set()
    for file in files:
        version, card = _version(file), _card(pq.read_schema(file))
        people.add(f"{'' if version == 1 else f'v{version}-'}{(card or {}).get('seed')}")
    return f"synfacs/{'+'.join(sorted(people))}"


def _card(schema: pa.Schema) -> dict[str, Any] | None:
    text = (schema.metadata or {}).get(b"actionunits")
    card: dict[str, Any] | None = None if text is None else json.loads(text)
    return card


def _version(file: Path) -> int:
    """Version of the renderer, of a file that `_check` let pass."""
    return int((_card(pq.read_schema(file)) or {})["version"])


def _check(file: Path, schema: pa.Schema) -> list[str]:
    """Columns to read of a corpus of a version that is known."""
    card = _card(schema)
    version = None if card is None else card.get("version")
    if version not in VERSIONS:
        raise DataError(
            f"{file}: expected a corpus of `au synth render`, version "
            f"{' or '.join(map(str, VERSIONS))}, found "
            + ("another kind of Parquet file" if card is None else f"version {version}")
        )
    wanted = [*_COLUMNS, *VERSIONS[version].columns()]
    if missing := [column for column in ["image", *wanted] if column not in schema.names]:
        raise DataError(f"{file}: lacks the columns {', '.join(missing)}")
    return wanted
