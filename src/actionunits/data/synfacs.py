"""synfacs: rendered faces with exact labels. A corpus is one Parquet file or a folder of them.

Corpora of version 1 have the 18 AUs of `aus.ALL`, those of version 2 the 24 of `aus.RENDERED`.
"""

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
VERSIONS = {1: aus.ALL, 2: aus.RENDERED}
"""Which AUs the corpora of each version of the renderer have."""
THRESHOLD = 2.0  # an AU occurs from intensity B on, as in most work on DISFA
_ADVICE = "render it again"
_OF_ROWS = {
    **{"subject": pa.string(), "task": pa.string(), "frame": pa.int32()},
    **{"seconds": pa.float64(), "part": pa.int32()},
    **dict.fromkeys(("yaw", "pitch", "roll"), pa.float32()),
}
_COLUMNS = {**_OF_ROWS, "landmarks": pa.list_(pa.float32())}


def read(root: Path | None = None) -> FrameTable:
    """Read a rendered corpus; the pictures stay on disk until they are wanted.

    Args:
        root: a Parquet file, a folder of them, or None for the synfacs-mini in this package.

    Raises:
        DataError: nothing is there, or a file is damaged, of another kind or of a version that is
            not known.

    Files of several versions make one table; AUs that a file does not have are not coded there.
    """
    files = _files(root)
    cards = [_card(file) for file in files]
    vocabularies = [VERSIONS[card["version"]] for card in cards]
    tables = [_read(file, known) for file, known in zip(files, vocabularies, strict=True)]
    vocabulary = max(vocabularies, key=len)
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
        population=_population(cards),
    )


def _files(root: Path | None) -> list[Path]:
    if root is None:
        root = MINI
    files = sorted(root.glob("*.parquet")) if root.is_dir() else [root]
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise DataError(f"{root}: expected *.parquet files of a rendered corpus, found none")
    return files


def _read(file: Path, vocabulary: aus.AUSet) -> pa.Table:
    labels = dict.fromkeys(vocabulary.columns(), pa.float32())
    table = read_columns(file, _COLUMNS | labels, _ADVICE, optional=tuple(labels))
    lengths = {len(points) for points in table["landmarks"].combine_chunks()}
    if lengths - {2 * POINTS} or table["landmarks"].combine_chunks().flatten().null_count:
        raise DataError(f"{file}: expected {POINTS} landmarks a frame; {_ADVICE}")
    return table


def _population(cards: list[dict[str, Any]]) -> str:
    """Version and seed of a corpus decide who S001 is."""
    people = set()
    for card in cards:
        version, seed = int(card["version"]), card.get("seed")
        people.add(str(seed) if version == 1 else f"v{version}-{seed}")
    return f"synfacs/{'+'.join(sorted(people))}"


def _card(file: Path) -> dict[str, Any]:
    """What a corpus says of itself.

    Raises:
        DataError: the file, or what it says, is damaged, of another kind or of a version that is
            not known.
    """
    try:
        schema = pq.read_schema(file)
        text = (schema.metadata or {}).get(b"actionunits")
        card = None if text is None else json_object(text)
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file; expected a rendered corpus") from None
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise DataError(f"{file}: not a whole Parquet file ({reason}); {_ADVICE}") from error
    version = None if card is None else card.get("version")
    if card is None or version not in tuple(VERSIONS):  # by value: what it says may be a list
        raise DataError(
            f"{file}: expected a corpus of `au synth render`, version "
            f"{' or '.join(map(str, VERSIONS))}, found "
            + ("another kind of Parquet file" if card is None else f"version {brief(version)}")
        )
    images = [field.type for field in schema if field.name == "image"]
    if images not in ([pa.binary()], [pa.large_binary()]):
        raise DataError(f"{file}: expected pictures as bytes in one column image; {_ADVICE}")
    return card
