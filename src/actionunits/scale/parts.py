"""The output of many workers: a Parquet file for each task, once, under a name that it keeps.

    OUT/settings.json                        what the rows depend on
    OUT/rows/part=3f/<digest>.parquet        rows, and in its footer what they are of
    OUT/ranges/<digest>.parquet              parts of long videos until these are whole
    OUT/manifest.parquet                     what became of each input

A part is there as a whole or not at all, and says itself which inputs it holds and what became of
them; there is no other record that could differ from it. Where two parts hold one input, since it
has changed, or since the power failed in between, the newer one counts and the other goes
(`settle`). The manifest is made of the footers, so that they need not be read again.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits.errors import DataError, UserError
from actionunits.files.names import escaped
from actionunits.scale.manifest import COLUMNS, KEY, Item
from actionunits.scale.manifest import items as rows_of
from actionunits.scale.storage import Storage, joined, persistently, storage

DONE, PARTIAL, FAILED, QUARANTINED = "done", "partial", "failed", "quarantined"
"""What became of an input: read; read, but not to its end; not read; crashed its workers."""
MISSING = "missing"
"""The last run was to read it, and it was not there: in the manifest alone, of no part."""

PARTITIONS = 256
RECORDED = [*COLUMNS, "checksum", "state", "why", "rows", "frames", "seconds"]
"""Columns of the record of an input: seconds are those of a worker."""
_MANIFESTED = [*RECORDED, "part", "written"]
_MANIFEST, _SETTINGS = "manifest.parquet", "settings.json"
_METADATA = b"actionunits"
_VERSION = 1
_ROUNDING = 1e-6  # seconds
_HANDS = 16


def digest(*values: object) -> str:
    """32 characters that differ with the values."""
    return hashlib.sha256(json.dumps(values).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def part_name(items: Sequence[Item]) -> str:
    """Name of the part of some inputs as they are now, below the folder of the output.

    The partition is that of the path of the first one.
    """
    place = hashlib.sha256(items[0].path.encode("utf-8", "surrogatepass")).digest()[0]
    identity = [[i.path, i.start, i.end, i.size, repr(i.modified)] for i in items]
    return f"rows/part={place % PARTITIONS:02x}/{digest(identity)}.parquet"


def recorded(
    item: Item, state: str, why: str = "", *, rows: int = 0, frames: int = 0,
    seconds: float = 0.0, checksum: str = "",
) -> dict[str, Any]:  # fmt: skip
    """What became of an input; see `RECORDED`."""
    values = [*item, checksum, state, why, rows, frames, seconds]
    return dict(zip(RECORDED, values, strict=True))


def metadata(records: Sequence[dict[str, Any]], written: int | None = None) -> dict[bytes, bytes]:
    """Footer of a part.

    Args:
        records: of its inputs.
        written: nanoseconds since 1970; now by default.
    """
    said = {"version": _VERSION, "written": written or time.time_ns(), "inputs": list(records)}
    return {_METADATA: json.dumps(said).encode()}


def empty(columns: Sequence[str]) -> pa.Table:
    """Rows of an input of which nothing was read."""
    return pa.table({name: pa.array([], _kind(name)) for name in columns})


def schema(columns: Sequence[str]) -> pa.Schema:
    """Types of the columns of a part: all parts of an output agree."""
    return pa.schema([(name, _kind(name)) for name in columns])


def _kind(name: str) -> pa.DataType:
    if name == "input":
        return pa.string()
    whole = name in {"frame", "face_id", "success"} or name.endswith("_c")
    return pa.int64() if whole else pa.float64()


class Output:
    """The folder of an output, here or in a store."""

    def __init__(self, place: str) -> None:
        """Write nothing yet.

        Args:
            place: path or URL.
        """
        self.place = place
        self._store: Storage = storage(place)

    def file(self, name: str) -> str:
        """Path or URL of a file of the output."""
        return joined(self.place, *name.split("/"))

    def holds(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            persistently(lambda: self._store.state(self.file(name)))
        except FileNotFoundError:
            return False
        return True

    def open(self, name: str) -> Any:
        """A file of the output to read."""
        return persistently(lambda: self._store.open(self.file(name)))

    def put(self, name: str, write: Callable[[Path], object]) -> None:
        """Write a file; `write` may be called again, where the store fails."""
        persistently(lambda: self._store.put(self.file(name), write))

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        persistently(lambda: self._store.remove(self.file(name)))

    def names(self, folder: str) -> list[str]:
        """Names of the Parquet files in a folder of the output, sorted."""
        root = self.file(folder)

        def found() -> list[str]:
            return [name for name, _ in self._store.below(root)]

        names = [name.replace("\\", "/") for name in persistently(found)]
        cut = len(root.rstrip("/")) + 1
        return sorted(f"{folder}/{n[cut:]}" for n in names if n.endswith(".parquet"))

    def parts(self) -> list[str]:
        """Names of all parts."""
        return self.names("rows")

    def put_table(self, name: str, table: pa.Table, footer: dict[bytes, bytes]) -> None:
        """Write a table, with its footer, as a file."""
        told = table.replace_schema_metadata({**(table.schema.metadata or {}), **footer})
        self.put(name, partial(pq.write_table, told))

    def agree(self, settings: dict[str, Any]) -> None:
        """Begin an output, or go on with one of the same settings.

        Raises:
            DataError: it was written with other settings, or is damaged.
            UserError: it cannot be written.
        """
        text = json.dumps(settings, indent=1)
        try:
            if not self.holds(_SETTINGS):
                if self.parts():
                    raise DataError(
                        f"{self.place}: has rows but no {_SETTINGS}; give another folder"
                    )
                self.put(_SETTINGS, lambda file: file.write_text(text, encoding="utf-8"))
                return
            with self.open(_SETTINGS) as file:
                before = json.loads(file.read())
        except OSError as error:
            why = error.strerror or str(error)
            raise UserError(
                f"cannot write {self.place}: {why}; allow it, or choose another place"
            ) from error
        except ValueError as error:
            raise DataError(
                f"{self.file(_SETTINGS)}: is damaged; give another folder, or remove this one"
            ) from error
        now = json.loads(text)
        if differing := [key for key in now | before if now.get(key) != before.get(key)]:
            raise DataError(
                f"{self.place}: was written with another {', another '.join(differing)}; give "
                "another folder, or --overwrite to read all anew"
            )

    def clear(self) -> None:
        """Remove all that the output holds."""
        for name in [*self.parts(), *self.names("ranges"), _MANIFEST, _SETTINGS]:
            self.remove(name)

    def records(self) -> pd.DataFrame:
        """What became of each input that any part holds: `RECORDED`, ``part`` and ``written``.

        Footers are read of those parts that the manifest does not know. Inputs that two parts hold
        are there twice, see `stale`.

        Raises:
            DataError: a part is damaged.
        """
        names = self.parts()
        known = self._manifest()
        known = known[known["part"].isin(names)]
        unknown = sorted(set(names) - set(known["part"]))
        with ThreadPoolExecutor(_HANDS, "footers") as hands:
            footers = [row for rows in hands.map(self._footer, unknown) for row in rows]
        fresh = _frame(footers)
        if not len(known) or not len(fresh):
            return known if len(known) else fresh
        return pd.concat([known, fresh], ignore_index=True)

    def _footer(self, name: str) -> list[list[Any]]:
        return [
            [*(each[key] for key in RECORDED), name, each["written"]] for each in inputs(self, name)
        ]

    def _manifest(self) -> pd.DataFrame:
        if not self.holds(_MANIFEST):
            return _frame([])
        try:
            with self.open(_MANIFEST) as file:
                known: pd.DataFrame = pq.read_table(file, columns=_MANIFESTED).to_pandas()
                return known
        except (pa.ArrowException, OSError, ValueError):
            return _frame([])  # it is made of the footers anyway

    def missing(self) -> pd.DataFrame:
        """Records of the inputs that were not there for the last run."""
        known = self._manifest()
        return known[known["state"] == MISSING]

    def settle(self, missing: Mapping[Item, str] | None = None) -> pd.DataFrame:
        """Have each input in one part, the newest that holds it, and write the manifest.

        Args:
            missing: inputs that are not there, and why; by default those that the manifest has.

        Returns:
            The records, each input once; without those that are missing.
        """
        if missing is None:
            absent = self.missing()
        else:
            now = time.time_ns()
            said = [recorded(item, MISSING, f"{item.path}: {missing[item]}") for item in missing]
            absent = _frame([[*each.values(), "", now] for each in said]).drop_duplicates(KEY)
        records = self.records()
        old = stale(records)
        for name in records.loc[old, "part"].unique():
            here = records["part"] == name
            self._rewrite(name, records[here & ~old], records[here & old])
        if old.any():
            records = self.records()
        if len(absent):  # what was read before has its record
            absent = absent[~absent.set_index(KEY).index.isin(records.set_index(KEY).index)]
        self.put(_MANIFEST, partial(_write_records, [records, absent]))
        return records

    def _rewrite(self, name: str, kept: pd.DataFrame, gone: pd.DataFrame) -> None:
        """Put what still counts of a part under a new name, and remove the old one."""
        if len(kept):
            rows = table(self, name)
            footer = metadata(_dicts(kept), int(kept["written"].max()))
            self.put_table(_named(kept), rows.filter(current(rows, gone)), footer)
        self.remove(name)

    def compact(self, rows: int) -> tuple[int, int]:
        """Make few large parts of many small ones, partition by partition.

        Args:
            rows: of a large part; those that have half as many are left as they are.

        Returns:
            Number of parts before and after.
        """
        records = self.settle()
        sizes = records.groupby("part")["rows"].sum()
        small = sizes[sizes < rows / 2]
        before = len(sizes)
        for _, names in small.groupby([name.split("/")[1] for name in small.index]):
            for group in _groups(names, rows):
                self._merge(group, records[records["part"].isin(group)])
        return before, self.settle()["part"].nunique()

    def _merge(self, names: Sequence[str], records: pd.DataFrame) -> None:
        """Write some parts as one, a part in memory at a time, and remove them."""

        def write(file: Path) -> None:
            with self.open(names[0]) as first:
                told = pq.read_schema(first).remove_metadata()
            told = told.with_metadata(metadata(_dicts(records)))
            with pq.ParquetWriter(file, told) as writer:
                for name in names:
                    writer.write_table(table(self, name).cast(told))

        self.put(_named(records), write)
        for name in names:
            self.remove(name)


def inputs(output: Output, name: str) -> list[dict[str, Any]]:
    """Records of the inputs of a part.

    Raises:
        DataError: it is damaged, or not a part.
    """
    try:
        with output.open(name) as file:
            said = json.loads((pq.read_metadata(file).metadata or {})[_METADATA])
        return [{**each, "written": said["written"]} for each in said["inputs"]]
    except (pa.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
        raise DataError(
            f"{output.file(name)}: is no part that au wrote, or damaged; remove it, and run the "
            "same command again"
        ) from error


def table(output: Output, name: str) -> pa.Table:
    """Rows of a part."""
    with output.open(name) as file:
        return pq.read_table(file)


def stale(records: pd.DataFrame) -> "pd.Series[bool]":
    """Which records do not count, since a newer part holds the same input."""
    ordered = records.sort_values(["written", "part"], kind="stable")
    return ordered.duplicated(KEY, keep="last").reindex(records.index)


def current(rows: pa.Table, gone: pd.DataFrame) -> pa.Array:
    """Which rows of a part still count.

    Args:
        rows: of the part, with their ``input`` and ``timestamp``.
        gone: records of the part that do not count.
    """
    paths = rows["input"].to_numpy(zero_copy_only=False)
    seconds = rows["timestamp"].to_numpy(zero_copy_only=False)
    counts = np.ones(len(rows), bool)
    for path, start, end in zip(*(gone[name] for name in KEY), strict=True):
        until = np.inf if np.isnan(end) else end
        span = (seconds >= start - _ROUNDING) & (seconds < until)
        counts &= ~((paths == escaped(path)) & span)
    return pa.array(counts)


def _groups(names: "pd.Series[int]", rows: int) -> Iterator[list[str]]:
    """Small parts of a partition that make a large one, several of them."""
    number = names.cumsum() // rows
    for _, group in names.groupby(number):
        if len(group) > 1:
            yield list(group.index)


def _named(records: pd.DataFrame) -> str:
    return part_name(list(rows_of(records)))


def _dicts(records: pd.DataFrame) -> list[dict[str, Any]]:
    """Records for JSON, where NaN is no number."""
    rows: list[dict[str, Any]] = json.loads(records[RECORDED].to_json(orient="records"))
    for row, modified in zip(rows, records["modified"], strict=True):
        row["modified"] = float(modified)  # to the bit
    return rows


def _frame(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Rows of the manifest."""
    frame = pd.DataFrame(rows, columns=_MANIFESTED)
    return frame.astype({"start": float, "end": float, "modified": float})


def _write_records(records: Sequence[pd.DataFrame], file: Path) -> None:
    kinds = {
        **dict.fromkeys(("path", "checksum", "state", "why", "part"), pa.string()),
        **dict.fromkeys(("start", "end", "modified", "seconds"), pa.float64()),
        **dict.fromkeys(("size", "rows", "frames", "written"), pa.int64()),
    }
    told = pa.schema([(name, kinds[name]) for name in _MANIFESTED])
    with pq.ParquetWriter(file, told) as writer:
        for some in records:
            writer.write_table(pa.Table.from_pandas(some[told.names], told, preserve_index=False))
