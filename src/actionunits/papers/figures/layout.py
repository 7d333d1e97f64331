"""What the figures have in common: rows of faces, heat maps, matrices, colours, and the file.

Heat maps are perceptually uniform (magma), signed values red-blue about 0, and classes have the
colours of Okabe and Ito: all can be told apart by the colour-blind.
"""

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from torch.nn import functional

from actionunits import datasets
from actionunits.aus import AU, AUSet
from actionunits.data.table import FACE_SIDE
from actionunits.errors import UserError
from actionunits.files import atomic, writing
from actionunits.papers.figures.faces import EMBEDDED
from actionunits.types import InputSpec

FORMATS = (".png", ".svg", ".pdf")
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2", "#000000")
DARK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")  # that show on white
DASHES = ("-", "--", "-.", ":", "-")
OCCURRED, ABSENT, WRONG = "#D55E00", "#56B4E9", "#CC79A7"
HEAT, SIGNED = "magma", "RdBu_r"
CELL = 1.35  # inches of a face
NAMES = 1.15  # inches of the names on the left
OUTLINE = [withStroke(linewidth=2.0, foreground="black")]  # of white text on a picture

Array = NDArray[np.floating]


def label(au: AU, width: int = 15) -> str:
    r"""Heading of a column: number and name, in lines of `width` characters.

    >>> from actionunits.aus import DISFA8
    >>> label(DISFA8.aus[0])
    'AU 1\nInner brow\nraiser'
    """
    return "\n".join([f"AU {au.number}", *textwrap.wrap(au.name, width)])


def faces(
    names: Sequence[str], columns: int, *, cell: float = CELL, below: float = 0.0
) -> tuple[Figure, SubFigure, SubFigure]:
    """Figure with room for rows of faces, and for something else below them.

    Args:
        names: of the rows.
        columns: number of faces of a row.
        cell: side of a face, inches.
        below: height of what comes below, inches.

    Returns:
        The figure, the part for the faces (see `grid`), and the part below.
    """
    height = 0.6 + (cell + 0.06) * len(names)
    width = NAMES + (cell + 0.06) * columns + 0.8
    figure = Figure(figsize=(width, height + below))
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    parts = figure.subfigures(2, 1, height_ratios=[height, max(below, 1e-3)], squeeze=False)
    upper, lower = parts[:, 0]
    return figure, upper, lower


def grid(part: SubFigure, names: Sequence[str], columns: int) -> NDArray[np.object_]:
    """Axes (rows, columns) without lines, with the name of each row on the left."""
    axes = part.subplots(len(names), columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, name in zip(axes[:, 0], names, strict=True):
        lines = "\n".join(textwrap.wrap(name, 15, break_on_hyphens=False))
        axis.text(
            -0.06, 0.5, lines, transform=axis.transAxes, ha="right", va="center", fontsize=7.5
        )
    return axes


def face(axis: Axes, picture: NDArray[np.uint8], *, dim: float = 0.0) -> None:
    """Draw a face (S, S, 3), in pixels of the crop; dimmed towards gray and white by 0 to 1."""
    if dim:
        gray = picture.mean(-1, keepdims=True)
        shade = (1 - dim) * gray + dim * 255
        picture = np.repeat(shade, 3, -1).round().astype(np.uint8)
    side = len(picture)
    axis.imshow(picture, extent=(0, side, side, 0), interpolation="bilinear")
    axis.set(xlim=(0, side), ylim=(side, 0))


def heat(
    axis: Axes, picture: NDArray[np.uint8], values: Array, limits: tuple[float, float]
) -> AxesImage:
    """Draw a map (h, w) over a face (S, S, 3); it is enlarged to S."""
    face(axis, picture, dim=0.1)
    side = len(picture)
    enlarged = functional.interpolate(
        torch.from_numpy(np.array(values, np.float32))[None, None],
        size=(side, side),
        mode="bilinear",
        align_corners=False,
    )[0, 0].numpy()
    extent = (0, side, side, 0)
    low, high = limits
    return axis.imshow(enlarged, cmap=HEAT, vmin=low, vmax=high, alpha=0.62, extent=extent)


def limits(values: Array) -> tuple[float, float]:
    """Least and greatest value, a little apart even where all are the same."""
    low, high = float(values.min()), float(values.max())
    return (low, high) if high - low > 1e-6 else (low - 0.5e-3, high + 0.5e-3)


def scale(
    figure: SubFigure, axes: NDArray[np.object_], ends: tuple[float, float], text: str
) -> None:
    """Draw the colour scale of heat maps beside some axes."""
    colours = ScalarMappable(Normalize(*ends), HEAT)
    bar = figure.colorbar(
        colours, ax=axes.ravel().tolist(), fraction=0.02, pad=0.01, aspect=30, shrink=0.9
    )
    bar.set_label(text, fontsize=8)
    bar.ax.tick_params(labelsize=7)


def matrix(axis: Axes, values: Array, aus: AUSet, title: str, bound: float, *, named: bool) -> None:
    """Draw a matrix of AUs, every cell with its number.

    Args:
        axis: to draw on.
        values: (A, A).
        aus: of rows and columns.
        title: of the matrix.
        bound: value of the deepest colours.
        named: write the names of the AUs beside their numbers, on the left.
    """
    axis.imshow(values, cmap=SIGNED, vmin=-bound, vmax=bound)
    places = range(len(aus))
    axis.set_xticks(places, [str(n) for n in aus.numbers], fontsize=8)
    names = [f"{au.name}  {au.number}" if named else str(au.number) for au in aus]
    axis.set_yticks(places, names, fontsize=8)
    axis.tick_params(length=0)
    axis.set_xlabel("AU", fontsize=8)
    axis.set_title(title, fontsize=10)
    size = 7 if len(aus) <= 12 else 5.5
    for (row, column), value in np.ndenumerate(values):
        shade = "white" if abs(value) > 0.6 * bound else "black"
        text = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.1f}"
        axis.text(column, row, text, ha="center", va="center", fontsize=size, color=shade)


def dot(text: str, marker: str, fill: str, edge: str, size: float = 8) -> Line2D:
    """Entry of a legend: a marker."""
    return Line2D([], [], ls="", marker=marker, mfc=fill, mec=edge, ms=size, label=text)


@cache
def mean_landmarks(spec: InputSpec) -> Array:
    """Where the 49 landmarks are on an average face: (49, 2) in pixels of the crop.

    The mean of the embedded corpus. It places AUs for models that find no landmarks themselves.
    """
    points = datasets.load(EMBEDDED).landmarks
    assert points is not None
    mean: Array = points.mean(0) * (spec.align / FACE_SIDE) - (spec.align - spec.size) // 2
    return mean


def apart(points: Array, least: float, side: float) -> Array:
    """Push points apart until they are `least` away from each other, and keep them in the picture.

    Args:
        points: (N, 2); those at the same place are parted too.
        least: distance.
        side: of the picture.

    Returns:
        (N, 2).
    """
    angle = np.arange(len(points)) * 2.4  # radians; any angles that differ
    moved = points + 1e-3 * np.stack([np.cos(angle), np.sin(angle)], 1)
    for _ in range(200):
        offset = moved[:, None] - moved[None]
        distance = np.linalg.norm(offset, axis=-1)
        np.fill_diagonal(distance, np.inf)
        push = np.clip(least - distance, 0, None) / 2
        moved = moved + (push[..., None] * offset / distance[..., None]).sum(1)
        moved = moved.clip(least / 2, side - least / 2)
    return moved


def check(path: Path) -> None:
    """Refuse a file that cannot be written, before anything is computed.

    Raises:
        UserError: its suffix is none of `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: expected a file {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file.

    Raises:
        UserError: the format is unknown, or the file cannot be written.
    """
    check(path)
    with writing(path), atomic(path) as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight", pad_inches=0.05)
