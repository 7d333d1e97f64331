"""``au compare``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from actionunits.papers.compare import Comparison


class Metric(StrEnum):
    """Scores that papers print per AU."""

    F1 = "f1"
    ACCURACY = "accuracy"
    AUC = "auc"
    ICC = "icc"
    MAE = "mae"


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of au train or au crossval.")
    ],
    metric: Annotated[Metric, typer.Option(help="Score to compare.")] = Metric.F1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown instead of tables.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write one line an AU and pair here.")
    ] = None,
) -> None:
    """Put runs beside what their papers print, and beside the first run; say what is not alike."""
    from actionunits.cli.outputs import check_output
    from actionunits.files import atomic, writing
    from actionunits.papers.compare import compare as beside
    from actionunits.papers.compare.show import grids

    if csv is not None:
        check_output(csv, (run / name for run in runs for name in ("log.csv", "table.csv")))
    comparison = beside(runs, metric.value)
    if csv is not None:
        with writing(csv), atomic(csv) as file:
            comparison.to_frame().to_csv(file, index=False)
    if json:
        import json as encoder

        typer.echo(encoder.dumps(comparison.to_dict(), indent=1))
    elif markdown:
        wide = grids(comparison, max(len(runs), 2))  # a page scrolls, a terminal cuts
        typer.echo("\n".join(grid.to_markdown() for grid in wide), nl=False)
    else:
        show(comparison)


def show(comparison: "Comparison") -> None:
    """Print tables, and below each what to read with it."""
    from actionunits.cli.terminal import terminal
    from actionunits.papers.compare.show import grids

    console = terminal()
    for grid in grids(comparison):
        console.print(grid.to_table())
        for line in grid.lines:
            console.print(line)
        console.print()
