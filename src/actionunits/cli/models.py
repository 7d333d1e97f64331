"""``au models`` and ``au export``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actionunits.cli import completions

if TYPE_CHECKING:
    from actionunits.papers.complexity import Complexity


def models(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="Only the model of this recipe, with its ablations.",
            autocompletion=completions.recipes,
        ),
    ] = None,
    time: Annotated[bool, typer.Option(help="Measure the time, which takes seconds each.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the models with what they cost, beside the figures of their papers."""
    from rich.text import Text

    from actionunits.cli.terminal import terminal
    from actionunits.papers.complexity import measure, model_ablations, reference_recipes

    if recipe is None:
        wanted: list[tuple[str, str | None]] = [(r, None) for r in reference_recipes().values()]
    else:
        wanted = [(recipe, ablation) for ablation in model_ablations(recipe)]
    with terminal(error=True).status("measuring") as status:
        measured = []
        for name, ablation in wanted:
            status.update(Text(f"measuring {name} {ablation or ''}"))
            measured.append(measure(name, ablation, timed=time))
    if json:
        import json as encoder

        typer.echo(encoder.dumps([each.model_dump() for each in measured], indent=1))
    else:
        _print(measured)


def _print(measured: "list[Complexity]") -> None:
    from rich import box
    from rich.table import Table

    from actionunits.cli.terminal import terminal

    caption = (
        "for one face in one frame; multiply-adds of convolutions and matrix products; ms at batch "
        "8 on this machine; in brackets the paper's own figures (SACL's multiply-adds leave the "
        "products of attention out)"
    )
    table = Table(box=box.SIMPLE_HEAD, caption=caption, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    for heading in ("parameters", "multiply-adds", "size", "clip", "ms"):
        table.add_column(heading, justify="right")
    for each in measured:
        name = f"  {each.ablation}" if each.ablation else each.name
        theirs = each.published
        table.add_row(
            name,
            f"{each.parameters / 1e6:.1f} M{_theirs(theirs.get('parameters'))}",
            f"{each.multiply_adds / 1e9:.2f} G{_theirs(theirs.get('multiply_adds'))}",
            str(each.size),
            "-" if each.clip is None else str(each.clip),
            ("-" if each.ms_per_face is None else f"{each.ms_per_face:.1f}")
            + _theirs(theirs.get("ms_per_image")),
        )
    terminal().print(table)


def _theirs(value: float | None) -> str:
    return "" if value is None else f" [{value:g}]"


def calibrate(
    model: Annotated[
        str,
        typer.Argument(
            help="`default`, or the folder of a run.", autocompletion=completions.weights
        ),
    ],
    pictures: Annotated[
        list[Path], typer.Argument(help="Pictures of faces at rest, or folders of them.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the weights with the new thresholds.")],
    alarms: Annotated[
        float, typer.Option(help="Largest share of the faces on which an AU may be said.")
    ] = 0.05,
    aus: Annotated[
        str | None,
        typer.Option(metavar="1,2,...", help="AUs that the faces do not show; all without it."),
    ] = None,
    lower: Annotated[
        bool, typer.Option(help="Lower thresholds too, to where they are just high enough.")
    ] = False,
    highest: Annotated[
        float, typer.Option(help="Probability above which no threshold is raised.")
    ] = 1.0,
) -> None:
    """Raise thresholds until AUs are seldom said of faces at rest: those of your own camera, say.

    The weights stay the same. What it costs in AUs that are missed only labelled faces tell: `au
    evaluate` the new folder beside the old one.
    """
    from rich import box
    from rich.table import Table

    from actionunits import weights
    from actionunits.cli.options import numbers
    from actionunits.cli.outputs import check_folder
    from actionunits.cli.terminal import terminal
    from actionunits.detect.predict import load
    from actionunits.detect.quiet import quieted
    from actionunits.errors import UserError, counted, printable
    from actionunits.learn import card as cards

    source = weights.locate(model)
    for read in (source, *pictures):
        check_folder(out, Path(read))
    problems: list[UserError] = []
    with terminal(error=True).status("reading faces at rest"):
        shown = None if aus is None else numbers(aus)
        predictor, report = load(model), problems.append
        found = quieted(
            predictor, pictures, alarms, report, aus=shown, lower=lower, highest=highest
        )
    card = cards.read_card(source)
    which = "an AU is" if shown is None else f"AUs {', '.join(map(str, shown))} are each"
    said = f"thresholds {'set so' if lower else 'raised'} that {which} said on at most "
    whose = "at rest" if shown is None else "that do not show them"
    said += f"{alarms:.1%} of {counted(found.faces, 'face')} {whose}"
    if highest < 1:
        said += f", but none above {highest:g}"
    changed = card.model_copy(
        update={
            "thresholds": tuple(found.thresholds.tolist()),
            "notes": f"{card.notes}; {said}".removeprefix("; "),
        }
    )
    cards.copy(source, changed, out)
    table = Table(box=box.SIMPLE_HEAD, caption=said, show_edge=False)
    for heading in ("AU", "threshold", "now", "said of", "now"):
        table.add_column(heading, justify="left" if heading == "AU" else "right")
    shares = zip(card.thresholds, *found[:3], strict=True)
    for au, (old, new, before, after) in zip(card.au_set(), shares, strict=True):
        name = f"{au.number:2d} {au.name}"
        table.add_row(name, f"{old:.2f}", f"{new:.2f}", f"{before:.1%}", f"{after:.1%}")
    terminal().print(table)
    terminal(error=True).print(f"written: {printable(str(out))}", soft_wrap=True)
    if problems:
        count = len(problems)
        raise ExceptionGroup(f"pictures that could not be read: {count}", problems)


def export(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="Folder of a run or checkpoint, or `default`.", autocompletion=completions.weights
        ),
    ],
    out: Annotated[Path, typer.Option(help="The ONNX file to write.")] = Path("model.onnx"),
    beside: Annotated[
        bool,
        typer.Option(
            "--beside", help="Write a graph beside the weights: au detect then needs no PyTorch."
        ),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="With --beside: a graph of convolutions in bytes, for processors with VNNI.",
        ),
    ] = False,
    embedding: Annotated[
        bool, typer.Option("--embedding", help="With the embedding as an output of its own.")
    ] = False,
) -> None:
    """Write a model as an ONNX file, and check that ONNX Runtime computes the same."""
    from actionunits.cli.outputs import check_output
    from actionunits.cli.terminal import terminal
    from actionunits.errors import UserError
    from actionunits.learn import export as write

    if int8 and not beside:
        raise UserError("--int8: is a graph beside the weights; add --beside")
    if not beside:
        check_output(out, (), (".onnx",))
    with terminal(error=True).status("exporting"):
        if beside:
            out = write.write_graph(checkpoint, int8=int8)
        else:
            write.export(checkpoint, out, embedding=embedding)
    typer.echo(f"written: {out}", err=True)


def average(
    first: Annotated[
        str,
        typer.Argument(
            help="`default`, or the folder of a run.", autocompletion=completions.weights
        ),
    ],
    second: Annotated[str, typer.Argument(help="Folder of a run that started from it.")],
    out: Annotated[Path, typer.Option(help="Folder for the mean.")],
    share: Annotated[float, typer.Option(help="Of the second in the mean, 0 to 1.")] = 0.5,
) -> None:
    """Write the mean of the weights of a run and of what it started from.

    Trained on further, a model reads pictures like those better, and others sometimes worse: the
    mean mostly keeps the best of both. Thresholds are those of the second until `au calibrate`.
    """
    from actionunits import weights
    from actionunits.cli.outputs import check_folder
    from actionunits.learn.average import average as mean

    for read in (first, second):
        check_folder(out, Path(weights.locate(read)))
    typer.echo(f"checkpoint: {mean(first, second, share, out)}", err=True)
