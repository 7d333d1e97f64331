"""Three-fold subject-exclusive cross-validation, the protocol of most published AU scores.

Papers average differently, so both figures are given: the mean over the folds, and the score of the
counts pooled over the folds, in which an AU that is rare in one fold weighs less there.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict
from rich import box
from rich.table import Table

from actionunits.aus import AUSet
from actionunits.data.splits import FOLDS
from actionunits.files import atomic
from actionunits.metrics import F1, interval, resample
from actionunits.recipe import Recipe
from actionunits.report import HEADINGS, SELECTION, PlainReport, Report, Score, cell, ends
from actionunits.run import REPORT
from actionunits.train import train


class CrossReport(BaseModel):
    """Scores of the folds, their means and the pooled F1."""

    model_config = ConfigDict(frozen=True)

    folds: list[Report]
    mean: dict[str, Score]
    """Of each score over the folds that have it, per AU; then over the AUs."""
    pooled_f1: Score
    """From the summed counts of all folds, with intervals over all subjects."""

    def to_frame(self) -> pd.DataFrame:
        """One row an AU and a last one for the mean: F1 of each fold, means, pooled F1."""
        columns = {
            f"f1_fold{number}": _column(report.scores["f1"])
            for number, report in enumerate(self.folds, start=1)
        }
        columns |= {name: _column(score) for name, score in self.mean.items()}
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
        """Table for the terminal, at most 100 columns wide; narrower ones cut the AU names."""
        first = self.folds[0]
        subjects = sum(len(report.subjects) for report in self.folds)
        frames = sum(report.frames for report in self.folds)
        table = Table(
            title=f"{first.title.rpartition(',')[0]}, {len(self.folds)} folds",
            caption=f"{frames} frames of {subjects} subjects; {SELECTION[first.selection]}; F1 of "
            "each fold, their mean, and of the pooled counts; cal.: F1 at calibrated thresholds; "
            "in brackets 95 % intervals over subjects",
            box=box.SIMPLE_HEAD,
            padding=0,
        )
        table.add_column("AU", overflow="ellipsis", no_wrap=True, min_width=4)
        others = [name for name in HEADINGS if name in self.mean and name != "f1"]
        headings = [f"fold {number}" for number in range(1, len(self.folds) + 1)]
        headings += ["mean", "pooled", *(HEADINGS[name] for name in others)]
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        frame = self.to_frame()
        shown = [
            *(f"f1_fold{n}" for n in range(1, len(self.folds) + 1)),
            "f1",
            "f1_pooled",
            *others,
        ]
        names = [f"{au.number:2d} {au.name}" for au in AUSet.of(first.aus)]
        for name, (_, row) in zip([*names, "mean"], frame.iterrows(), strict=True):
            cells = {column: cell(row[column]) for column in shown}
            cells["f1_pooled"] += ends(row["f1_pooled_low"], row["f1_pooled_high"])
            table.add_row(name, *cells.values(), end_section=name == names[-1])
        return table


def crossval(
    recipe: Recipe, out: Path | str, *, resume: bool = True, show: bool = True
) -> CrossReport | PlainReport:
    """Train and test the three folds, in ``fold1`` to ``fold3`` of a folder.

    Args:
        recipe: what to do.
        out: folder; ``report.json`` in it holds the result.
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
    reports = [result.report for result in results]
    coded = [report for report in reports if isinstance(report, Report)]
    plain = [report for report in reports if isinstance(report, PlainReport)]
    report = summarise(coded) if coded else _average(plain)
    if torch.distributed.is_initialized() and torch.distributed.get_rank() > 0:
        return report
    with atomic(out / REPORT) as file:
        file.write_text(report.to_json(), encoding="utf-8")
    return report


def summarise(folds: list[Report], resamples: int = 1000) -> CrossReport:
    """Average and pool the reports of the folds of one recipe.

    Args:
        folds: with the same AUs; their subjects differ.
        resamples: of the bootstrap over the subjects of all folds.
    """
    names = [name for name in folds[0].scores if all(name in fold.scores for fold in folds)]
    means = {
        name: torch.tensor([fold.scores[name].per_au for fold in folds]).double().nanmean(0)
        for name in names
    }
    counts = torch.tensor([subject for fold in folds for subject in fold.confusion]).double()
    pooled = F1.score(counts.sum(0))
    weights = resample(len(counts), resamples)
    samples = F1.score(torch.einsum("rs,sak->rak", weights, counts))
    return CrossReport(
        folds=folds,
        mean={
            name: Score(per_au=per_au.tolist(), mean=per_au.nanmean().item())
            for name, per_au in means.items()
        },
        pooled_f1=Score(
            per_au=pooled.tolist(),
            mean=pooled.nanmean().item(),
            intervals=interval(samples).tolist(),
            mean_interval=interval(samples.nanmean(-1)).tolist(),
        ),
    )


def _average(folds: list[PlainReport]) -> PlainReport:
    """Mean of the scores over the folds of a model that reads no AUs."""
    first = folds[0]
    means = {
        name: sum(fold.scores[name].mean for fold in folds) / len(folds) for name in first.scores
    }
    return first.model_copy(
        update={
            "title": first.title.rpartition(", fold ")[0] + f", mean of {len(folds)} folds",
            "count": sum(fold.count for fold in folds),
            "scores": {name: Score(per_au=[], mean=mean) for name, mean in means.items()},
        }
    )


def _column(score: Score) -> list[float]:
    return [*score.per_au, score.mean]
