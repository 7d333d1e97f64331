"""Scores of a model in memory on the coded frames of a table."""

import math
from collections.abc import Iterator, Sequence, Sized
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from actionunits import datasets
from actionunits.aus import AUSet
from actionunits.data.dataset import BatchKind, ClipDataset, FrameDataset, collate
from actionunits.data.table import FrameTable, own_landmarks
from actionunits.errors import DataError, counted
from actionunits.learn import metrics
from actionunits.learn.face_metrics import BESIDES, BesidesError, LandmarkError
from actionunits.learn.metrics import AUC, F1, ICC31, MAE, Accuracy, BestThreshold, SubjectMetric
from actionunits.learn.predictions import Record
from actionunits.learn.recipe import DataSpec, Rule
from actionunits.learn.report import LANDMARK_ERROR, LANDMARK_FAILURE, Report, Score
from actionunits.system.device import fast_dtype
from actionunits.system.together import processes, share
from actionunits.types import Batch, Besides, InputSpec, Output

_BYTES_A_PIXEL = 1500  # of a picture in a forward pass; measured: 110 (RE-Net) to 1500 (MGRR-Net)

Precision = Literal["auto", "fp32", "bf16"]


def read_table(spec: DataSpec) -> FrameTable:
    """Read the data set of a recipe, with the recipe's AUs and threshold.

    Raises:
        DataError: the data set cannot be read or does not code the AUs.
    """
    table = datasets.load(spec.name, spec.root, spec.coding)
    if spec.threshold is not None:
        table = replace(table, threshold=spec.threshold)
    return table if spec.aus is None else table.select(AUSet.of(spec.aus))


def score(
    model: nn.Module,
    table: FrameTable,
    spec: InputSpec,
    *,
    thresholds: Tensor,
    selection: Rule = "last",
    title: str = "",
    batch: int = 64,
    precision: Precision = "auto",
    resamples: int = 0,
    record: Record | None = None,
) -> Report:
    """Score a model in memory on all frames of a table.

    Landmarks are scored by the data set's own alone.

    Args:
        model: on any device; it is put in evaluation mode.
        table: with the AUs of the model, in their order.
        spec: of the model's input.
        thresholds: (A,) calibrated probabilities, for ``f1_calibrated``.
        selection: rule that chose the weights, for the report.
        title: of the report.
        batch: frames of one forward pass.
        precision: number format of the forward pass.
        resamples: of the bootstrap over subjects; 0 leaves the intervals out.
        record: is told what the model says, batch by batch.
    """
    size = (len(table.aus), len(table.subjects()))
    f1 = F1(*size)
    occurrence: dict[str, SubjectMetric] = {
        "f1": f1,
        "f1_calibrated": F1(*size, thresholds=thresholds),
        "accuracy": Accuracy(*size),
        "auc": AUC(*size),
    }
    intensity: dict[str, SubjectMetric] = {"icc": ICC31(*size), "mae": MAE(*size)}
    landmarks = LandmarkError(size[1])
    besides = BesidesError(size[1])
    read_intensity = found_landmarks = read_besides = False
    for out, truth, subject in predict(model, own_landmarks(table), spec, batch, precision):
        if record is not None:
            record(out, truth)
        coded = truth.known.any(-1)  # not the frames that only fill up a clip
        for metric in occurrence.values():
            metric.update(out.logits.double().sigmoid(), truth.labels, truth.known, subject)
        if out.intensity is not None and truth.intensity is not None:
            read_intensity = True
            for metric in intensity.values():
                metric.update(out.intensity, truth.intensity, truth.known, subject)
        if out.landmarks is not None and truth.landmarks is not None:
            found_landmarks = True
            landmarks.update(out.landmarks, truth.landmarks, coded, subject)
        if out.besides is not None and truth.besides is not None:
            read_besides = True
            besides.update_besides(out.besides, truth.besides, coded, subject)
    measured = occurrence | intensity if read_intensity else occurrence
    counts = f1.by_subject().long().tolist()
    return Report(
        title=title,
        selection=selection,
        aus=table.aus.numbers,
        subjects=tuple(table.subjects()),
        frames=len(table),
        thresholds=tuple(thresholds.tolist()),
        scores={name: summary(metric, resamples) for name, metric in measured.items()},
        confusion=counts,
        template=table.template,
        coding=table.coding,
        occurs_from=table.occurs_from,
        lost=sum(table.lost.get(subject, 0) for subject in table.subjects()),
        found=int(table.found().sum()),
        landmarks=landmark_scores(landmarks, resamples) if found_landmarks else {},
        besides=face_scores(besides, BESIDES, resamples) if read_besides else {},
    )


def summary(metric: SubjectMetric, resamples: int) -> Score:
    """Score of a metric per AU and on average, with intervals if there are `resamples`."""
    per_au = metric.per_au()
    if not resamples:
        return Score(per_au=per_au.tolist(), mean=per_au.nanmean().item())
    samples = metric.bootstrap(resamples)
    return Score(
        per_au=per_au.tolist(),
        mean=per_au.nanmean().item(),
        intervals=metrics.interval(samples).tolist(),
        mean_interval=metrics.interval(samples.nanmean(-1)).tolist(),
    )


def landmark_scores(metric: LandmarkError, resamples: int) -> dict[str, Score]:
    """Scores of the landmarks, with intervals if there are `resamples`."""
    return face_scores(metric, (LANDMARK_ERROR, LANDMARK_FAILURE), resamples)


def face_scores(metric: SubjectMetric, names: Sequence[str], resamples: int) -> dict[str, Score]:
    """Scores of a face as a whole by these names, with intervals if there are `resamples`."""
    all_of_them = summary(metric, resamples)
    intervals = all_of_them.intervals or [[math.nan, math.nan]] * len(names)
    return {
        name: Score(per_au=[], mean=value, mean_interval=ends)
        for name, value, ends in zip(names, all_of_them.per_au, intervals, strict=True)
    }


def calibrate(
    model: nn.Module,
    table: FrameTable,
    spec: InputSpec,
    *,
    batch: int = 64,
    precision: Precision = "auto",
) -> Tensor:
    """Probability (A,) at which each AU's F1 is highest on a table; give it training subjects."""
    best = BestThreshold(len(table.aus), len(table.subjects()))
    for out, truth, subject in predict(model, table, spec, batch, precision):
        best.update(out.logits.double().sigmoid(), truth.labels, truth.known, subject)
    return best.per_au()


def samples_at_once(spec: InputSpec, free: int) -> int:
    """Samples of one forward pass that fit half of the free memory: 1 to 64 pictures or clips.

    Args:
        spec: of the model's input.
        free: bytes.
    """
    frames = 1 if spec.clip is None else spec.clip + 2 * spec.context
    sample = frames * spec.size**2 * _BYTES_A_PIXEL
    return max(1, min(64, free // 2 // sample))


@torch.inference_mode()
def predict(
    model: nn.Module, table: FrameTable, spec: InputSpec, batch: int, precision: Precision
) -> Iterator[tuple[Output, Batch, Tensor]]:
    """Run a model over this process' share of a table: every process' frames, each once, are all.

    Args:
        model: on any device; it is put in evaluation mode.
        table: with the AUs of the model, in their order.
        spec: of the model's input.
        batch: frames of one forward pass.
        precision: number format of the forward pass.

    Yields:
        Output and batch, on the CPU, and (B, [T]) index of each frame's subject among the sorted
        subjects of the table.
    """
    device = next(model.parameters()).device
    number = {subject: index for index, subject in enumerate(table.subjects())}
    dataset = (FrameDataset if spec.clip is None else ClipDataset)(table, spec)
    model.eval()
    for truth in DataLoader(dataset, batch_sampler=batches(dataset, batch), collate_fn=collate):
        with autocast(precision, device):
            out = model(place(truth, device).images)
        subject = torch.tensor([number[key.partition("/")[0]] for key in truth.keys])
        intensity = None if out.intensity is None else out.intensity.cpu()
        landmarks = None if out.landmarks is None else out.landmarks.cpu()
        besides = None if out.besides is None else Besides(*(v.cpu() for v in out.besides))
        yield (
            Output(out.logits.cpu(), intensity, landmarks, besides=besides),
            truth,
            subject.view(truth.labels.shape[:-1]),
        )


def batches(dataset: Sized, size: int) -> list[list[int]]:
    """Samples of each batch of this process' share: of all processes, each sample is in one.

    Raises:
        DataError: there are fewer samples than processes.
    """
    if len(dataset) < processes():
        raise DataError(
            f"{counted(len(dataset), 'sample')} to score cannot be shared by {processes()} "
            f"processes: start {len(dataset)} at most"
        )
    own = range(len(dataset))[share(len(dataset))]
    return [list(own[start : start + size]) for start in range(0, len(own), size)]


def place(batch: BatchKind, device: torch.device) -> BatchKind:
    """Move a batch to a device, pictures laid out with channels last, which convolves faster."""

    def moved(value: Any) -> Any:
        if isinstance(value, Besides):
            return Besides(*map(moved, value))
        return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value

    placed = type(batch)(*map(moved, batch))
    if placed.images.ndim > 4:
        return placed
    images = placed.images.contiguous(memory_format=torch.channels_last)
    return placed._replace(images=images)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Context in which a forward pass computes in the number format that was asked for."""
    asked = {"auto": fast_dtype(device), "fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    return torch.autocast(device.type, torch.bfloat16, enabled=asked == torch.bfloat16)
