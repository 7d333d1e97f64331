"""Models on faces as they come: single frames at once, clips when their neighbours are known.

A reader looks at faces of any frames, then is pushed the frames of one source after the other, with
what it saw on them, and hands back what it has read, in their order.
"""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from actionunits.detect.network import ClipNetwork, Crops, Network, Values, joined
from actionunits.errors import printable
from actionunits.types import Face, Frame

_RATE_TOLERANCE = 0.25  # by which the speed of what moves may differ from training's

_log = logging.getLogger(__name__)


class Read(NamedTuple):
    """A frame with what was read off its faces."""

    frame: Frame
    faces: tuple[Face, ...]
    values: Values


class Reader(Protocol):
    """Takes the frames of one source, gives back the frames that are read."""

    def look(self, crops: Crops) -> Sequence[Any]:
        """Look at faces, of any sources; this changes nothing in the reader.

        Args:
            crops: aligned faces.

        Returns:
            What `push` wants to know of each.
        """
        ...

    def push(
        self,
        frames: Sequence[Frame],
        faces: Sequence[tuple[Face, ...]],
        looks: Sequence[Sequence[Any]],
    ) -> Iterator[Read]:
        """Take the next frames.

        Args:
            frames: N frames.
            faces: N tuples of faces.
            looks: of each frame what `look` gave of its faces.
        """
        ...

    def finish(self) -> Iterator[Read]:
        """End the source: what is left is read."""
        ...


def reader(network: Network | ClipNetwork, aus: int) -> Reader:
    """Reader of one source for a network, by what that is fed.

    Args:
        network: reads faces, or faces in their time.
        aus: number of AUs.
    """
    if network.spec.clip is None:
        return _FrameReader(cast(Network, network), aus)
    return _ClipReader(cast(ClipNetwork, network), aus)


class _FrameReader:
    """Each face by itself."""

    def __init__(self, network: Network, aus: int) -> None:
        self._network, self._aus = network, aus

    def look(self, crops: Crops) -> Sequence[Values]:
        if not len(crops):
            return []
        values = self._network.values(crops)
        return [values.part(slice(face, face + 1)) for face in range(len(crops))]

    def push(
        self,
        frames: Sequence[Frame],
        faces: Sequence[tuple[Face, ...]],
        looks: Sequence[Sequence[Values]],
    ) -> Iterator[Read]:
        for frame, shown, values in zip(frames, faces, looks, strict=True):
            yield Read(frame, shown, joined(values, self._aus))

    def finish(self) -> Iterator[Read]:
        yield from ()


class _Pending:
    """A frame some of whose faces are not read yet."""

    def __init__(self, frame: Frame, faces: tuple[Face, ...]) -> None:
        self.frame, self.faces = frame, faces
        self.values: dict[int, Values] = {}  # by track, one face each

    def is_read(self) -> bool:
        return len(self.values) == len(self.faces)


class _Clock:
    """How far apart the frames of a source are, by their presentation times.

    Args:
        fps: of the clips that the model was trained on; None where it is not known.
        context: of the model.
    """

    def __init__(self, fps: float | None, context: int) -> None:
        self._fps = fps
        self._last: float | None = None
        self._apart: deque[float] = deque(maxlen=2 * context + 1)  # seconds, the latest

    def tick(self, seconds: float) -> bool:
        """Take the time of the next frame; False if frames are missing before it.

        They are where the step to it in a sequence (`stride`) is longer by more than half.
        """
        apart = 0.0 if self._last is None else seconds - self._last
        self._last = seconds
        usual = self.apart()
        goes_on = not usual or apart <= usual * (1 + self.stride() / 2)
        if not goes_on:
            self._apart.clear()  # from here on the rate may be another
        elif apart > 0:
            self._apart.append(apart)
        return goes_on

    def apart(self) -> float:
        """Seconds from one frame to the next, their median; 0 where there are no times."""
        return float(np.median(self._apart)) if self._apart else 0.0

    def stride(self) -> int:
        """Frames from one to the next that is as far away as in training, as nearly as may be."""
        apart = self.apart()
        return max(1, round(1 / (self._fps * apart))) if self._fps and apart else 1

    def off(self) -> float:
        """Speed at which the model sees what moves, 1 being that of training."""
        apart = self.apart()
        return self.stride() * apart * self._fps if self._fps and apart else 1.0


class _Sequence:
    """One face in frames as far apart as in training: what is kept of those still needed."""

    def __init__(self) -> None:
        self.features: list[Any] = []
        self.unread: deque[_Pending] = deque()


class _Run:
    """One face in consecutive frames, which are dealt out to as many sequences as the stride is."""

    def __init__(self) -> None:
        self.held: list[tuple[Any, _Pending]] = []  # not dealt out yet
        self.dealt = 0
        self.sequences: list[_Sequence] = []

    def deal(self, context: int) -> None:
        """Append what is held to the sequences; the first of each stands for those before it."""
        for feature, pending in self.held:
            sequence = self.sequences[self.dealt % len(self.sequences)]
            sequence.features += [feature] * (1 if sequence.features else 1 + context)
            sequence.unread.append(pending)
            self.dealt += 1
        self.held.clear()


class _ClipReader:
    """Each face in its time: a frame is read as soon as `context` frames after it are known.

    Every frame goes through the backbone once. Where a face appears or disappears, or frames are
    missing, its first or last frame stands for the neighbours that there are not, as at the ends of
    a training clip. In a video of r times the rate of the training clips, each frame has every
    r-th as its neighbours. What is kept is bounded by r, the context and the frames of one push.
    """

    def __init__(self, network: ClipNetwork, aus: int) -> None:
        self._network, self._aus = network, aus
        self._context, self._fps = network.spec.context, network.spec.fps
        self._warned = False
        self._clock = _Clock(self._fps, self._context)
        self._pending: deque[_Pending] = deque()
        self._runs: dict[int, _Run] = {}

    def look(self, crops: Crops) -> Sequence[Any]:
        return self._network.encode(crops) if len(crops) else []

    def push(
        self,
        frames: Sequence[Frame],
        faces: Sequence[tuple[Face, ...]],
        looks: Sequence[Sequence[Any]],
    ) -> Iterator[Read]:
        for frame, shown, features in zip(frames, faces, looks, strict=True):
            pending = _Pending(frame, shown)
            self._pending.append(pending)
            goes_on = self._clock.tick(frame.seconds)
            tracks = {face.track for face in shown} if goes_on else set()
            for track in self._runs.keys() - tracks:
                self._end(self._runs.pop(track), track)
            for face, feature in zip(shown, features, strict=True):
                run = self._runs.setdefault(face.track, _Run())
                run.held.append((feature, pending))
                # Nothing can be read before, and by then the rate is known.
                if run.sequences or len(run.held) > self._context:
                    self._deal(run)
        for track, run in self._runs.items():
            self._read(run, track)
        yield from self._done()

    def finish(self) -> Iterator[Read]:
        for track, run in self._runs.items():
            self._end(run, track)
        self._runs.clear()
        yield from self._done()

    def _deal(self, run: _Run) -> None:
        if not run.sequences:
            run.sequences = [_Sequence() for _ in range(self._clock.stride())]
            self._warn(run.held[0][1].frame.source)
        run.deal(self._context)

    def _warn(self, source: str) -> None:
        off = self._clock.off()
        if abs(off - 1) > _RATE_TOLERANCE and not self._warned:
            self._warned = True
            _log.warning(
                "%s: has %.3g frames a second; the model was trained on %.3g, so that motion looks "
                "%.2g times as fast to it",
                *(printable(source), 1 / self._clock.apart(), self._fps, off),
            )

    def _end(self, run: _Run, track: int) -> None:
        self._deal(run)
        for sequence in run.sequences:
            sequence.features += sequence.features[-1:] * self._context
        self._read(run, track)

    def _read(self, run: _Run, track: int) -> None:
        """Read the frames of a run whose neighbours are all known."""
        for sequence in run.sequences:
            count = len(sequence.features) - 2 * self._context
            if count <= 0:
                continue
            values = self._network.read(sequence.features)
            for position in range(count):
                sequence.unread.popleft().values[track] = values.part(slice(position, position + 1))
            del sequence.features[:count]

    def _done(self) -> Iterator[Read]:
        while self._pending and self._pending[0].is_read():
            first = self._pending.popleft()
            values = joined([first.values[face.track] for face in first.faces], self._aus)
            yield Read(first.frame, first.faces, values)
