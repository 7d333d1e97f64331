"""Keeps the tables of pages that repeat what is data elsewhere: `python docs/building/tables.py`.

A table stands between `<!-- table: NAME ARGUMENTS -->` and `<!-- end -->`. NAME is a function
below, and what it returns takes the place of what is there. A test compares.
"""

import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from actionunits import weights
from actionunits.aus import RENDERED, AUSet
from actionunits.files import atomic
from actionunits.learn.card import read_card
from actionunits.learn.grid import MEAN, UNITS
from actionunits.papers import published
from actionunits.papers.compare import compare

DOCS = Path(__file__).resolve().parents[1]
_PLACE = re.compile(r"(<!-- table: (.*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
WEIGHTS = DOCS / "weights.md"
BASELINE = "resnet18"
SYSTEMS = {
    "renet": "RE-Net",
    "mgrrnet": "MGRR-Net",
    "gtlenet": "GTLE-Net",
    "sacl": "SACL",
    "mdhr": "MDHR",
}
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
    """What a system reaches on the corpus in the package, AU by AU, beside its baseline."""
    folders = [DOCS / "results" / f"{name}_synfacs" for name in (BASELINE, system)]
    f1, auc = (compare(folders, metric).together[1].frame for metric in ("f1", "auc"))
    rows = [
        [
            str(au).replace("AU0", "AU"),
            *(f"{value:.1f}" for value in (line["reference"], line["value"])),
            _difference(line),
            *(f"{auc.loc[au, name]:.1f}" for name in ("reference", "value")),
        ]
        for au, line in f1.iterrows()
    ]
    ends = (BASELINE, system)
    head = ["", *(f"F1, {n}" for n in ends), "difference [95 %]", *(f"AUC, {n}" for n in ends)]
    return grid(head, rows)


def systems() -> str:
    """The systems beside their baseline: on the corpus in the package, and as small weights."""
    rows = []
    for system, page in SYSTEMS.items():
        folders = [DOCS / "results" / f"{name}_synfacs" for name in (BASELINE, system)]
        line = compare(folders).together[1].frame.loc[MEAN]
        small = [f"{_small(i, system)} ({_small(i, BASELINE)})" for i in (0, 1)]
        rows.append([f"[{page}]({system}.md)", _difference(line), *small])
    head = [
        "",
        "F1 ahead [95 %], points",
        "small weights: AUC, rendered people",
        "AUC, photographs",
    ]
    return grid(head, rows)


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


def _difference(line: "pd.Series[float]") -> str:
    ends = " ".join(f"{line[f'difference_{end}']:+.0f}" for end in ("low", "high"))
    return f"{line['difference']:+.1f} [{ends}]".replace("-", "−")


def _small(table: int, system: str) -> str:
    """Mean area under the curve of a system's weights, of a table of weights.md."""
    tables = re.findall(r"^\| AU \|.*?(?=^$)", WEIGHTS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [[cell.strip() for cell in line.split("|")] for line in tables[table].splitlines()]
    (mean,) = (line for line in lines if line[1] == MEAN)
    return mean[lines[0].index(system)].split()[0]


def _cell(text: str, number: int, column: int) -> str:
    """A number of the line of an AU in the first table that has one; "" where it has none."""
    line = re.search(rf"^\| {number} [A-Z][^|]*\|(.*)\|$", text, re.MULTILINE)
    return line[1].split("|")[column].strip() if line else ""


TABLES: dict[str, Callable[..., str]] = {
    function.__name__: function for function in (printed, measured, systems, readings, read_as)
}

if __name__ == "__main__":
    for page in pages():
        with atomic(page) as file:
            file.write_text(filled(page.read_text("utf-8")), "utf-8")
