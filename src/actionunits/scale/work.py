"""One task to its part: what a worker does, by the predictor that one process reads with."""

import math
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits import media
from actionunits.detect import tables
from actionunits.detect.chunks import BLOCK
from actionunits.detect.neutral import corrected
from actionunits.detect.predict import Predictor, load
from actionunits.errors import UserError
from actionunits.faces.cuts import Cuts, thumbnail
from actionunits.faces.detect import detector
from actionunits.files.names import escaped
from actionunits.scale import parts
from actionunits.scale.join import BESIDES, joined
from actionunits.scale.manifest import Item, is_picture
from actionunits.scale.parts import Output
from actionunits.scale.storage import is_remote, persistently, storage
from actionunits.scale.tasks import Answer, Range, Task
from actionunits.system.machine import is_memory_error
from actionunits.types import Reading

_FLUSH_ROWS = 4096
_LONGER = 1.5  # times as long as a part is a video that is worth to be split
_LEAD = 2.0  # seconds that are read before a part, so that cuts are judged as in one process
_LEAD_FRAMES = 16  # as many at least


@dataclass(frozen=True)
class Settings:
    """How inputs are read; travels to the workers. See the options of `au detect`."""

    out: str
    model: str = "default"
    detector: str = "centerface"
    device: str | None = None
    runtime: str = "auto"
    min_confidence: float = 0.0
    search_size: int | None = None
    add: tuple[str, ...] = ()
    neutral: str = "none"
    every: int = 1
    fps: float | None = None
    split: float = 1800.0  # seconds of the parts of long videos
    checksum: bool = False

    def predictor(self) -> Predictor:
        """What reads.

        Raises:
            UserError: there is no such model, detector, ...
        """
        return load(
            self.model,
            detector=detector(self.detector),
            device=self.device,
            runtime=self.runtime,
            min_confidence=self.min_confidence,
            search_size=self.search_size,
        )


class About(NamedTuple):
    """What must agree between the machines of a run, and what a worker takes."""

    version: str  # of the package
    python: str
    packages: str  # whose digits may differ
    memory: int = 0  # bytes that the worker takes, with the process that decodes


def about() -> About:
    """This process."""
    from importlib.metadata import version

    process = psutil.Process()
    family = [process, *process.children(recursive=True)]
    said = " ".join(f"{name} {version(name)}" for name in ("onnxruntime", "numpy", "av"))
    memory = sum(each.memory_info().rss for each in family)
    return About(version("actionunits"), platform.python_version(), said, memory)


class Worker:
    """Reads tasks, and writes their parts."""

    def __init__(self, settings: Settings) -> None:
        """Load the model.

        Raises:
            UserError: see `Settings.predictor`.
        """
        self._settings = settings
        self._output = Output(settings.out)
        self._predictor = settings.predictor()
        self._neutral = self._predictor.neutral(settings.neutral)
        self._added = self._predictor.added(settings.add)
        rest = self._neutral is not None
        self._columns = tables.columns(self._predictor.aus, self._added, rest=rest)
        self._rows = partial(tables.Rows, self._predictor.aus, self._added, rest=rest)

    def __call__(self, task: Task) -> Answer:
        """Do a task.

        Raises:
            OSError: the output cannot be written, after several tries.
        """
        begun = time.perf_counter()
        if task.join:
            answer = self._join(task)
        else:
            with tempfile.TemporaryDirectory(prefix="au-") as folder:
                answer = self._read(task, Path(folder))
        return answer._replace(seconds=time.perf_counter() - begun)

    def _read(self, task: Task, folder: Path) -> Answer:
        name = _range_name(task) if task.range is not None else parts.part_name(task.items)
        if task.range is not None and self._output.holds(name):  # of a run that was stopped
            return Answer()
        begun = time.perf_counter()
        there, problems = _at_hand(task.items, folder)
        if task.range is None and len(there) == 1 and (ranges := self._ranges(*there.items())):
            return Answer(ranges=ranges)
        back = {str(file): item.path for item, file in there.items()}
        faults: dict[str, list[UserError]] = {}

        def told(problem: UserError) -> None:
            faults.setdefault(back.get(problem.source or "", ""), []).append(problem)

        frames = dict.fromkeys(back.values(), 0)
        counted = dict.fromkeys(back.values(), 0)
        with self._writer(folder / "part.parquet", beside=task.range is not None) as write:
            with closing(self._readings(task, list(there.items()), told)) as readings:
                for reading, is_cut in readings:
                    path = back[reading.frame.source]
                    frames[path] += 1
                    counted[path] += max(len(reading.faces), 1)
                    frame = reading.frame._replace(source=path)
                    write.add(reading._replace(frame=frame), is_cut)
            starved = self._starved(task, faults)
            seconds = (time.perf_counter() - begun) / len(task.items)
            records = []
            for item in task.items:
                if item in starved:
                    continue
                why = [_said(each, back) for each in faults.get(item.path, [])]
                why += [problems[item]] if item in problems else []
                bad = parts.PARTIAL if counted.get(item.path, 0) else parts.FAILED
                state = bad if why else parts.DONE
                digest = ""
                if self._settings.checksum and item in there:
                    digest = parts.checksum(item._replace(path=str(there[item])))
                records.append(
                    parts.recorded(
                        *(item, state, "; ".join(why)),
                        rows=counted.get(item.path, 0),
                        frames=frames.get(item.path, 0),
                        seconds=seconds,
                        checksum=digest,
                    )
                )
            write.end(parts.metadata(records), {item.path for item in starved})
        if not records:
            return Answer(starved=tuple(starved))
        if len(records) < len(task.items):
            kept = [item for item in task.items if item not in starved]
            name = parts.part_name(kept)
        self._output.put(name, partial(shutil.copyfile, folder / "part.parquet"))
        return _answer(records, (folder / "part.parquet").stat().st_size, starved, task.range)

    def _starved(self, task: Task, faults: dict[str, list[UserError]]) -> list[Item]:
        """Inputs for which memory was short, if they are to be tried again."""
        if len(task.items) == 1 and task.tries:
            return []
        short = {path for path, found in faults.items() if any(map(_is_memory, found))}
        return [item for item in task.items if item.path in short]

    def _readings(
        self, task: Task, there: Sequence[tuple[Item, Path]], told: Callable[[UserError], None]
    ) -> Generator[tuple[Reading, bool], None, None]:
        """Readings of a task, and whether each begins another shot (of parts of videos only)."""
        settings, paths = self._settings, [str(file) for _, file in there]
        if not paths:
            return
        item, span = task.items[0], media.WHOLE
        if len(task.items) == 1:
            span = media.Span(item.start, item.end, settings.every, settings.fps)
        if task.range is None:
            readings = self._predictor.readings(paths, told, settings.add, span)
            with closing(readings):
                for reading in readings:
                    yield reading, False
            return
        if task.range.index:
            span = span._replace(start=_before(task.range.start, span, self._lead(paths[0])))
        with closing(self._predictor.readings(paths, told, settings.add, span)) as readings:
            yield from _own(readings, task.range)

    def _lead(self, path: str) -> float:
        """Seconds to be read before a part, so that its first frames have their neighbours."""
        spec, settings = self._predictor.network.spec, self._settings
        apart = _apart(path)
        apart = max(apart * settings.every, 1 / settings.fps if settings.fps else 0.0)
        step = max(apart, 1 / spec.fps if spec.fps else 0.0)
        return max(_LEAD, _LEAD_FRAMES * apart + 2 * spec.context * step)

    def _ranges(self, of: tuple[Item, Path]) -> tuple[Range, ...]:
        """Parts of a video that is long; none of one that is not, or needs to be seen as a whole.

        They begin just before a block of frames does, as far as the rate of the first frames goes
        on; where it does not, more is read than needed, and the rows are the same.
        """
        (item, file), split = of, self._settings.split
        if is_picture(item.path) or self._neutral is not None:
            return ()
        end = min(media.duration(str(file)), math.inf if item.end is None else item.end)
        apart = _apart(str(file)) if end - item.start > _LONGER * split else 0.0
        if not apart:
            return ()
        block = BLOCK * apart
        count = math.ceil((end - item.start) / split)
        wanted = (item.start + number * split for number in range(1, count))
        seams = sorted({round(each / block) * block - apart / 2 for each in wanted})
        seams = [each for each in seams if item.start + _LEAD < each < end]
        if not seams:
            return ()
        edges = [item.start, *seams, math.inf]
        return tuple(
            Range(number, len(edges) - 1, *edge)
            for number, edge in enumerate(zip(edges, edges[1:], strict=False))
        )

    @contextmanager
    def _writer(self, file: Path, *, beside: bool) -> Iterator["_Writer"]:
        columns = [*self._columns, *BESIDES] if beside else self._columns
        writer = _Writer(file, self._rows, columns, held=self._neutral is not None)
        if self._neutral is not None:
            writer.mend = partial(corrected, aus=self._predictor.aus, neutral=self._neutral)
        with writer.file:
            yield writer

    def _join(self, task: Task) -> Answer:
        """Make a whole of the parts of a video."""
        item, names = task.items[0], [_range_name(task, i) for i in range(task.join)]
        records = [parts.inputs(self._output, name)[0] for name in names]
        with_rows = [each for each in records if each["rows"]]
        # Behind the end of a video that breaks off there is nothing to complain of.
        why = list(dict.fromkeys(each["why"] for each in with_rows or records if each["why"]))
        state = (parts.PARTIAL if with_rows else parts.FAILED) if why else parts.DONE
        record = parts.recorded(
            *(item, state, "; ".join(why)),
            rows=sum(each["rows"] for each in records),
            frames=sum(each["frames"] for each in records),
            seconds=sum(each["seconds"] for each in records),
            checksum=records[0]["checksum"],
        )
        with tempfile.TemporaryDirectory(prefix="au-") as folder:
            file, told = Path(folder, "part.parquet"), parts.schema(self._columns)
            with pq.ParquetWriter(file, told) as writer:
                for table in joined(parts.table(self._output, name) for name in names):
                    writer.write_table(table.select(told.names).cast(told))
                writer.add_key_value_metadata(parts.metadata([record]))
            self._output.put(parts.part_name([item]), partial(shutil.copyfile, file))
            size = file.stat().st_size
        for name in names:
            self._output.remove(name)
        return _answer([record], size)


class _Writer:
    """Rows to a local file, some at a time."""

    def __init__(
        self, file: Path, rows: Callable[[], tables.Rows], columns: Sequence[str], *, held: bool
    ) -> None:
        self._schema = parts.schema(columns)
        self.file = pq.ParquetWriter(file, self._schema)
        self.mend: Callable[[Any], Any] | None = None
        self._new, self._held = rows, held
        self._waiting, self._besides = rows(), list[Any]()
        self._beside = columns[-1] == BESIDES[-1]

    def add(self, reading: Reading, is_cut: bool) -> None:
        self._waiting.add(reading)
        if self._beside:
            points = [face.landmarks.ravel() for face in reading.faces]
            self._besides += [[*p, is_cut] for p in points or [np.full(10, np.nan)]]
        if len(self._waiting) >= _FLUSH_ROWS and not self._held:
            self._flush(set())

    def _flush(self, without: set[str]) -> None:
        table = self._waiting.table()
        if self._beside:
            values = np.array(self._besides, float).reshape(-1, len(BESIDES))
            table[BESIDES] = values
            self._besides.clear()
        if self.mend is not None and len(table):
            table = self.mend(table)
        if without:
            gone = {escaped(path) for path in without}
            table = table[~table["input"].isin(gone)]
        self.file.write_table(pa.Table.from_pandas(table, self._schema, preserve_index=False))
        self._waiting = self._new()

    def end(self, footer: dict[bytes, bytes], without: set[str]) -> None:
        """Write what waits, but for some inputs, and what the rows are of."""
        self._flush(without)
        self.file.add_key_value_metadata(footer)


def _own(readings: Iterator[Reading], part: Range) -> Generator[tuple[Reading, bool], None, None]:
    """Readings of the blocks of frames that begin in a part, and whether each begins a shot."""
    cuts, block, mine = Cuts(), -1, part.index == 0
    for reading in readings:
        is_cut = cuts(thumbnail(reading.frame.image))
        number, seconds = reading.frame.number // BLOCK, reading.frame.seconds
        if number != block:
            if block >= 0:
                if seconds >= part.end:
                    return
                mine = part.index == 0 or seconds >= part.start
            block = number
        if mine:
            yield reading, is_cut


def _before(start: float, span: media.Span, lead: float) -> float:
    """Where to begin to read, so that the frames that a rate chooses are those of one process."""
    begin = max(span.start, start - lead)
    if span.fps is None:
        return begin
    return span.start + math.floor((begin - span.start) * span.fps) / span.fps


def _apart(path: str) -> float:
    """Seconds from one of the first frames of a video to the next; 0 where nobody knows."""
    try:
        with closing(media.frames(path)) as frames:
            times = [frame.seconds for frame in islice(frames, 9)]
    except UserError:  # which reading it will say
        return 0.0
    return float(np.diff(times).mean()) if len(times) > 1 else 0.0


def _at_hand(inputs: Sequence[Item], folder: Path) -> tuple[dict[Item, Path], dict[Item, str]]:
    """Files of inputs on this machine, and why others cannot be had."""
    there, problems = {}, {}
    for number, item in enumerate(inputs):
        place = folder / f"{number}"
        if is_remote(item.path):
            place.mkdir()
        try:
            there[item] = persistently(partial(storage(item.path).at_hand, item.path, place))
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            problems[item] = f"{item.path}: cannot be fetched: {why}; check it, then run again"
    return there, problems


def _range_name(task: Task, index: int | None = None) -> str:
    item = task.items[0]
    number = index if task.range is None else task.range.index
    count = task.join or (task.range.count if task.range is not None else 0)
    return f"ranges/{parts.digest(*item[:4], repr(item.modified), count)}-{number:04}.parquet"


def _answer(
    records: Sequence[dict[str, Any]],
    size: int,
    starved: Sequence[Item] = (),
    part: Range | None = None,
) -> Answer:
    rows, frames = (sum(each[name] for each in records) for name in ("rows", "frames"))
    if part is not None:  # its rows count when the video is whole
        return Answer(starved=tuple(starved))
    why = tuple(each["why"] for each in records if each["why"])
    return Answer(len(records) - len(why), why, rows, frames, size, starved=tuple(starved))


def _is_memory(problem: UserError) -> bool:
    cause = problem.__cause__
    return isinstance(cause, Exception) and is_memory_error(cause)


def _said(problem: UserError, back: dict[str, str]) -> str:
    """What is wrong with an input, under the name that the user knows."""
    text = str(problem)
    source = problem.source or ""
    return text.replace(source, back[source]) if source in back else text
