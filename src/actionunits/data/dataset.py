"""Data sets for a `torch.utils.data.DataLoader`: single frames, and clips of consecutive ones.

Both hand over whole batches: ``DataLoader(dataset, batch_size=..., collate_fn=collate)``.
"""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from actionunits.data.faces import Faces
from actionunits.data.table import FACE_SIDE, FrameTable
from actionunits.data.transforms import Augment, Transform, move_besides, uniforms
from actionunits.types import Batch, Besides, ClassBatch, InputSpec, TripletBatch

BatchKind = TypeVar("BatchKind", Batch, TripletBatch, ClassBatch)
AnyBatch = TypeVar("AnyBatch", bound=tuple[object, ...])


class RandomSamples(Dataset[AnyBatch], Generic[AnyBatch], ABC):
    """Samples that are handed over as whole batches, and change at random with the epoch.

    Args:
        count: of the samples.
        seed: of their random numbers.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        # Workers that live on through epochs must see the next one too.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return self._count

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose random numbers the augmentation takes."""
        self._epoch.fill_(epoch)

    @abstractmethod
    def keep(self, samples: np.ndarray) -> None:
        """Decode the pictures of these samples (N,) now and keep them; no others are fed then."""

    def to(self, device: torch.device) -> bool:
        """Keep and change the samples on a device, where they can be; else False."""
        return False

    def __getitem__(self, index: int) -> AnyBatch:
        """Return sample `index` as a batch of one."""
        return self.__getitems__([index])[0]

    @abstractmethod
    def __getitems__(self, indices: list[int]) -> list[AnyBatch]:
        """Return these samples as one batch, in a list for `collate`."""

    def _uniforms(self, places: np.ndarray) -> dict[str, Tensor]:
        """Random numbers of this epoch at these places, (N,) int."""
        return uniforms(self._seed, int(self._epoch), places)


class _Samples(RandomSamples[Batch], ABC):
    """What frames and clips have in common: sample i is made of the rows ``windows[i]``.

    The first and last `spec.context` rows of a window are pictures only, without labels.
    """

    def __init__(
        self,
        table: FrameTable,
        spec: InputSpec,
        windows: np.ndarray,
        repeated: np.ndarray,
        augment: Augment,
        seed: int,
    ) -> None:
        super().__init__(len(windows), seed)
        self._device = torch.device("cpu")
        self._windows, self._repeated = windows, repeated  # (samples, c + T + c), (samples, T)
        self._read = slice(spec.context, windows.shape[1] - spec.context)
        numbers = table.rows["image"].to_numpy(np.int64)
        self._faces = Faces(table.images, numbers, spec.align)
        self._augment = augment
        self._transform = Transform(spec, augment)
        occurrence, intensity = table.occurrence(), table.intensity()
        self._known = torch.from_numpy(~np.isnan(occurrence))
        self._labels = torch.from_numpy(np.nan_to_num(occurrence))
        self._intensity = None if intensity is None else torch.from_numpy(np.nan_to_num(intensity))
        self._landmarks: Tensor | None = None
        if table.landmarks is not None:
            self._landmarks = torch.from_numpy(table.landmarks) * (spec.align / FACE_SIDE)
        self._besides = table.besides
        rows = table.rows
        self._keys = [
            f"{subject}/{task}/{frame}"
            for subject, task, frame in zip(
                rows["subject"], rows["task"], rows["frame"], strict=True
            )
        ]

    def __getitems__(self, indices: list[int]) -> list[Batch]:
        """Return these samples as one batch, in a list for `collate`."""
        samples = np.asarray(indices)
        chosen = self._chosen(samples)
        windows = self._windows[chosen]  # (B, c + T + c)
        seen, rows = windows.flatten(), windows[:, self._read].flatten()
        # A clip moves as one: its frames share their random numbers.
        u = self._uniforms(samples.repeat(windows.shape[1]))
        u = {name: values.to(self._device) for name, values in u.items()}
        points = None if self._landmarks is None else self._at(self._landmarks, seen)
        images, points = self._transform(self._faces(seen), points, u)
        if points is not None:
            points = self._labelled(points, windows)
        besides = self._besides
        if besides is not None:
            known = Besides(*(self._at(values, rows) for values in besides))
            read = {name: self._labelled(values, windows) for name, values in u.items()}
            besides = move_besides(known, self._augment, read)
        fresh = torch.from_numpy(~self._repeated[chosen].flatten()).to(self._device)
        batch = Batch(
            images=images,
            labels=self._at(self._labels, rows),
            known=self._at(self._known, rows) & fresh[:, None],
            intensity=None if self._intensity is None else self._at(self._intensity, rows),
            landmarks=points,
            keys=tuple(self._keys[row] for row in rows.tolist()),
            besides=besides,
        )
        return [self._shaped(batch, len(samples))]

    def keep(self, samples: np.ndarray) -> None:
        """Decode the pictures of these samples (N,) now and keep them; no others are fed then."""
        self._faces.keep(self._windows[self._possible(samples)].flatten())

    def to(self, device: torch.device) -> bool:
        """Keep and change the samples on a device, if their pictures are kept; else False."""
        if not self._faces.to(device):
            return False

        def moved(values: Tensor | None) -> Tensor | None:
            return None if values is None else values.to(device)

        self._device = device
        self._known, self._labels = self._known.to(device), self._labels.to(device)
        self._intensity, self._landmarks = moved(self._intensity), moved(self._landmarks)
        if self._besides is not None:
            self._besides = Besides(*(values.to(device) for values in self._besides))
        return True

    def _at(self, values: Tensor, rows: np.ndarray) -> Tensor:
        return values[torch.from_numpy(rows).to(self._device)]

    def _labelled(self, values: Tensor, windows: np.ndarray) -> Tensor:
        """Of values (B * (c + T + c), ...) of all pictures those of the T that have labels."""
        return values.view(*windows.shape, *values.shape[1:])[:, self._read].flatten(0, 1)

    def _chosen(self, samples: np.ndarray) -> np.ndarray:
        """Which window each of these samples (B,) is in this epoch: (B,)."""
        return samples

    def _possible(self, samples: np.ndarray) -> np.ndarray:
        """All windows that these samples (B,) may be in some epoch."""
        return samples

    @abstractmethod
    def _shaped(self, batch: Batch, samples: int) -> Batch:
        """Give frames (B, ...) or clips (B, T, ...) their leading axes."""


class FrameDataset(_Samples):
    """Single frames; a batch has leading axis (B,).

    Args:
        table: the frames.
        spec: what the model wants to be fed.
        augment: what is random; by default nothing, and the crop is central.
        seed: of the augmentation.
    """

    def __init__(
        self,
        table: FrameTable,
        spec: InputSpec,
        *,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        rows = np.arange(len(table))[:, None]
        fresh = np.zeros_like(rows, dtype=bool)
        super().__init__(table, spec, rows, fresh, augment or Augment(), seed)

    def _shaped(self, batch: Batch, samples: int) -> Batch:
        return batch


class ClipDataset(_Samples):
    """Clips of ``spec.clip`` consecutive frames of one task; a batch has leading axes (B, T).

    A task is cut where a frame number is missing. The last clip of a run is filled up by repeating
    its last frame; a repeated frame is not `known`. With the default stride every frame is known
    in exactly one clip. Keys are those of the B * T frames, clip by clip.

    The pictures go on for ``spec.context`` frames before and after the clip: its true neighbours,
    and where the run ends its first or last frame again.

    Args:
        table: the frames.
        spec: what the model wants to be fed, with the length T of a clip.
        stride: frames between the starts of two clips; T by default.
        augment: what is random, one draw for a whole clip.
        seed: of the augmentation.
    """

    def __init__(
        self,
        table: FrameTable,
        spec: InputSpec,
        *,
        stride: int | None = None,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        if spec.clip is None:
            raise ValueError("the model reads single frames; use FrameDataset")
        windows, repeated = _windows(table, spec.clip, spec.context, stride or spec.clip)
        super().__init__(table, spec, windows, repeated, augment or Augment(), seed)

    def _shaped(self, batch: Batch, samples: int) -> Batch:
        def clips(frames: Tensor) -> Tensor:
            return frames.view(samples, -1, *frames.shape[1:])

        return Batch(
            images=clips(batch.images),
            labels=clips(batch.labels),
            known=clips(batch.known),
            intensity=None if batch.intensity is None else clips(batch.intensity),
            landmarks=None if batch.landmarks is None else clips(batch.landmarks),
            keys=batch.keys,
            besides=None if batch.besides is None else Besides(*map(clips, batch.besides)),
        )


class RandomClipDataset(ClipDataset):
    """One clip at a random place of each video, elsewhere in every epoch.

    Args:
        table: as of `ClipDataset`.
        spec: as of `ClipDataset`.
        every: a video has a clip of its own for each so many of its frames that one may begin
            with; None has one of the whole.
        augment: as of `ClipDataset`.
        seed: of the places and of the augmentation.
    """

    def __init__(
        self,
        table: FrameTable,
        spec: InputSpec,
        *,
        every: int | None = None,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(table, spec, stride=1, augment=augment, seed=seed)
        # All clips in the order of time: those of a video, and of a part of it, stand together.
        videos = table.rows.iloc[self._windows[:, spec.context]].groupby(_video(table), sort=False)
        part = videos.cumcount() // (every or len(table))
        changes = np.diff(videos.ngroup()) | np.diff(part)
        self._first = np.flatnonzero(np.append(True, changes))
        self._clips = np.diff(np.append(self._first, len(part)))

    def __len__(self) -> int:
        """Number of clips of an epoch."""
        return len(self._first)

    def _chosen(self, samples: np.ndarray) -> np.ndarray:
        u = self._uniforms(samples)["clip"].numpy()
        chosen: np.ndarray = self._first[samples] + (u * self._clips[samples]).astype(np.int64)
        return chosen

    def _possible(self, samples: np.ndarray) -> np.ndarray:
        clips = self._clips[samples]
        within = np.arange(clips.sum()) - np.repeat(clips.cumsum() - clips, clips)
        windows: np.ndarray = np.repeat(self._first[samples], clips) + within
        return windows


def _windows(
    table: FrameTable, length: int, context: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (clips, c + T + c) of the clips of a table, and which (clips, T) only fill up."""
    order = [*_video(table), "frame"]
    rows = table.rows[order].reset_index(drop=True).sort_values(order)
    same = (rows[order[:-1]] == rows[order[:-1]].shift()).all(axis=1)
    run_starts = np.flatnonzero(~(same & (rows["frame"].diff() == 1)))
    run_ends = np.append(run_starts[1:], len(rows))
    # Clips a run: enough that strides and one length cover it.
    clips = 1 + np.maximum(0, -(-(run_ends - run_starts - length) // stride))
    within = np.arange(clips.sum()) - np.repeat(clips.cumsum() - clips, clips)
    first = np.repeat(run_starts, clips)[:, None]
    last = np.repeat(run_ends, clips)[:, None] - 1
    wanted = first + stride * within[:, None] + np.arange(-context, length + context)
    positions = rows.index.to_numpy()[wanted.clip(first, last)]
    return positions, wanted[:, context : context + length] > last


def _video(table: FrameTable) -> list[str]:
    """Columns that tell one video from another."""
    return ["subject", "task", *(["copy"] if "copy" in table.rows.columns else [])]


def collate(batches: list[BatchKind]) -> BatchKind:
    """Join batches along the first axis; what a `DataLoader` needs for these data sets."""
    if len(batches) == 1:
        return batches[0]
    return type(batches[0])(*(_joined(values) for values in zip(*batches, strict=True)))


def _joined(values: tuple[Any, ...]) -> Any:
    if isinstance(values[0], Tensor):
        return torch.cat(values)
    if isinstance(values[0], Besides):
        return Besides(*map(torch.cat, zip(*values, strict=True)))
    return None if values[0] is None else sum(values, ())  # keys
