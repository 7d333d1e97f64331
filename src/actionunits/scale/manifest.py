"""What is to be read: a folder, a pattern, files, or a list of them, as one table of inputs.

A list is a CSV, TSV or Parquet file with a column ``path`` and, where only a part of a video is
wanted, ``start`` and ``end`` in seconds. Relative paths are those from the folder of the list.

An input is a row of five columns: ``path``, ``start``, ``end`` (NaN: to the end), ``size`` (bytes,
-1 where nobody was asked) and ``modified`` (seconds since 1970). The driver takes some 1.7 kB each
(`benchmarks/scale.py`).
"""

import glob
import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import pandas as pd

from actionunits import media
from actionunits.errors import DataError, UserError, brief, counted, printable
from actionunits.files import lists
from actionunits.files.names import listed
from actionunits.scale.storage import State, Storage, is_remote, joined, persistently, storage

_T = TypeVar("_T")

COLUMNS = ["path", "start", "end", "size", "modified"]
KEY = ["path", "start", "end"]
"""What an input is known by."""
_TEXT, _PARQUET = (".csv", ".tsv"), ".parquet"
_KNOWN = {"path", "start", "end"}
_HANDS = 16  # threads that ask a store
_ADVICE = "expected a column path, and start and end (seconds) where parts are wanted"

Report = Callable[[UserError], None]
Absent = Callable[["Item", str], None]


class Item(NamedTuple):
    """One input: a picture, or a video from `start` to `end`."""

    path: str
    start: float = 0.0  # seconds
    end: float | None = None  # seconds; None: to its end
    size: int = -1  # bytes
    modified: float = float("nan")  # seconds since 1970


def is_picture(path: str) -> bool:
    """Whether a file is a picture by its name, moving or not: nothing is opened."""
    return PurePosixPath(path).suffix.lower() in media.IMAGES


def read(
    given: Sequence[str], report: Report, absent: Absent = lambda item, why: None
) -> pd.DataFrame:
    """All inputs behind what the user names, in order, each once.

    Args:
        given: folders, patterns, files or lists of files; paths or URLs.
        report: is told of what is missing, wrong or there twice; the others go on.
        absent: is told of each input that is named but not there, and why.

    Returns:
        A row an input, see the module.

    Raises:
        UserError: nothing is left: the first problem, which is not reported then.
    """
    problems: list[UserError] = []
    parts = []
    for name in given:
        try:
            parts.append(_expanded(name, problems.append, absent))
        except UserError as error:
            problems.append(error)
    table = pd.concat(parts, ignore_index=True) if parts else _table([])
    table = _once(table, problems.append)
    if not len(table):
        problems = problems or [UserError("nothing to read: name a folder, files or a list")]
    for problem in problems[0 if len(table) else 1 :]:
        report(problem)
    if not len(table):
        raise problems[0]
    return table


def items(table: pd.DataFrame) -> Iterator[Item]:
    """The rows of a table of inputs."""
    for path, start, end, size, modified in zip(*(table[name] for name in COLUMNS), strict=True):
        until = None if math.isnan(end) else float(end)
        yield Item(str(path), float(start), until, int(size), float(modified))


def left(
    wanted: pd.DataFrame,
    records: pd.DataFrame,
    *,
    again: Iterable[str] = (),
    is_same: Callable[[Item, str], bool] | None = None,
) -> pd.DataFrame:
    """Inputs that are still to be read: new ones, and those that have changed.

    Args:
        wanted: inputs as `read` gives them.
        records: of the output, each input once.
        again: states of inputs that are read again.
        is_same: whether an input of the same size and another time has this checksum; without it,
            it is taken to have changed.
    """
    about = records[[*KEY, "size", "modified", "state", "checksum"]]
    both = wanted.merge(about, how="left", on=KEY, suffixes=("", "_then"))
    held = both["state"].notna() & ~both["state"].isin(list(again))
    held &= both["size"] == both["size_then"]
    times = both["modified"], both["modified_then"]
    same = ((times[0] == times[1]) | (times[0].isna() & times[1].isna())).to_numpy(bool).copy()
    if is_same is not None:
        for at in np.flatnonzero(held & ~same & (both["checksum"].fillna("") != "")):
            row = both.iloc[int(at)]
            same[at] = is_same(Item(str(row["path"])), str(row["checksum"]))
    return wanted[~(held.to_numpy(bool) & same)].reset_index(drop=True)


def checksum(item: Item) -> str:
    """SHA-256 of a file, wherever it is."""
    with persistently(lambda: storage(item.path).open(item.path)) as file:
        return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()


def _expanded(name: str, report: Report, absent: Absent) -> pd.DataFrame:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _TEXT or suffix == _PARQUET:
        return _stated(_list(name, report), report, absent)
    store = storage(name)
    if glob.has_magic(name) and (is_remote(name) or not os.path.lexists(name)):
        found = _asked(name, partial(store.matching, name))
        named = [each for each in found if _is_media(each)]
        if not named:
            raise UserError(f"{name}: no picture and no video matches this pattern; check it")
        return _stated(_table(_readable(named, report)), report, absent)
    if not is_remote(name):
        if media.is_camera(name) or name.isdecimal() and not os.path.lexists(name):
            raise UserError(f"{name}: cameras are read by one process; leave out --engine")
        return _stated(_table(_readable(media.sources([name], report), report)), report, absent)
    if _is_media(name):
        return _stated(_table([Item(name)]), report, absent)
    below = _asked(name, lambda: sorted(store.below(name)))
    found_items = [Item(each, 0.0, None, *state) for each, state in below if _is_media(each)]
    if not found_items:
        raise UserError(f"{name}: holds no picture and no video; check the address")
    return _table(found_items)


def _asked(name: str, work: Callable[[], _T]) -> _T:
    try:
        return persistently(work)
    except UserError:
        raise
    except OSError as error:
        raise UserError(
            f"{name}: cannot be listed: {_why(error)}; check the address and that you may read it"
        ) from error


def _readable(names: Iterable[str], report: Report) -> list[Item]:
    """Files as inputs; tables hold only names that are text."""
    found = []
    for name in names:
        if name.encode("utf-8", "replace").decode() == name:
            found.append(Item(name))
        else:
            report(
                DataError(f"{printable(name)}: this name is no text, which tables need; rename it")
            )
    return found


def _is_media(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in media.IMAGES | media.VIDEOS


def _table(rows: Iterable[Item]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=COLUMNS)
    text, whole = table["path"].astype("str"), table["size"].astype("int64")
    times = {name: table[name].astype("float64") for name in ("start", "end", "modified")}
    return table.assign(path=text, size=whole, **times)


def _list(name: str, report: Report) -> pd.DataFrame:
    """Inputs of a list, without their sizes."""
    cells = _cells(name)
    if "path" not in cells:
        found = ", ".join(map(str, cells.columns[:8])) or "none"
        raise DataError(f"{name}: lacks the column path, found {found}; {_ADVICE}")
    if unknown := [str(column) for column in cells if column not in _KNOWN and column]:
        report(DataError(f"{name}: the columns {listed(unknown)} are not read; {_ADVICE}"))
    paths = cells["path"].fillna("").astype(str).str.strip()
    times = {}
    for column, default in (("start", 0.0), ("end", np.nan)):
        given = cells[column] if column in cells else pd.Series(np.nan, cells.index)
        times[column] = (
            given.astype(float)
            if pd.api.types.is_numeric_dtype(given)
            else lists.numbers(given.astype("str").str.strip())
        )
        is_text = given.notna() & (given.astype(str).str.strip() != "")
        wrong = is_text & times[column].isna()
        _refuse(name, cells, wrong, f"{column} is no number of seconds", report)
        paths = paths.where(~wrong, "")
        times[column] = times[column].fillna(default)
    backwards = (times["start"] < 0) | (times["end"] <= times["start"]) | np.isinf(times["start"])
    _refuse(name, cells, backwards, "expected 0 <= start < end", report)
    _refuse(name, cells, cells["path"].isna() | (cells["path"].astype(str).str.strip() == ""),
            "the path is empty", report)  # fmt: skip
    if not len(cells):
        raise DataError(f"{name}: lists nothing; {_ADVICE}")
    kept = (paths != "") & ~backwards
    root = os.path.dirname(name) if not is_remote(name) else name.rpartition("/")[0]
    table = pd.DataFrame({"path": paths[kept], **{c: v[kept] for c, v in times.items()}})
    table["path"] = [p if is_remote(p) or not root else joined(root, p) for p in table["path"]]
    table = table.assign(size=-1, modified=np.nan)
    return table.astype({"path": "str", "size": "int64"}).reset_index(drop=True)


def _refuse(
    name: str, cells: pd.DataFrame, wrong: "pd.Series[bool]", why: str, report: Report
) -> None:
    if wrong.any():
        lines = [str(line) for line in cells.index[wrong]]
        row = cells.loc[wrong].iloc[0]
        shown = brief(", ".join(map(str, row.fillna("").tolist())))
        report(
            DataError(
                f"{name}: {counted(len(lines), 'line')} left out, {why}: line {listed(lines)}, "
                f"the first {shown}; mend the list and run the same command again"
            )
        )


def _cells(name: str) -> pd.DataFrame:
    """A list as it stands: text of a CSV by line, values of a Parquet file by row."""
    import tempfile

    try:
        with tempfile.TemporaryDirectory(prefix="au-") as folder:
            file = persistently(lambda: storage(name).at_hand(name, Path(folder)))
            if file.suffix.lower() != _PARQUET:
                return lists.cells(file, name)
            table = pd.read_parquet(file)
    except (FileNotFoundError, PermissionError) as error:
        raise DataError(f"{name}: {_why(error)}; check the path of the list") from error
    except UserError:
        raise
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{name}: is no table that can be read; {_ADVICE}") from error
    table.columns = [str(column).strip().lower() for column in table]
    table.index += 1
    return table


def _stated(table: pd.DataFrame, report: Report, absent: Absent) -> pd.DataFrame:
    """With sizes and times, without what is not there."""

    def kind(path: str) -> str:
        return path.partition("://")[0] if is_remote(path) else ""

    stores: dict[str, Storage] = {}
    refused: dict[str, OSError] = {}
    for each, path in {kind(path): path for path in table["path"]}.items():
        try:
            stores[each] = storage(path)
        except UserError as error:
            refused[each] = OSError(str(error))

    def asked(path: str) -> State | OSError:
        if kind(path) in refused:
            return refused[kind(path)]
        try:
            return persistently(partial(stores[kind(path)].state, path))
        except OSError as error:
            return error
        except ValueError as error:  # of a name that can be of no file
            return OSError(str(error))

    if list(stores) == [""]:  # threads gain nothing here
        states = [asked(path) for path in table["path"]]
    else:
        with ThreadPoolExecutor(_HANDS, "state") as hands:
            states = list(hands.map(asked, table["path"]))
    faults: dict[str, list[str]] = {}
    for item, state in zip(items(table), states, strict=True):
        if isinstance(state, OSError):
            faults.setdefault(_why(state), []).append(item.path)
            absent(item, _why(state))
    hint = (
        "; relative paths are those from the folder of the list"
        if sum(map(len, faults.values())) == len(table) > 1
        else ""
    )
    for why, paths in faults.items():
        left_out = f"{counted(len(paths), 'input')} left out, {why}"
        report(DataError(f"{left_out}: {listed(paths)}; check the paths{hint}"))
    good = np.array([isinstance(state, State) for state in states], bool)
    kept = table[good].copy()
    known = [state for state in states if isinstance(state, State)]
    kept["size"] = np.array([state.size for state in known], np.int64)
    kept["modified"] = np.array([state.modified for state in known], float)
    return kept.reset_index(drop=True)


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    code = getattr(error, "errno", None)
    return os.strerror(code) if code else str(error)


def _once(table: pd.DataFrame, report: Report) -> pd.DataFrame:
    again = table.duplicated(KEY)
    if again.any():
        names = [str(path) for path in table.loc[again, "path"]]
        report(
            DataError(
                f"{counted(len(names), 'input')} named more than once, read once: {listed(names)}"
            )
        )
    return table[~again].reset_index(drop=True)
