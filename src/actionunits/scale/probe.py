"""What inputs of a sample take, each read for a moment.

A moment has whole rounds of searches, behind the first frames, which tell what it takes to open the
file. Counted are seconds of the processor, which are what a core is kept from however many threads
read here and whatever else the machine does, and the seconds of a store to send the file.
"""

import io
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits import media
from actionunits.detect import tables
from actionunits.detect.predict import Predictor
from actionunits.errors import UserError
from actionunits.files.names import escaped
from actionunits.scale import parts, ranges
from actionunits.scale.manifest import Item, Report, is_picture
from actionunits.scale.storage import persistently, storage
from actionunits.scale.tasks import PICTURES

_FIRST = 8
MOMENT = _FIRST + 60
"""Frames of a video that are read of the sample: behind the first ones, a full round of searches,
one of them fine."""


class Probe(NamedTuple):
    """What one input of the sample will take."""

    item: Item
    seconds: float  # of a worker that has a core for itself
    frames: float
    rows: float
    faces: float  # a frame, on average
    size: float  # bytes of its part
    duration: float = 0.0  # seconds; 0 of a picture
    width: int = 0  # pixels
    height: int = 0


def probed(predictor: Predictor, chosen: Sequence[Item], report: Report) -> Iterator[Probe]:
    """Probes of a sample; inputs that cannot be read are reported and left out.

    Args:
        predictor: reads them.
        chosen: the sample.
        report: is told of those that cannot be read.
    """
    size = predictor.network.spec.size
    predictor.values(np.zeros((size, size, 3), np.uint8))  # what is done once is no input's cost
    with ExitStack() as stack:
        there, fetched = dict[str, Item](), dict[Item, float]()
        for item in filter(lambda item: is_picture(item.path), chosen):
            with _told(item, report):
                path, fetched[item] = stack.enter_context(_at_hand(item))
                there[path] = item
        for found in _probe_pictures(predictor, there, report):
            yield found._replace(seconds=found.seconds + fetched[found.item])
    for item in filter(lambda item: not is_picture(item.path), chosen):
        with _told(item, report), _at_hand(item) as (path, seconds):
            found = probe(predictor, item, path)
            yield found._replace(seconds=found.seconds + seconds)


@contextmanager
def _told(item: Item, report: Report) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        report(error)
    except OSError as error:
        why = error.strerror or str(error)
        report(UserError(f"{item.path}: cannot be fetched: {why}; left out of the sample"))


@contextmanager
def _at_hand(item: Item) -> Iterator[tuple[str, float]]:
    """Path of an input on this machine while it is read, and the seconds until it was there."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="au-") as folder:
        there = partial(storage(item.path).at_hand, item.path, Path(folder))
        yield str(persistently(there)), time.perf_counter() - begun


class _Read(NamedTuple):
    """What was read at once, and what that took."""

    seconds: float  # of the processor
    table: pd.DataFrame
    frames: Counter[str]  # by source
    faces: Counter[str]
    sizes: dict[str, tuple[int, int]]  # width and height


def _read(
    predictor: Predictor, paths: Sequence[str], span: media.Span, report: Report, most: int | None
) -> _Read:
    rows, frames, faces, sizes = tables.Rows(predictor.aus), Counter[str](), Counter[str](), {}
    begun = processor()
    with closing(predictor.readings(paths, report, (), span)) as readings:
        for reading in islice(readings, most):
            source, (height, width, _) = reading.frame.source, reading.frame.image.shape
            frames[source] += 1
            faces[source] += len(reading.faces)
            sizes[source] = width, height
            rows.add(reading)
    return _Read(processor() - begun, rows.table(), frames, faces, sizes)


def processor() -> float:
    """Seconds of the processor that this process and those that decode for it have taken.

    They say what a core will be kept from, however many threads read here, and whatever else this
    machine does.
    """
    process, taken = psutil.Process(), 0.0
    for each in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # it has just ended, and is among the next one's
            taken += sum(each.cpu_times()[:4])
    return taken


def probe(predictor: Predictor, item: Item, path: str) -> Probe:
    """Read a moment of a video, from its beginning, and carry it to all of it.

    A shorter moment tells what it takes to open it, the longer one what each frame takes.

    Args:
        predictor: reads it.
        item: the input.
        path: its file on this machine.

    Raises:
        UserError: it cannot be read.
    """
    problems: list[UserError] = []
    step = ranges.apart(path)
    end = np.inf if item.end is None else item.end
    shown = max(min(media.duration(path), end) - item.start, 0.0)
    count = shown / step if step else 0.0

    def first(frames: int) -> _Read:
        until = item.start + (frames - 0.5) * step
        span = media.Span(item.start, until if count > MOMENT else item.end)
        return _read(predictor, [path], span, problems.append, MOMENT)

    moment = first(MOMENT)
    frames = moment.frames[path]
    if not frames:
        raise problems[0] if problems else UserError(f"{path}: holds no frame")
    seconds, share = moment.seconds, 1.0
    if count > MOMENT:  # where nobody knows how long it is, the moment stands for all
        few = first(_FIRST)
        each = (moment.seconds - few.seconds) / max(frames - few.frames[path], 1)
        seconds, share = seconds + (count - frames) * max(each, 0.0), count / frames
    whole, row = _size(moment.table)
    rows = len(moment.table) * share
    return Probe(
        *(item, seconds, frames * share, rows, moment.faces[path] / frames),
        *(whole + (rows - 1) * row, shown, *moment.sizes[path]),
    )


def _probe_pictures(
    predictor: Predictor, chosen: Mapping[str, Item], report: Report
) -> Iterator[Probe]:
    """Read pictures together, as a worker does, each of which takes its share.

    Args:
        predictor: reads them.
        chosen: inputs by the paths of their files on this machine.
        report: is told of those that cannot be read.
    """
    if not chosen:
        return
    read = _read(predictor, [*chosen], media.WHOLE, report, None)
    if not read.frames:
        return
    whole, row = _size(read.table)
    counts = read.table["input"].value_counts()
    for path, frames in read.frames.items():
        rows = int(counts[escaped(path)])
        yield Probe(
            *(chosen[path], read.seconds * rows / len(read.table), frames, rows),
            *(read.faces[path] / frames, whole / PICTURES + rows * row),
            0.0,
            *read.sizes[path],
        )


def _size(table: pd.DataFrame) -> tuple[int, float]:
    """Bytes of a part with one row, and of each row more."""
    schema = parts.schema([str(name) for name in table])
    told = pa.Table.from_pandas(table, schema, preserve_index=False).replace_schema_metadata(None)
    sizes = []
    for each in (told[:1], told):
        file = io.BytesIO()
        pq.write_table(each, file)
        sizes.append(file.tell())
    return sizes[0], (sizes[1] - sizes[0]) / max(len(told) - 1, 1)
