"""The numbers that the five papers print, as data: their own and those they quote of others.

``tables/`` holds one YAML file a paper, laid out to be proof-read against it: every table
of results and every result that only the prose gives, digit by digit as printed, ``-`` where the
text of the paper lost a number. A row whose printed average is not that of its AUs carries a note.
`PublishedTable` says what the fields mean.
"""

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import pandas as pd
import yaml

from actionunits.aus import AUSet
from actionunits.learn.grid import MEAN, UNITS

WHOLE = ""
"""The one column of a quantity that is not per AU."""


@dataclass(frozen=True)
class Protocol:
    """How a paper's own numbers came about."""

    folds: int
    """Of the subject-exclusive cross-validation whose mean is printed."""
    threshold: dict[str, float]
    """Data set to the intensity from which on an AU occurs."""
    selection: str
    """What the paper says on how the epoch was chosen."""
    pretraining: str
    """Data that the weights started from unless a row says otherwise, ``none``, ``not stated``."""
    template: str
    """How its faces are placed, see `actionunits.faces.templates`."""
    about: str


@dataclass(frozen=True)
class Row:
    """One printed row."""

    method: str
    values: tuple[float, ...]
    """In the order of the table's columns; NaN where the text of the paper lost the number."""
    decimals: int
    """Printed behind the point."""
    run: str | None
    """What repeats the row, as ``au train`` takes it: ``sacl_bp4d --ablation knn=5``. None for
    methods of others, and for rows of which too little is known."""
    pretraining: str
    """Data that the weights of `run` started from, as in `Protocol`; "" where there is none."""
    note: str
    """How the row contradicts itself; "" where it does not."""

    @property
    def ablation(self) -> str | None:
        """The ablation of `run`, "" for the recipe as it is; None where nothing repeats the row."""
        return None if self.run is None else self.run.partition(" --ablation ")[2]


@dataclass(frozen=True)
class PublishedTable:
    """One metric of one printed table, figure or paragraph."""

    system: str
    """Registered name of the paper's model."""
    paper: str
    """Its authors and title."""
    source: str
    """``Table 5`` or ``section 4.6``."""
    data: str
    """Name of the data set, ``any`` where it does not matter."""
    metric: str
    """One of `UNITS`."""
    columns: tuple[str, ...]
    """Column names of AUs, then `MEAN`; or `WHOLE` alone."""
    rows: tuple[Row, ...]
    remark: str
    """What the text lost, or what must be known to read the table."""
    trained_on: str
    """Data set of the training; not `data` in a cross-data-set evaluation."""
    protocol: Protocol

    def to_frame(self) -> pd.DataFrame:
        """One line a number: paper, table, method, data, metric, unit, au, value, note."""
        lines = [
            {
                "paper": self.system,
                "table": self.source,
                "method": row.method,
                "data": self.data,
                "trained_on": self.trained_on,
                "metric": self.metric,
                "unit": UNITS[self.metric],
                "au": column,
                "value": value,
                "note": row.note,
            }
            for row in self.rows
            for column, value in zip(self.columns, row.values, strict=True)
        ]
        return pd.DataFrame(lines)


def tables() -> list[PublishedTable]:
    """All tables, paper by paper, in the order in which the papers print them.

    >>> [t.source for t in tables() if t.system == "sacl" and t.metric == "f1"]
    ['Table 5', 'Table 6', 'Table 7', 'Table 9']
    """
    return list(_read())


def find(data: str, metric: str, method: str | None = None) -> pd.DataFrame:
    """Published numbers of a data set, one a line.

    Args:
        data: name of the data set, such as ``bp4d``.
        metric: one of `UNITS`.
        method: as printed; case, accents and punctuation do not matter. None takes all.

    Returns:
        The lines of `PublishedTable.to_frame`; none where nothing was published.

    >>> found = find("disfa", "f1", "MGRR-Net")
    >>> found.loc[found.au == "mean", ["table", "value"]].values.tolist()
    [['Table VI', 68.2]]
    """
    found = [table.to_frame() for table in _read() if (table.data, table.metric) == (data, metric)]
    frame = pd.concat(found or [_read()[0].to_frame().iloc[:0]], ignore_index=True)
    if method is None:
        return frame
    return frame[frame["method"].map(_plain) == _plain(method)].reset_index(drop=True)


def of_run(run: str, metric: str) -> tuple[PublishedTable, Row] | None:
    """The first row that a recipe of the package repeats.

    Args:
        run: recipe and ablation, as in `Row.run`.
        metric: one of `UNITS`.
    """
    for table in _read():
        if table.metric == metric:
            for row in table.rows:
                if row.run == run:
                    return table, row
    return None


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.lower())  # accents become marks of their own
    return "".join(letter for letter in letters if letter.isascii() and letter.isalnum())


def files() -> list[Traversable]:
    """The YAML files, by name."""
    folder = resources.files("actionunits.papers") / "tables"
    found = [file for file in folder.iterdir() if file.name.endswith(".yaml")]
    return sorted(found, key=lambda file: file.name)


def content(file: Traversable) -> dict[str, Any]:
    """What one file holds."""
    values: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return values


@cache
def _read() -> tuple[PublishedTable, ...]:
    papers = [content(file) for file in files()]
    return tuple(
        table for paper in papers for entry in paper["tables"] for table in _of(paper, entry)
    )


def _of(paper: dict[str, Any], entry: dict[str, Any]) -> Iterator[PublishedTable]:
    """Tables of one entry of a file, one a metric."""
    lines = [line.rpartition("|") for line in entry["rows"].splitlines()]
    printed = [(name.strip(), numbers.split()) for name, _, numbers in lines]
    aus = entry.get("aus", [])
    if "methods" in entry:  # printed with a row an AU, the average last, and a column a method
        aus = [int(name) for name, _ in printed[:-1]]
        across = zip(*(numbers for _, numbers in printed), strict=True)
        printed = [(m, list(down)) for m, down in zip(entry["methods"], across, strict=True)]
    blocks: list[tuple[str, tuple[str, ...], list[tuple[str, list[str]]]]]
    if "metrics" in entry:  # a column each, of things that are not per AU
        blocks = [
            (metric, (WHOLE,), [(name, [numbers[i]]) for name, numbers in printed])
            for i, metric in enumerate(entry["metrics"])
        ]
    else:
        named = AUSet.of(aus).columns() if aus else []
        blocks = [(entry["metric"], (*named, MEAN), printed)]
    ours, notes = entry.get("ours", {}), entry.get("notes", {})
    protocol = Protocol(**paper["protocol"])
    starts = dict.fromkeys(ours, protocol.pretraining) | entry.get("pretraining", {})
    for metric, columns, rows in blocks:
        yield PublishedTable(
            system=paper["system"],
            paper=f"{paper['authors']}: {paper['title']}",
            source=entry["source"],
            data=entry["data"],
            metric=metric,
            columns=columns,
            rows=tuple(
                Row(
                    method=name,
                    values=tuple(math.nan if n == "-" else float(n) for n in numbers),
                    decimals=max(len(n.partition(".")[2]) for n in numbers),
                    run=ours.get(name),
                    pretraining=starts.get(name, ""),
                    note=notes.get(name, ""),
                )
                for name, numbers in rows
            ),
            remark=entry.get("remark", ""),
            trained_on=entry.get("trained_on", entry["data"]),
            protocol=protocol,
        )
