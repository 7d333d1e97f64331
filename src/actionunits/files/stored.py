"""What files of others hold, read with care: columns of Parquet files, and objects of JSON."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from actionunits.errors import DataError

NOT_PARQUET = (OSError, pa.ArrowException, UnicodeDecodeError)
"""What a damaged Parquet file leads to: names of its columns may no longer be text."""


def read_columns(
    file: Path, columns: Mapping[str, pa.DataType], advice: str, *, optional: tuple[str, ...] = ()
) -> pa.Table:
    """Read some columns of a Parquet file, and compare its pages with their checksums.

    Args:
        file: to read.
        columns: names and types; others that hold the same values, such as whole numbers as text,
            are converted.
        advice: what to do about a file that is not what it should be.
        optional: of the columns, those that may have empty cells.

    Raises:
        DataError: there is no such file, it is damaged, a column is missing or there twice, or its
            cells are of another type or empty.
    """
    names = column_names(file, advice)
    if absent := [name for name in columns if name not in names]:
        raise DataError(f"{file}: lacks the columns {', '.join(absent)}; {advice}")
    if twice := [name for name in columns if names.count(name) > 1]:
        raise DataError(f"{file}: has columns more than once: {', '.join(twice)}; {advice}")
    with _whole(file, advice):
        table = pq.read_table(file, columns=list(columns), page_checksum_verification=True)
    converted = {}
    for name, kind in columns.items():
        column = table[name]
        try:
            converted[name] = column.cast(kind)
        except pa.ArrowException:
            raise DataError(
                f"{file}: expected {kind} in the column {name}, found {column.type} that cannot be "
                f"read so; {advice}"
            ) from None
        if column.null_count and name not in optional:
            raise DataError(f"{file}: the column {name} has empty cells; {advice}")
    return pa.table(converted).replace_schema_metadata(table.schema.metadata)


def column_names(file: Path, advice: str) -> list[str]:
    """Names of the columns of a Parquet file, in its order.

    Raises:
        DataError: there is no such file, or it is damaged; with the advice what to do about it.
    """
    with _whole(file, advice):
        names: list[str] = pq.read_schema(file).names
    return names


@contextmanager
def _whole(file: Path, advice: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file; {advice}") from None
    except NOT_PARQUET as error:
        reason = str(error).splitlines()[0][:200]
        raise DataError(f"{file}: not a whole Parquet file ({reason}); {advice}") from error


def json_object(text: str | bytes) -> dict[str, Any]:
    """Read an object of JSON.

    Raises:
        ValueError: it is none, with the reason.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, found {type(found).__name__}")
    return found
