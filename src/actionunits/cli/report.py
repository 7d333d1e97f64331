"""``au report``: tables or videos to one page."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from typer.core import TyperCommand

from actionunits.cli import completions
from actionunits.cli.findings import Fps, Gap, Shortest, Tier
from actionunits.faces import DETECTOR

if TYPE_CHECKING:
    from actionunits.errors import UserError


class Spread(TyperCommand):
    """A command whose ``--against`` takes all that comes up to the next option.

    The shell makes ``--against B1.csv B2.csv`` of ``--against B*.csv``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its values."""
        spread: list[str] = []
        taking = False
        for given in args:
            if given.startswith("-"):
                taking = given == "--against"
                spread += [] if taking else [given]
            else:
                spread += ["--against", given] if taking else [given]
        return super().parse_args(ctx, spread)


def report(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Tables of au detect, OpenFace or py-feat, or pictures and videos, which are read "
            "first unless they are those of a table; folders of either."
        ),
    ],
    out: Annotated[Path, typer.Option(help="FILE.html.")] = Path("report.html"),
    against: Annotated[
        list[str] | None,
        typer.Option(help="A second group, compared with the first: all up to the next option."),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(help="Or CSV of input, group, and person where several files are of one."),
    ] = None,
    trials: Annotated[
        Path | None,
        typer.Option(help="Or when two conditions were, as au summary takes it: within people."),
    ] = None,
    tier: Tier = None,
    keep: Annotated[
        Path | None, typer.Option(help="Folder for the tables of videos: a CSV an input.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Weights that read videos, or wrote the tables; without it `default`.",
            autocompletion=completions.weights,
        ),
    ] = None,
    fps: Fps = None,
    gap: Gap = 0.2,
    shortest: Shortest = 0.1,
) -> None:
    """Make a page of tables or videos: timelines, peaks, summaries, two groups side by side.

    One HTML file that opens offline and prints. It says what was read and when no face was seen,
    which Action Units occur when, how often and together, with pictures of their peaks where the
    video is at hand: given, or where the table's column `input` says. `--against`, or a table of
    groups, compares two groups of files AU by AU, and `--trials` two conditions within people, by
    Hedges' g.
    """
    from tempfile import TemporaryDirectory  # noqa: I001

    from actionunits.cli.findings_shown import check, check_rate
    from actionunits.cli.outputs import check_output
    from actionunits.cli.terminal import terminal
    from actionunits.errors import UserError, printable
    from actionunits.findings.frames import table_of
    from actionunits.report import write  # first: the extra may be missing

    check_rate(fps)
    if tier is not None and trials is None:
        raise UserError("--tier: of which file? give it by --trials")
    check([], None, gap=gap, shortest=shortest)
    problems: list[UserError] = []
    first, second = (_files(each, problems) for each in (paths, against or []))
    check_output(out, [*first, *second, groups, trials], (".html", ".htm"))
    videos = [path for path in [*first, *second] if not _is_table(path)]
    tables = [path for path in [*first, *second] if _is_table(path)]
    known = _names(tables, fps) if videos else set()
    unread = [path for path in videos if not known & {path.name, path.stem}]
    with TemporaryDirectory() as folder:
        made: dict[Path, Any] = _read(unread, keep or Path(folder), model or "default", problems)
        if keep is None:  # the page must not name what is gone at its end
            made = {video: table_of(path) for video, path in made.items()}
        sides = [
            [made.get(path, path) for path in side if _is_table(path) or path in made]
            for side in (first, second)
        ]
        if not sides[0] or (against and not sides[1]):
            raise ExceptionGroup(f"inputs that went wrong: {len(problems)}", problems)
        with _Bar() as bar:
            problems += write(
                sides[0],
                out,
                against=sides[1],
                groups=groups,
                trials=trials,
                tier=tier,
                videos=videos,
                fps=fps,
                gap=gap,
                shortest=shortest,
                model=model,
                progress=bar,
            )
    terminal(error=True).print(f"written: {printable(str(out))}", soft_wrap=True)
    if problems:
        raise ExceptionGroup(f"inputs that went wrong: {len(problems)}", problems)


def _is_table(path: Path) -> bool:
    """Whether it is one by its suffix, or that of a workbook, which is told how to become one."""
    from actionunits.files.lists import WORKBOOKS
    from actionunits.findings.frames import SUFFIXES

    return path.suffix.lower() in {*SUFFIXES, *WORKBOOKS}


def _files(paths: Sequence[str], problems: list["UserError"]) -> list[Path]:
    """Tables, pictures and videos: of a folder its tables, or else what there is to be read."""
    from actionunits import media
    from actionunits.errors import UserError
    from actionunits.findings.frames import tables_of

    found: list[Path] = []
    for name in paths:
        path = Path(name)
        inside = tables_of([path]) if path.is_dir() else []
        if inside or _is_table(path):
            found += inside or [path]
        elif name.isdecimal() and not path.exists():
            raise UserError(
                f"{name}: expected tables, pictures or videos; of a camera, make a table with "
                f"au detect {name} --out FILE.csv first"
            )
        else:
            found += map(Path, media.sources([name], problems.append))
    return list(dict.fromkeys(found))


def _names(tables: Iterable[Path], fps: float | None) -> set[str]:
    """Names of the videos that tables are of; those that cannot be read are told later."""
    from contextlib import suppress

    from actionunits.errors import DataError
    from actionunits.files.names import unescaped
    from actionunits.findings.frames import read

    known: set[str] = set()
    for path in tables:
        with suppress(DataError):
            inputs = read(path, fps).rows["input"].unique()
            known |= {Path(unescaped(name)).name for name in inputs}
    return known


def _read(
    videos: Sequence[Path], folder: Path, model: str, problems: list["UserError"]
) -> dict[Path, Path]:
    """Read videos into tables in a folder, and say which is whose; some may have none."""
    if not videos:
        return {}
    from actionunits import media
    from actionunits.cli.shown import Progress
    from actionunits.cli.terminal import terminal
    from actionunits.detect import outputs, run, tables
    from actionunits.detect.predict import load
    from actionunits.detect.summary import Summary
    from actionunits.errors import UserError

    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: expected a folder for tables, this is a file")
    predictor = load(model)
    sources = list(map(str, videos))
    settings = run.settings(model, DETECTOR, tables.columns(predictor.aus))
    job = outputs.Job(sources, predictor.aus, settings=settings, mode="new", problems=problems)
    place = f"{folder}/"
    try:
        table = outputs.table(place, job)
    except UserError as error:
        reason = str(error).partition(";")[0]  # what follows is advice for au detect
        raise UserError(f"{reason}; give --keep another folder") from error
    todo = run.remaining(sources, table.holds)
    bar = Progress(todo, terminal(error=True), Summary(predictor.aus), media.WHOLE)
    both = outputs.Outputs({"standard error": bar, place: table}, problems)
    stopped = run.run(predictor, todo, both, problems) if todo else None
    if stopped is not None:
        terminal(error=True).print(f"au: stopped {stopped.where()}", soft_wrap=True)
        raise typer.Exit(130)
    made = dict(zip(videos, outputs.files(place, sources), strict=False))
    return {video: path for video, path in made.items() if path.exists()}


class _Bar:
    """A bar while pictures are looked for in videos."""

    def __enter__(self) -> Self:
        """Show nothing yet."""
        from rich import progress

        from actionunits.cli.terminal import terminal

        console = terminal(error=True)
        self._bar = progress.Progress(
            progress.TextColumn("pictures of {task.description}", markup=False),
            progress.BarColumn(bar_width=24),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, progress.TaskID] = {}
        self._bar.start()
        return self

    def __call__(self, what: str, done: float) -> None:
        """Move it."""
        from actionunits.errors import printable

        if what not in self._tasks:
            for task in self._tasks.values():
                self._bar.update(task, visible=False)
            self._tasks[what] = self._bar.add_task(printable(what), total=1)
        self._bar.update(self._tasks[what], completed=min(done, 1))

    def __exit__(self, *failure: Any) -> None:
        """Take it away."""
        self._bar.stop()
