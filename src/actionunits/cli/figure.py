"""``au figure``: the papers' figures, of any run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from actionunits.cli import completions
from actionunits.cli.options import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from actionunits.errors import UserError
    from actionunits.papers.figures.faces import Choice
    from actionunits.papers.figures.trained import Report

app = typer.Typer(
    help="Draw the papers' figures of a run: on faces of yours, or on its test frames.",
    no_args_is_help=True,
)

Run = Annotated[
    str,
    typer.Argument(
        help="Folder of a run or checkpoint, or `default`.", autocompletion=completions.weights
    ),
]
Paths = Annotated[
    list[str] | None,
    typer.Argument(help="Pictures, videos, folders; without them, frames of a data set."),
]
Out = Annotated[Path, typer.Option(help="FILE.png, FILE.svg or FILE.pdf.")]
AUs = Annotated[str | None, typer.Option(help="FACS numbers of the AUs to draw, as 1,4,12.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="The pictures are aligned faces already.")]
Frames = Annotated[int, typer.Option(min=1, help="Of each video, read so many from its start.")]
Rows = Annotated[int, typer.Option(min=1, help="Frames to draw of each video, or of the data set.")]
Data = Annotated[str, typer.Option(help="Data set that frames are taken from.")]
Root = Annotated[str | None, typer.Option(help="Its file or folder, if not that of the run.")]
Fold = Annotated[int | None, typer.Option(help="Its test fold, if not that of the run.")]
Subject = Annotated[str | None, typer.Option(help="Only frames of this subject.")]
Beside = Annotated[list[str] | None, typer.Option("--beside", help="Another run to compare with.")]


@app.command()
def masks(
    run: Run,
    paths: Paths = None,
    out: Out = Path("masks.png"),
    aus: AUs = None,
    aligned: Aligned = False,
    frames: Frames = 300,
    rows: Rows = 5,
    data: Data = "synfacs",
    root: Root = None,
    fold: Fold = None,
    subject: Subject = None,
) -> None:
    """Each AU's mask over the face: GTLE-Net's Figures 4 and 5."""

    def draw(report: "Report") -> "Figure":
        from actionunits.papers.figures import masks, trained

        choice = _choice(paths, aligned, frames, data, root, fold, subject, rows)
        return masks.figure(trained.load(run), choice, numbers(aus), report)

    _write(out, draw, paths or ())


@app.command()
def reconstruction(
    run: Run,
    paths: Paths = None,
    out: Out = Path("reconstruction.png"),
    beside: Beside = None,
    aligned: Aligned = False,
    frames: Frames = 300,
    rows: Rows = 5,
    data: Data = "synfacs",
    root: Root = None,
    fold: Fold = None,
    subject: Subject = None,
) -> None:
    """The face that is put together from the masked maps of the AUs: GTLE-Net's section 3.3."""

    def draw(report: "Report") -> "Figure":
        from actionunits.papers.figures import reconstruction, trained

        choice = _choice(paths, aligned, frames, data, root, fold, subject, rows)
        runs = [trained.load(each) for each in (run, *(beside or []))]
        return reconstruction.figure(runs, choice, report)

    _write(out, draw, paths or ())


@app.command()
def cam(
    run: Run,
    paths: Paths = None,
    out: Out = Path("cam.png"),
    aus: AUs = None,
    aligned: Aligned = False,
    frames: Frames = 300,
    rows: Rows = 5,
    data: Data = "synfacs",
    root: Root = None,
    fold: Fold = None,
    subject: Subject = None,
) -> None:
    """What activates each AU that is read as present: MGRR-Net's Figure 3."""

    def draw(report: "Report") -> "Figure":
        from actionunits.papers.figures import cam, trained

        choice = _choice(paths, aligned, frames, data, root, fold, subject, rows)
        return cam.figure(trained.load(run), choice, numbers(aus), report)

    _write(out, draw, paths or ())


@app.command()
def relation(run: Run, out: Out = Path("relation.png"), aus: AUs = None) -> None:
    """Learned relations of AUs, their prior, the labels' correlation: MGRR-Net 4, RE-Net 2."""

    def draw(report: "Report") -> "Figure":
        from actionunits.papers.figures import relation, trained

        return relation.figure(trained.load(run), numbers(aus), report)

    _write(out, draw)


@app.command()
def graph(
    run: Run,
    paths: Paths = None,
    out: Out = Path("graph.png"),
    beside: Beside = None,
    aus: AUs = None,
    aligned: Aligned = False,
    frames: Frames = 300,
    rows: Rows = 4,
    data: Data = "synfacs",
    root: Root = None,
    fold: Fold = None,
    subject: Subject = None,
) -> None:
    """The graph of AUs on the face: SACL's Figures 3 and 6, MDHR's Figure 4."""

    def draw(report: "Report") -> "Figure":
        from actionunits.papers.figures import graph, trained

        choice = _choice(paths, aligned, frames, data, root, fold, subject, rows)
        runs = [trained.load(each) for each in (run, *(beside or []))]
        return graph.figure(runs, choice, numbers(aus), report)

    _write(out, draw, paths or ())


@app.command()
def weights(
    run: Run,
    paths: Paths = None,
    out: Out = Path("weights.png"),
    aligned: Aligned = False,
    frames: Frames = 300,
    rows: Rows = 4,
    data: Data = "synfacs",
    root: Root = None,
    fold: Fold = None,
    subject: Subject = None,
) -> None:
    """Weight of each spatial scale over the face and over time: MDHR's Figure 3."""

    def draw(report: "Report") -> "Figure":
        from actionunits.papers.figures import trained, weights

        choice = _choice(paths, aligned, frames, data, root, fold, subject, rows)
        return weights.figure(trained.load(run), choice, report)

    _write(out, draw, paths or ())


@app.command()
def tsne(
    run: Run,
    out: Out = Path("tsne.png"),
    beside: Beside = None,
    aus: AUs = None,
    by: Annotated[
        Literal["au", "combination"],
        typer.Option(help="Embeddings of each AU, or readings coloured by combination of AUs."),
    ] = "au",
    limit: Annotated[int, typer.Option(min=10, help="Frames at most, evenly spread.")] = 500,
    data: Data = "synfacs",
    root: Root = None,
    fold: Fold = None,
    subject: Subject = None,
) -> None:
    """Map of AU embeddings by t-SNE: GTLE-Net's Figure 6, RE-Net's 3, SACL's 7."""

    def draw(report: "Report") -> "Figure":
        from actionunits.papers.figures import trained, tsne

        choice = _choice(None, False, 1, data, root, fold, subject, 1)
        runs = [trained.load(each) for each in (run, *(beside or []))]
        if by == "combination":
            return tsne.by_combination(runs, choice, limit)
        return tsne.by_au(runs, choice, numbers(aus), limit)

    _write(out, draw)


def _choice(
    paths: list[str] | None,
    aligned: bool,
    frames: int,
    data: str,
    root: str | None,
    fold: int | None,
    subject: str | None,
    rows: int,
) -> "Choice":
    from actionunits.papers.figures.faces import Choice

    return Choice(tuple(paths or ()), aligned, frames, data, root, fold, subject, rows)


def _write(
    out: Path, draw: "Callable[[Report], Figure]", inputs: "Sequence[str | None]" = ()
) -> None:
    """Draw and write; at the end raise what was left out, the rest being drawn."""
    from actionunits.cli.outputs import check_output
    from actionunits.cli.terminal import terminal
    from actionunits.papers.figures import layout

    layout.check(out)
    check_output(out, inputs)
    problems: list[UserError] = []
    console = terminal(error=True)
    with console.status("drawing"):
        layout.save(draw(problems.append), out)
    console.print(f"written: {out}", soft_wrap=True)
    if problems:
        raise ExceptionGroup(f"things left out of the figure: {len(problems)}", problems)
