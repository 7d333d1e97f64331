"""Finding the files of a data set, however they were unpacked, and reading its tables of codes."""

import csv
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from actionunits.aus import ALL, AU
from actionunits.errors import DataError, counted

NOT_CODED = (9, 999)
_DEPTH = 4  # folders below the root that are searched
_PICTURE = re.compile(r"(\d+)\.(?:jpe?g|png|bmp)", re.IGNORECASE)
_NUMBER = re.compile(r"(?:AU_?)?0*(\d+)", re.IGNORECASE)
_AUS = {au.number: au for au in ALL}


def walk(root: Path, subject: re.Pattern[str]) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each folder with the names of its folders and files, `root` first, sorted by name.

    Folders of subjects are named but not entered: they hold the thousands of pictures.

    Args:
        root: of the data set.
        subject: matches the whole name of a subject's folder.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: expected the folder of a data set, found none")
    for name, folders, files in os.walk(root, followlinks=True):
        folder = Path(name)
        folders.sort()
        yield folder, list(folders), sorted(files)
        deepest = len(folder.relative_to(root).parts) == _DEPTH
        folders[:] = [] if deepest else [f for f in folders if not subject.fullmatch(f)]


@contextmanager
def opened(file: Path) -> Iterator[TextIO]:
    """Open a table of comma-separated values for reading.

    Raises:
        DataError: the file cannot be read or what the block makes of it is no table.
    """
    with reading(file), file.open(encoding="utf-8-sig", newline="") as lines:
        yield lines


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Say in one sentence that a table could not be read.

    Raises:
        DataError: the block raised an error of the file's or of pandas'.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error
    except pd.errors.EmptyDataError:
        raise DataError(f"{file}: lists no frames") from None
    except ValueError as error:  # of pandas and of decoding
        raise DataError(f"{file}: cannot be read as a table: {str(error).strip()}") from error


def only(files: list[Path]) -> Path:
    """Return the one of these files, or the first if all have the same content.

    Raises:
        DataError: they differ.
    """
    if len(files) > 1 and len({file.read_bytes() for file in files}) > 1:
        raise DataError(f"{files[0]} and {files[1]} differ: keep the right one")
    return files[0]


def numbered(folder: Path, name: re.Pattern[str] = _PICTURE) -> "pd.Series[str]":
    """Return the paths of the pictures in a folder by their number, sorted.

    ``0721.jpg`` and ``721.jpg`` have the same number, which is then in the index twice.

    Args:
        folder: of pictures; what else it holds is left out.
        name: matches the whole name of a picture, and its first group is the number.
    """
    found = [match for match in map(name.fullmatch, os.listdir(folder)) if match]
    paths = [os.path.join(folder, match[0]) for match in found]
    return pd.Series(paths, [int(match[1]) for match in found], dtype=object).sort_index()


def au_of(name: str) -> AU | None:
    """Return the AU that a column or folder is named after: ``4``, ``AU4``, ``AU04``; or None."""
    match = _NUMBER.fullmatch(name.strip())
    return _AUS.get(int(match[1])) if match else None


def read_occurrence(file: Path) -> pd.DataFrame:
    """Read a table whose first row names its columns: the frame, then AUs by their number.

    Columns that are no AU of `aus.ALL` are left out, such as a last one that tells occlusion.

    Returns:
        Columns such as ``AU04`` of 0, 1 and NaN (9 and 999 in the file), by frame number.

    Raises:
        DataError: the file cannot be read, is cut short, names no AU or one twice, lists a frame
            twice or has a code that is none of its codes.
    """
    with opened(file) as lines:
        header = next(csv.reader([lines.readline()]), [])
        body = _numbers(lines)
    if not header or header[0].strip().lower() not in {"0", "frame"}:
        raise DataError(f"{file}: expected a first row of AU numbers that begins with 0 (frame)")
    if len(header) != body.shape[1]:
        raise DataError(f"{file}: the first row names {len(header)} columns of {body.shape[1]}")
    named = {position: au_of(name) for position, name in enumerate(header) if position}
    columns = {position: au.column for position, au in named.items() if au is not None}
    if not columns:
        raise DataError(f"{file}: the first row names no AU, found {','.join(header)[:60]}")
    if len(set(columns.values())) < len(columns):
        raise DataError(f"{file}: the first row names an AU twice")
    return _codes(file, body, columns, top=1)


def read_intensity(file: Path, au: AU) -> "pd.Series[float]":
    """Read a file of two columns without names: frame and intensity of one AU.

    Returns:
        0 to 5 and NaN (9 and 999 in the file) by frame number, named such as ``AU04_intensity``.

    Raises:
        DataError: the file cannot be read, is cut short, lists a frame twice or has a code that is
            none of its codes.
    """
    with opened(file) as lines:
        body = _numbers(lines)
    if body.shape[1] != 2:
        raise DataError(f"{file}: expected frame,intensity in every line, found {body.shape[1]}")
    name = f"{au.column}_intensity"
    return _codes(file, body, {1: name}, top=5)[name]


def _numbers(lines: TextIO) -> pd.DataFrame:
    return pd.read_csv(lines, header=None, dtype=float, skipinitialspace=True)


def _codes(file: Path, body: pd.DataFrame, columns: dict[int, str], top: int) -> pd.DataFrame:
    """Check the columns of these positions; their frame is in column 0.

    Returns:
        The columns by frame number, NaN where not coded.
    """
    numbers = body[0].to_numpy()
    codes = body[list(columns)].to_numpy(copy=True)  # (N, C)
    if not (numbers % 1 == 0).all():  # nor is NaN
        raise DataError(f"{file}: expected a whole number first in every line, the frame")
    frames = pd.Index(numbers.astype(int), name="frame")
    if not frames.is_unique:
        twice = frames[frames.duplicated()]
        raise DataError(
            f"{file}: listed twice: {counted(len(twice), 'frame')}, the first is {twice[0]}"
        )
    short = np.isnan(codes).any(1)
    if short.any():
        raise DataError(f"{file}: the line of frame {frames[short][0]} is cut short")
    codes[np.isin(codes, NOT_CODED)] = np.nan
    wrong = ~np.isnan(codes) & ~np.isin(codes, np.arange(top + 1))
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        raise DataError(
            f"{file}: expected 0 to {top}, or 9 for not coded; found {codes[row, place]:g} "
            f"for {list(columns.values())[place]} at frame {frames[row]}"
        )
    return pd.DataFrame(codes, frames, list(columns.values()))
