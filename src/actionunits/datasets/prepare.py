"""Prepare a data set: align the faces of all its sequences and write them with their labels."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actionunits.data.prepared import (
    MANIFEST,
    Lost,
    Manifest,
    Shard,
    is_whole,
    read_shard,
    shard_name,
)
from actionunits.data.table import POINTS
from actionunits.datasets.raw import RawTable
from actionunits.datasets.room import FACE_BYTES, Need, check_room
from actionunits.datasets.shard import Job, checksum, write
from actionunits.errors import DataError, UserError, counted
from actionunits.faces import templates
from actionunits.faces.main_face import FIVE_POINTS, Finder
from actionunits.files import alone, atomic, seals, writing
from actionunits.system import processes


def prepare(
    raw: RawTable,
    out: Path,
    template: str = templates.CANONICAL,
    workers: int | None = None,
    console: Console | None = None,
    finder: Finder | None = None,
) -> Manifest:
    """Write a folder of aligned faces that `actionunits.datasets.load` reads.

    Shards that an earlier run finished are kept where their frames, labels, landmarks and pictures
    are still the same and no checksum in them is wrong; so an interrupted preparation is taken up
    by the same call, and a second one repairs only what was missing or has changed. What cannot be
    prepared is left out and listed.

    Args:
        raw: the data set.
        out: folder to write; made where it is missing.
        template: how faces are placed, one of `actionunits.faces.templates.list_templates`.
        workers: processes; one a core where not given.
        console: where disk use and progress are shown; standard error by default.
        finder: finds 49 landmarks where the data set brings none and the template needs them, such
            as `actionunits.detect.finder.landmark_finder`; None leaves those frames out. It is not
            asked for `canonical`: there the detector's five points place the face.

    Returns:
        What is in the folder.

    Raises:
        DataError: nobody has landmarks for the template, the folder is that of another data set or
            template, or there is no room.
        UserError: another process writes into the folder, or it cannot be written.
        ExceptionGroup: some sequences failed; all others are there.
    """
    console = console or Console(stderr=True)
    if not templates.needs_landmarks(template):
        finder = FIVE_POINTS  # by which detection, too, will place new faces
    _check_landmarks(raw, template, finder)
    files = {shard_name(str(s), str(t)): (s, t) for s, t in _sequences(raw)}
    kept = _claim(out, raw.name, template, list(files))
    missing = max(0, len(raw) - sum(kept.values()))
    what = f"{counted(missing, 'frame')} to prepare in {counted(len(files), 'sequence')}"
    check_room([Need(out, what, missing * FACE_BYTES)], console)
    most = min(workers or os.cpu_count() or 1, len(files))
    with alone(out):
        failures = _write_all(raw, out, template, finder, most, console)
        if failures:
            some = counted(len(failures), "sequence")
            raise ExceptionGroup(f"{some} could not be prepared", failures)
        manifest = _describe(raw, out, template, list(files))
        with writing(out / MANIFEST), atomic(out / MANIFEST) as file:
            seals.write_json(file, manifest.model_dump(mode="json"))
    return manifest


def reasons(lost: tuple[Lost, ...]) -> list[tuple[str, int, str]]:
    """Why frames were lost, how many and the first of them, most frequent first."""
    first = {each.reason: f"{each.subject}/{each.task}/{each.frame}" for each in reversed(lost)}
    counts = Counter(each.reason for each in lost)
    return [(reason, count, first[reason]) for reason, count in counts.most_common()]


def _check_landmarks(raw: RawTable, template: str, finder: Finder | None) -> None:
    if raw.landmarks is None and finder is None:
        able = [name for name in templates.list_templates() if not templates.needs_landmarks(name)]
        raise DataError(
            f"{raw.root}: the template {template} is placed by 49 landmarks and {raw.name} brings "
            f"none; give a finder, or take one that five points are enough for: {', '.join(able)}"
        )


def _sequences(raw: RawTable) -> Iterator[tuple[object, object]]:
    pairs = raw.rows[["subject", "task"]].drop_duplicates()
    return pairs.itertuples(index=False, name=None)


def _claim(out: Path, name: str, template: str, files: list[str]) -> dict[str, int]:
    """Frames of the shards that are there, all of this data set and template."""
    kept = {}
    for file in files:
        shard = read_shard(out / file)
        if shard is None:
            continue
        if (shard.name, shard.template) != (name, template):
            if not is_whole(out / file):
                continue
            raise DataError(
                f"{out} holds {shard.name} with the template {shard.template}, not {name} with "
                f"{template}; give another folder"
            )
        kept[file] = pq.read_metadata(out / file).num_rows + len(shard.lost)
    return kept


def _write_all(
    raw: RawTable,
    out: Path,
    template: str,
    finder: Finder | None,
    workers: int,
    console: Console,
) -> list[Exception]:
    """Write the shards that are not there yet; return what went wrong with some of them."""
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.Value("q", 0)
    failures: list[Exception] = []
    pending: dict[Future[None], Job] = {}
    with (
        Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as progress,
        _pool(workers, context, stop, done) as pool,
    ):
        bar, kept = progress.add_task(raw.name, total=len(raw)), 0

        def collect(most: int) -> None:
            """Wait until at most so many jobs are pending."""
            while len(pending) > most:
                for job in wait(pending, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    if failure := _failure(job, pending.pop(job)):
                        failures.append(failure)
                progress.update(bar, completed=kept + done.value)

        try:
            for job in _jobs(raw, out, template, finder, console):
                there = read_shard(job.file)
                same = there is not None and there.source == job.shard.source
                if same and is_whole(job.file):
                    kept += len(job.rows)
                    continue
                (out / MANIFEST).unlink(missing_ok=True)  # from here on it may not be true
                pending[pool.submit(_work, job)] = job
                collect(2 * workers)  # jobs hold landmarks: only a few wait at a time
            collect(0)
        except BrokenProcessPool as error:
            raise DataError(
                f"{out}: a process died; finished sequences are kept. Run the same command again, "
                "with fewer --workers if memory was short"
            ) from error
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return failures


def _jobs(
    raw: RawTable, out: Path, template: str, finder: Finder | None, console: Console
) -> Iterator[Job]:
    columns = tuple(raw.label_columns())
    for subject, task, found in raw.sequences():
        rows = found.reset_index(drop=True)
        landmarks = _landmarks(raw, rows, console)
        source = checksum(raw.root, rows, columns, landmarks, finder)
        shard = Shard(name=raw.name, template=template, source=source)
        file = out / shard_name(subject, task)
        yield Job(subject, task, file, shard, rows, columns, landmarks, finder)


def _landmarks(raw: RawTable, rows: pd.DataFrame, console: Console) -> np.ndarray | None:
    """Landmarks of one sequence (N, 49, 2); NaN, and a word of it, where they cannot be read."""
    if raw.landmarks is None:
        return None
    try:
        return raw.landmarks(rows)
    except DataError as error:
        console.print(f"{error}; going on without its landmarks", soft_wrap=True, markup=False)
        return np.full((len(rows), POINTS, 2), np.nan, np.float32)


def _failure(future: "Future[None]", job: Job) -> Exception | None:
    """What went wrong with one sequence; errors that would befall every other end the run."""
    try:
        future.result()
    except (UserError, BrokenProcessPool):
        raise
    except Exception as error:
        error.add_note(f"while preparing {job.file.stem}")
        return error
    return None


def _describe(raw: RawTable, out: Path, template: str, files: list[str]) -> Manifest:
    """What is in a finished folder, from its shards."""
    shards = {file: pq.read_metadata(out / file).num_rows for file in sorted(files)}
    cards = [card for file in shards if (card := read_shard(out / file)) is not None]
    return Manifest(
        name=raw.name,
        template=template,
        occurrence=None if raw.occurrence is None else raw.occurrence.numbers,
        intensity=None if raw.intensity is None else raw.intensity.numbers,
        threshold=raw.threshold,
        frames=sum(shards.values()),
        shards=shards,
        found=sum(card.found for card in cards),
        lost=tuple(lost for card in cards for lost in card.lost),
        doubted=tuple(doubted for card in cards for doubted in card.doubted),
        excluded=raw.excluded,
    )


class _Stopped(Exception):  # noqa: N818  (no error: another one ended the run)
    """The run has ended, this process' work with it."""


_stop: Event  # of this worker
_done: "Synchronized[int]"  # frames that all workers have seen to


def _pool(
    workers: int,
    context: multiprocessing.context.SpawnContext,
    stop: Event,
    done: "Synchronized[int]",
) -> Executor:
    """Processes, or for a single worker a thread, which starts at once."""
    if workers == 1:
        return ThreadPoolExecutor(1, "prepare", _start, (stop, done))
    return processes.pool(workers, context, _start_process, stop, done)


def _start(stop: Event, done: "Synchronized[int]") -> None:
    global _stop, _done
    _stop, _done = stop, done


def _start_process(stop: Event, done: "Synchronized[int]") -> None:
    _start(stop, done)
    torch.set_num_threads(1)


def _work(job: Job) -> None:
    write(job, _report)


def _report(frames: int) -> None:
    if _stop.is_set():
        raise _Stopped
    with _done.get_lock():
        _done.value += frames
