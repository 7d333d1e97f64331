"""Weights side by side: area under the ROC curve of each AU, with 95 % intervals.

    python benchmarks/compare_weights.py default default-fast [...] [--renders CORPUS]
        [--faces FOLDER] [--baseline NAME] [--resamples 300] [--plot FILE]

Names are those of weights in the package, or folders of runs. CORPUS and FOLDER are as for
`weights.py`. Intervals come from people (rendered) or pictures (photographs) that are drawn again
and again; the last row is the difference of the means to those of the baseline, which by default is
the first, over the same draws. MediaPipe's readings stand beside those of the photographs.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import actionunits
from actionunits import datasets
from actionunits.data.synfacs import MINI
from actionunits.learn.evaluate import evaluate
from actionunits.learn.predictions import Predictions
from actionunits.weights import locate
from weights import LEAST, largest_faces, with_labels

Reading = NDArray[np.float64]
"""(N, A) what is said of N faces, or their labels: 1, 0 or NaN."""


class Said(NamedTuple):
    """What several weights say of the same faces."""

    aus: list[str]  # A columns, "AU01"
    labels: Reading
    units: NDArray[np.int64]  # (N,) whose face it is
    readings: dict[str, Reading]


def of_renders(names: list[str], corpus: Path) -> Said:
    """What weights say of rendered people."""
    tables = {}
    for name in names:
        said = Predictions("said.csv")
        evaluate(
            locate(name), table=datasets.load("synfacs", corpus), predictions=said, resamples=0
        )
        tables[name] = said.table()
    first = tables[names[0]]
    aus = [
        column.removesuffix("_label")
        for column in first
        if column.endswith("_label") and all(column in table for table in tables.values())
    ]
    readings = {n: t[[f"{au}_p" for au in aus]].to_numpy(float) for n, t in tables.items()}
    labels = first[[f"{au}_label" for au in aus]].to_numpy(float)
    return Said(aus, labels, pd.factorize(first["subject"])[0], readings)


def of_faces(names: list[str], folder: Path) -> Said:
    """What weights, and MediaPipe, say of labelled photographs."""
    truth, rival = with_labels(folder)
    tables = {name: largest_faces(actionunits.load(name), folder) for name in names}
    both = truth.index.intersection(rival.dropna().index)
    for table in tables.values():
        both = both.intersection(table.index)
    aus = [
        column
        for column in rival
        if column in truth and all(f"{column}_p" in table for table in tables.values())
    ]
    readings = {n: t.loc[both, [f"{a}_p" for a in aus]].to_numpy(float) for n, t in tables.items()}
    readings["MediaPipe"] = rival.loc[both, aus].to_numpy(float)
    return Said(aus, truth.loc[both, aus].to_numpy(float), np.arange(len(both)), readings)


def areas(labels: Reading, said: Reading, weight: NDArray[np.int64]) -> Reading:
    """(A,) areas under the curve where each face counts so often; NaN for AUs of too few faces."""
    found = np.full(labels.shape[1], np.nan)
    for au, (truth, probability) in enumerate(zip(labels.T, said.T, strict=True)):
        known = ~np.isnan(truth) & (weight > 0)
        positive = truth[known] == 1
        if min(positive.sum(), (~positive).sum()) >= LEAST:
            found[au] = roc_auc_score(positive, probability[known], sample_weight=weight[known])
    return found


class Areas(NamedTuple):
    """Areas under the curve of the AUs that could be scored."""

    aus: list[str]  # A names
    of: dict[str, Reading]  # by weights, (1 + resamples, A): of all faces, then of each draw

    def means(self, name: str) -> Reading:
        """(1 + resamples,) means over the AUs."""
        mean: Reading = np.nanmean(self.of[name], axis=1)
        return mean


def scored(said: Said, resamples: int) -> Areas:
    """Areas of each weights, over the same draws."""
    once = np.ones(len(said.labels), int)
    can_be = ~np.isnan(areas(said.labels, said.labels, once))
    labels, count = said.labels[:, can_be], said.units.max() + 1
    rng = np.random.default_rng(0)
    draws = [
        np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(resamples)
    ]
    weights = [once, *(draw[said.units] for draw in draws)]
    return Areas(
        [au for au, is_scored in zip(said.aus, can_be, strict=True) if is_scored],
        {
            name: np.array([areas(labels, reading[:, can_be], weight) for weight in weights])
            for name, reading in said.readings.items()
        },
    )


def table(found: Areas, baseline: str) -> pd.DataFrame:
    """Area of each AU and weights, and its interval, their means and differences."""
    base, columns = found.means(baseline), {}
    for name, each in found.of.items():
        mean = found.means(name)
        columns[name] = [cell(area) for area in (*each.T, mean, mean - base)]
    rows = [*found.aus, "mean", f"- {baseline}"]
    return pd.DataFrame(columns, index=pd.Index(rows, name="AU"))


def draw(found: dict[str, Areas], file: Path) -> None:
    """Draw the means with their intervals, one panel for each kind of faces."""
    figure = Figure((4 * len(found), 0.4 * max(len(each.of) for each in found.values()) + 1))
    for axes, (what, each) in zip(
        figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True
    ):
        names = sorted(each.of, key=lambda name: float(each.means(name)[0]))
        for place, name in enumerate(names):
            mean = each.means(name)
            low, high = np.nanquantile(mean[1:], [0.025, 0.975])
            axes.plot([low, high], [place, place], color="0.6")
            axes.plot(mean[0], place, "o", color="k")
        axes.set_yticks(range(len(names)), names)
        axes.set_title(what)
        axes.set_xlabel("mean AUC, 95 % interval")
        axes.grid(axis="x", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=150)


def cell(values: Reading) -> str:
    """The value of all faces, and the interval of the draws."""
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return f"{values[0]:.3f} [{low:.2f} {high:.2f}]"


def markdown(table: pd.DataFrame) -> str:
    """Lines of a table."""
    lines = [[str(table.index.name), *table.columns], ["---"] * (len(table.columns) + 1)]
    lines += [[str(name), *row] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="+")
    parser.add_argument("--renders", type=Path, default=MINI)
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--baseline")
    parser.add_argument("--resamples", type=int, default=300)
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    baseline = chosen.baseline or chosen.names[0]
    said = {"rendered people": of_renders(chosen.names, chosen.renders)}
    if chosen.faces:
        said["photographs"] = of_faces(chosen.names, chosen.faces)
    found = {what: scored(each, chosen.resamples) for what, each in said.items()}
    for what, each in found.items():
        print(f"{what}\n\n{markdown(table(each, baseline))}\n")
    if chosen.plot:
        draw(found, chosen.plot)


if __name__ == "__main__":
    main()
