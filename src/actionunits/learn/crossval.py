"""Three-fold subject-exclusive cross-validation, the protocol of most published AU scores.

Papers average differently, so both figures are given: the mean over the folds, and the score of the
counts pooled over the folds, in which an AU that is rare in one fold weighs less there.
"""

import json
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, computed_field
from rich.table import Table

from actionunits.aus import AUSet
from actionunits.errors import counted
from actionunits.files import atomic, seals, writing
from actionunits.learn.evaluate import evaluate
from actionunits.learn.grid import AU_NAMES, MEAN, SCALE, Grid, ends, printed, rounded
from actionunits.learn.metrics import F1, interval, resample
from actionunits.learn.recipe import Recipe
from actionunits.learn.report import (
    HEADINGS,
    SELECTION,
    TRAINED_ON,
    AnyReport,
    PlainReport,
    Report,
    Score,
    labels_line,
    landmark_line,
    mean_landmarks,
    people_lines,
)
from actionunits.learn.run import CHECKPOINT, REPORT
from actionunits.learn.train import train
from actionunits.system.together import rank
from actionunits.types import FOLDS

TABLE = "table"  # .md, .tex and .csv beside the report
_SUPPORT = ["positives", "positive_subjects"]


class CrossReport(BaseModel):
    """Scores of the folds, their means and the pooled F1."""

    model_config = ConfigDict(frozen=True)

    folds: list[Report]
    mean: dict[str, Score]
    """Of each score over the folds that have it, per AU; then over the AUs."""
    pooled_f1: Score
    """From the summed counts of all folds, with intervals over all subjects."""
    landmarks: dict[str, Score] = {}
    """As in `Report`, means over the folds."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def f1_always(self) -> Score:
        """As in `Report`: of each AU over the folds that have it, then over the AUs."""
        return _mean([fold.f1_always for fold in self.folds])

    def to_frame(self) -> pd.DataFrame:
        """One row an AU and a last one for the mean: support, F1 of each fold, means, pooled F1.

        Scores are shares as in `Report`; ``positives`` and ``positive_subjects`` are of all folds.
        """
        columns: dict[str, list[float]] = {
            name: np.sum([report.to_frame()[name] for report in self.folds], 0).tolist()
            for name in _SUPPORT
        }
        columns |= {
            f"f1_fold{number}": _column(report.scores["f1"])
            for number, report in enumerate(self.folds, start=1)
        }
        columns |= {name: _column(score) for name, score in self.mean.items()}
        columns["f1_always"] = _column(self.f1_always)
        limits = np.array([*self.pooled_f1.intervals, self.pooled_f1.mean_interval])
        columns |= {
            "f1_pooled": _column(self.pooled_f1),
            "f1_pooled_low": limits[:, 0].tolist(),
            "f1_pooled_high": limits[:, 1].tolist(),
        }
        rows = [*AUSet.of(self.folds[0].aus).columns(), "mean"]
        return pd.DataFrame(columns, index=pd.Index(rows, name="au"))

    def to_json(self) -> str:
        """JSON text that `CrossReport.model_validate_json` reads back; NaN is null there."""
        return self.model_dump_json(indent=1) + "\n"

    def to_table(self) -> Table:
        """Table for the terminal, 80 columns wide."""
        grid = self.to_grid(brief=True)
        table = grid.to_table()
        table.caption = "; ".join(grid.lines)
        return table

    def to_grid(self, brief: bool = False) -> Grid:
        """The table of a paper: percentages, or the units of intensity, and what was counted.

        Args:
            brief: AUs by number and intervals in whole per cent, for a terminal.
        """
        frame = self.to_frame()
        folds = [f"f1_fold{number}" for number in range(1, len(self.folds) + 1)]
        others = [name for name in HEADINGS if name in self.mean and name != "f1"]
        scores = [*folds, "f1", "f1_pooled", "f1_always", *others]
        rows = []
        for au, line in zip(map(str, frame.index), frame.to_dict("records"), strict=True):
            cells = {column: _printed(line, column) for column in scores}
            low, high = (line[f"f1_pooled_{end}"] * SCALE["f1"] for end in ("low", "high"))
            cells["f1_pooled"] += f" {ends(low, high, 0 if brief else 1)}".rstrip()
            if brief:
                cells["f1_always"] = rounded(line["f1_always"] * SCALE["f1"])
            positives, subjects = (str(int(line[column])) for column in _SUPPORT)
            support = ["" if au == MEAN else positives, subjects]  # their sum says nothing
            rows.append((au if brief else AU_NAMES.get(au, au), *support, *cells.values()))
        headings = [f"fold\n{number}" for number in range(1, len(self.folds) + 1)]
        headings = ["AU", "pos.", "subj.", *headings, "mean", "pooled\n[95 %]", "yes"]
        headings += [HEADINGS[name] for name in others]
        title = (
            f"{self.folds[0].title.rpartition(', fold ')[0]}, {counted(len(self.folds), 'fold')}"
        )
        if any(fold.trained_on for fold in self.folds):
            title += f", {TRAINED_ON}"
        return Grid(title, tuple(headings), tuple(rows), tuple(self._lines()))

    def _lines(self) -> Iterator[str]:
        """What to read below the table."""
        first = self.folds[0]
        frames = sum(report.frames for report in self.folds)
        subjects = sum(len(report.subjects) for report in self.folds)
        yield (
            f"{counted(frames, 'frame')} of {counted(subjects, 'subject')}; "
            f"{SELECTION[first.selection]}"
        )
        yield from people_lines(self.folds)
        yield labels_line(first.coding, first.occurs_from)
        yield "pos.: frames in which the AU occurs; subj.: subjects who show it"
        yield (
            "F1 of each fold, their mean, and of the pooled counts with its 95 % interval over "
            "subjects; yes: F1 of always saying present; cal.: F1 at calibrated thresholds; all "
            "scores but the pooled are means over the folds"
        )
        yield "F1, accuracy and AUC in %" + ("; MAE in levels of intensity" * ("mae" in self.mean))
        if self.landmarks:
            yield landmark_line(self.landmarks, sum(report.found for report in self.folds))


def crossval(
    recipe: Recipe, out: Path | str, *, resume: bool = True, show: bool = True
) -> CrossReport | PlainReport:
    """Train and test the three folds, in ``fold1`` to ``fold3`` of a folder.

    Args:
        recipe: what to do.
        out: folder; ``report.json`` in it holds the result, ``table.md``, ``table.tex`` and
            ``table.csv`` the table of a paper if AUs were scored.
        resume: keep folds that are finished and go on with one that is not.
        show: draw a progress bar.

    Raises:
        RecipeError: the recipe does not fit the model, the data or the runs in `out`.
        DataError: the data cannot be read.
        TrainingError: a run failed or was stopped.
    """
    out = Path(out)
    results = [
        train(recipe, fold, out / f"fold{fold}", resume=resume, show=show)
        for fold in range(1, FOLDS + 1)
    ]
    report = _together([result.report for result in results])
    if rank() > 0:
        return report
    with writing(out / REPORT), atomic(out / REPORT) as file:
        seals.write_json(file, json.loads(report.to_json()))
    if isinstance(report, CrossReport):
        write_tables(report, out)
    return report


def is_crossval(folder: Path) -> bool:
    """Whether a folder is one that `crossval` writes, not that of a single run."""
    return all((folder / f"fold{fold}" / CHECKPOINT).is_dir() for fold in range(1, FOLDS + 1))


def rescore(out: Path | str, **settings: Any) -> CrossReport | PlainReport:
    """Score the runs of the three folds again, each on its own.

    Args:
        out: folder of `crossval`.
        settings: of `actionunits.learn.evaluate.evaluate`, for each run.

    Raises:
        CheckpointError: a run is missing or damaged.
        DataError: the data cannot be read.
    """
    return _together(
        [evaluate(Path(out) / f"fold{fold}", **settings) for fold in range(1, FOLDS + 1)]
    )


def _together(reports: Sequence[AnyReport | None]) -> CrossReport | PlainReport:
    """Report on the folds of models that read AUs, or of others."""
    coded = [report for report in reports if isinstance(report, Report)]
    plain = [report for report in reports if isinstance(report, PlainReport)]
    return summarise(coded) if coded else _average(plain)


def write_tables(report: CrossReport, out: Path) -> None:
    """Write the table of a paper: for reading, for typesetting, and the numbers unrounded.

    Args:
        report: of the folds.
        out: folder of ``table.md``, ``table.tex`` and ``table.csv``.
    """
    grid = report.to_grid()
    for suffix, text in ((".md", grid.to_markdown()), (".tex", grid.to_latex())):
        table = out / f"{TABLE}{suffix}"
        with writing(table), atomic(table) as file:
            file.write_text(text, encoding="utf-8")
    first, table = report.folds[0], out / f"{TABLE}.csv"
    labels = {"coding": first.coding, "occurs_from": first.occurs_from}
    with writing(table), atomic(table) as file:
        report.to_frame().assign(**labels).to_csv(file)


def summarise(folds: list[Report], resamples: int = 1000) -> CrossReport:
    """Average and pool the reports of the folds of one recipe.

    Args:
        folds: with the same AUs; their subjects differ.
        resamples: of the bootstrap over the subjects of all folds.
    """
    names = [name for name in folds[0].scores if all(name in fold.scores for fold in folds)]
    counts = torch.tensor([subject for fold in folds for subject in fold.confusion]).double()
    pooled = F1.score(counts.sum(0))
    weights = resample(len(counts), resamples)
    samples = F1.score(torch.einsum("rs,sak->rak", weights, counts))
    return CrossReport(
        folds=folds,
        mean={name: _mean([fold.scores[name] for fold in folds]) for name in names},
        pooled_f1=Score(
            per_au=pooled.tolist(),
            mean=pooled.nanmean().item(),
            intervals=interval(samples).tolist(),
            mean_interval=interval(samples.nanmean(-1)).tolist(),
        ),
        landmarks=mean_landmarks(folds),
    )


def _mean(scores: list[Score]) -> Score:
    """Of each AU over the folds that have the score, then over the AUs."""
    per_au = torch.tensor([score.per_au for score in scores]).double().nanmean(0)
    return Score(per_au=per_au.tolist(), mean=per_au.nanmean().item())


def _average(folds: list[PlainReport]) -> PlainReport:
    """Mean of the scores over the folds of a model that reads no AUs."""
    first = folds[0]
    means = {
        name: sum(fold.scores[name].mean for fold in folds) / len(folds) for name in first.scores
    }
    return first.model_copy(
        update={
            "title": first.title.rpartition(", fold ")[0]
            + f", mean of {counted(len(folds), 'fold')}",
            "count": sum(fold.count for fold in folds),
            "scores": {name: Score(per_au=[], mean=mean) for name, mean in means.items()},
        }
    )


def _printed(line: dict[Hashable, float], column: str) -> str:
    """A score of a line of `CrossReport.to_frame`, as papers print it."""
    metric = column.partition("_")[0]
    return printed(line[column] * SCALE[metric], metric)


def _column(score: Score) -> list[float]:
    return [*score.per_au, score.mean]
