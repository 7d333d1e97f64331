"""Rows of an output, some columns and those that are asked for, a part at a time."""

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from actionunits.errors import DataError, UserError
from actionunits.files import atomic, writing
from actionunits.files.names import listed
from actionunits.scale import parts
from actionunits.scale.parts import Output

_CONDITION = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|==|!=|=|<|>)\s*([^\s<>=!]+)\s*")
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "=": pc.equal,
    "==": pc.equal,
    "!=": pc.not_equal,
}


class Condition(NamedTuple):
    """What a row must be, such as ``AU12_r >= 2``."""

    column: str
    sign: str
    value: float


def condition(text: str) -> Condition:
    """A condition as somebody wrote it.

    >>> condition("AU12_r>=2")
    Condition(column='AU12_r', sign='>=', value=2.0)

    Raises:
        UserError: it is none.
    """
    found = _CONDITION.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        return Condition(found[1], found[2], float(found[3]))
    except ValueError:
        raise UserError(
            f"--where {text!r}: expected a column, one of {' '.join(_OPERATORS)}, and a number, "
            "such as AU12_r>=2"
        ) from None


class Query(NamedTuple):
    """Which rows of an output, and what of them."""

    columns: tuple[str, ...] = ()  # all where there are none
    where: tuple[Condition, ...] = ()  # all of them hold
    files: tuple[str, ...] = ()  # patterns of paths, one of which fits; all where there are none


def rows(output: Output, query: Query, records: pd.DataFrame) -> Iterator[pa.Table]:
    """Rows that are asked for, a part at a time; parts without any are not opened.

    Args:
        output: whose rows.
        query: which.
        records: of the output; an input that two parts hold is read from the newer one.

    Raises:
        DataError: there is no such column, or a part is damaged.
    """
    old = parts.stale(records)
    wanted = ~old & (records["rows"] > 0) & _fits(records["path"], query.files)
    for name in records.loc[wanted, "part"].unique():
        here = records["part"] == name
        yield _of_part(output, name, query, records[here & ~wanted])


def _fits(paths: "pd.Series[str]", patterns: Sequence[str]) -> "pd.Series[bool]":
    """Which paths fit a pattern, as a whole or by the name of the file."""
    if not patterns:
        return pd.Series(True, paths.index)
    fits = re.compile("|".join(map(fnmatch.translate, patterns))).match
    found = [bool(fits(path) or fits(path.rpartition("/")[2])) for path in paths]
    return pd.Series(found, paths.index, dtype=bool)


def _of_part(output: Output, name: str, query: Query, gone: pd.DataFrame) -> pa.Table:
    try:
        with output.open(name) as file:
            part = pq.ParquetFile(file)
            there = part.schema_arrow.names
            shown = list(query.columns) or there
            needed = {*shown, *(each.column for each in query.where)}
            if absent := sorted(needed - set(there)):
                raise DataError(
                    f"{output.place}: has no column {listed(absent)}; it has {', '.join(there)}"
                )
            needed |= {"input", "timestamp"} if len(gone) else set()
            table = part.read([column for column in there if column in needed])
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{output.file(name)}: cannot be read; remove it, and run au detect again"
        ) from error
    keep = parts.current(table, gone) if len(gone) else pa.array(np.ones(len(table), bool))
    for column, sign, value in query.where:
        keep = pc.and_(keep, pc.fill_null(_OPERATORS[sign](table[column], value), False))
    return table.filter(keep).select(shown).replace_schema_metadata(None)


def write(tables: Iterator[pa.Table], schema: pa.Schema, out: Path) -> int:
    """Write rows as CSV or Parquet, a part at a time.

    Args:
        tables: rows.
        schema: of them.
        out: file to write; its suffix tells which.

    Returns:
        Number of rows.

    Raises:
        UserError: it cannot be written.
    """
    count = 0
    with writing(out), atomic(out) as file:
        make = pq.ParquetWriter if out.suffix.lower() == ".parquet" else csv.CSVWriter
        with make(str(file), schema) as writer:
            for table in tables:
                writer.write_table(table.cast(schema))
                count += len(table)
    return count


def columns(output: Output, records: pd.DataFrame) -> list[str]:
    """Columns of the rows of an output.

    Raises:
        DataError: it has none.
    """
    if not len(records):
        raise DataError(f"{output.place}: holds no rows that au detect --engine ray wrote")
    with output.open(str(records["part"].iloc[0])) as file:
        return list(pq.read_schema(file).names)
