"""``au train``, ``au crossval``, ``au evaluate`` and ``au recipes``."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actionunits.cli import completions

if TYPE_CHECKING:
    from actionunits.learn.crossval import CrossReport
    from actionunits.learn.report import AnyReport

Recipe = Annotated[
    str,
    typer.Argument(
        help="Name of a recipe (`au recipes`) or a YAML file.", autocompletion=completions.recipes
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value, e.g. optimiser.lr=1e-3."),
]
Ablation = Annotated[
    str | None,
    typer.Option(
        help="Named variant of the recipe, e.g. relation=identity.",
        autocompletion=completions.ablations,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def _together() -> Iterator[None]:
    """Join the others first, where `torchrun` has started several: they hear of what fails here."""
    if "RANK" not in os.environ:
        yield
        return
    from actionunits.learn.group import joined

    with joined({}):
        yield


@_together()
def train(
    recipe: Recipe,
    fold: Annotated[
        int | None, typer.Option(min=1, max=3, help="Fold kept for testing; all train without it.")
    ] = None,
    settings: Settings = None,
    ablation: Ablation = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    fresh: Annotated[bool, typer.Option(help="Start anew instead of resuming.")] = False,
    json: Json = False,
) -> None:
    """Train a model. Interrupted, the same command goes on where it stopped."""
    from actionunits.learn.recipe import load_recipe

    chosen = load_recipe(recipe, settings or [], ablation)
    from actionunits.cli.outputs import check_output
    from actionunits.learn.resume import is_begun
    from actionunits.learn.run import RECIPE
    from actionunits.learn.train import train as run

    folder = out or _folder(recipe, ablation, fold)
    if fresh or not is_begun(folder):
        check_output(folder / RECIPE, [recipe])
    with _of(recipe):
        result = run(chosen, fold, folder, resume=not fresh)
    if result.report is not None:
        _print(result.report, json)
    _say(f"checkpoint: {result.checkpoint}")


@_together()
def crossval(
    recipe: Recipe,
    settings: Settings = None,
    ablation: Ablation = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the three runs.")] = None,
    json: Json = False,
) -> None:
    """Train and test on the three subject-exclusive folds; finished folds are kept."""
    from actionunits.learn.recipe import load_recipe

    chosen = load_recipe(recipe, settings or [], ablation)
    from actionunits.learn.crossval import crossval as run
    from actionunits.learn.report import PlainReport

    folder = out or _folds(recipe, ablation)
    with _of(recipe):
        report = run(chosen, folder)
    _print(report, json)
    _say(f"runs: {folder}")
    if not isinstance(report, PlainReport):
        _say(f"tables: {folder / 'table'}.md, .tex, .csv")
        if not json and _speaks():
            _beside_paper(folder)
        _say(f"beside other runs: au compare {shlex.quote(str(folder))} RUN...")


def _beside_paper(folder: Path) -> None:
    """Print the first score that there is a published one of beside that."""
    from actionunits.cli.compare import show
    from actionunits.papers.compare import METRICS, compare
    from actionunits.papers.compare.measured import read_run

    run = read_run(folder)
    for metric in (metric for metric in METRICS if run.has(metric)):
        comparison = compare([folder], metric)
        if comparison.papers[0].reference is not None:
            show(comparison)
            return


@_together()
def evaluate(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="Folder of a run, of a crossval's three runs, or `default`.",
            autocompletion=completions.weights,
        ),
    ],
    fold: Annotated[
        int | None, typer.Option(min=1, max=3, help="Test fold; by default the one kept for it.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Another data set to score on: all of it, or its --fold.")
    ] = None,
    root: Annotated[str | None, typer.Option(help="Where the data set lies.")] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Pictures or clips at once; by default as many as fit, 64 at most."
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="FILE.csv or .parquet: labels and probabilities, a row a frame."),
    ] = None,
    json: Json = False,
) -> None:
    """Score a checkpoint on subjects that it never saw, with 95 % intervals over subjects."""
    from actionunits.cli.outputs import check_output
    from actionunits.errors import UserError
    from actionunits.learn.card import read_card
    from actionunits.learn.crossval import is_crossval, rescore
    from actionunits.learn.evaluate import evaluate as score
    from actionunits.learn.predictions import Predictions
    from actionunits.weights import locate

    place = locate(checkpoint)
    rows = None if predictions is None else Predictions(predictions)
    if predictions is not None:
        card = read_card(place / "fold1" if is_crossval(place) else place)
        listed = (place / name for name in ("log.csv", "table.csv"))
        check_output(predictions, [root or card.recipe.data.root, *listed])
    if not is_crossval(place):
        _print(score(place, fold=fold, data=data, root=root, batch=batch, predictions=rows), json)
    elif fold is None and data is None:
        _print(rescore(place, root=root, batch=batch, predictions=rows), json)
    else:
        raise UserError(f"{place}: --fold and --data need one of its runs, such as {place}/fold1")
    if rows is not None:
        rows.save()
        _say(f"written: {predictions}")


def recipes(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="Only this one, with what its ablations change.",
            autocompletion=completions.recipes,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the recipes, or the ablations of one."""
    from actionunits.learn.recipe import ablations, list_recipes, load_recipe

    names = list_recipes() if recipe is None else [recipe]
    listed = {n: {"about": load_recipe(n).about, "ablations": ablations(n)} for n in names}
    if json:
        import json as encoder

        typer.echo(encoder.dumps(listed, indent=1))
        return
    from rich import box
    from rich.table import Table

    from actionunits.cli.terminal import terminal

    if recipe is None:
        table = Table("recipe", "about", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.caption = "au recipes NAME lists the ablations of one"
        table.add_column("ablations", justify="right")
        for name, facts in listed.items():
            table.add_row(name, str(facts["about"]), str(len(facts["ablations"]) or ""))
    else:
        about = str(listed[recipe]["about"])
        table = Table("--ablation", "changes", title=about, box=box.SIMPLE_HEAD)
        for name, changes in ablations(recipe).items():
            table.add_row(name, ", ".join(f"{key}={value}" for key, value in changes.items()))
    terminal().print(table)


@contextmanager
def _of(recipe: str) -> Iterator[None]:
    """Name the recipe in errors of what it asks for."""
    from actionunits.errors import RecipeError

    try:
        yield
    except RecipeError as error:
        if recipe not in str(error):
            error.add_note(f"recipe {recipe}")
        raise


def _folder(recipe: str, ablation: str | None, fold: int | None) -> Path:
    """Folder of a run: that of its fold lies where `crossval` looks for it."""
    return _folds(recipe, ablation) / ("all" if fold is None else f"fold{fold}")


def _folds(recipe: str, ablation: str | None) -> Path:
    parts = [Path(recipe).stem, ablation]
    return Path("runs", "-".join(part for part in parts if part).replace(":", "_"))


def _speaks() -> bool:
    """Whether this process speaks for all that `torchrun` has started: the first of them does."""
    return os.environ.get("RANK", "0") == "0"


def _say(line: str) -> None:
    if _speaks():
        typer.echo(line, err=True)


def _print(report: "AnyReport | CrossReport", json: bool) -> None:
    from actionunits.cli.terminal import terminal

    if not _speaks():
        return
    if json:
        typer.echo(report.to_json(), nl=False)
    else:
        terminal().print(report.to_table())
