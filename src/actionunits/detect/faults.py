"""What goes wrong with one source stays with it: it ends there, and the others go on."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple, TypeVar

from actionunits.detect.ahead import UnwantedError
from actionunits.errors import UserError
from actionunits.system.machine import is_memory_error
from actionunits.types import Frame

_T = TypeVar("_T")

Report = Callable[[UserError], None]


class Failed(NamedTuple):
    """What stands for the result of a frame that could not be worked on."""

    error: Exception


def tried(count: int, work: Callable[[Sequence[int]], Sequence[_T]]) -> list[_T | Failed]:
    """Results of frames that are worked on together, and one by one where that fails.

    Args:
        count: of the frames.
        work: gives a result for each of these positions, in order.
    """
    return _tried(range(count), work)


def _tried(
    positions: Sequence[int], work: Callable[[Sequence[int]], Sequence[_T]]
) -> list[_T | Failed]:
    if not positions:
        return []
    try:
        return [result for _, result in zip(positions, work(positions), strict=True)]
    except UnwantedError:
        raise
    except Exception as error:
        if len(positions) == 1:
            return [Failed(error)]
    return [each for at in positions for each in _tried([at], work)]


class Faults:
    """Which sources of a run have ended before their end; each fault is reported once.

    Whatever a source raises in a decoder, a detector or a model, what was read of it before counts.

    Attributes:
        report: is told of each fault; the error names its source.
    """

    def __init__(self, report: Report) -> None:
        """Start without faults."""
        self.report = report
        self._ended: dict[str, int] = {}  # number of the first frame that is not wanted, by source
        self._noted: set[tuple[str, str]] = set()

    def has_ended(self, source: str) -> bool:
        """Whether nothing more is wanted of a source."""
        return source in self._ended

    def tell(self, source: str, error: Exception, frame: Frame | None = None) -> None:
        """Report what a source raised, at this frame if that is known."""
        told = error if isinstance(error, UserError) else _told(source, error, frame)
        told.source = source
        self.report(told)

    def end(self, source: str, error: Exception, frame: Frame | None = None) -> None:
        """Report what a source raised; from there on nothing is wanted of it."""
        self._ended[source] = 0 if frame is None else frame.number
        self.tell(source, error, frame)

    def note(self, frame: Frame, what: str) -> None:
        """Report something of a source that goes on, at the first frame of which it holds."""
        source = frame.source
        if (source, what) not in self._noted:
            self._noted.add((source, what))
            self.tell(source, UserError(f"{source}: from frame {frame.number + 1} on {what}"))

    def each(
        self, frames: Sequence[Frame], work: Callable[[Sequence[int]], Sequence[_T]]
    ) -> list[tuple[int, _T]]:
        """Results of frames that are worked on together, and one by one where that fails.

        A frame that fails by itself ends its source.

        Args:
            frames: of any sources.
            work: gives a result for each of these positions in `frames`, in order.

        Returns:
            Positions that could be worked on, with their results.
        """
        return self.settled(frames, tried(len(frames), work))

    def settled(
        self, frames: Sequence[Frame], results: Sequence["_T | Failed"]
    ) -> list[tuple[int, _T]]:
        """Results of frames whose sources go on; the first that failed ends its source.

        Args:
            frames: of any sources.
            results: of each, what `tried` gave, which may have been ahead.

        Returns:
            Positions of the frames that could be worked on, with their results.
        """
        kept = []
        for at, (frame, result) in enumerate(zip(frames, results, strict=True)):
            if not self._wants(frame):
                continue
            if isinstance(result, Failed):
                self.end(frame.source, result.error, frame)
            else:
                kept.append((at, result))
        return kept

    def _wants(self, frame: Frame) -> bool:
        end = self._ended.get(frame.source)
        return end is None or frame.number < end

    def through(self, source: str, results: Iterator[_T]) -> Generator[_T, None, bool]:
        """Hand on the results of a source; return whether they came to their end."""
        try:
            yield from results
        except Exception as error:
            self.end(source, error)
            return False
        return True


def _told(source: str, error: Exception, frame: Frame | None) -> UserError:
    where = "" if frame is None else f" at frame {frame.number + 1}"
    told = UserError(
        f"{source}: could not be read on{where}: {reason(error)}; what was read before is kept"
    )
    told.__cause__ = error
    return told


def reason(error: Exception) -> str:
    """Why something failed, in a few words."""
    if is_memory_error(error):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    first = next(iter(str(error).splitlines()), "")[:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
