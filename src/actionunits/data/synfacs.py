"""synfacs: rendered faces with exact labels. A corpus is one Parquet file or a folder of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits import aus
from actionunits.data.stores import ParquetStore
from actionunits.data.table import POINTS, FrameTable
from actionunits.errors import DataError, brief
from actionunits.files.stored import json_object, read_columns

MINI = Path(__file__).parents[1] / "corpora" / "synfacs-mini.parquet"  # comes with the package
VERSION = 1
THRESHOLD = 2.0  # an AU occurs from intensity B on, as in most work on DISFA
_ADVICE = "render it again"
_COLUMNS = {
    **{"subject": pa.string(), "task": pa.string(), "frame": pa.int32()},
    **{"seconds": pa.float64(), "part": pa.int32(), "landmarks": pa.list_(pa.float32())},
    **dict.fromkeys(("yaw", "pitch", "roll"), pa.float32()),
}


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
    _check(file)
    labels = dict.fromkeys(aus.ALL.columns(), pa.float32())
    table = read_columns(file, _COLUMNS | labels, _ADVICE, optional=tuple(labels))
    lengths = {len(points) for points in table["landmarks"].combine_chunks()}
    if lengths - {2 * POINTS} or table["landmarks"].combine_chunks().flatten().null_count:
        raise DataError(f"{file}: expected {POINTS} landmarks a frame; {_ADVICE}")
    return table


def _population(files: list[Path]) -> str:
    """The seed of a corpus decides who S001 is."""
    cards = (_card(file) or {} for file in files)
    seeds = sorted({str(card.get("seed")) for card in cards})
    return f"synfacs/{'+'.join(seeds)}"


def _card(file: Path) -> dict[str, Any] | None:
    """What a corpus says of itself; None for another kind of Parquet file.

    Raises:
        DataError: the file, or what it says, is damaged.
    """
    try:
        text = (pq.read_schema(file).metadata or {}).get(b"actionunits")
        return None if text is None else json_object(text)
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file; expected a rendered corpus") from None
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise DataError(f"{file}: not a whole Parquet file ({reason}); {_ADVICE}") from error


def _check(file: Path) -> None:
    card = _card(file)
    version = None if card is None else card.get("version")
    if version != VERSION:
        raise DataError(
            f"{file}: expected a corpus of `au synth render`, version {VERSION}, found "
            + ("another kind of Parquet file" if card is None else f"version {brief(version)}")
        )
    images = [field.type for field in pq.read_schema(file) if field.name == "image"]
    if images not in ([pa.binary()], [pa.large_binary()]):
        raise DataError(f"{file}: expected pictures as bytes in one column image; {_ADVICE}")
