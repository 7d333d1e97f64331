"""Lists that people hand in as text: whichever encoding and separator their program writes."""

import codecs
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from actionunits.errors import DataError

WORKBOOKS = (".xlsx", ".xls", ".ods")
"""Files of spreadsheet programs, which are not read; in small letters."""

_COMMA = r"^(-?\d+),(\d+)$"
_WORKBOOK = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how they begin, whatever they are called


def cells(file: Path, name: str = "") -> pd.DataFrame:
    """All cells as text, by line, 1 being that of the names of the columns, in lower case.

    Args:
        file: to read.
        name: of the file in messages, if it is a copy of another.

    Raises:
        DataError: the file cannot be read or is no table, or a column is there twice.
    """
    name = name or str(file)
    try:
        text = text_of(file)
        # Read without a header, no line may be longer than the first.
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator(text),
            header=None,
            dtype=str,
            skipinitialspace=True,
            skip_blank_lines=False,
        )
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # pandas' own errors are ValueErrors
        raise DataError(f"{name}: expected a table as text, such as CSV: {why(error)}") from error
    table.index += 1
    names = table.iloc[0].fillna("").str.strip().str.lower()
    twice = names[names.duplicated() & (names != "")]
    if len(twice):
        raise DataError(f"{name}: has the column {twice.iloc[0]} twice; keep one")
    return table.iloc[1:].set_axis(list(names), axis=1).dropna(how="all")


def columns(file: Path, *wanted: str, optional: tuple[str, ...] = ()) -> pd.DataFrame:
    """Cells of named columns, without blanks around them, by line as in `cells`.

    Args:
        file: to read.
        wanted: names of columns, in small letters.
        optional: names of others, which are there if the file has them.

    Returns:
        Text; empty where a cell is.

    Raises:
        DataError: the file cannot be read or is no table, or lacks a column or has one twice.
    """
    table = cells(file)
    if missing := [name for name in wanted if name not in table]:
        verb = "is" if len(missing) == 1 else "are"
        raise DataError(
            f"{file}: expected the columns {_and(wanted)}; {_and(missing)} {verb} missing; found "
            f"{', '.join(map(str, list(table)[:12]))}"
        )
    names = [*wanted, *(name for name in optional if name in table)]
    return pd.DataFrame({name: table[name].fillna("").astype("str").str.strip() for name in names})


def why(error: Exception) -> str:
    """Why pandas could not read a table.

    >>> why(pd.errors.EmptyDataError("No columns to parse from file"))
    'it is empty'
    """
    empty = isinstance(error, pd.errors.EmptyDataError)
    said = str(error).partition("\n")[0].removeprefix("Error tokenizing data. C error: ")
    return "it is empty" if empty else said.replace("Expected", "expected", 1)[:200]


def filled(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The same table, which has lines, and in which no cell is empty.

    Raises:
        DataError: it has none, or a cell is empty; names its line.
    """
    if table.empty:
        raise DataError(f"{file}: has no line below the names of its columns; fill it")
    empty = (table == "").any(axis=1)
    if empty.any():
        raise DataError(f"{file}:{empty.idxmax()}: a cell is empty; fill it, or leave the line out")
    return table


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def text_of(file: Path) -> str:
    """Text of a file, see `decoded`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no text but the workbook of a spreadsheet program.
    """
    content = file.read_bytes()
    if content.startswith(_WORKBOOK):
        raise ValueError("it is a workbook; save the sheet as CSV in the program that made it")
    return decoded(content)


def decoded(content: bytes) -> str:
    """Text of a file in UTF-8, UTF-16 with its mark, or else Windows-1252.

    >>> decoded("é".encode("utf-8-sig")), decoded("é".encode("cp1252"))
    ('é', 'é')
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def separator(text: str) -> str:
    r"""The comma, semicolon or tab that the first line has most of.

    >>> separator("source;frame;x\na,b;1;2,5")
    ';'
    """
    heading = text.partition("\n")[0]
    return max(",;\t", key=heading.count)


def numbers(cells: "pd.Series[Any]") -> "pd.Series[float]":
    """Numbers of cells, which may be numbers already, 2,5 being 2.5; NaN for what is none.

    >>> numbers(pd.Series(["2,5", "-1", "two"])).tolist()
    [2.5, -1.0, nan]
    """
    if is_numeric_dtype(cells):
        return cells.astype(float)
    points = cells.astype("str").str.replace(_COMMA, r"\1.\2", regex=True)
    return pd.to_numeric(points, errors="coerce").astype(float)
