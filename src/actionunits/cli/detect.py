"""``au detect`` and ``au demo``."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from actionunits.cli import completions
from actionunits.errors import UserError
from actionunits.faces import DETECTOR

if TYPE_CHECKING:
    from actionunits.detect.outputs import Job
    from actionunits.detect.predict import Predictor
    from actionunits.detect.run import Stopped
    from actionunits.media import Span

Prints = Literal["tables", "json", "live"]
"""What goes to standard output."""


def detect(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, videos, folders, the number of a camera, rtsp:// or http:// "
            "addresses, or - for standard input."
        ),
    ],
    out: Annotated[
        str | None, typer.Option(help="FILE.csv, FILE.parquet, or a folder: a CSV an input.")
    ] = None,
    overlay: Annotated[
        str | None, typer.Option(help="Annotated picture or video, or a folder for them.")
    ] = None,
    blur: Annotated[
        bool, typer.Option("--blur", help="Hide all heads in the overlay, and leave out its sound.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            help="`default`, `default-fast`, a system such as `sacl` (all: docs/weights.md), or "
            "the folder of a run.",
            autocompletion=completions.weights,
        ),
    ] = "default",
    detector: Annotated[
        str,
        typer.Option(
            help="Face detector: synface, centerface (of the extra `centerface`), or aligned (all "
            "are face crops).",
            autocompletion=completions.detectors,
        ),
    ] = DETECTOR,
    boxes: Annotated[
        Path | None, typer.Option(help="CSV of known faces: source, frame, x, y, width, height.")
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT,...",
            help="landmarks, pose, gaze, sides, hidden, quality, embedding, or all.",
            autocompletion=completions.additions,
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="Columns of the table: actionunits, openface (as OpenFace 2), feat (as py-feat).",
            autocompletion=completions.formats,
        ),
    ] = "actionunits",
    neutral: Annotated[
        str,
        typer.Option(
            help="auto, or a picture of the face at rest: adds intensities above rest (_n)."
        ),
    ] = "none",
    min_confidence: Annotated[
        float, typer.Option(help="Rows of less confidence are kept, with success 0.")
    ] = 0.0,
    start: Annotated[float, typer.Option(help="Seconds: read videos from here on,")] = 0.0,
    end: Annotated[float | None, typer.Option(help="up to here,")] = None,
    every: Annotated[int, typer.Option(help="only every second, third, ... frame,")] = 1,
    fps: Annotated[
        float | None, typer.Option(help="or so many frames a second at the most.")
    ] = None,
    as_clip: Annotated[
        float | None,
        typer.Option(
            metavar="FPS",
            help="Read each folder of numbered pictures, or a pattern such as frame_%05d.png, as "
            "one clip of so many a second.",
        ),
    ] = None,
    search_size: Annotated[
        int | None,
        typer.Option(
            help="Long side, in pixels, at which faces are searched for: larger finds smaller ones."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, mps; by default the fastest there is.")
    ] = None,
    runtime: Annotated[
        str,
        typer.Option(
            help="onnx, int8, torch, or auto: the fastest that can read these weights here.",
            autocompletion=completions.runtimes,
        ),
    ] = "auto",
    aligned: Annotated[bool, typer.Option("--aligned", help="Same as --detector aligned.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print rows as JSON.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Print rows as JSON lines, each as soon as it is read.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the FILE.part of a run that was stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Read all anew, whatever is there already.")
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option(
            help="ray: many workers, into a folder or store of Parquet parts (docs/scale.md)."
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster, HOST:PORT or auto; else this machine alone.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="At the most; by default all that have room.")
    ] = None,
    split: Annotated[
        float, typer.Option(min=10, help="Seconds of the ranges that workers share long videos by.")
    ] = 1800.0,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Tell changed inputs by SHA-256 too.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Read those again that failed or were quarantined.")
    ] = False,
    price: Annotated[
        float, typer.Option("--price-per-core-hour", min=0, help="Shown as cost so far.")
    ] = 0.0,
) -> None:
    """Read Action Units off pictures and video.

    Columns: frame (from 1), face_id, timestamp (seconds), confidence, success, the box, and for
    each AU its probability (_p), occurrence (_c, 0 or 1) and intensity (_r, 0 to 5). A frame
    without a face has a row with success 0; one of less than `--min-confidence` keeps what was
    read and has success 0 too. `--add` adds what else the model tells: 49 landmarks (x_0, y_0, ...,
    pixels), head pose and gaze (degrees), the right and left of AUs, the share of face regions that
    is hidden, quality, and the embedding (e0, e1, ...): the features that its last layer reads.
    `--format` writes the columns of another tool instead, for scripts that read those.

    Rows are in FILE.part until all are there. A run that was stopped goes on with `--resume`; into
    a folder it goes on by itself, with the inputs that have no whole table there yet.
    """
    wanted = [name for names in add or () for name in names.split(",")]
    if engine is not None:
        from actionunits.cli import scale

        refused = {
            "--overlay": overlay,
            "--boxes": boxes,
            "--json": json,
            "--resume": resume,
            "--start": start,
            "--end": end,
            "--format": format != "actionunits",
        }
        scale.detect(
            *(engine, paths, out, [name for name, given in refused.items() if given]),
            scale.Cluster(address, workers, price),
            {
                "model": model,
                "detector": "aligned" if aligned else detector,
                "device": device,
                "runtime": runtime,
                "min_confidence": min_confidence,
                "search_size": search_size,
                "add": tuple(wanted),
                "neutral": neutral,
                "every": every,
                "fps": fps,
                "split": split,
                "checksum": checksum,
            },
            retry=retry,
            overwrite=overwrite,
        )
        return
    theirs = {
        "--address": address,
        "--workers": workers,
        "--retry": retry,
        "--checksum": checksum,
        "--price-per-core-hour": price,
    }
    for name, given in theirs.items():
        if given:
            raise UserError(f"{name} is of --engine ray; give that too, or leave {name} out")
    from actionunits import media, weights

    media.warm_up()  # while the libraries and the model load
    from actionunits.detect import formats, hidden, seek, tables
    from actionunits.detect.outputs import Job
    from actionunits.detect.predict import load
    from actionunits.detect.run import settings
    from actionunits.errors import printable
    from actionunits.faces.detect import chosen
    from actionunits.faces.given import BoxesFile

    if boxes is not None and (aligned or detector != DETECTOR):
        raise UserError("--boxes already says where the faces are; leave out the other detector")
    if resume and overwrite:
        raise UserError("--resume goes on, --overwrite begins anew; leave one of them out")
    if resume and (out is None or json):
        raise UserError("--resume goes on with a table: it needs --out, and goes without --json")
    if blur and overlay is None:
        raise UserError("--blur hides heads in the overlay: it needs --overlay")
    if live and json:
        raise UserError("--json prints all at the end, --live at once; leave one of them out")
    span = media.Span(start, end, every, fps, as_clip).checked()
    faces = "aligned" if aligned else detector
    found = chosen(faces) if boxes is None else BoxesFile(boxes)
    predictor = load(
        model,
        detector=found,
        device=device,
        runtime=runtime,
        min_confidence=min_confidence,
        search_size=search_size,
        search_every=hidden.SEARCH_EVERY if blur else seek.SEARCH_EVERY,
    )
    wanted = [*formats.adding(format, wanted, predictor.network, rest=neutral != "none")]
    added = predictor.added(wanted)
    rest = predictor.neutral(neutral)
    problems: list[UserError] = []
    job = Job(
        media.sources(paths, problems.append, clips=as_clip is not None),
        predictor.aus,
        added,
        settings(
            model,
            boxes or faces,
            tables.columns(predictor.aus, added, rest=rest is not None),
            min_confidence,
            rest,
            search_size,
            span,
            runtime,
            format,
            blur=blur,
        ),
        "resume" if resume else "overwrite" if overwrite else "new",
        problems,
        rest,
        partial(formats.named(format).layout, predictor.aus),
        span,
        blur,
    )
    inputs = [weights.locate(model), *([] if boxes is None else [boxes])]
    inputs += [Path(neutral)] if rest is not None and rest.rest is not None else []
    outs = [] if out is None else [out]
    prints: Prints = "live" if live else "json" if json else "tables"
    stopped = _read(predictor, job, outs, overlay, prints, add=wanted, inputs=inputs, span=span)
    if isinstance(found, BoxesFile) and stopped is None:
        unread = [problem.source for problem in problems if problem.source is not None]
        for line in found.unused(job.sources, unread):
            typer.echo(f"au: warning: {printable(line)}", err=True)
    _end(job, stopped, outs)


def _read(
    predictor: "Predictor",
    job: "Job",
    outs: Sequence[str],
    overlay: str | None,
    prints: Prints = "tables",
    *,
    add: Sequence[str] = (),
    inputs: Sequence[Path] = (),
    span: "Span | None" = None,
) -> "Stopped | None":
    """Read, write and print; what goes wrong with one file is among the problems of the job."""
    from actionunits import media
    from actionunits.cli import shown
    from actionunits.cli.terminal import terminal
    from actionunits.detect import outputs, run
    from actionunits.detect.places import check, is_folder
    from actionunits.detect.summary import Summary
    from actionunits.errors import counted, printable
    from actionunits.files import folder

    if not job.sources:
        return None
    errors, console = terminal(error=True), terminal()
    written = [path for out in outs for path in outputs.files(out, job.sources)]
    if overlay is not None:
        from actionunits.detect import overlays

        written += overlays.overlay_files(overlay, job.sources).values()
    check(written, [*job.sources, *inputs])
    for place in (*outs, *([] if overlay is None else [overlay])):
        check([Path(place)], inputs)
        folder(Path(place) if is_folder(place) else Path(place).parent)
    files: dict[str, outputs.Output] = {}
    if overlay is not None:
        files[overlay] = overlays.overlay_writer(overlay, job)
    files |= {out: outputs.table(out, job) for out in outs}
    held = {s for s in job.sources if outs and all(file.holds(s) for file in files.values())}
    if held:
        count = counted(len(job.sources), "input")
        errors.print(f"{len(held)} of {count} read already; --overwrite reads them anew")
    todo = run.remaining(job.sources, held.__contains__)
    summary = Summary(job.aus)
    span = span or media.WHOLE
    bar = shown.Progress(todo, errors, summary, span)
    told = shown.printer(prints, job, console, summary)
    # who reads rows as they come ends the run by leaving, if nothing else is written
    enough = told.is_left if isinstance(told, shown.Live) and not files else (lambda: False)
    everything = outputs.Outputs(
        {"standard error": bar, **files, "standard output": told}, job.problems
    )
    if overlay is not None:
        add = [*add, *(what for what in overlays.DRAWN if what in predictor.network.told)]
    stopped = run.run(predictor, todo, everything, job.problems, add, span, enough)
    errors.print(summary.line())
    for name in files:
        if name in everything.complete:
            errors.print(f"written: {printable(name)}", soft_wrap=True)
    return stopped


def _end(job: "Job", stopped: "Stopped | None", outs: Sequence[str]) -> None:
    """Tell what could not be read, and where the user stopped."""
    from actionunits.cli.terminal import terminal
    from actionunits.detect.places import is_folder
    from actionunits.detect.writers import part
    from actionunits.errors import printable

    if stopped is None and job.problems:
        count = len(job.problems)
        raise ExceptionGroup(f"inputs or outputs that went wrong: {count}", job.problems)
    if stopped is None:
        return
    lines = [str(problem) for problem in job.problems] + [f"stopped {stopped.where()}"]
    for out in outs:
        if is_folder(out):
            lines.append(f"whole tables are in {out}; the same command goes on with the others")
        elif part(Path(out)).exists():
            lines.append(
                f"what was read is in {part(Path(out))}; the same command with --resume goes on"
            )
    for line in lines:
        terminal(error=True).print(f"au: {printable(line)}", soft_wrap=True)
    raise typer.Exit(130)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the tables and pictures.")] = Path("demo"),
) -> None:
    """Read a photograph and a rendered clip, then score the default weights on unseen people."""
    import pandas as pd

    from actionunits import datasets
    from actionunits.cli import demo as material
    from actionunits.cli.terminal import terminal
    from actionunits.data.splits import train_test
    from actionunits.detect.outputs import Job
    from actionunits.detect.predict import load
    from actionunits.detect.timeline import timeline
    from actionunits.learn.evaluate import evaluate
    from actionunits.weights import locate

    console = terminal()
    predictor = load("default")
    for make in (material.photograph, material.clip):
        source = make(out)
        console.rule(source.name)
        outs = [str(out / f"{source.stem}.{suffix}") for suffix in ("csv", "parquet")]
        overlay = source.with_name(f"{source.stem}-read{source.suffix}")
        job = Job([str(source)], predictor.aus)
        _end(job, _read(predictor, job, outs, str(overlay)), outs)
    lanes = out / f"{source.stem}-timeline.png"
    timeline(pd.read_parquet(outs[1]), predictor.aus, lanes)
    console.print(f"written: {lanes}", soft_wrap=True)
    console.rule("rendered people that the weights have never seen")
    unseen = train_test(datasets.load("synfacs"), fold=1)[1]
    console.print(evaluate(locate("default"), table=unseen).to_table())
