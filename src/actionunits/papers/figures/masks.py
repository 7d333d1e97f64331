"""Masks of AUs over the face: GTLE-Net's Figures 4 and 5."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from actionunits.aus import AUSet
from actionunits.papers.figures import layout
from actionunits.papers.figures.faces import Choice, varied
from actionunits.papers.figures.seen import Seen, Wants, see
from actionunits.papers.figures.trained import Report, Trained, positions

WANTS = Wants("masks", ("masks",), "train gtlenet, with its masks")


def figure(
    trained: Trained, choice: Choice, numbers: Sequence[int] | None, report: Report
) -> Figure:
    """Draw the masks of a run.

    Args:
        trained: its model.
        choice: of faces.
        numbers: FACS numbers of the AUs to draw; None for all.
        report: is told of what is left out.

    Raises:
        UserError: the model makes no masks, an AU is none of its own, or there is no face.
    """
    which = positions(trained.aus, numbers)
    return draw(see(trained, varied(trained, choice, report), WANTS), trained.aus, which)


def draw(seen: Seen, aus: AUSet, which: Sequence[int]) -> Figure:
    """Draw each face, and each AU's mask over it; a colour means the same in all.

    Args:
        seen: with ``masks`` (F, A + 1, h, w), the last one of what belongs to no AU.
        aus: label axis.
        which: positions of the AUs to draw.
    """
    drawn = seen.aux["masks"][:, [*which, len(aus)]].astype(float)
    headings = ["face", *(layout.label(aus.aus[i]) for i in which), "all else"]
    whole, part, _ = layout.faces(seen.names, len(headings))
    axes = layout.grid(part, seen.names, len(headings))
    for axis, heading in zip(axes[0], headings, strict=True):
        axis.set_title(heading, fontsize=7.5)
    ends = layout.limits(drawn)
    for row, picture, maps in zip(axes, seen.pictures, drawn, strict=True):
        layout.face(row[0], picture)
        for axis, values in zip(row[1:], maps, strict=True):
            layout.heat(axis, picture, values, ends)
    layout.scale(part, axes, ends, "mask")
    return whole
