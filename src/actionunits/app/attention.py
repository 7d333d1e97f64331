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

from actionunits.app.reading import Seen
from actionunits.errors import UserError, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from actionunits.papers.figures.faces import Choice
    from actionunits.papers.figures.trained import Report, Trained

    Draw = Callable[[Trained, Choice], Figure]


_MOST = 7  # masks


def is_installed() -> bool:
    """Whether there is what figures need."""
    return all(find_spec(name) for name in ("matplotlib", "torch"))


def attention(image: NDArray[np.uint8], chosen: Sequence[tuple[Seen, str]]) -> str:
    """Figures of all models that give masks, activation maps or graphs, as HTML.

    Args:
        image: (H, W, 3) RGB, whose faces are found once more; a model of clips sees it standing
            still.
        chosen: what models say of it, and the names of their weights; of the masks those of the
            likeliest AUs are drawn.

    Raises:
        UserError: none of the models gives any, or no face is found.
    """
    problems: list[UserError] = []
    shown = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "frame.png"
        Image.fromarray(image).save(file)
        for seen, name in chosen:
            shown += [
                f'<figure class="au-attention"><img src="data:image/png;base64,{code}" '
                f'alt="{escape(title)}"><figcaption>{escape(printable(seen.model))}: '
                f"{escape(title)}</figcaption></figure>"
                for title, code in _figures(name, file, _likeliest(seen), problems.append)
            ]
    if not shown and problems:
        raise UserError(str(problems[0]).replace(str(file), "the frame"))
    if not shown:
        names = ", ".join(seen.model for seen, _ in chosen)
        raise UserError(
            f"{names}: no masks and no attention to show; gtlenet gives masks, mgrrnet activation "
            "maps, sacl and mdhr graphs"
        )
    return "".join(shown)


def _likeliest(seen: Seen) -> list[int]:
    """FACS numbers of the AUs that the largest face most probably shows."""
    if not seen.reading.faces:
        return []
    order = np.argsort(-seen.reading.probability[0], kind="stable")[:_MOST]
    return sorted(seen.aus.numbers[i] for i in order)


def _figures(
    name: str, file: Path, numbers: Sequence[int], report: "Report"
) -> Sequence[tuple[str, str]]:
    """Titles and PNG files, as text, of what a model offers."""
    from actionunits.papers.figures import cam, faces, graph, masks, trained

    drawn: Mapping[str, tuple[Sequence[str], Draw]] = {
        "masks of the likeliest AUs": (
            masks.WANTS.names,
            lambda run, choice: masks.figure(run, choice, numbers, report),
        ),
        "what activates each AU that occurs": (
            cam.WANTS.names,
            lambda run, choice: cam.figure(run, choice, None, report),
        ),
        "graph of AUs": (
            graph.WANTS.names,
            lambda run, choice: graph.figure([run], choice, None, report),
        ),
    }
    run, choice = trained.load(name), faces.Choice((str(file),))
    offered = _offered(run)
    return [
        (title, _png(draw(run, choice)))
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
