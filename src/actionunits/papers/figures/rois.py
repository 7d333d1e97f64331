"""Regions of interest of AUs, and who is whose neighbour among them: SACL's Figures 3 and 6."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from actionunits.aus import AUSet
from actionunits.nn.landmarks import AUCentres
from actionunits.nn.priors import CORRELATED, between_regions, facs_links, statistical_links
from actionunits.papers.figures import layout
from actionunits.papers.figures.seen import Array, Seen
from actionunits.papers.figures.trained import Regional, Report, Trained, label_stats

_CELL = 2.3  # inches
_LEARNED = {
    "neighbours_shallow": "shallow: first block",
    "neighbours_deep": "deep: last block",
}


def one_a_region(aus: AUSet) -> list[int]:
    """Positions of the first AU of each face region."""
    regions = [au.region for au in aus]
    return [regions.index(region) for region in dict.fromkeys(regions)]


def side(trained: Trained) -> float | None:
    """Side of the regions in pixels of the crop; None where the model does not say."""
    return trained.model.roi_side if isinstance(trained.model, Regional) else None


def known_links(trained: Trained, report: Report) -> dict[str, NDArray[np.bool_]]:
    """Regions (R, R) that FACS links, and those that the training labels link, by their titles."""
    links = {"FACS": facs_links(trained.aus)}
    stats = label_stats(trained, report)
    if stats is not None:
        links[f"label correlation > {CORRELATED}"] = statistical_links(stats)
    centres = AUCentres(trained.aus)
    return {
        title: between_regions(each, centres.of_au, centres.regions).numpy()
        for title, each in links.items()
    }


def draw(
    seen: Seen,
    aus: AUSet,
    which: Sequence[int],
    links: dict[str, NDArray[np.bool_]],
    roi_side: float | None,
) -> Figure:
    """Draw AU centres and ROIs, then graph after graph, the edges of a few AUs in each.

    All edges would hide each other; as in the paper those of some AUs are shown, in the AU's colour
    from its regions to their neighbours.

    Args:
        seen: with ``centres`` (F, R, 2), and where the graph is found anew for each face
            ``neighbours_shallow`` and ``neighbours_deep`` (F, R, K).
        aus: label axis.
        which: positions of the AUs whose neighbours are drawn.
        links: graphs (R, R) that are the same for all faces, by their titles.
        roi_side: side of an ROI in pixels of the crop; None leaves ROIs out.
    """
    of_au = AUCentres(aus).of_au.numpy()
    learned = {title: name for name, title in _LEARNED.items() if name in seen.aux}
    boxes = [] if roi_side is None else ["ROIs"]
    titles = ["AU centres", *boxes, *links, *learned]
    whole, part, below = layout.faces(seen.names, len(titles), cell=_CELL, below=0.35)
    axes = layout.grid(part, seen.names, len(titles))
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    for f, row in enumerate(axes):
        centres = seen.aux["centres"][f].astype(float)
        panels = iter(row)
        for axis in row:
            layout.face(axis, seen.pictures[f], dim=0.25)
        _draw_centres(next(panels), seen, f, centres, aus, of_au)
        if roi_side is not None:
            panel = next(panels)
            _draw_boxes(panel, centres, roi_side)
            _draw_numbers(panel, centres, aus, of_au)
        graphs: Iterator[list[NDArray[np.int64]]] = (
            *([np.flatnonzero(linked) for linked in each] for each in links.values()),
            *(list(seen.aux[name][f].astype(np.int64)) for name in learned.values()),
        ).__iter__()
        for axis, neighbours in zip(panels, graphs, strict=True):
            _draw_graph(axis, centres, neighbours, [of_au[i] for i in which])
            _draw_numbers(axis, centres, aus, of_au)
    handles = [
        Line2D([], [], color=_colour(i), lw=2.5, label=f"AU {aus.aus[a].number} {aus.aus[a].name}")
        for i, a in enumerate(which)
    ]
    below.legend(handles=handles, loc="center", ncols=4, fontsize=8, frameon=False)
    return whole


def _colour(position: int) -> str:
    return layout.COLOURS[position % len(layout.COLOURS)]


def _draw_centres(
    axis: Axes, seen: Seen, face: int, centres: Array, aus: AUSet, of_au: NDArray[np.int64]
) -> None:
    if seen.landmarks is not None:
        points = seen.landmarks[face]
        axis.plot(*points.T, "o", ms=2, mfc="white", mec="black", mew=0.3)
        axis.annotate(
            "",
            points[25],
            points[22],
            arrowprops={"arrowstyle": "<->", "color": "#D55E00", "lw": 1.2, "shrinkA": 0},
        )
    axis.plot(*centres.T, "o", ms=5, mfc=layout.COLOURS[1], mec="black", mew=0.6)
    _draw_numbers(axis, centres, aus, of_au)


def _draw_boxes(axis: Axes, centres: Array, side: float) -> None:
    for x, y in centres - side / 2:
        axis.add_patch(Rectangle((x, y), side, side, fill=False, ec="#F0E442", lw=1.2))


def _draw_graph(
    axis: Axes,
    centres: Array,
    neighbours: Sequence[NDArray[np.int64]],
    central: Sequence[NDArray[np.int64]],
) -> None:
    for position, own in enumerate(central):
        for region in own:
            for other in neighbours[region]:
                if other != region:
                    ends = centres[[region, other]].T
                    axis.plot(*ends, color=_colour(position), lw=1.3, alpha=0.85, zorder=2)
    axis.plot(*centres.T, "o", ms=4, mfc="white", mec="black", mew=0.7, zorder=3)
    for position, own in enumerate(central):
        axis.plot(*centres[own].T, "o", ms=7, mfc=_colour(position), mec="black", mew=0.7, zorder=4)


def _draw_numbers(axis: Axes, centres: Array, aus: AUSet, of_au: NDArray[np.int64]) -> None:
    """Numbers of the AUs of each pair of regions, beside the one on the right of the picture."""
    side = axis.get_xlim()[1]
    pairs = np.unique(of_au, axis=0)
    right = centres[pairs[np.arange(len(pairs)), centres[pairs, 0].argmax(1)]]
    places = layout.apart(right + [0.02 * side, -0.03 * side], 0.055 * side, side)
    for (x, y), pair in zip(places, pairs, strict=True):
        numbers = [str(n) for n, own in zip(aus.numbers, of_au, strict=True) if (own == pair).all()]
        axis.text(
            x,
            y,
            " ".join(numbers),
            fontsize=6.5,
            color="white",
            va="center",
            path_effects=layout.OUTLINE,
            zorder=5,
            clip_on=True,
        )
