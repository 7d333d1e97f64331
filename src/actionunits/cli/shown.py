"""What `au detect` shows while it reads and at the end; each is a writer beside those of files."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rich import progress
from rich.console import Console

from actionunits import media
from actionunits.cli.terminal import check
from actionunits.detect import tables
from actionunits.detect.neutral import corrected
from actionunits.detect.outputs import Job
from actionunits.detect.summary import Summary
from actionunits.errors import printable
from actionunits.types import Reading

_PICTURES = 3  # whose tables are printed; of more, the files tell


def printer(prints: str, job: Job, console: Console, summary: Summary) -> "Tables | Json | Live":
    """What prints tables, JSON at the end, or JSON as it comes ("live")."""
    if prints == "tables":
        return Tables(job, console, summary)
    return Live(job, console) if prints == "live" else Json(job, console)


class Progress:
    """Counts and a bar over all inputs; within a video it moves with the video's own time."""

    def __init__(
        self, sources: Sequence[str], console: Console, summary: Summary, span: media.Span
    ) -> None:
        """Show nothing yet.

        Args:
            sources: that will be read.
            console: standard error.
            summary: takes the counts.
            span: which part of videos is read.
        """
        self._span = span
        self._summary = summary
        self._place = {source: index for index, source in enumerate(sources)}
        self._seconds: dict[str, float] = {}
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.fields[frames]} frames"),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,  # else it leaves an empty line
        )

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        self._task = self._bar.add_task("", total=len(self._place), frames=0)
        return self

    def __exit__(self, *failure: Any) -> None:
        """Take the bar away."""
        self._bar.stop()

    def add(self, reading: Reading) -> None:
        """Count one frame and move the bar."""
        self._summary.add(reading)
        source = reading.frame.source
        if source not in self._seconds:
            self._seconds[source] = media.duration(source, self._span)
        seconds = min(self._seconds[source], self._span.end or math.inf) - self._span.start
        gone = reading.frame.seconds - self._span.start
        share = min(gone / seconds, 1) if seconds > 0 else 0
        self._bar.update(
            self._task,
            description=printable(Path(source).name),
            completed=self._place[source] + share,
            frames=self._bar.tasks[self._task].fields["frames"] + 1,
        )


class Tables:
    """Bars of a few pictures as they come, and at the end what was read of each face of a video."""

    def __init__(self, job: Job, console: Console, summary: Summary) -> None:
        """Show nothing yet.

        Args:
            job: what is read.
            console: standard output.
            summary: of all that is read.
        """
        self._job, self._console, self._summary = job, console, summary

    def __enter__(self) -> Self:
        """Do nothing: there is nothing to show before the first frame."""
        return self

    def __exit__(self, *failure: Any) -> None:
        """Show the faces of videos, also of what was read before a failure.

        Raises:
            OSError: standard output is broken, other than that nobody reads on.
        """
        videos = [source for source in self._job.sources if not media.is_still(source)]
        for table in self._summary.tables(videos):
            self._console.print(table)
        check(self._console)

    def add(self, reading: Reading) -> None:
        """Show a picture, if they are few."""
        if len(self._job.sources) <= _PICTURES and media.is_still(reading.frame.source):
            for position in range(len(reading.faces)):
                self._console.print(tables.bars(reading, self._job.aus, position))


class Live:
    """Rows as JSON lines, an object a face and frame, each as soon as it is read.

    The columns above a person's rest are not among them: they are known at the end.
    """

    def __init__(self, job: Job, console: Console) -> None:
        """Print nothing yet.

        Args:
            job: what is read.
            console: standard output.
        """
        self._job, self._console = job, console
        self._layout = job.layout(job.sources)

    def __enter__(self) -> Self:
        """Do nothing: there is nothing to print before the first frame."""
        return self

    def __exit__(self, *failure: Any) -> None:
        """Look whether all has arrived.

        Raises:
            OSError: standard output is broken, other than that nobody reads on.
        """
        check(self._console)

    def add(self, reading: Reading) -> None:
        """Print the rows of one frame.

        Raises:
            OSError: as at the end.
        """
        lines = tables.to_lines(reading, self._job.aus, self._job.added, self._layout)
        self._console.file.write(lines)
        self._console.file.flush()
        check(self._console)

    def is_left(self) -> bool:
        """Whether nobody reads on."""
        return getattr(self._console.file, "broken", None) is not None


class Json:
    """All rows at the end, as JSON."""

    def __init__(self, job: Job, console: Console) -> None:
        """Start without rows.

        Args:
            job: what is read.
            console: standard output.
        """
        self._rows = tables.Rows(job.aus, job.added, rest=job.neutral is not None)
        self._job, self._console = job, console

    def __enter__(self) -> Self:
        """Do nothing: rows come at the end."""
        return self

    def __exit__(self, *failure: Any) -> None:
        """Print what was read, also before a failure.

        Raises:
            OSError: standard output is broken, other than that nobody reads on.
        """
        table = self._rows.table()
        if self._job.neutral is not None:
            table = corrected(table, self._job.aus, self._job.neutral)
        layout = self._job.layout(self._job.sources)
        self._console.file.write(tables.to_json(table, layout) + "\n")
        self._console.file.flush()
        check(self._console)

    def add(self, reading: Reading) -> None:
        """Keep the rows of one frame."""
        self._rows.add(reading)
