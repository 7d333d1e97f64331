"""One task to its part: what a worker does, by the predictor that one process reads with."""

import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow.parquet as pq

from actionunits import media
from actionunits.detect import tables
from actionunits.detect.neutral import corrected
from actionunits.detect.predict import Predictor, load
from actionunits.errors import UserError
from actionunits.faces import DETECTOR
from actionunits.faces.detect import chosen
from actionunits.scale import parts, ranges
from actionunits.scale.fetched import Fetched
from actionunits.scale.join import BESIDES, joined
from actionunits.scale.manifest import Item, checksum
from actionunits.scale.parts import Output
from actionunits.scale.rows import Writer
from actionunits.scale.tasks import Answer, Range, Task
from actionunits.system.machine import is_memory_error
from actionunits.types import Reading


@dataclass(frozen=True)
class Settings:
    """How inputs are read; travels to the workers. See the options of `au detect`."""

    out: str
    model: str = "default"
    detector: str = DETECTOR
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
            detector=chosen(self.detector),
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
        media.warm_up()  # while the model loads
        self._settings = settings
        self._output, self._fetched = Output(settings.out), Fetched()
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
            if task.range is None and not answer.ranges:  # of a long video more may be wanted
                self._fetched.forget()
        return answer._replace(seconds=time.perf_counter() - begun)

    def _read(self, task: Task, folder: Path) -> Answer:
        name = _range_name(task) if task.range is not None else parts.part_name(task.items)
        if task.range is not None and self._output.holds(name):  # of a run that was stopped
            return Answer()
        begun = time.perf_counter()
        there, problems = self._fetched(task.items)
        if task.range is None and self._neutral is None and len(task.items) == len(there) == 1:
            (item, file), *_ = there.items()
            if of := ranges.of(item, file, self._settings.split):
                return Answer(ranges=of)
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
                    digest = checksum(item._replace(path=str(there[item])))
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
        if task.range.number:
            span = span._replace(
                start=ranges.before(task.range.start, span, paths[0], self._predictor.network.spec)
            )
        with closing(self._predictor.readings(paths, told, settings.add, span)) as readings:
            yield from ranges.own(readings, task.range)

    @contextmanager
    def _writer(self, file: Path, *, beside: bool) -> Iterator[Writer]:
        columns = [*self._columns, *BESIDES] if beside else self._columns
        writer = Writer(file, self._rows, columns, held=self._neutral is not None)
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


def _range_name(task: Task, index: int | None = None) -> str:
    item = task.items[0]
    number = index if task.range is None else task.range.number
    count = task.join or (task.range.parts if task.range is not None else 0)
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
