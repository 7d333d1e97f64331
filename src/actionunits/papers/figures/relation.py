"""Relations of AUs: what was learned, its start, and the correlation of the training labels.

MGRR-Net's Figure 4 (prior and learned) and RE-Net's Figure 2 (correlation).
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from actionunits.aus import AUSet
from actionunits.errors import UserError
from actionunits.papers.figures import layout
from actionunits.papers.figures.seen import Array
from actionunits.papers.figures.trained import Relational, Report, Trained, label_stats, positions


def figure(trained: Trained, numbers: Sequence[int] | None, report: Report) -> Figure:
    """Draw the relations of a run; see `matrices` and `draw`."""
    return draw(matrices(trained, report), trained.aus, positions(trained.aus, numbers))


def matrices(trained: Trained, report: Report) -> dict[str, Array]:
    """Collect the matrices (A, A) of a run by their titles.

    Args:
        trained: its model.
        report: is told if the training labels cannot be read; their correlation is left out.

    Raises:
        UserError: the model relates no AUs.
    """
    model = trained.model
    if not isinstance(model, Relational):
        raise UserError(
            "figure relation needs a model that relates AUs by matrices; "
            f"{trained.title} ({trained.name}) does not: train mgrrnet, or renet"
        )
    learned = model.relations().detach().double().numpy()
    found: dict[str, Array] = {}
    prior = getattr(model, "prior", None)
    if prior is not None:
        starts = prior.double().numpy()
        same = (starts == starts[0]).all()
        for layer, values in enumerate(starts[:1] if same else starts):
            found["prior" if same else f"prior, layer {layer + 1}"] = values
    for layer, values in enumerate(learned):
        found["relation" if len(learned) == 1 else f"learned, layer {layer + 1}"] = values
    stats = label_stats(trained, report)
    if stats is not None:
        found["correlation of the training labels"] = stats.correlation.double().numpy()
    return found


def draw(found: dict[str, Array], aus: AUSet, which: Sequence[int]) -> Figure:
    """Draw matrices beside each other, on one scale of colours.

    Args:
        found: (A, A) each, by title.
        aus: label axis.
        which: positions of the AUs to draw.
    """
    shown = AUSet(tuple(aus.aus[i] for i in which))
    cut = [values[np.ix_(which, which)] for values in found.values()]
    bound = max(1.0, *(float(np.abs(values).max()) for values in cut))
    columns = len(cut) if len(cut) < 4 else 2
    rows = -(-len(cut) // columns)
    side = max(0.34 * len(shown), 2.2)
    figure = Figure(
        figsize=(2.1 + (side + 0.45) * columns, (side + 0.6) * rows), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat[len(cut) :]:
        axis.axis("off")
    for place, (title, values) in enumerate(zip(found, cut, strict=True)):
        named = place % columns == 0
        layout.matrix(axes.flat[place], values, shown, title, bound, named=named)
    return figure
