"""Class activation maps of the AUs that are read as present: MGRR-Net's Figure 3."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from actionunits.aus import AUSet
from actionunits.papers.figures import layout
from actionunits.papers.figures.faces import Choice, varied
from actionunits.papers.figures.seen import Array, Seen, Wants, see
from actionunits.papers.figures.trained import Report, Trained, positions

WANTS = Wants("cam", ("maps",), "train mgrrnet")
_MOST = 8  # maps of a face


def figure(
    trained: Trained, choice: Choice, numbers: Sequence[int] | None, report: Report
) -> Figure:
    """Draw the activation maps of a run.

    Args:
        trained: its model.
        choice: of faces.
        numbers: FACS numbers of the AUs to draw; None for those that are read as present.
        report: is told of what is left out.

    Raises:
        UserError: the model makes no maps, an AU is none of its own, or there is no face.
    """
    which = positions(trained.aus, numbers) if numbers else None
    return draw(see(trained, varied(trained, choice, report), WANTS), trained.aus, which)


def draw(seen: Seen, aus: AUSet, which: Sequence[int] | None) -> Figure:
    """Draw each face, and over it the map of each AU with its probability.

    A map is stretched to the whole scale of colours: it tells where, not how much.

    Args:
        seen: with ``maps`` (F, A, h, w).
        aus: label axis.
        which: positions of the AUs to draw; None draws those that are read as present, the most
            probable first and eight at most, and says so where there are none.
    """
    pairs = zip(seen.probability, seen.present, strict=True)
    chosen = [_present(*pair) if which is None else list(which) for pair in pairs]
    columns = 1 + max(1, *(len(each) for each in chosen))
    whole, part, _ = layout.faces(seen.names, columns, cell=layout.CELL + 0.2)
    axes = layout.grid(part, seen.names, columns)
    for f, (row, aus_of_row) in enumerate(zip(axes, chosen, strict=True)):
        layout.face(row[0], seen.pictures[f])
        for axis, i in zip(row[1:], aus_of_row, strict=False):  # rows are of different lengths
            values = seen.aux["maps"][f, i].astype(float)
            low, high = layout.limits(values)
            layout.heat(axis, seen.pictures[f], (values - low) / (high - low), (0, 1))
            heading = f"{layout.label(aus.aus[i], 24)}\n{seen.probability[f, i]:.2f}"
            axis.set_title(heading, fontsize=6.5, pad=2)
        if not aus_of_row:
            row[1].text(0.5, 0.5, "no AU is read\nas present", ha="center", va="center", fontsize=8)
    layout.scale(part, axes, (0, 1), "activation, from the least to the most of each map")
    return whole


def _present(probability: Array, present: np.ndarray) -> list[int]:
    likely = np.argsort(-probability, kind="stable")
    return [int(i) for i in likely if present[i]][:_MOST]
