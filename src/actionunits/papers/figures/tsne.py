"""t-SNE of what a model makes of faces: by AU, or by combination of AUs.

GTLE-Net's Figure 6 and RE-Net's Figure 3 (embeddings of each AU), SACL's Figure 7 (combinations).
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from actionunits.aus import AUSet
from actionunits.errors import DataError
from actionunits.papers.figures import layout
from actionunits.papers.figures.faces import Choice, spread
from actionunits.papers.figures.seen import Array, Seen, Wants, see
from actionunits.papers.figures.trained import Trained, positions

WANTS = Wants("tsne", ("embeddings",), "train gtlenet, or look --by combination")
_LEAST = 10  # frames that a map can be made of
_COLUMNS = 6  # AUs side by side
_COMBINATIONS = 5
_MARKERS = ("o", "s", "^", "D", "v")
_CELL = 1.7  # inches


class Row(NamedTuple):
    """One run."""

    title: str
    aus: AUSet
    seen: Seen  # with `embeddings` (F, A, D), or (F, 1, D) where all AUs share them
    which: Sequence[int]  # positions of the AUs that are drawn


def by_au(
    runs: Sequence[Trained], choice: Choice, numbers: Sequence[int] | None, limit: int
) -> Figure:
    """Map the embeddings of each AU, for a run or for several below each other.

    Args:
        runs: with embeddings of AUs.
        choice: of a data set.
        numbers: FACS numbers of the AUs to draw; None for all.
        limit: frames at most.

    Raises:
        UserError: a model has no such embeddings, an AU is none of its own, or the data set has too
            few frames.
    """
    rows = []
    for run in runs:
        seen = see(run, spread(run, choice, limit), WANTS)
        rows.append(Row(run.title, run.aus, seen, positions(run.aus, numbers)))
    return draw_by_au(rows)


def by_combination(runs: Sequence[Trained], choice: Choice, limit: int) -> Figure:
    """Map the readings of all AUs, for a run or for several beside each other.

    Args:
        runs: any.
        choice: of a data set.
        limit: frames at most.

    Raises:
        UserError: the data set has too few frames with AUs.
    """
    rows = []
    for run in runs:
        seen = see(run, spread(run, choice, limit), WANTS, strict=False)
        rows.append(Row(run.title, run.aus, seen, positions(run.aus, None)))
    return draw_by_combination(rows)


def draw_by_au(rows: Sequence[Row]) -> Figure:
    """Draw one map an AU: frames in which the AU occurs, by their labels, over those without."""
    lines = [-(-len(row.which) // _COLUMNS) for row in rows]
    columns = max(-(-len(row.which) // count) for row, count in zip(rows, lines, strict=True))
    height = (_CELL + 0.45) * sum(lines) + 0.35 * (len(rows) + 1)
    figure = Figure(figsize=((_CELL + 0.1) * columns, height), layout="constrained")
    parts = figure.subfigures(len(rows) + 1, 1, height_ratios=[*lines, 0.15], squeeze=False)[:, 0]
    for part, row, count in zip(parts, rows, lines, strict=False):  # the last is for the legend
        part.suptitle(row.title, fontsize=10)
        axes = part.subplots(count, columns, squeeze=False).ravel()
        embeddings = row.seen.aux["embeddings"].astype(float)
        shared = embeddings.shape[1] == 1
        maps = [embed(embeddings[:, i]) for i in ([0] if shared else row.which)]
        for axis in axes:
            axis.set(xticks=[], yticks=[], frame_on=False)
        for place, (axis, i) in enumerate(zip(axes, row.which, strict=False)):
            points, truth = maps[0 if shared else place], row.seen.truth[:, i]
            known = int((~np.isnan(truth)).sum())
            axis.set_frame_on(True)
            axis.scatter(*points[truth == 0].T, s=5, c=layout.ABSENT, lw=0, alpha=0.8)
            axis.scatter(*points[truth == 1].T, s=7, c=layout.OCCURRED, marker="^", lw=0)
            heading = f"AU {row.aus.aus[i].number} {row.aus.aus[i].name}"
            axis.set_title(f"{heading}\n{int((truth == 1).sum())} of {known}", fontsize=7)
    handles = [
        layout.dot("the AU occurs", "^", layout.OCCURRED, layout.OCCURRED, 6),
        layout.dot("it does not", "o", layout.ABSENT, layout.ABSENT, 6),
    ]
    parts[-1].legend(handles=handles, loc="center", ncols=2, fontsize=9, frameon=False)
    return figure


def draw_by_combination(rows: Sequence[Row]) -> Figure:
    """Draw one map a run of its log-odds of all AUs: frames of the five commonest combinations.

    Raises:
        DataError: too few frames show AUs.
    """
    figure = Figure(figsize=(4.6 * len(rows), 4.6), layout="constrained")
    for axis, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        combinations = [_occurring(row.aus, truth) for truth in row.seen.truth]
        common = Counter(c for c in combinations if c).most_common(_COMBINATIONS)
        kept = np.array([c in dict(common) for c in combinations], dtype=bool)
        points = np.full((len(kept), 2), np.nan)
        points[kept] = embed(_logits(row.seen.probability[kept]))
        looks = zip(common, layout.DARK, _MARKERS, strict=False)
        for (combination, count), colour, marker in looks:
            members = [c == combination for c in combinations]
            text = f"AUs {', '.join(map(str, combination))}  ({count})"
            axis.scatter(*points[members].T, s=16, c=colour, marker=marker, lw=0, label=text)
        axis.set(xticks=[], yticks=[])
        axis.set_title(row.title, fontsize=10)
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.01), frameon=False)
    return figure


def embed(values: Array) -> Array:
    """Map vectors (n, D) to the plane (n, 2) so that near ones stay near; always the same.

    Raises:
        DataError: there are too few of them.
    """
    if len(values) < _LEAST:
        raise DataError(
            f"figure tsne needs at least {_LEAST} frames that show what it colours, found "
            f"{len(values)}: choose a larger data set, or --limit more frames"
        )
    perplexity = min(30.0, (len(values) - 1) / 3)
    points: Array = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(
        values.astype(np.float32)
    )
    return points


def _occurring(aus: AUSet, truth: Array) -> tuple[int, ...]:
    return tuple(n for n, occurs in zip(aus.numbers, truth, strict=True) if occurs == 1)


def _logits(probability: Array) -> Array:
    inside = probability.clip(1e-6, 1 - 1e-6)
    logits: Array = np.log(inside / (1 - inside))
    return logits
