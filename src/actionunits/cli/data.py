"""``au data``: data sets as their owners hand them out."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Prepare data sets for training.", no_args_is_help=True)


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="Of the data set.")],
    root: Annotated[Path, typer.Argument(help="Its folder, as its owners hand it out.")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    template: Annotated[
        str,
        typer.Option(help="How faces are placed: canonical, similarity49, affine49 or box49."),
    ] = "canonical",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core without it.")
    ] = None,
) -> None:
    """Align all faces and write them with their labels. Interrupted, the same command goes on."""
    from actionunits import data
    from actionunits.data.prepare import prepare as run
    from actionunits.data.prepare import reasons

    manifest = run(data.read_raw(name, root), out, template, workers)
    for excluded in manifest.excluded:
        typer.echo(f"left out: {excluded.what}, {excluded.frames} frames: {excluded.reason}")
    for reason, count, first in reasons(manifest.lost):
        typer.echo(f"lost: {count} frames, the first is {first}: {reason}")
    typer.echo(f"{manifest.frames} frames of {len(manifest.shards)} sequences in {out}", err=True)
