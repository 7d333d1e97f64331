"""Prepared data sets: aligned faces with their labels, as ``au data prepare`` writes them.

A folder holds a Parquet file for each sequence, its shard, and ``prepared.json``, which lists them
and says what they are. A shard carries its checksum, which is compared before anything is read, by
one of the processes that read together, and those of its pages, which are compared again with every
page.
The description is written last: a folder without it is not finished.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from actionunits.aus import AUSet, Numbers
from actionunits.data.stores import ParquetStore
from actionunits.data.table import POINTS, FrameTable
from actionunits.errors import DataError, counted, first_fault
from actionunits.files import seals
from actionunits.files.stored import NOT_PARQUET, read_columns
from actionunits.system.together import share
from actionunits.types import Coding

MANIFEST = "prepared.json"
KIND: Literal["prepared"] = "prepared"
VERSION: Literal[2] = 2
METADATA = b"actionunits"  # where a Parquet file keeps its `Shard`


@dataclass(frozen=True)
class Excluded:
    """Frames that the data set lists and that cannot be used."""

    what: str
    """Which, as ``F041/T7`` or ``SN010``; ``SN010 AU04`` where only labels are missing."""
    frames: int
    """How many; 0 where nobody knows, or where they are kept without a label."""
    reason: str


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lost(_Values):
    """A frame that could not be prepared, or what of it was not used."""

    subject: str
    task: str
    frame: int
    reason: str


class Shard(_Values):
    """What a shard says of itself."""

    kind: Literal["prepared"] = KIND
    version: Literal[2] = VERSION
    name: str
    """Of the data set."""
    template: str
    """How the faces are placed, see `actionunits.faces.templates`."""
    source: str
    """Checksum of what the shard was made from."""
    lost: tuple[Lost, ...] = ()
    doubted: tuple[Lost, ...] = ()
    """Frames whose own landmarks were not believed: others were found, and place the face."""
    found: int = 0
    """Frames whose landmarks are not the data set's own: a model found them."""


class Manifest(_Values):
    """What a prepared folder is: ``prepared.json``."""

    kind: Literal["prepared"] = KIND
    version: Literal[2] = VERSION
    name: str
    """Of the data set."""
    template: str
    """How the faces are placed, see `actionunits.faces.templates`."""
    occurrence: Annotated[Numbers, Field(min_length=1)] | None
    """FACS numbers of the AUs coded 0 and 1."""
    intensity: Annotated[Numbers, Field(min_length=1)] | None
    """FACS numbers of the AUs coded 0 to 5."""
    threshold: float
    """An AU occurs from this intensity on, where only intensities are coded."""
    frames: int
    """That were prepared."""
    shards: dict[str, int]
    """Frames of each file."""
    found: int = 0
    """Frames whose landmarks are not the data set's own: a model found them."""
    lost: tuple[Lost, ...]
    """Frames that are listed in the data set and could not be prepared."""
    doubted: tuple[Lost, ...] = ()
    """Frames whose own landmarks were not believed: others were found, and place the face."""
    excluded: tuple[Excluded, ...]
    """What the reader of the data set had left out before."""

    def aus(self, coding: Coding) -> AUSet | None:
        """AUs of a coding; None where it is not there."""
        numbers = self.occurrence if coding == "occurrence" else self.intensity
        return None if numbers is None else AUSet.of(numbers)

    def lost_frames(self) -> dict[str, int]:
        """Subject to the number of frames that are listed and not here, whoever left them out."""
        counts = Counter(each.subject for each in self.lost)
        for each in self.excluded:
            counts[each.what.partition("/")[0]] += each.frames
        return dict(+counts)


def read(name: str, root: Path | None, coding: Coding | None = None) -> FrameTable:
    """Read a prepared data set; the pictures stay on disk until they are wanted.

    Args:
        name: of the data set.
        root: the folder that ``au data prepare`` wrote.
        coding: which labels; None takes occurrence where it is coded, else intensity.

    Raises:
        DataError: the folder is none, is not finished, holds another data set or does not have the
            labels, or a file in it is missing or damaged.
    """
    if root is None:
        raise DataError(
            f"{name} does not come with the package: get it from its owners, run "
            f"`au data prepare {name} ROOT OUT` and give OUT as data.root"
        )
    manifest = read_manifest(name, root)
    chosen = coding or ("occurrence" if manifest.occurrence is not None else "intensity")
    aus = manifest.aus(chosen)
    if aus is None:
        raise DataError(f"{root}: {name} has no labels of {chosen} here; leave data.coding out")
    files = [root / file for file, count in manifest.shards.items() if count]
    if not files:
        raise DataError(f"{root}: no frame of {name} could be prepared; see {MANIFEST}")
    suffix = "_intensity" if chosen == "intensity" else ""
    names = {f"{column}{suffix}": column for column in aus.columns()}
    tables = [_read(file, manifest, list(names)) for file in files]
    rows = pd.concat([table.drop_columns("landmarks").to_pandas() for table in tables])
    landmarks = np.concatenate(
        [_points(file, table["landmarks"]) for file, table in zip(files, tables, strict=True)]
    )
    return FrameTable(
        aus=aus,
        rows=rows.rename(columns=names).assign(image=np.arange(len(rows))).reset_index(drop=True),
        images=ParquetStore(files, share(len(files))),
        coding=chosen,
        threshold=manifest.threshold if chosen == "intensity" else 1.0,
        landmarks=None if np.isnan(landmarks).all() else landmarks,
        template=manifest.template,
        lost=manifest.lost_frames(),
    )


def read_manifest(name: str, root: Path) -> Manifest:
    """Read what a prepared folder is.

    Raises:
        DataError: it is none, is not finished, or holds another data set or version.
    """
    file = root / MANIFEST
    try:
        found = seals.read_json(file)
    except OSError:
        unfinished = root.is_dir() and any(read_shard(f) for f in root.glob("[!.]*.parquet"))
        raise DataError(
            f"{root}: {name} was not prepared to its end: run the same `au data prepare` again"
            if unfinished
            else f"{root}: expected a prepared data set, found no {MANIFEST}; run "
            f"`au data prepare {name} {root} OUT` and give OUT as data.root"
        ) from None
    except ValueError as error:
        raise DataError(f"{file}: damaged ({error}); run `au data prepare` again") from None
    kind, version = found.get("kind"), found.get("version")
    if (kind, version) != (KIND, VERSION):
        raise DataError(
            f"{file}: expected kind {KIND!r} and version {VERSION}, found {kind!r} and {version}; "
            f"run `au data prepare {name} ROOT OUT` with this version, into a new folder"
        )
    try:
        manifest = Manifest.model_validate(found)
    except ValidationError as error:
        where = first_fault(error)
        raise DataError(f"{file}: damaged at {where}; run `au data prepare` again") from None
    if manifest.name != name:
        raise DataError(f"{root}: expected {name}, found {manifest.name}; name that or its folder")
    return manifest


def shard_name(subject: str, task: str) -> str:
    """File of a sequence; two sequences never share one."""
    return f"{quote(subject, safe='').replace('_', '%5F')}_{quote(task, safe='')}.parquet"


def read_shard(file: Path) -> Shard | None:
    """What a shard says of itself; None where it is missing, damaged or something else."""
    try:
        return Shard.model_validate_json((pq.read_metadata(file).metadata or {})[METADATA])
    except (*NOT_PARQUET, KeyError, ValidationError):
        return None


def is_whole(file: Path) -> bool:
    """Whether a shard is as it was written, by its checksum and those of its pages."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as stored:
            pages = all(len(stored.read_row_group(g)) for g in range(stored.num_row_groups))
    except NOT_PARQUET:
        return False
    return pages and seals.is_whole_parquet(file)


def _read(file: Path, manifest: Manifest, labels: list[str]) -> pa.Table:
    """All of a shard but its pictures."""
    shard = read_shard(file)
    if shard is None or (shard.name, shard.template) != (manifest.name, manifest.template):
        raise DataError(
            f"{file}: missing, damaged or of another preparation; "
            f"run the same `au data prepare {manifest.name}` again"
        )
    columns = {"subject": pa.string(), "task": pa.string(), "frame": pa.int64()}
    if "part" in pq.read_schema(file).names:
        columns |= {"part": pa.int64()}
    columns |= dict.fromkeys(labels, pa.float32())
    columns |= {"landmarks": pa.list_(pa.float32()), "found": pa.bool_()}
    again = f"run the same `au data prepare {manifest.name}` again"
    table = read_columns(file, columns, again, optional=(*labels, "landmarks"))
    if len(table) != manifest.shards[file.name]:
        raise DataError(
            f"{file}: expected {counted(manifest.shards[file.name], 'frame')}, found "
            f"{len(table)}; run the same `au data prepare {manifest.name}` again"
        )
    return table


def _points(file: Path, column: pa.ChunkedArray) -> np.ndarray:
    """Landmarks (N, 49, 2) float32 of lists of their 98 coordinates; NaN where there is none."""
    lists = column.combine_chunks()
    if set(pc.list_value_length(lists.drop_null()).to_pylist()) - {POINTS * 2}:
        raise DataError(f"{file}: expected {POINTS} landmarks a frame; prepare it again")
    points = np.full((len(lists), POINTS * 2), np.nan, np.float32)
    points[lists.is_valid().to_numpy(zero_copy_only=False)] = (
        lists.flatten().to_numpy().reshape(-1, POINTS * 2)
    )
    return points.reshape(-1, POINTS, 2)
