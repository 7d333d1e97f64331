"""synfacs: rendered faces with exact labels. A corpus is one Parquet file or a folder of them.

Corpora of version 1 have the 18 AUs of `aus.ALL`, those of version 2 the 24 of `aus.RENDERED`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from actionunits import aus
from actionunits.data.stores import ParquetStore
from actionunits.data.table import FACE_SIDE, POINTS, FrameTable
from actionunits.errors import DataError, brief
from actionunits.files.stored import NOT_PARQUET, json_object, read_columns
from actionunits.system.together import share
from actionunits.types import Besides

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
_BESIDES = {
    **dict.fromkeys(("sides", "hidden"), pa.list_(pa.float32())),
    **dict.fromkeys(("gaze_yaw", "gaze_pitch"), pa.float32()),
}
"""Columns of version 2."""
_REGIONS = 6


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
    rows = pd.concat([table.drop_columns(_apart(table)).to_pandas() for table in tables])
    points = [
        table["landmarks"].combine_chunks().flatten().to_numpy() * (FACE_SIDE / _side(file, card))
        for file, card, table in zip(files, cards, tables, strict=True)
    ]
    return FrameTable(
        aus=vocabulary,
        rows=rows.reindex(columns=[*_OF_ROWS, *vocabulary.columns()])
        .assign(image=np.arange(len(rows)))
        .reset_index(drop=True),
        images=ParquetStore(files, share(len(files))),
        coding="intensity",
        threshold=THRESHOLD,
        landmarks=np.concatenate(points, dtype=np.float32).reshape(-1, POINTS, 2),
        besides=_besides(tables, vocabulary, rows),
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
    columns = _COLUMNS | labels | (_BESIDES if vocabulary is aus.RENDERED else {})
    table = read_columns(file, columns, _ADVICE, optional=tuple(labels))
    lengths = {len(points) for points in table["landmarks"].combine_chunks()}
    if lengths - {2 * POINTS} or table["landmarks"].combine_chunks().flatten().null_count:
        raise DataError(f"{file}: expected {POINTS} landmarks a frame; {_ADVICE}")
    for name, length in (("sides", 2 * len(vocabulary)), ("hidden", _REGIONS)):
        if name in table.column_names and {len(values) for values in table[name]} - {length}:
            raise DataError(f"{file}: expected {length} numbers a frame in {name}; {_ADVICE}")
    return table


def _apart(table: pa.Table) -> list[str]:
    """Columns that are no plain numbers of a row."""
    return [name for name in ("landmarks", *_BESIDES) if name in table.column_names]


def _besides(tables: list[pa.Table], vocabulary: aus.AUSet, rows: pd.DataFrame) -> Besides | None:
    """What version 2 knows besides AUs; None where all files are of version 1.

    In version 1 pictures do not show the roll that their rows have: it is not known either.
    """
    of_version_2 = ["sides" in table.column_names for table in tables]
    if not any(of_version_2):
        return None
    count = len(vocabulary)
    known = np.repeat(of_version_2, [len(table) for table in tables])
    pose = np.where(known[:, None], rows[["yaw", "pitch", "roll"]].to_numpy(np.float32), np.nan)

    def column(name: str, shape: tuple[int, ...]) -> Tensor:
        values = np.full((len(rows), *shape), np.nan, np.float32)
        found = [table[name].combine_chunks() for table in tables if name in table.column_names]
        numbers = [part.flatten() if shape else part for part in found]
        values[known] = np.concatenate([part.to_numpy() for part in numbers]).reshape(-1, *shape)
        return torch.from_numpy(values)

    gaze = torch.stack([column("gaze_yaw", ()), column("gaze_pitch", ())], 1)
    sides = column("sides", (count, 2))
    return Besides(sides, torch.from_numpy(pose), gaze, column("hidden", (_REGIONS,)))


def _population(cards: list[dict[str, Any]]) -> str:
    """Version and seed of a corpus decide who S001 is."""
    people = set()
    for card in cards:
        version, seed = int(card["version"]), card.get("seed")
        people.add(str(seed) if version == 1 else f"v{version}-{seed}")
    return f"synfacs/{'+'.join(sorted(people))}"


def _side(file: Path, card: dict[str, Any]) -> int:
    """Side of the pictures of a corpus, in whose pixels its landmarks are."""
    settings = card.get("settings")
    side = settings.get("size") if isinstance(settings, dict) else None
    if not isinstance(side, int) or side <= 0:
        raise DataError(f"{file}: expected the size of its pictures, got {brief(side)}; {_ADVICE}")
    return side


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
    except (*NOT_PARQUET, ValueError) as error:
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
