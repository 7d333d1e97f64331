"""What models say of one file: kept frame by frame without pictures, and as tables."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actionunits import media, weights
from actionunits.app.limits import Limits, clock
from actionunits.aus import AUSet
from actionunits.detect import onnx
from actionunits.detect.predict import Predictor, load
from actionunits.detect.tables import Rows, rounded
from actionunits.errors import UserError
from actionunits.files import writing
from actionunits.files.names import fitted
from actionunits.findings import frames
from actionunits.findings.frames import Frames
from actionunits.learn.card import read_card
from actionunits.types import Reading

Progress = Callable[[float, str], None]
"""Is told the share of the work that is done, 0 to 1, and where it is."""

_ROUNDING = 1e-3  # seconds, less than a frame lasts
_STEP = 10  # frames from one word on the progress to the next


class Seen(NamedTuple):
    """What one model, with its name and label axis, says of one frame."""

    model: str
    aus: AUSet
    reading: Reading


class Said(NamedTuple):
    """What one model says of a file.

    Attributes:
        model: its name.
        aus: its label axis.
        readings: N frames in their order, their pictures taken out.
        csv: table of the readings, as `au detect` writes it.
        frames: the same table, as findings are made of it.
        notes: what went wrong, was left out, or is to be kept in mind.
    """

    model: str
    aus: AUSet
    readings: Sequence[Reading]
    csv: Path
    frames: Frames
    notes: Sequence[str]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(N,) times of the frames."""
        return np.array([reading.frame.seconds for reading in self.readings])

    def at(self, seconds: float) -> Seen:
        """Reading of the frame that is shown at a time; of stills in one file, of the first."""
        shown = self.seconds[np.searchsorted(self.seconds, seconds + _ROUNDING, "right") - 1 :][:1]
        place = int(np.searchsorted(self.seconds, shown)[0])
        return Seen(self.model, self.aus, self.readings[place])


class Result(NamedTuple):
    """What all chosen models say of a file.

    Attributes:
        file: the upload.
        moves: whether it is a video or an animation.
        said: one a model, at least one.
    """

    file: Path
    moves: bool
    said: tuple[Said, ...]

    def faces(self) -> list[int]:
        """Identity numbers, in the order of the time for which they are seen."""
        tracks = [f.track for said in self.said for r in said.readings for f in r.faces]
        numbers, counts = np.unique(np.array(tracks, int), return_counts=True)
        return [int(n) for n in numbers[np.argsort(-counts, kind="stable")]]


def models(more: Sequence[str] = ()) -> dict[str, str]:
    """Weights that can be read with what is installed: how a list shows them, and their names.

    Args:
        more: folders of runs, or names.

    Raises:
        CheckpointError: one of those is no checkpoint, or reads no AUs.
    """
    found = {}
    torch = find_spec("torch") is not None
    for name in (*more, *weights.list_weights()):
        path = weights.locate(name)
        card = read_card(path)
        if name in more:
            card.au_set()
        if card.aus and (torch or onnx.has_graph(path)):
            found[Path(name).name if name in more else name] = name
    return found


@lru_cache(maxsize=16)
def predictor(name: str) -> Predictor:
    """Predictor of weights, loaded once."""
    return load(name)


def drawn(reads: Predictor) -> list[str]:
    """What stills show besides AUs and a model tells, of `added.ADDABLE`."""
    return [kind for kind in ("landmarks", "pose") if kind in reads.network.told]


def read(
    file: Path, chosen: Mapping[str, str], limits: Limits, progress: Progress, stop: Event
) -> Result:
    """Read a file with one model after the other.

    Args:
        file: picture or video.
        chosen: names of weights, by what they are called here.
        limits: see `Limits.check`.
        progress: is told every few frames.
        stop: ends the reading when it is set; what was read until then is the result.

    Raises:
        UserError: nothing is chosen, the file is too large or long, or nothing could be read of it.
    """
    if not chosen:
        raise UserError("choose one of the weights, or several to see them side by side")
    promised = limits.check(file)
    moves = not media.is_still(str(file))
    said = []
    for place, (model, name) in enumerate(chosen.items()):

        def tell(seconds: float, frames: int, place: int = place, model: str = model) -> None:
            done = min(seconds / promised, 1) if promised else 0
            of = f" of {clock(promised)}" if promised else ""
            where = f"{clock(seconds)}{of}, frame {frames}" if moves else "reading"
            progress((place + done) / len(chosen), f"{model}: {where}")

        said.append(_read(file, model, predictor(name), 60 * limits.minutes, tell, stop))
        if stop.is_set():
            break
    return Result(file, moves, tuple(said))


def named(problem: UserError | str, file: Path) -> str:
    """What went wrong, with the name that the user gave a file and not where it lies here."""
    return str(problem).replace(str(file), file.name)


class _Heard(logging.Handler):
    """Warnings about one file."""

    def __init__(self, file: Path) -> None:
        super().__init__(logging.WARNING)
        self._file = file
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if str(self._file.parent) in said:  # other pages may read something else at the same time
            self.texts.append(named(said, self._file))


@contextmanager
def _warnings(file: Path) -> Iterator[Sequence[str]]:
    """What is warned of about a file until the end, by what the user called it."""
    logger, heard = logging.getLogger("actionunits"), _Heard(file)
    logger.addHandler(heard)
    try:
        yield heard.texts
    finally:
        logger.removeHandler(heard)


def _read(
    file: Path,
    model: str,
    reads: Predictor,
    longest: float,
    tell: Callable[[float, int], None],
    stop: Event,
) -> Said:
    problems: list[UserError] = []
    add = drawn(reads)
    rows, readings = Rows(reads.aus), list[Reading]()
    notes = []
    tell(0.0, 0)
    with (
        _warnings(file) as warned,
        closing(reads.readings([file], problems.append, add)) as everything,
    ):
        for reading in everything:
            frame = reading.frame
            if frame.seconds > longest:
                notes.append(f"{model}: longer than {longest / 60:g} minutes, read up to there")
                break
            kept = reading.bare()
            readings.append(kept._replace(frame=kept.frame._replace(source=file.name)))
            rows.add(readings[-1])
            if len(readings) % _STEP == 0:
                tell(frame.seconds, len(readings))
            if stop.is_set():
                notes.append(f"{model}: stopped at {clock(frame.seconds)}; what was read is kept")
                break
    notes += [f"{model}: {text}" for text in warned]
    notes += [named(problem, file) for problem in problems]
    if not readings:
        raise UserError(notes[0] if notes else f"{file.name}: there is no picture in it")
    csv = file.with_name(fitted(f"{file.stem}-{model}", ".csv"))
    with writing(csv):  # which makes no folder anew that went with its page
        rounded(rows.table()).to_csv(csv, index=False)
    return Said(model, reads.aus, readings, csv, frames.read(csv), notes)
