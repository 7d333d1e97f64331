"""Keeps the tables of pages that repeat what is data elsewhere: `python docs/building/tables.py`.

A table stands between `<!-- table: NAME ARGUMENTS -->` and `<!-- end -->`. NAME is a function
below, and what it returns takes the place of what is there. A test compares.
"""

import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from actionunits import weights
from actionunits.aus import RENDERED, AUSet
from actionunits.files import atomic
from actionunits.learn.card import read_card
from actionunits.learn.grid import MEAN, UNITS
from actionunits.papers import published
from actionunits.papers.compare.measured import read_run

DOCS = Path(__file__).resolve().parents[1]
_PLACE = re.compile(r"(<!-- table: (.*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_LEAST = 0.3  # rise of an intensity that is worth telling


def printed(system: str, source: str, metric: str) -> str:
    """Rows of a paper's table that recipes repeat, and the command that does."""
    found = published.tables()
    (table,) = (t for t in found if (t.system, t.source, t.metric) == (system, source, metric))
    unit = f"{metric.upper()}, {UNITS[metric]}" if UNITS[metric] else metric.upper()
    columns = [c.replace("AU0", "").replace("AU", "") for c in table.columns]
    head = ["row", *(unit if c in {MEAN, ""} and len(columns) == 1 else c for c in columns)]
    rows = [
        [row.method, *(f"{value:.{row.decimals}f}" for value in row.values), f"`{row.run}`"]
        for row in table.rows
        if row.run
    ]
    return grid([*head, "repeated by `au crossval`"], rows, left=(0, len(head)))


def measured(system: str) -> str:
    """What a system and its baseline reach on the corpus in the package, AU by AU."""
    runs = [read_run(DOCS / "results" / f"{name}_synfacs") for name in ("resnet18", system)]
    columns = [run.score(metric) for metric in ("f1", "auc") for run in runs]
    rows = [
        [f"AU{number}", *(f"{values[i]:.3f}" for values in columns)]
        for i, number in enumerate(runs[0].aus)
    ]
    rows.append(["mean", *(f"{np.nanmean(values):.3f}" for values in columns)])
    head = [f"{metric}, {name}" for metric in ("F1", "AUC") for name in ("ResNet-18", system)]
    return grid(["", *head], rows)


def readings() -> str:
    """Each AU, its muscles, and how well `default` reads it, by its model card."""
    card = (weights.locate("default") / "README.md").read_text("utf-8")
    aus = AUSet(RENDERED.aus, experimental=read_card(weights.locate("default")).experimental)
    rendered, real = re.split(r"^## Scores on real", card, flags=re.MULTILINE)
    rows = [
        [
            f"[{aus.label(au)}](#au{au.number})".replace("*", r"\*"),
            au.name,
            au.muscles,
            _cell(rendered, au.number, 0),
            _cell(real, au.number, 2),
        ]
        for au in aus
    ]
    head = ["AU", "name", "muscles", "AUC, rendered people", "AUC, photographs"]
    return grid(head, rows, left=(0, 1, 2))


def read_as(number: str) -> str:
    """What `default` reads off an AU that is shown alone, by `faces.py`."""
    table = pd.read_csv(DOCS / "results" / "facs.csv", index_col="shown")
    (shown,) = AUSet.of([int(number)])
    rises = table.loc[shown.column]
    others = rises.drop(shown.column).sort_values(ascending=False)
    told = [f"AU{int(name[2:])} {rise:.1f}" for name, rise in others.items() if rise >= _LEAST]
    also = ", ".join(told) if told else f"nothing else by {_LEAST} or more"
    return (
        f"*Measured:* shown at 4, it is read as {rises[shown.column]:.1f}. Also rising: {also}.\n"
    )


def grid(head: list[str], rows: Iterable[list[str]], left: tuple[int, ...] = (0,)) -> str:
    """A table in Markdown; numbers are aligned on the right."""
    lines = [head, ["---" if i in left else "---:" for i in range(len(head))], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def filled(text: str) -> str:
    """The text with all its tables as they should be."""

    def made(place: re.Match[str]) -> str:
        name, *arguments = shlex.split(place[2])
        return place[1] + "\n" + TABLES[name](*arguments) + "\n" + place[4]

    return _PLACE.sub(made, text)


def pages() -> list[Path]:
    """Those with tables."""
    return [page for page in sorted(DOCS.rglob("*.md")) if _PLACE.search(page.read_text("utf-8"))]


def _cell(text: str, number: int, column: int) -> str:
    """A number of the line of an AU in the first table that has one; "" where it has none."""
    line = re.search(rf"^\| {number} [A-Z][^|]*\|(.*)\|$", text, re.MULTILINE)
    return line[1].split("|")[column].strip() if line else ""


TABLES: dict[str, Callable[..., str]] = {
    function.__name__: function for function in (printed, measured, readings, read_as)
}

if __name__ == "__main__":
    for page in pages():
        with atomic(page) as file:
            file.write_text(filled(page.read_text("utf-8")), "utf-8")
