"""Tables of text, laid out once and shown in a terminal, in Markdown and in LaTeX."""

import math
from itertools import zip_longest
from typing import NamedTuple

from rich import box
from rich.table import Table

from actionunits.aus import RENDERED

UNITS = {
    "f1": "%",
    "accuracy": "%",
    "auc": "%",
    "icc": "",  # ICC(3,1), at most 1
    "mae": "levels",  # of intensity on 0 to 5
    "landmark_error": "% of the inter-ocular distance",
    "parameters": "M",
    "multiply_adds": "G",
    "ms_per_image": "ms",
    "images_per_second": "1/s",
    "f1_gain": "points",
    "accuracy_gain": "points",
    "parameters_gain": "%",
    "multiply_adds_gain": "%",
    "parameters_share": "%",
    "multiply_adds_share": "%",
}
SCALE = {metric: 100.0 if unit == "%" else 1.0 for metric, unit in UNITS.items()}
"""From shares, as scores are computed, to what papers print."""
MEAN = "mean"
"""Column of the average over the AUs."""
AU_NAMES = {au.column: f"{au.number:2d} {au.name}" for au in RENDERED}
"""What stands in the first column, by the column name of the AU."""
DASH = "-"
"""Stands for what is not known."""
_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


class Grid(NamedTuple):
    """A table of text."""

    title: str
    headings: tuple[str, ...]
    """A line break in one is there to keep its column narrow."""
    rows: tuple[tuple[str, ...], ...]
    """The first cell of one may be `MEAN`; below it may stand its interval."""
    lines: tuple[str, ...]
    """What to read below the table."""

    def to_table(self) -> Table:
        """For a terminal."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, padding=0)
        table.add_column(self.headings[0], overflow="ellipsis", no_wrap=True, min_width=4)
        for heading in self.headings[1:]:
            table.add_column(heading, justify="right", no_wrap=True)
        for row, below in zip_longest(self.rows, self.rows[1:], fillvalue=("",)):
            table.add_row(*row, end_section=below[0] == MEAN)
        return table

    def to_markdown(self) -> str:
        """The same, with its title and lines."""
        rule = ["---", *["---:"] * (len(self.headings) - 1)]
        table = [f"| {' | '.join(cells)} |" for cells in (self._flat(), rule, *self.rows)]
        notes = [f"- {line}" for line in self.lines]
        return "\n".join([f"**{self.title}**", "", *table, "", *notes]) + "\n"

    def to_latex(self) -> str:
        """The same as a ``table*``, as wide as the page; the document loads ``booktabs``."""
        rows = []
        for cells in self.rows:
            rows += [r"\midrule"] * (cells[0] == MEAN)
            rows.append(_latex_row(cells))
        caption = ". ".join(line.translate(_LATEX) for line in (self.title, *self.lines))
        return "\n".join(
            [
                r"\begin{table*}",
                r"\centering",
                # Up to sixteen columns in the width of a page.
                r"\scriptsize",
                r"\setlength{\tabcolsep}{2.5pt}",
                rf"\caption{{{caption}.}}",
                rf"\begin{{tabular}}{{l{'r' * (len(self.headings) - 1)}}}",
                r"\toprule",
                _latex_row(self._flat()),
                r"\midrule",
                *rows,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table*}",
                "",
            ]
        )

    def _flat(self) -> list[str]:
        """Headings of one line each."""
        return [heading.replace("\n", " ") for heading in self.headings]


def decimals(metric: str) -> int:
    """How many a score is given with, in the unit of `UNITS`, as papers print it."""
    return 1 if UNITS[metric] == "%" else 2


def printed(value: float, metric: str) -> str:
    """A score in the unit of `UNITS`."""
    return DASH if math.isnan(value) else f"{value:.{decimals(metric)}f}"


def rounded(value: float) -> str:
    """A score in whole units, where there is no room for more."""
    return DASH if math.isnan(value) else f"{value:.0f}"


def ends(low: float, high: float, places: int) -> str:
    """Interval as ``[61 69]``, nothing for NaN."""
    return "" if math.isnan(low) else f"[{low:.{places}f} {high:.{places}f}]"


def _latex_row(cells: tuple[str, ...] | list[str]) -> str:
    shown = ["--" if cell == DASH else cell.translate(_LATEX) for cell in cells]
    return " & ".join(shown) + r" \\"
