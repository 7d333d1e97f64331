"""Weights of spatial scales over the face, and over time: MDHR's Figure 3."""

import numpy as np
from matplotlib.figure import Figure, SubFigure

from actionunits.nn.face_regions import REGIONS, region_rows
from actionunits.papers.figures import layout
from actionunits.papers.figures.faces import Choice, sequences
from actionunits.papers.figures.seen import Array, Seen, Wants, see
from actionunits.papers.figures.trained import Report, Trained

WANTS = Wants("weights", ("weights",), "train mdhr with multi_scale=adaptive")
_LEAST = 3  # frames that have a course in time


def figure(trained: Trained, choice: Choice, report: Report) -> Figure:
    """Draw the weights of a run.

    Args:
        trained: its model.
        choice: of faces: pictures, videos, or one task of a data set.
        report: is told of what is left out.

    Raises:
        UserError: the model does not weight scales, or there is no face.
    """
    return draw(see(trained, sequences(trained, choice, report), WANTS), choice.rows)


def draw(seen: Seen, count: int) -> Figure:
    """Draw faces with the weight of each scale over them, and means of the weights over time.

    A colour means the same in all. Of frames in time those are drawn that are evenly apart, and
    below them the course of the longest sequence, region by region of the face.

    Args:
        seen: with ``weights`` (F, S, h, w), which are the softmax over S scales, finest first.
        count: frames to draw of the longest sequence; pictures are all drawn.
    """
    lengths = np.bincount(seen.strip)
    longest = np.flatnonzero(seen.strip == lengths.argmax())
    in_time = len(longest) >= _LEAST
    drawn = seen
    if in_time:
        places = np.linspace(0, len(longest) - 1, min(count, len(longest))).round()
        drawn = seen.pick(longest[places.astype(np.int64)])
    weights = drawn.aux["weights"].astype(float)
    scales = weights.shape[1]
    whole, upper, lower = layout.faces(drawn.names, 1 + scales, below=1.9 if in_time else 0.0)
    axes = layout.grid(upper, drawn.names, 1 + scales)
    for axis, heading in zip(axes[0], ["face", *_titles(scales)], strict=True):
        axis.set_title(heading, fontsize=8)
    ends = layout.limits(weights)
    for row, picture, maps in zip(axes, drawn.pictures, weights, strict=True):
        layout.face(row[0], picture)
        for axis, values in zip(row[1:], maps, strict=True):
            layout.heat(axis, picture, values, ends)
    layout.scale(upper, axes, ends, "weight")
    if in_time:
        _draw_course(lower, seen.seconds[longest], seen.aux["weights"][longest].astype(float))
    return whole


def _titles(scales: int) -> list[str]:
    ends = {0: " (finest)", scales - 1: " (coarsest)"} if scales > 1 else {}
    return [f"scale {i + 1}{ends.get(i, '')}" for i in range(scales)]


def _draw_course(part: SubFigure, seconds: Array, weights: Array) -> None:
    """Draw the mean weight of each scale (F, S, h, w) in each region of the face over time."""
    axes = part.subplots(1, len(REGIONS), sharey=True)
    regions = zip(REGIONS, region_rows(weights.shape[2]), strict=True)
    titles = _titles(weights.shape[1])
    for axis, (region, (top, bottom)) in zip(axes, regions, strict=True):
        lines = axis.plot(seconds, weights[:, :, top:bottom].mean((2, 3)), lw=1.5)
        for line, title, colour, dash in zip(
            lines, titles, layout.DARK, layout.DASHES, strict=False
        ):
            line.set(label=title, color=colour, linestyle=dash)
        axis.set_title(f"{region} face", fontsize=9)
        axis.set_xlabel("seconds", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("mean weight", fontsize=8)
    handles, names = axes[0].get_legend_handles_labels()
    part.legend(handles, names, loc="outside right center", fontsize=7.5, frameon=False)
