"""``au data``: data sets as their owners hand them out."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Check data sets as they were handed out, and prepare them for training.",
    no_args_is_help=True,
)
Name = Annotated[
    str,
    typer.Argument(
        help="bp4d, bp4d_plus, disfa, disfa_right, fera2017, fec, affectnet, csv for a list of "
        "your own, or one of an installed package."
    ),
]
Root = Annotated[Path, typer.Argument(help="Folder of the data set; the file of a list.")]


@app.command()
def check(
    name: Name,
    root: Root,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Count subjects, frames and rates, and compare them with the published lists."""
    from actionunits import datasets

    if name in datasets.list_counted():
        counts = datasets.count(name, root)
        rows = counts.to_json(orient="records", indent=1) if json else counts.to_string(index=False)
        typer.echo(rows)
        return
    from actionunits.datasets.check import check as compare

    found = compare(datasets.read_raw(name, root))
    if json:
        typer.echo(found.to_json(), nl=False)
        return
    from actionunits.cli.terminal import terminal

    terminal().print(found.to_table())


@app.command()
def folds(
    name: Annotated[
        str,
        typer.Argument(help="synfacs, bp4d, bp4d_plus, disfa, disfa_right, fera2017 or csv."),
    ],
    root: Annotated[
        Path | None,
        typer.Argument(help="As handed out or as prepared; not for one inside the package."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write instead.")] = None,
) -> None:
    """Say who is tested in which fold, and with how many frames; in the others they train."""
    from actionunits import datasets
    from actionunits.cli.outputs import check_output
    from actionunits.data.prepared import MANIFEST
    from actionunits.data.splits import members
    from actionunits.errors import DataError
    from actionunits.files import atomic, writing

    if out is not None:
        check_output(out, [root])
    is_raw = name in datasets.list_raw() and root is not None and not (root / MANIFEST).is_file()
    table = datasets.read_raw(name, root) if is_raw and root else datasets.load(name, root)
    try:
        found = members(table.rows)
    except DataError as error:
        raise DataError(f"{name if root is None else root}: {error}") from None
    if out is None:
        typer.echo(found.to_string(index=False))
        return
    with writing(out), atomic(out) as file:
        found.to_csv(file, index=False)


@app.command()
def prepare(
    name: Annotated[
        str, typer.Argument(help="bp4d, bp4d_plus, disfa, disfa_right, fera2017, fec, or csv.")
    ],
    root: Root,
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    template: Annotated[
        str,
        typer.Option(help="How faces are placed: canonical, similarity49, affine49 or box49."),
    ] = "canonical",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core without it.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="fec: folder of the downloads; inside OUT without it.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="fec: a host of a private network that may be asked for pictures."),
    ] = None,
) -> None:
    """Align all faces and write them with their labels. Interrupted, the same command goes on."""
    from actionunits import datasets
    from actionunits.cli.outputs import check_folder

    check_folder(out, root)

    if datasets.has_triplets(name):
        from actionunits.datasets.fec_faces import prepare_fec
        from actionunits.detect.finder import close_look

        made = prepare_fec(
            root,
            out,
            images=images,
            template=template,
            hosts=allow_host or (),
            look=close_look(),
        )
        for line in made.lines():
            typer.echo(line)
        return
    from actionunits.datasets.prepare import prepare as run
    from actionunits.datasets.prepare import reasons
    from actionunits.detect.finder import landmark_finder
    from actionunits.errors import counted

    raw = datasets.read_raw(name, root)
    manifest = run(raw, out, template, workers, finder=landmark_finder())
    for excluded in manifest.excluded:
        frames = f", {counted(excluded.frames, 'frame')}" if excluded.frames else ""
        typer.echo(f"left out: {excluded.what}{frames}: {excluded.reason}")
    for reason, count, first in reasons(manifest.lost):
        typer.echo(f"lost: {counted(count, 'frame')}, the first is {first}: {reason}")
    for reason, count, first in reasons(manifest.doubted):
        frames = counted(count, "frame")
        typer.echo(f"not believed: {frames}, the first is {first}: {reason}; others were found")
    if manifest.found:
        frames = counted(manifest.found, "frame")
        typer.echo(f"landmarks: those of {frames} were found by our model", err=True)
    frames, sequences = counted(manifest.frames, "frame"), counted(len(manifest.shards), "sequence")
    typer.echo(f"{frames} of {sequences} in {out}", err=True)
