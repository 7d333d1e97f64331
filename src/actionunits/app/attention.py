"""What a model attends to in one picture: the papers' figures, where it gives what they draw.

They need PyTorch and matplotlib, which reading does not.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actionunits.errors import UserError, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from actionunits.papers.figures.faces import Choice
    from actionunits.papers.figures.trained import Report, Trained

    Draw = Callable[[Trained, Choice, Report], Figure]


def is_installed() -> bool:
    """Whether there is what figures need."""
    return all(find_spec(name) for name in ("matplotlib", "torch"))


def attention(image: NDArray[np.uint8], chosen: Mapping[str, str]) -> str:
    """Figures of all models that give masks, activation maps or graphs, as HTML.

    Args:
        image: (H, W, 3) RGB, whose faces are found once more; a model of clips sees it standing
            still.
        chosen: names of weights, by what they are called here.

    Raises:
        UserError: none of the models gives any, or no face is found.
    """
    problems: list[UserError] = []
    shown = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "frame.png"
        Image.fromarray(image).save(file)
        for model, name in chosen.items():
            shown += [
                f'<figure class="au-attention"><img src="data:image/png;base64,{code}" '
                f'alt="{escape(title)} of {escape(model)}"><figcaption>{escape(printable(model))}: '
                f"{escape(title)}</figcaption></figure>"
                for title, code in _figures(name, file, problems.append)
            ]
    if not shown and problems:
        raise UserError(str(problems[0]).replace(str(file), "the frame"))
    if not shown:
        raise UserError(
            f"{', '.join(chosen)}: gives no masks and no attention; gtlenet gives masks, mgrrnet "
            "activation maps, sacl and mdhr graphs"
        )
    return "".join(shown)


def _figures(name: str, file: Path, report: "Report") -> Sequence[tuple[str, str]]:
    """Titles and PNG files, as text, of what a model offers."""
    from actionunits.papers.figures import cam, faces, graph, masks, trained

    drawn: Mapping[str, tuple[Sequence[str], Draw]] = {
        "mask of each AU": (
            masks.WANTS.names,
            lambda run, what, tell: masks.figure(run, what, None, tell),
        ),
        "what activates each AU": (
            cam.WANTS.names,
            lambda run, what, tell: cam.figure(run, what, None, tell),
        ),
        "graph of AUs": (
            graph.WANTS.names,
            lambda run, what, tell: graph.figure([run], what, None, tell),
        ),
    }
    run, choice = trained.load(name), faces.Choice((str(file),))
    offered = _offered(run)
    return [
        (title, _png(draw(run, choice, report)))
        for title, (names, draw) in drawn.items()
        if offered & set(names)
    ]


def _offered(run: "Trained") -> set[str]:
    """Names of the arrays that a model gives besides its reading."""
    import torch

    spec = run.spec
    time = () if spec.clip is None else (1 + 2 * spec.context,)
    with torch.inference_mode():
        return set(run.model(torch.zeros(1, *time, 3, spec.size, spec.size)).aux or {})


def _png(figure: "Figure") -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110, bbox_inches="tight")
    return base64.b64encode(data.getvalue()).decode()
