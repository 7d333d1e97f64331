"""Lists that people hand in as text: whichever encoding and separator their program writes."""

import codecs
import io
from pathlib import Path

import pandas as pd

from actionunits.errors import DataError

_COMMA = r"^(-?\d+),(\d+)$"


def cells(file: Path) -> pd.DataFrame:
    """All cells as text, by line, 1 being that of the names of the columns, in lower case.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no table.
        DataError: a column is there twice.
    """
    text = decoded(file.read_bytes())
    # Read without a header, no line may be longer than the first.
    table = pd.read_csv(
        io.StringIO(text),
        sep=separator(text),
        header=None,
        dtype=str,
        skipinitialspace=True,
        skip_blank_lines=False,
    )
    table.index += 1
    names = table.iloc[0].fillna("").str.strip().str.lower()
    twice = names[names.duplicated() & (names != "")]
    if len(twice):
        raise DataError(f"{file}: has the column {twice.iloc[0]} twice; keep one")
    return table.iloc[1:].set_axis(list(names), axis=1).dropna(how="all")


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


def numbers(cells: "pd.Series[str]") -> "pd.Series[float]":
    """Numbers of cells, 2,5 being 2.5; NaN for what is none.

    >>> numbers(pd.Series(["2,5", "-1", "two"])).tolist()
    [2.5, -1.0, nan]
    """
    points = cells.str.replace(_COMMA, r"\1.\2", regex=True)
    return pd.to_numeric(points, errors="coerce").astype(float)
