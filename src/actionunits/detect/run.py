"""One run over all sources: readings to outputs, to the end or until the user stops it."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from actionunits import media, weights
from actionunits.detect.chunks import blocks
from actionunits.detect.formats import OURS
from actionunits.detect.neutral import Neutral
from actionunits.detect.outputs import Outputs
from actionunits.detect.predict import Predictor
from actionunits.detect.record import Settings
from actionunits.errors import UserError
from actionunits.learn.card import read_card
from actionunits.types import Frame

_NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


class Stopped(NamedTuple):
    """Where the user stopped a run."""

    frame: Frame | None  # the last that was read

    def where(self) -> str:
        """The place for a sentence."""
        if self.frame is None:
            return "before the first frame"
        number, seconds = self.frame.number + 1, self.frame.seconds
        return f"at frame {number} ({seconds:.1f} s) of {self.frame.source}"


def settings(
    model: str | Path,
    faces: str | Path,
    columns: Sequence[str],
    min_confidence: float = 0.0,
    neutral: Neutral | None = None,
    search_size: int | None = None,
    span: media.Span = media.WHOLE,
    runtime: str = "auto",
    written: str = OURS,
    *,
    blur: bool = False,
) -> Settings:
    """What the rows of a run depend on, by what it is called in a sentence.

    Args:
        model: name of the weights, or folder of a run.
        faces: name of the face detector, or a file of boxes.
        columns: of the table.
        min_confidence: see `Predictor`.
        neutral: whose rest intensities are compared with, if they are.
        search_size: see `Predictor`.
        span: which frames of videos are read.
        runtime: what computes the model, as it was asked for.
        written: name of the format of the tables.
        blur: faces are searched for more often, to be hidden.

    Raises:
        CheckpointError: there are no such weights.
    """
    card = read_card(weights.locate(model)).model_dump_json()
    boxes = faces.read_bytes() if isinstance(faces, Path) else None
    return {
        "weights": hashlib.sha256(card.encode()).hexdigest(),
        "detector or boxes": str(faces) if boxes is None else hashlib.sha256(boxes).hexdigest(),
        "columns": list(columns),
        "least confidence": min_confidence,
        "search size": search_size,
        "part of the videos": list(span),
        "runtime": runtime,
        "format": None if written == OURS else written,
        "hidden faces": blur or None,
        "rest": None if neutral is None or neutral.rest is None else neutral.rest.tolist(),
    }


def remaining(sources: Sequence[str], held: Callable[[str], bool]) -> list[str]:
    """Sources that are still to be read, with those that are worked on together with them.

    The values of pictures that go through the networks together depend on each other in their last
    digits: read in the same company they are the same.

    Args:
        sources: all of the run.
        held: whether the outputs hold a source.
    """
    if not any(map(held, sources)):
        return list(sources)
    return [s for block in blocks(sources) if not all(map(held, block)) for s in block]


def run(
    predictor: Predictor,
    sources: Sequence[str],
    outputs: Outputs,
    problems: list[UserError],
    add: Sequence[str] = (),
    span: media.Span = media.WHOLE,
    enough: Callable[[], bool] = lambda: False,
) -> Stopped | None:
    """Read all sources into the outputs.

    Ctrl-C is the way to end a camera or a stream, which completes the outputs if nothing comes
    after it.

    Args:
        predictor: reads them.
        sources: as `media.sources` gives them.
        outputs: take the readings, and are complete at the end unless the run is stopped.
        problems: takes what goes wrong with one source or output.
        add: see `Predictor.readings`.
        span: see `Predictor.readings`.
        enough: whether nobody wants more, asked after each frame.

    Returns:
        Where the run was stopped, by a `KeyboardInterrupt`; None at the end of all sources.

    Raises:
        UserError: an output cannot be begun.
    """
    last: Frame | None = None
    try:
        with outputs:
            try:
                with closing(predictor.readings(sources, problems.append, add, span)) as readings:
                    for reading in readings:
                        last = reading.frame._replace(image=_NO_PICTURE)
                        outputs.add(reading)
                        del reading
                        if enough():
                            break
            except KeyboardInterrupt:
                if last is None or last.source != sources[-1] or not media.is_live(last.source):
                    raise
    except KeyboardInterrupt:
        return Stopped(last)
    return None
