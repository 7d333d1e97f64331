"""Render a corpus: one Parquet file for a few subjects, in parallel, resumable."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from actionunits.errors import DataError, UserError, counted
from actionunits.files import alone, atomic, writing
from actionunits.media import encode_jpeg
from actionunits.synth.people import people, person
from actionunits.synth.person.assets import load_assets
from actionunits.synth.person.face import Head, Identity
from actionunits.synth.picture.looks import Appearance, draw_scene
from actionunits.synth.picture.render import Renderer, Shot
from actionunits.synth.script import (
    CorpusSettings,
    Take,
    schema_of,
    take_labels,
    takes,
)
from actionunits.synth.store import (
    PEOPLE,
    claim,
    group_file,
    groups,
    is_complete,
    write_table,
)
from actionunits.system import processes

_STEADY, _WANDERING = 0.012, 0.006  # alignment error of a take and of each of its frames
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Signal(Protocol):
    """Tells workers of any kind to stop."""

    def is_set(self) -> bool:
        """Whether they are to."""
        ...

    def set(self) -> None:
        """Tell them."""
        ...


def render_corpus(
    assets: Path,
    out: Path,
    settings: CorpusSettings,
    workers: int = 1,
    console: Console | None = None,
    pool: Executor | None = None,
) -> int:
    """Render every subject of a corpus into a folder, and say who they are in ``people.csv``.

    Files that an earlier run of the same settings completed are kept, so an interrupted run is
    taken up by the same call. Ctrl-C leaves whole files only.

    Args:
        assets: Folder of the MakeHuman assets.
        out: Folder of the corpus; made where it is missing.
        settings: Of the corpus.
        workers: Processes that render.
        console: Where progress is drawn; standard error by default.
        pool: Renders in place of processes of this machine; all its machines have both folders.

    Returns:
        Number of frames that this call rendered.

    Raises:
        UserError: the assets or OpenGL are missing, the folder holds something else, another
            process renders into it, or it cannot be written to.
        ExceptionGroup: rendering of some files failed; all others are there.
    """
    if workers < 1:
        raise DataError(f"workers must be at least 1, got {workers}")
    load_assets(assets)  # says what is missing before any process is started
    with alone(out):
        if pool is not None:
            return _render_missing(assets, out, settings, console, pool, Event())
        context = get_context("spawn")  # OpenGL contexts and threads do not survive a fork
        stop = context.Event()
        with (
            _shared_processor(workers),
            processes.pool(workers, context, _start_worker, stop) as here,
        ):
            return _render_missing(assets, out, settings, console, here, stop)


def _render_missing(
    assets: Path,
    out: Path,
    settings: CorpusSettings,
    console: Console | None,
    pool: Executor,
    stop: Signal,
) -> int:
    claim(out, settings)
    todo = [group for group in groups(settings) if not is_complete(out, settings, group)]
    frames = settings.tasks * settings.frames
    rendered, failures = 0, list[Exception]()
    with _progress(console) as progress:
        kept = settings.total - sum(map(len, todo)) * frames
        bar = progress.add_task(settings.name, total=settings.total, completed=kept, kept=kept)
        jobs: dict[Future[None], range] = {
            pool.submit(_render_group, assets, out, settings, group): group for group in todo
        }
        try:
            for job in as_completed(jobs):
                if failure := _failure(job, jobs[job]):
                    failures.append(failure)
                else:
                    progress.advance(bar, len(jobs[job]) * frames)
                    rendered += len(jobs[job]) * frames
            if not (out / PEOPLE).exists():
                described = pool.map(partial(_describe, assets, settings), groups(settings))
                with writing(out), atomic(out / PEOPLE) as temporary:
                    pd.concat(described).round(4).to_csv(temporary, index=False)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    if failures:
        raise ExceptionGroup(
            f"{len(failures)} of {counted(len(todo), 'file')} could not be rendered", failures
        )
    return rendered


def _failure(job: "Future[None]", group: range) -> Exception | None:
    """What went wrong with one file; errors that would befall every file end the run."""
    name = group_file(Path(), group).stem
    try:
        job.result()
    except BrokenProcessPool as error:
        raise DataError(
            f"a rendering process died at or near {name}; whole files are kept. Run the same "
            "command again; if it dies again try `--workers 1`, and GALLIVM_PERF=nopt in the "
            "environment (a fault of old Mesa drivers), and check that memory suffices"
        ) from error
    except UserError:
        raise
    except Exception as error:
        error.add_note(f"while rendering {name}")
        return error
    return None


@contextmanager
def _shared_processor(workers: int) -> Iterator[None]:
    """Let processes started within use their share of the cores, for BLAS and Mesa's driver.

    Each would take all of them by default: two processes then render slower than one.
    """
    threads = dict.fromkeys(_BLAS_THREADS, "1")
    threads["LP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))
    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(threads)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_stop: Signal = Event()  # of this worker process


def _start_worker(stop: Signal) -> None:
    global _stop
    _stop = stop


@cache
def _head(assets: Path) -> Head:
    return Head(load_assets(assets))


@cache
def _studio(assets: Path, size: int) -> tuple[Head, Renderer]:
    """Head and OpenGL context of this process; its end releases them."""
    head = _head(assets)
    return head, Renderer(head, size=size)


def _describe(assets: Path, settings: CorpusSettings, group: range) -> pd.DataFrame:
    """Who some of the people are."""
    if _stop.is_set():
        raise InterruptedError
    return people(settings, _head(assets), group)


def _render_group(assets: Path, out: Path, settings: CorpusSettings, group: range) -> None:
    """Render some subjects and write their file."""
    head, renderer = _studio(assets, settings.size)
    tables = [_render_subject(head, renderer, settings, subject) for subject in group]
    path = group_file(out, group)
    with writing(path), atomic(path) as temporary:
        write_table(pa.concat_tables(tables), temporary)


def _render_subject(
    head: Head, renderer: Renderer, settings: CorpusSettings, subject: int
) -> pa.Table:
    """Render all frames of a subject."""
    identity, appearance = person(settings, subject, head)
    script = takes(settings, subject)
    shots = [shot for take in script for shot in _shots(identity, appearance, take)]
    batches = []
    for first in range(0, len(shots), renderer.batch):
        if _stop.is_set():
            raise InterruptedError
        batches.append(renderer.render(shots[first : first + renderer.batch]))
    images, landmarks, hidden, turned = map(np.concatenate, zip(*batches, strict=True))
    labels = [take_labels(subject, take) for take in script]
    columns = {
        **{name: list(np.concatenate([take[name] for take in labels])) for name in labels[0]},
        "image": [encode_jpeg(image, settings.quality) for image in images],
        "landmarks": list(landmarks.reshape(len(landmarks), -1)),
        "hidden": list(hidden),
    }
    columns["roll"] = list(
        np.asarray(columns["roll"], np.float32) + turned
    )  # as the picture shows it
    return pa.table(columns, schema=schema_of(settings))


def _shots(identity: Identity, appearance: Appearance, take: Take) -> list[Shot]:
    """Turn a take into pictures to draw: one scene, a face detector that is a little off."""
    scene = draw_scene(take.rng)
    count = len(take.numbers)
    jitter = take.rng.normal(0.0, _STEADY, (5, 2))
    jitter = jitter + take.rng.normal(0.0, _WANDERING, (count, 5, 2))
    au, pose, gaze, _ = take.performance
    return [
        Shot(identity, appearance, scene, au[t], tuple(pose[t]), tuple(gaze[t]), jitter[t])
        for t in range(count)
    ]


class _Speed(ProgressColumn):
    """Frames a second that this run renders."""

    def render(self, task: Task) -> Text:
        """Return the mean speed since the start."""
        rendered, seconds = task.completed - task.fields["kept"], task.elapsed or 0.0
        speed = f"{rendered / seconds:.0f} frames/s" if rendered and seconds else ""
        return Text(speed, style="progress.data.speed")


def _progress(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
    )
