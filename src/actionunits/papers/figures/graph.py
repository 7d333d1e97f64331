"""Graphs of AUs on the face: of regions that choose their neighbours, or of AUs that hear others.

SACL's Figures 3 and 6, MDHR's Figure 4. Which it is depends on what the model returns.
"""

from collections.abc import Sequence

from matplotlib.figure import Figure

from actionunits.papers.figures import edges, rois
from actionunits.papers.figures.faces import Choice, varied
from actionunits.papers.figures.seen import Wants, see
from actionunits.papers.figures.trained import Report, Trained, positions

WANTS = Wants(
    "graph",
    ("edges", "neighbours_shallow", "neighbours_deep", "centres"),
    "train mdhr or sacl, with their graphs",
)


def figure(
    runs: Sequence[Trained], choice: Choice, numbers: Sequence[int] | None, report: Report
) -> Figure:
    """Draw the graph of a run, or those of several below each other.

    Args:
        runs: the first must have a graph. Of a graph of regions only the first is drawn.
        choice: of faces.
        numbers: FACS numbers of the AUs whose neighbours are drawn in a graph of regions, and of
            the nodes in a graph of AUs.
        report: is told of what is left out.

    Raises:
        UserError: the model has no graph, an AU is none of its own, or there is no face.
    """
    first, *others = runs
    seen = see(first, varied(first, choice, report), WANTS)
    if "edges" not in seen.aux:
        links = rois.known_links(first, report)
        which = positions(first.aus, numbers) if numbers else rois.one_a_region(first.aus)
        return rois.draw(seen, first.aus, which, links, rois.side(first))
    rows = [edges.Row(first, seen, positions(first.aus, numbers))]
    for other in others:
        read = see(other, varied(other, choice, report), WANTS, strict=False)
        rows.append(edges.Row(other, read, positions(other.aus, numbers)))
    return edges.draw(rows)
