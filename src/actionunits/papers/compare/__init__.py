"""Measured scores beside those that the papers print, and beside each other.

A run is the folder of ``au train`` (one fold) or ``au crossval`` (all folds). Per AU its score is
the mean over the folds that can be scored, as the papers average. Intervals come from resampling
the test subjects of each fold; the difference of two runs on the same test subjects is resampled
with the same draws, so that what is common to both cancels. What is not like for like is said.

`measured` reads runs, `beside` puts one beside its paper or another run, `show` lays it out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from actionunits.errors import RecipeError
from actionunits.learn.grid import UNITS
from actionunits.learn.report import HEADINGS
from actionunits.papers.compare.beside import Beside, beside_paper, side_by_side
from actionunits.papers.compare.measured import Measured, read_run

METRICS = ("f1", "accuracy", "auc", "icc", "mae")


@dataclass(frozen=True)
class Comparison:
    """Runs beside the papers, and beside the first of them."""

    metric: str
    runs: tuple[Measured, ...]
    papers: tuple[Beside, ...]
    """One a run."""
    together: tuple[Beside, ...]
    """One a run, over the AUs that all read; none for a single run."""

    def means(self) -> pd.DataFrame:
        """Mean over the AUs that all runs read: a row a run, a column a score, NaN if not measured.

        In the units of the reports. The mean of each AU over the folds comes first.
        """
        common = set.intersection(*(set(run.aus) for run in self.runs))
        rows = [
            {
                metric: np.nanmean(run.score(metric)[[number in common for number in run.aus]])
                for metric in HEADINGS
                if run.has(metric)
            }
            for run in self.runs
        ]
        names = [run.name for run in self.runs]
        return pd.DataFrame(rows, index=names, columns=list(HEADINGS), dtype=float)

    def to_frame(self) -> pd.DataFrame:
        """One line an AU of each pair."""
        labels = {run.name: run.labels.removeprefix("labels: ") for run in self.runs}
        frames = [
            pair.frame.rename_axis("au")
            .rename(columns={"reference": "reference_value"})
            .reset_index()
            .assign(
                run=pair.run,
                reference=pair.reference,
                metric=pair.metric,
                like_for_like=not pair.unlike and pair.reference is not None,
                unlike="; ".join(pair.unlike),
                labels=labels[pair.run],
            )
            for pair in (*self.papers, *self.together)
        ]
        table = pd.concat(frames, ignore_index=True)
        lead = ["run", "reference", "metric", "au"]
        return table[[*lead, *table.columns.drop(lead)]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is None."""
        return {
            "metric": self.metric,
            "unit": UNITS[self.metric],
            "runs": [run.facts() for run in self.runs],
            "means": [_known(row) for _, row in self.means().iterrows()],
            "published": [pair.to_dict() for pair in self.papers],
            "side_by_side": [pair.to_dict() for pair in self.together],
        }


def compare(folders: Sequence[Path | str], metric: str = "f1") -> Comparison:
    """Put runs beside their papers and beside the first run.

    Args:
        folders: of finished runs.
        metric: one of `METRICS`.

    Raises:
        RecipeError: a folder holds no finished run, the metric was not measured, or two runs have
            no AU in common.
    """
    if metric not in METRICS:
        raise RecipeError(f"expected one of the metrics {', '.join(METRICS)}, found {metric!r}")
    runs = tuple(read_run(folder) for folder in folders)
    together = side_by_side(runs, metric) if len(runs) > 1 else ()
    return Comparison(metric, runs, tuple(beside_paper(run, metric) for run in runs), together)


def _known(row: "pd.Series[float]") -> dict[str, float]:
    return {str(name): float(value) for name, value in row.items() if not np.isnan(value)}
