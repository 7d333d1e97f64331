"""All outputs of a run: they go on where a stopped run ended, and one that fails fails alone.

Beside the part of a table that is not whole, ``NAME.part.jsonl`` says which sources it holds. A run
that was stopped, by whatever, goes on from it: rows behind the last whole source are dropped and
read again. In a folder of tables ``.au-detect.jsonl`` says which of them are whole.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from actionunits import media
from actionunits.aus import AUSet
from actionunits.detect import writers
from actionunits.detect.added import NOTHING, Added
from actionunits.detect.neutral import Neutral
from actionunits.detect.places import destinations, is_folder
from actionunits.detect.record import Held, Record, Settings, stamp
from actionunits.detect.tables import AS_READ, Layout
from actionunits.errors import UserError
from actionunits.files.names import fitted
from actionunits.types import Reading

Mode = Literal["new", "resume", "overwrite"]

_RECORD = ".au-detect.jsonl"  # of a folder of tables


@dataclass(frozen=True)
class Job:
    """What the outputs of one run have in common.

    Attributes:
        sources: the inputs, see `media.sources`.
        aus: label axis of the readings.
        added: what is told besides AUs.
        neutral: whose rest intensities are compared with, if they are.
        layout: how the rows of a table of these sources are written.
        span: which part of videos is read.
        blur: overlays hide the heads of people, and have no sound.
        settings: what the rows depend on beside their source.
        mode: what of a stopped run: refuse to lose it, go on from it, or begin anew.
        problems: of the run so far; those of a source are kept in the record.
    """

    sources: Sequence[str]
    aus: AUSet
    added: Added = NOTHING
    settings: Settings = field(default_factory=dict)
    mode: Mode = "overwrite"
    problems: list[UserError] = field(default_factory=list)
    neutral: Neutral | None = None
    layout: Callable[[Sequence[str]], Layout] = lambda sources: AS_READ
    span: media.Span = media.WHOLE
    blur: bool = False


class Output(writers.Writer, Protocol):
    """A writer that knows what an earlier run has written."""

    def holds(self, source: str) -> bool:
        """Whether a source is written to its end already."""
        ...


def table(out: Path | str, job: Job) -> Output:
    """Writer of one ``.csv`` or ``.parquet`` file, or of one CSV file an input into a folder.

    Args:
        out: the file, or a folder, see `places.is_folder`.
        job: what to write.

    Raises:
        UserError: the suffix names no format that can be written; a part of an earlier run is
            there and not meant; or that run was of other settings.
    """
    if is_folder(out):
        return _Tables(Path(out), job)
    if Path(out).suffix.lower() not in writers.FORMATS:
        raise UserError(f"{out}: expected a file .csv or .parquet, or a folder")
    return _Table(Path(out), job)


def files(out: Path | str, sources: Sequence[str]) -> list[Path]:
    """All files that the writer of a table writes, finished or not."""
    if is_folder(out):
        return [*destinations(sources, Path(out), _ending).values(), Path(out) / _RECORD]
    return [Path(out), writers.part(Path(out)), _record(Path(out))]


class Outputs:
    """Several outputs as one: one that fails is reported and left, the others go on.

    Attributes:
        complete: names of those that came to their end.
    """

    def __init__(self, outputs: Mapping[str, writers.Writer], problems: list[UserError]) -> None:
        """Begin nothing yet.

        Args:
            outputs: by their names in sentences, in the order in which they complete a source.
            problems: takes what goes wrong.
        """
        self._outputs, self._problems = dict(outputs), problems
        self.complete: set[str] = set()

    def __enter__(self) -> Self:
        """Begin all.

        Raises:
            UserError: one cannot be begun; then the others are left.
        """
        begun: dict[str, writers.Writer] = {}
        try:
            for name, output in self._outputs.items():
                begun[name] = output.__enter__()
        except BaseException as error:
            self._outputs = begun
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, *failure: Any) -> None:
        """Complete all, or leave them after an error."""
        for name, output in self._outputs.items():
            try:
                output.__exit__(*failure)
                self.complete |= set() if failure[0] else {name}
            except Exception as error:
                self._problems.append(writers.unwritten(name, error))

    def add(self, reading: Reading) -> None:
        """Write one frame to all."""
        for name, output in tuple(self._outputs.items()):
            try:
                output.add(reading)
            except Exception as error:
                self._problems.append(writers.unwritten(name, error))
                del self._outputs[name]
                with suppress(Exception):  # it has failed, which is told
                    output.__exit__(type(error), error, error.__traceback__)


class _Table:
    """Writer of one table of many sources, with a record of those that its part holds."""

    def __init__(self, path: Path, job: Job) -> None:
        self._job, self._part = job, writers.part(path)
        record = _record(path)
        inputs = [[source, stamp(source)] for source in job.sources]
        settings = {**job.settings, "inputs": inputs}
        size = self._part.stat().st_size if self._part.is_file() else 0
        if size and job.mode == "new":
            raise UserError(
                f"{self._part}: here are the rows of a run that was stopped; --resume goes on from "
                "them, --overwrite begins anew"
            )
        if size and job.mode == "resume" and not record.is_file():
            raise UserError(
                f"{self._part}: {record.name} should say what is in it, and is not there; begin "
                "anew with --overwrite"
            )
        goes_on = size and job.mode == "resume"
        known = Record.read(record, settings) if goes_on else Record(record, settings)
        # After a power cut the record may know of more than has reached the disk.
        held = [each for each in known.held.values() if each.end <= size]
        self._record = Record(record, settings, held)
        if goes_on and any(not media.is_stored(s) and not self.holds(s) for s in job.sources):
            raise _seen_once(self._part)
        self._table = writers.TableFile(
            path,
            job.aus,
            job.added,
            neutral=job.neutral,
            layout=job.layout(job.sources),
            start=max((each.end for each in held), default=0),
            ended=self._note,
        )

    def __enter__(self) -> Self:
        problems = [UserError(text) for h in self._record.held.values() for text in h.problems]
        self._job.problems.extend(problems)
        self._record.begin()
        self._table.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._table.__exit__(*failure)
        if failure[0] is None or not self._part.exists():
            self._record.remove()

    def add(self, reading: Reading) -> None:
        if not self.holds(reading.frame.source):
            self._table.add(reading)

    def holds(self, source: str) -> bool:
        return source in self._record.held

    def _note(self, sources: Sequence[str], end: int) -> None:
        self._record.add([Held(s, stamp(s), end, _problems(self._job, s)) for s in sources])


class _Tables:
    """Writer of a table an input into a folder, with a record of those that are whole."""

    def __init__(self, folder: Path, job: Job) -> None:
        self._job = job
        known = Record.read if job.mode != "overwrite" else partial(_outlasting, job.sources)
        self._record = known(folder / _RECORD, job.settings)
        paths = destinations(job.sources, folder, _ending)
        for unfinished in (writers.part(paths[s]) for s in job.sources if not media.is_stored(s)):
            if job.mode != "overwrite" and unfinished.exists():
                raise _seen_once(unfinished)
        inputs = {path: source for source, path in paths.items()}

        def begin(path: Path) -> writers.TableFile:
            layout = job.layout([inputs[path]])
            return writers.TableFile(path, job.aus, job.added, neutral=job.neutral, layout=layout)

        self._files = writers.PerInput(
            paths,
            begin,
            job.problems,
            self._note,
        )

    def __enter__(self) -> Self:
        self._record.begin()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._files.__exit__(*failure)

    def add(self, reading: Reading) -> None:
        if not self.holds(reading.frame.source):
            self._files.add(reading)

    def holds(self, source: str) -> bool:
        held = self._record.held.get(_key(source))
        if held is None or held.problems or not self._files.holds(source):
            return False
        return held.stamp is not None and held.stamp == stamp(source)

    def _note(self, source: str) -> None:
        told = _problems(self._job, source)
        self._record.add([Held(_key(source), stamp(source), 0, told)])


def _record(path: Path) -> Path:
    """The record of a table while it is not whole."""
    unfinished = writers.part(path)
    return unfinished.with_name(fitted(unfinished.name, ".jsonl"))


def _seen_once(unfinished: Path) -> UserError:
    return UserError(
        f"{unfinished}: holds what a camera or a stream has shown, which cannot be read "
        "again; rename it, a CSV file, to keep it, or begin anew with --overwrite"
    )


def _ending(source: str) -> str:
    return ".csv"


def _outlasting(sources: Sequence[str], path: Path, settings: Settings) -> Record:
    """The record of a folder without these sources, which are written anew."""
    try:
        known = Record.read(path, settings).held.values()
    except UserError:  # of other settings, or damaged: nothing of it counts any more
        known = {}.values()
    return Record(path, settings, [h for h in known if h.source not in {*map(_key, sources)}])


def _key(source: str) -> str:
    """The same for a file from wherever the command is run."""
    return os.path.abspath(source)


def _problems(job: Job, source: str) -> list[str]:
    return [str(problem) for problem in job.problems if problem.source == source]
