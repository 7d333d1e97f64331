"""``au detect`` and ``au demo``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from actionunits.detect.predict import Predictor
    from actionunits.errors import UserError
    from actionunits.types import Reading

_SHOWN = 3  # pictures whose tables are printed; of more, the files tell


def detect(
    paths: Annotated[
        list[str], typer.Argument(help="Pictures, videos, folders, or the number of a camera.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="FILE.csv, FILE.parquet, or a folder: a CSV an input.")
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Annotated picture or video, or a folder for them.")
    ] = None,
    model: Annotated[str, typer.Option(help="`default`, or the folder of a run.")] = "default",
    detector: Annotated[
        str, typer.Option(help="Face detector: centerface, or aligned (all are face crops).")
    ] = "centerface",
    boxes: Annotated[
        Path | None, typer.Option(help="CSV of known faces: source, frame, x, y, width, height.")
    ] = None,
    add: Annotated[
        list[str] | None, typer.Option(help="embedding: what the model makes of a face.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, mps; by default the fastest there is.")
    ] = None,
    aligned: Annotated[bool, typer.Option("--aligned", help="Same as --detector aligned.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print rows as JSON.")] = False,
) -> None:
    """Read Action Units off pictures and video.

    Columns: frame (from 1), face_id, timestamp (seconds), confidence, success, the box, and for
    each AU its probability (_p), occurrence (_c, 0 or 1) and intensity (_r, 0 to 5). A frame
    without a face has a row with success 0. `--add embedding` adds the columns e0, e1, ...: the
    features that the model's last layer reads, on average over the AUs where each has its own.
    """
    from actionunits import media

    media.warm_up()  # while the libraries and the model load
    from actionunits.detect.predict import load
    from actionunits.errors import UserError
    from actionunits.faces.detect import detector as build
    from actionunits.faces.given import BoxesFile

    if boxes is not None and (aligned or detector != "centerface"):
        raise UserError("--boxes already says where the faces are; leave out the other detector")
    found = build("aligned" if aligned else detector) if boxes is None else BoxesFile(boxes)
    predictor = load(model, detector=found, device=device)
    _read(predictor, paths, [] if out is None else [out], overlay, json, add or ())


def _read(
    predictor: "Predictor",
    paths: list[str],
    outs: list[Path],
    overlay: Path | None,
    json: bool,
    add: Sequence[str] = (),
) -> None:
    """Read, write and print; at the end raise what could not be read, the rest being done."""
    from rich.console import Console

    from actionunits import media
    from actionunits.detect import tables
    from actionunits.detect.plots import overlay_writer
    from actionunits.detect.summary import Summary
    from actionunits.detect.writers import writer

    errors, console = Console(stderr=True), Console()
    problems: list[UserError] = []
    sources = media.sources(paths, problems.append)
    if not sources:
        raise _unread(problems)
    columns = (predictor.aus, predictor.embedding_size(add))
    summary, rows = Summary(predictor.aus), tables.Rows(*columns)
    with ExitStack() as stack:
        writers = [stack.enter_context(writer(out, sources, *columns)) for out in outs]
        if overlay is not None:
            writers.append(stack.enter_context(overlay_writer(overlay, sources, predictor.aus)))
        advance = stack.enter_context(_progress(sources, errors))
        try:
            for reading in predictor.readings(sources, problems.append, add):
                summary.add(reading)
                for file in writers:
                    file.add(reading)
                if json:
                    rows.add(reading)
                elif len(sources) <= _SHOWN and media.is_still(reading.frame.source):
                    for position in range(len(reading.faces)):
                        console.print(tables.bars(reading, predictor.aus, position))
                advance(reading)
        except KeyboardInterrupt:  # the way to end a camera: what was read is kept
            if not any(media.is_camera(source) for source in sources):
                raise
    if json:
        typer.echo(tables.to_json(rows.table()))
    else:
        for table in summary.tables([s for s in sources if not media.is_still(s)]):
            console.print(table)
    errors.print(summary.line(), highlight=False)
    for path in (*outs, overlay):
        if path is not None:
            errors.print(f"written: {path}", highlight=False)
    if problems:
        raise _unread(problems)


def _unread(problems: list["UserError"]) -> ExceptionGroup["UserError"]:
    return ExceptionGroup(f"inputs that could not be read to the end: {len(problems)}", problems)


@contextmanager
def _progress(sources: list[str], console: "Console") -> "Iterator[Callable[[Reading], None]]":
    """Bar over all inputs; within a video it moves with the video's own time."""
    from rich import progress

    from actionunits import media

    place = {source: index for index, source in enumerate(sources)}
    seconds: dict[str, float] = {}
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.TextColumn("{task.fields[frames]} frames"),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
    )

    def advance(reading: "Reading") -> None:
        source = reading.frame.source
        if source not in seconds:
            seconds[source] = media.duration(source)
        share = min(reading.frame.seconds / seconds[source], 1) if seconds[source] else 0
        frames = bar.tasks[task].fields["frames"] + 1
        name = Path(source).name
        bar.update(task, description=name, completed=place[source] + share, frames=frames)

    with bar:
        task = bar.add_task("", total=len(sources), frames=0)
        yield advance


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the tables and pictures.")] = Path("demo"),
) -> None:
    """Read a photograph and a rendered clip, then score the default weights on unseen people."""
    import pandas as pd
    from rich.console import Console

    from actionunits import datasets
    from actionunits.cli import demo as material
    from actionunits.data.splits import train_test
    from actionunits.detect.plots import timeline
    from actionunits.detect.predict import load
    from actionunits.learn.evaluate import evaluate
    from actionunits.weights import locate

    console = Console()
    predictor = load("default")
    for make in (material.photograph, material.clip):
        source = make(out)
        console.rule(source.name)
        outs = [out / f"{source.stem}.{suffix}" for suffix in ("csv", "parquet")]
        overlay = source.with_name(f"{source.stem}-read{source.suffix}")
        _read(predictor, [str(source)], outs, overlay, json=False)
    lanes = out / f"{source.stem}-timeline.png"
    timeline(pd.read_parquet(outs[1]), predictor.aus, lanes)
    console.print(f"written: {lanes}", highlight=False)
    console.rule("rendered people that the weights have never seen")
    unseen = train_test(datasets.load("synfacs"), fold=1)[1]
    console.print(evaluate(locate("default"), table=unseen).to_table())
