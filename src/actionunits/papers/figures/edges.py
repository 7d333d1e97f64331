"""AUs that are read as present, and the edges of their graph, on the face: MDHR's Figure 4."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray

from actionunits.aus import AUSet
from actionunits.nn.landmarks import AUCentres
from actionunits.papers.figures import layout
from actionunits.papers.figures.seen import Array, Seen
from actionunits.papers.figures.trained import Trained
from actionunits.types import InputSpec

_CELL = 2.1  # inches
_REGION, _EDGE, _ABSENT = "#009E73", "#F0E442", "#404040"


class Row(NamedTuple):
    """One run, on the same faces as those above and below it."""

    trained: Trained
    seen: Seen  # with `edges` (F, A, A) bool, n hears m, where the run has a graph
    which: Sequence[int]  # positions of the AUs that are drawn


def draw(rows: Sequence[Row]) -> Figure:
    """Draw runs below each other and faces side by side.

    A dot is an AU, filled where it is read as present; a ring about it marks a reading that is not
    the label, where there is one. The models know no places of AUs: dots stand where SACL's Table 2
    puts the AUs on an average face, on one side of it, and apart from each other.

    Args:
        rows: one at least.
    """
    names = [row.trained.title for row in rows]
    count = len(rows[0].seen.names)
    whole, part, below = layout.faces(names, count, cell=_CELL, below=0.35)
    axes = layout.grid(part, names, count)
    for axis, name in zip(axes[0], rows[0].seen.names, strict=True):
        axis.set_title(name, fontsize=8)
    for axes_of_row, row in zip(axes, rows, strict=True):
        nodes = _places(row.trained.aus, row.which, row.trained.spec)
        for f, axis in enumerate(axes_of_row):
            layout.face(axis, row.seen.pictures[f], dim=0.25)
            _draw_face(axis, row, f, nodes)
    known = any((~np.isnan(row.seen.truth[:, row.which])).any() for row in rows)
    linked = any("edges" in row.seen.aux for row in rows)
    below.legend(handles=_legend(known, linked), loc="center", ncols=5, fontsize=8, frameon=False)
    return whole


def _places(aus: AUSet, which: Sequence[int], spec: InputSpec) -> Array:
    """Where the chosen AUs are drawn: (n, 2) in pixels of the crop."""
    module = AUCentres(aus)
    mean = torch.from_numpy(layout.mean_landmarks(spec)).float()
    centres = module(mean[None])[0].numpy()
    sides = module.of_au[list(which), torch.arange(len(which)) % 2].numpy()
    return layout.apart(centres[sides], 0.11 * spec.size, spec.size)


def _draw_face(axis: Axes, row: Row, face: int, nodes: Array) -> None:
    which, side = list(row.which), row.trained.spec.size
    aus = [row.trained.aus.aus[i] for i in which]
    for region in dict.fromkeys(au.region for au in aus):
        members = nodes[[au.region == region for au in aus]]
        _outline(axis, members, 0.065 * side)
    if "edges" in row.seen.aux:
        heard = row.seen.aux["edges"][face][np.ix_(which, which)].astype(bool)
        for n, m in _pairs(heard):
            axis.plot(*nodes[[n, m]].T, color=_EDGE, lw=1.1, alpha=0.9, zorder=2)
    present, truth = row.seen.present[face, which], row.seen.truth[face, which]
    wrong = ~np.isnan(truth) & (truth != present)
    for place, au, on, not_so in zip(nodes, aus, present, wrong, strict=True):
        if not_so:
            axis.plot(*place, "o", ms=13, mfc="none", mec=layout.WRONG, mew=2.2, zorder=3)
        fill, text = ("white", "black") if on else (_ABSENT, "white")
        axis.plot(*place, "o", ms=10, mfc=fill, mec="white", mew=1.2, zorder=4)
        axis.text(
            place[0],
            place[1],
            f"{au.number}",
            ha="center",
            va="center_baseline",
            fontsize=6,
            color=text,
            zorder=5,
        )


def _outline(axis: Axes, members: Array, margin: float) -> None:
    low, high = members.min(0) - margin, members.max(0) + margin
    width, height = high - low
    box = FancyBboxPatch(
        (low[0], low[1]),
        width,
        height,
        boxstyle=f"round,pad=0,rounding_size={margin}",
        fill=False,
        edgecolor=_REGION,
        linestyle=":",
        linewidth=1.6,
    )
    axis.add_patch(box)


def _pairs(heard: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pairs (E, 2) of different nodes of which at least one hears the other, each once."""
    return np.argwhere(np.triu(heard | heard.T, 1))


def _legend(known: bool, linked: bool) -> list[Line2D]:
    handles = [
        layout.dot("read as present", "o", "white", "black"),
        layout.dot("read as absent", "o", _ABSENT, "black"),
        Line2D([], [], color=_REGION, ls=":", lw=1.6, label="region of the face"),
    ]
    if linked:
        handles.append(Line2D([], [], color=_EDGE, lw=2, label="edge of the graph"))
    if known:
        handles.append(layout.dot("label says otherwise", "o", "white", layout.WRONG, 10))
        handles[-1].set_markeredgewidth(2.2)
    return handles
