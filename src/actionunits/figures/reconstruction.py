"""The face as it is put together from the masked maps of all AUs: GTLE-Net's section 3.3."""

import numpy as np
from matplotlib.figure import Figure

from actionunits.figures import layout
from actionunits.figures.faces import Choice, varied
from actionunits.figures.seen import Seen, Wants, see
from actionunits.figures.trained import Report, Trained
from actionunits.types import InputSpec

WANTS = Wants("reconstruction", ("reconstruction",), "train gtlenet, with its maps")


def figure(trained: Trained, choice: Choice, report: Report) -> Figure:
    """Draw what a run makes of faces.

    Args:
        trained: its model.
        choice: of faces.
        report: is told of what is left out.

    Raises:
        UserError: the model puts no picture together, or there is no face.
    """
    return draw(see(trained, varied(trained, choice, report), WANTS), trained.spec)


def draw(seen: Seen, spec: InputSpec) -> Figure:
    """Draw each face, what is made of it, and how far the two are apart, on one scale of colours.

    Args:
        seen: with ``reconstruction`` (F, 3, S, S), normalised.
        spec: how.
    """
    std, mean = (np.array(values)[:, None, None] for values in (spec.std, spec.mean))
    made = (seen.aux["reconstruction"].astype(float) * std + mean).clip(0, 1).transpose(0, 2, 3, 1)
    far = np.abs(made - seen.pictures / 255).mean(-1)
    whole, part, _ = layout.faces(seen.names, 3)
    axes = layout.grid(part, seen.names, 3)
    for axis, heading in zip(axes[0], ("face", "reconstruction", "difference"), strict=True):
        axis.set_title(heading, fontsize=7.5)
    ends = layout.limits(far)
    for row, picture, other, values in zip(axes, seen.pictures, made, far, strict=True):
        layout.face(row[0], picture)
        layout.face(row[1], (255 * other).round().astype(np.uint8))
        layout.heat(row[2], picture, values, ends)
    layout.scale(part, axes, ends, "difference, of 1")
    return whole
