"""Models on faces as they come: single frames at once, clips when their neighbours are known.

A reader is pushed the faces of one frame after the other and hands back what it has read, in the
order of the frames.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actionunits.device import fast_dtype
from actionunits.models import registry
from actionunits.types import AUModel, ClipModel, Face, Frame, InputSpec, Output

_MODEL_FACES = 64  # of a crowd, more go in turns


class Values(NamedTuple):
    """What a model says of F faces."""

    probability: NDArray[np.floating]  # (F, A)
    intensity: NDArray[np.floating] | None  # (F, A)
    embedding: NDArray[np.floating] | None = None  # (F, E)

    def part(self, *index: int | slice | None) -> "Values":
        """Return some of the values, each indexed alike."""
        intensity = None if self.intensity is None else self.intensity[index]
        embedding = None if self.embedding is None else self.embedding[index]
        return Values(self.probability[index], intensity, embedding)


class Read(NamedTuple):
    """A frame with what was read off its faces."""

    frame: Frame
    faces: tuple[Face, ...]
    values: Values


class Reader(Protocol):
    """Takes frames, gives back the frames that are read."""

    def push(
        self, frames: Sequence[Frame], faces: Sequence[tuple[Face, ...]], crops: Tensor
    ) -> Iterator[Read]:
        """Take the next frames.

        Args:
            frames: N frames.
            faces: N tuples of faces.
            crops: (F, 3, size, size) uint8, the aligned faces of all the frames in order.
        """
        ...

    def finish(self) -> Iterator[Read]:
        """End the source: what is left is read."""
        ...


def reader(model: nn.Module, aus: int, device: torch.device, *, embedding: bool = False) -> Reader:
    """Reader for a model, by what it is fed.

    Args:
        model: in evaluation mode, on its device.
        aus: number of AUs.
        device: of the model.
        embedding: read it too.
    """
    feed = _Feed(cast(AUModel, model).spec, device, embedding)
    if isinstance(model, ClipModel):
        return _ClipReader(model, aus, feed)
    return _FrameReader(model, aus, feed)


class _Feed:
    """Normalises crops, and runs networks over them in the device's fastest number format."""

    def __init__(self, spec: InputSpec, device: torch.device, embedding: bool) -> None:
        self.spec, self.device, self._embedding = spec, device, embedding
        self._mean = torch.tensor(spec.mean, device=device)[:, None, None]
        self._std = torch.tensor(spec.std, device=device)[:, None, None]
        self._dtype = fast_dtype(device)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self._dtype, enabled=self._dtype != torch.float32)

    def images(self, crops: Tensor) -> Iterator[Tensor]:
        """(F, 3, size, size) normalised pictures of uint8 crops, a bearable number at a time."""
        for part in torch.split(crops.to(self.device), _MODEL_FACES):
            images = (part.float() / 255 - self._mean) / self._std
            yield images.contiguous(memory_format=torch.channels_last)

    def values(self, out: Output) -> Values:
        """Values of any leading axes, on the CPU: float64 there, which not every device has."""
        probability = out.logits.float().sigmoid().cpu().double().numpy()
        intensity = None if out.intensity is None else out.intensity.float().cpu().double().numpy()
        vectors = registry.embedding(out).cpu().double().numpy() if self._embedding else None
        return Values(probability, intensity, vectors)


class _FrameReader:
    """Each face by itself."""

    def __init__(self, model: nn.Module, aus: int, feed: _Feed) -> None:
        self._model, self._aus, self._feed = model, aus, feed

    @torch.inference_mode()
    def push(
        self, frames: Sequence[Frame], faces: Sequence[tuple[Face, ...]], crops: Tensor
    ) -> Iterator[Read]:
        parts = []
        if len(crops):
            with self._feed.autocast():
                images = self._feed.images(crops)
                parts = [self._feed.values(self._model(part)) for part in images]
        values = _joined(parts, self._aus)
        start = 0
        for frame, shown in zip(frames, faces, strict=True):
            part = slice(start, start + len(shown))
            start = part.stop
            yield Read(frame, shown, values.part(part))

    def finish(self) -> Iterator[Read]:
        yield from ()


class _Pending:
    """A frame some of whose faces are not read yet."""

    def __init__(self, frame: Frame, faces: tuple[Face, ...]) -> None:
        self.frame, self.faces = frame, faces
        self.values: dict[int, Values] = {}  # by track, one face each

    def is_read(self) -> bool:
        return len(self.values) == len(self.faces)


class _Run:
    """One face in consecutive frames: what the model keeps of those that are still needed."""

    def __init__(self) -> None:
        self.features: list[Tensor] = []
        self.unread: deque[_Pending] = deque()


class _ClipReader:
    """Each face in its time: a frame is read as soon as `context` frames after it are known.

    Every frame goes through the backbone once. Where a face appears or disappears its first or last
    frame stands for the neighbours that there are not, as at the ends of a training clip. What is
    kept is bounded by the context and the number of frames of one push.
    """

    def __init__(self, model: ClipModel, aus: int, feed: _Feed) -> None:
        self._model, self._aus, self._feed = model, aus, feed
        self._context = model.spec.context
        self._source: str | None = None
        self._pending: deque[_Pending] = deque()
        self._runs: dict[int, _Run] = {}

    @torch.inference_mode()
    def push(
        self, frames: Sequence[Frame], faces: Sequence[tuple[Face, ...]], crops: Tensor
    ) -> Iterator[Read]:
        features: Iterator[Tensor] = iter(())
        if len(crops):
            with self._feed.autocast():
                parts = [self._model.encode(images) for images in self._feed.images(crops)]
            features = iter(torch.cat(parts))
        for frame, shown in zip(frames, faces, strict=True):
            pending = _Pending(frame, shown)
            self._pending.append(pending)
            # tracks are numbered anew in every file
            tracks = {face.track for face in shown} if frame.source == self._source else set()
            self._source = frame.source
            for track in self._runs.keys() - tracks:
                self._end(self._runs.pop(track), track)
            for face in shown:
                feature = next(features)
                run = self._runs.setdefault(face.track, _Run())
                times = 1 if run.features else 1 + self._context
                run.features += [feature] * times
                run.unread.append(pending)
        for track, run in self._runs.items():
            self._read(run, track)
        yield from self._done()

    @torch.inference_mode()
    def finish(self) -> Iterator[Read]:
        for track, run in self._runs.items():
            self._end(run, track)
        self._runs.clear()
        self._source = None
        yield from self._done()

    def _end(self, run: _Run, track: int) -> None:
        run.features += run.features[-1:] * self._context
        self._read(run, track)

    def _read(self, run: _Run, track: int) -> None:
        """Read the frames of a run whose neighbours are all known."""
        count = len(run.features) - 2 * self._context
        if count <= 0:
            return
        with self._feed.autocast():
            values = self._feed.values(self._model.read(torch.stack(run.features)[None]))
        for position in range(count):
            run.unread.popleft().values[track] = values.part(0, position, None)
        del run.features[:count]

    def _done(self) -> Iterator[Read]:
        while self._pending and self._pending[0].is_read():
            first = self._pending.popleft()
            values = _joined([first.values[face.track] for face in first.faces], self._aus)
            yield Read(first.frame, first.faces, values)


def _joined(parts: list[Values], aus: int) -> Values:
    if not parts:
        return Values(np.zeros((0, aus)), None)
    intensities = [part.intensity for part in parts if part.intensity is not None]
    embeddings = [part.embedding for part in parts if part.embedding is not None]
    return Values(
        np.concatenate([part.probability for part in parts]),
        np.concatenate(intensities) if intensities else None,
        np.concatenate(embeddings) if embeddings else None,
    )
