"""The face as it is put together from the masked maps of all AUs: GTLE-Net's section 3.3."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from actionunits.errors import UserError
from actionunits.papers.figures import layout
from actionunits.papers.figures.faces import Choice, varied
from actionunits.papers.figures.seen import Seen, Wants, see
from actionunits.papers.figures.trained import Report, Trained
from actionunits.types import InputSpec

WANTS = Wants("reconstruction", ("reconstruction",), "train gtlenet, with its maps")


def figure(runs: Sequence[Trained], choice: Choice, report: Report) -> Figure:
    """Draw what runs make of the same faces.

    Args:
        runs: a column each; faces are chosen for the first.
        choice: of faces.
        report: is told of what is left out.

    Raises:
        UserError: a model puts no picture together or wants other faces than the first, or there
            is no face.
    """
    first = runs[0]
    for run in runs:
        if (run.spec, run.card.template) != (first.spec, first.card.template):
            raise UserError(
                f"--beside: {run.title} sees faces of {run.spec.size} pixels, placed as "
                f"{run.card.template}, {first.title} of {first.spec.size}, {first.card.template}: "
                "draw them apart"
            )
    strips = list(varied(first, choice, report))
    return draw({run.title: see(run, strips, WANTS) for run in runs}, first.spec)


def draw(seen: dict[str, Seen], spec: InputSpec) -> Figure:
    """Draw each face and what is made of it, with its mean squared error.

    The error is that of the loss, on -1..1. That of the mean face is the pictures' variance.

    Args:
        seen: by the title of the run, with ``reconstruction`` (F, 3, S, S), normalised.
        spec: how they are normalised.
    """
    std, mean = (np.array(values)[:, None, None] for values in (spec.std, spec.mean))
    first = next(iter(seen.values()))
    whole, part, _ = layout.faces(first.names, 1 + len(seen))
    axes = layout.grid(part, first.names, 1 + len(seen))
    axes[0, 0].set_title("face", fontsize=7.5)
    for axis, picture in zip(axes[:, 0], first.pictures, strict=True):
        layout.face(axis, picture)
    for column, (title, run) in zip(axes.T[1:], seen.items(), strict=True):
        column[0].set_title(title, fontsize=7.5)
        made = run.aux["reconstruction"].astype(float) * std + mean  # on 0..1
        made = made.transpose(0, 2, 3, 1)
        errors = np.square(2 * (made - run.pictures / 255)).mean((1, 2, 3))
        for axis, values, error in zip(column, made.clip(0, 1), errors, strict=True):
            layout.face(axis, (255 * values).round().astype(np.uint8))
            place = {"transform": axis.transAxes, "va": "bottom", "fontsize": 7}
            outlined = {"color": "white", "path_effects": layout.OUTLINE}
            axis.text(0.03, 0.03, f"error {error:.3f}", **place, **outlined)
    return whole
