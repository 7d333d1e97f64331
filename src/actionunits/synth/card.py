"""The card of a corpus: how often AUs occur and go together, beside BP4D and DISFA."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from actionunits.aus import ALL, RENDERED, AUSet
from actionunits.errors import DataError
from actionunits.files.stored import column_names, read_columns
from actionunits.synth.script import SCHEMA

_KEYS = ("subject", "task", "frame", "seconds", "part")
LABELS = (*_KEYS, *ALL.columns())
"""Columns that every corpus has; those of version 2 have more AUs."""


class CorpusCard(NamedTuple):
    """Label statistics of a corpus as plain tables."""

    summary: pd.DataFrame  # rows corpus, BP4D, DISFA: subjects, frames, mean active, all neutral
    rates: pd.DataFrame  # rows AU01..: share of frames in the corpus, BP4D, DISFA; mean intensity
    correlation: pd.DataFrame  # (A, A) Pearson correlation of occurrence in the corpus


class Reference(NamedTuple):
    """Published facts about the labels of a licensed data set."""

    aus: AUSet
    frames: int
    subjects: int
    mean_active: float  # AUs a frame
    all_neutral: float  # share of frames
    rate: pd.Series  # by AU column
    pearson: pd.DataFrame  # (A, A) by AU column


@cache
def reference(name: str) -> Reference:
    """Statistics of the real data set ``BP4D`` or ``DISFA``."""
    facts = json.loads(files(__package__).joinpath("reference.json").read_text("utf-8"))[name]
    aus = AUSet.of(facts["aus"])
    columns = aus.columns()
    return Reference(
        aus=aus,
        frames=facts["frames"],
        subjects=facts["subjects"],
        mean_active=facts["mean_active"],
        all_neutral=facts["all_neutral"],
        rate=pd.Series(facts["rate"], index=columns),
        pearson=pd.DataFrame(facts["pearson"], index=columns, columns=columns),
    )


def read_labels(path: Path) -> pd.DataFrame:
    """Labels of a corpus, a Parquet file or a folder of them, without its images.

    Raises:
        DataError: there is no corpus at `path`.
    """
    parquets = sorted(path.glob("[!.]*.parquet")) if path.is_dir() else [path]
    if not parquets or not all(parquet.is_file() for parquet in parquets):
        raise DataError(
            f"no corpus at {path}: expected a Parquet file or a folder of them; "
            "`au synth render` makes one"
        )
    tables = []
    for parquet in parquets:
        advice = "give a file of a corpus"
        there = (*LABELS, *column_names(parquet, advice))
        labels = [name for name in RENDERED.columns() if name in there]
        columns = {name: SCHEMA.field(name).type for name in (*_KEYS, *labels)}
        found = read_columns(parquet, columns, advice, optional=tuple(labels))
        tables.append(found.to_pandas())
    table: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return table


def corpus_card(table: pd.DataFrame, threshold: int = 2) -> CorpusCard:
    """Count occurrence and co-occurrence in a table of labels.

    Args:
        table: Rows are frames; columns `subject` and AU01, AU02, ... with intensities 0..5, NaN
            where an AU is not coded.
        threshold: An AU occurs where its FACS-rounded intensity reaches this.

    Raises:
        DataError: the table has no frames or no AU columns.
    """
    columns = [column for column in RENDERED.columns() if column in table]
    if not columns or table.empty:
        raise DataError(
            f"a card needs frames and AU columns such as AU12; got {len(table)} rows "
            f"with columns {list(table)[:12]}"
        )
    intensity = table[columns].astype("float64")
    # rounding half up to an integer reaches an integer threshold exactly where this does
    occurs = (intensity + 0.5 >= threshold).astype("float64").where(intensity.notna())
    active = occurs.sum(axis=1)
    real = {name: reference(name) for name in ("BP4D", "DISFA")}

    measures = ["subjects", "frames", "mean_active", "all_neutral"]
    summary = pd.DataFrame(
        {
            "corpus": {
                "subjects": table["subject"].nunique(),
                "frames": len(table),
                "mean_active": active.mean(),
                "all_neutral": (active == 0).mean(),
            },
            **{
                name: {key: getattr(facts, key) for key in measures} for name, facts in real.items()
            },
        }
    ).T.astype({"subjects": "int64", "frames": "int64"})
    rates = pd.DataFrame(
        {
            "corpus": occurs.mean(),
            **{name: facts.rate.reindex(columns) for name, facts in real.items()},
            "mean_intensity": intensity.mean(),
        }
    ).loc[columns]
    return CorpusCard(summary, rates, occurs.corr())


def card_json(card: CorpusCard) -> dict[str, Any]:
    """Card as nested dictionaries of numbers; null where a figure does not exist."""
    return {
        field: json.loads(frame.to_json(orient="index", double_precision=4))
        for field, frame in card._asdict().items()
    }


def print_card(card: CorpusCard, console: Console | None = None) -> None:
    """Print the card as tables that fit 100 columns."""
    console = console or Console(markup=False)
    console.print(_summary(card.summary))
    console.print(_rates(card.rates))
    for name in ("BP4D", "DISFA"):
        console.print(_correlations(card.correlation, name, reference(name)))


def _summary(summary: pd.DataFrame) -> Table:
    table = Table(title="Labels", title_justify="left")
    for heading in ("", "subjects", "frames", "mean active AUs", "all neutral"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in summary.iterrows():
        table.add_row(
            str(name),
            f"{row['subjects']:,.0f}",
            f"{row['frames']:,.0f}",
            f"{row['mean_active']:.2f}",
            f"{row['all_neutral']:.1%}",
        )
    return table


def _rates(rates: pd.DataFrame) -> Table:
    names: Mapping[str, str] = {au.column: au.name for au in RENDERED}
    table = Table(title="Share of frames in which an AU occurs", title_justify="left")
    table.add_column("AU")
    table.add_column("FACS name")
    for heading in ("corpus", "BP4D", "DISFA", "mean intensity"):
        table.add_column(heading, justify="right")
    for column, row in rates.iterrows():
        table.add_row(
            str(column),
            names[str(column)],
            *(_number(row[name], "{:.1%}") for name in ("corpus", "BP4D", "DISFA")),
            _number(row["mean_intensity"], "{:.2f}"),
        )
    return table


def _correlations(correlation: pd.DataFrame, name: str, facts: Reference) -> Table:
    """One triangle of the corpus against one of the real data set, over the AUs of both."""
    columns = [column for column in facts.aus.columns() if column in correlation]
    ours = correlation.loc[columns, columns].to_numpy()
    theirs = facts.pearson.loc[columns, columns].to_numpy()
    mixed = np.where(np.tri(len(columns), k=-1, dtype=bool), ours, theirs)
    table = Table(
        title=f"Pearson correlation of occurrence: below the diagonal the corpus, above it {name}",
        title_justify="left",
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    for column in columns:
        table.add_column(column[2:].lstrip("0"), justify="right", min_width=5)
    for i, column in enumerate(columns):
        cells = [_number(value, "{:.2f}") for value in mixed[i]]
        cells[i] = "·"
        table.add_row(column, *cells)
    return table


def _number(value: float, form: str) -> str:
    return "-" if np.isnan(value) else form.format(value)
