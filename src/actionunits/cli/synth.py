"""``au synth``: render faces whose Action Units are known exactly."""

import json as encoder
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actionunits.cli import completions

if TYPE_CHECKING:
    from actionunits.synth.picture.render import Renderer

app = typer.Typer(
    help="Render synthetic faces and look at what was rendered.", no_args_is_help=True
)
Assets = Annotated[
    Path,
    typer.Option(
        envvar="ACTIONUNITS_ASSETS", help="Folder of the MakeHuman assets, see docs/synthetic.md."
    ),
]
Corpus = Annotated[
    Path | None, typer.Argument(help="Parquet file or folder; the embedded corpus without it.")
]
_LARGEST = 1_000_000  # megabytes
_SMOKE_PEOPLE = 60
_SMOKE = ("epochs=1", "batch=8", "data.triplets=200")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@app.command()
def render(
    assets: Assets,
    out: Annotated[Path, typer.Option(help="Folder of the corpus.")],
    preset: Annotated[
        str,
        typer.Option(
            help="Settings to start from: mini (small), train, motion (long clips), people (few "
            "frames each, a quarter at rest, a quarter talking) or clips (short, of such people)."
        ),
    ] = "train",
    subjects: Annotated[int | None, typer.Option(help="Number of people.")] = None,
    tasks: Annotated[int | None, typer.Option(help="Tasks of each, 1 to 8.")] = None,
    frames: Annotated[int | None, typer.Option(help="Frames of each task.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the pictures, pixels.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same labels.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that render: 2, or all cores of a cluster."),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="ray: by a cluster (docs/scale.md), to the same bytes.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster, HOST:PORT or auto; else this machine alone.")
    ] = None,
) -> None:
    """Render a corpus. Interrupted, the same command goes on where it stopped."""
    from actionunits.errors import DataError, UserError, counted
    from actionunits.synth.corpus import render_corpus
    from actionunits.synth.script import PRESETS

    if preset not in PRESETS:
        raise DataError(f"--preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    start = PRESETS[preset]
    settings = replace(
        start,
        subjects=start.subjects if subjects is None else subjects,
        tasks=start.tasks if tasks is None else tasks,
        frames=start.frames if frames is None else frames,
        size=start.size if size is None else size,
        seed=start.seed if seed is None else seed,
    )
    if engine is None:
        if address is not None:
            raise UserError("--address is of --engine ray; give that too, or leave it out")
        rendered = render_corpus(assets, out, settings, workers or 2)
    elif engine == "ray":
        from actionunits.scale.rendering import executor

        with executor(address, workers) as pool:
            rendered = render_corpus(assets, out, settings, pool=pool)
    else:
        raise UserError(f"--engine: expected ray, found {engine}; without it this machine renders")
    typer.echo(f"{counted(rendered, 'frame')} rendered; {settings.total} in {out}", err=True)


@app.command()
def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            help="Weights: default, default-fast, or a system's.",
            autocompletion=completions.weights,
        ),
    ],
    assets: Assets,
    out: Annotated[Path, typer.Option(help="Folder of the corpora and of the runs.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipes."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 2,
    smoke: Annotated[
        bool, typer.Option(help="A few people and one epoch, to see that all of it runs.")
    ] = False,
) -> None:
    """Make weights of the package anew: render their corpus, train on it.

    Interrupted, the same command goes on where it stopped.
    """
    from actionunits.errors import UserError
    from actionunits.learn.average import average
    from actionunits.learn.recipe import load_recipe
    from actionunits.learn.train import train
    from actionunits.synth.corpus import render_corpus
    from actionunits.synth.published import PUBLISHED, first_people

    if name not in PUBLISHED:
        raise UserError(f"{name}: expected weights of the package, {', '.join(PUBLISHED)}")
    stages = PUBLISHED[name]
    settings = [*(_SMOKE if smoke else ()), *(settings or ())]
    for stage in stages:  # before anything is rendered
        load_recipe(stage.recipe, [*stage.settings, *settings])
    corpora = {}
    for whole in dict.fromkeys(stage.corpus() for stage in stages):
        people = max(stage.people for stage in stages if stage.corpus() == whole)
        corpora[whole] = replace(whole, subjects=_SMOKE_PEOPLE if smoke else people)
        render_corpus(assets, out / f"{whole.name}-seed{whole.seed}", corpora[whole], workers)
    start = None
    for number, stage in enumerate(stages, 1):
        corpus = corpora[stage.corpus()]
        folder = out / f"{corpus.name}-seed{corpus.seed}"
        part = folder.with_name(f"{folder.name}-{stage.people}")
        root = first_people(folder, corpus, stage.people, part)
        values = [f"data.root={root}", *stage.settings, *settings]
        if start is not None:
            values.insert(0, f"init={start}")
        run = out / "runs" / f"{name}-{number}"
        made = train(load_recipe(stage.recipe, values), None, run).checkpoint
        if start is not None and stage.share < 1:
            made = average(start, made, stage.share, run.with_name(f"{run.name}-mean"))
        start = made
    typer.echo(f"checkpoint: {start}", err=True)


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="Rendered corpus.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    megabytes: Annotated[float, typer.Option(help="Largest size of the file.")] = 30.0,
) -> None:
    """Merge a rendered corpus into one file of at most a given size."""
    from actionunits.cli.outputs import check_output
    from actionunits.errors import DataError
    from actionunits.synth.pack import pack as merge

    check_output(out, [folder])
    if not 0 < megabytes <= _LARGEST:  # nor is NaN
        raise DataError(f"--megabytes: expected more than 0, up to {_LARGEST}, got {megabytes:g}")
    merge(folder, out, int(megabytes * 1e6))
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB", err=True)


@app.command()
def detector(
    assets: Assets,
    backdrops: Annotated[Path, typer.Option(help="Folder of photographs that show nobody.")],
    out: Annotated[Path, typer.Option(help="Folder of all that is made.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes that render or compose.")] = 1,
    smoke: Annotated[bool, typer.Option(help="A hundredth of all, to see that it runs.")] = False,
) -> None:
    """Make the face detector of the package anew: render heads, train on scenes with them.

    Interrupted, the same command goes on where it stopped.
    """
    from actionunits.facefinder.make import make_detector

    made = make_detector(assets, backdrops, out, share=0.01 if smoke else 1.0, workers=workers)
    typer.echo(f"written: {made}", err=True)


@app.command()
def card(
    path: Corpus = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Rates and correlations of a corpus beside those of BP4D and DISFA."""
    from actionunits.data.synfacs import MINI
    from actionunits.synth.card import card_json, corpus_card, print_card, read_labels

    facts = corpus_card(read_labels(path or MINI))
    if json:
        typer.echo(encoder.dumps(card_json(facts), indent=1))
    else:
        print_card(facts)


@app.command()
def sheet(
    assets: Assets,
    out: Annotated[Path, typer.Option(help="Picture to write.")] = Path("sheet.png"),
    au: Annotated[list[int] | None, typer.Option(help="FACS number; all without it.")] = None,
    identities: Annotated[int, typer.Option(min=1, help="Number of people.")] = 4,
    seed: Annotated[int, typer.Option(help="Who they are.")] = 0,
) -> None:
    """Draw the contact sheet: each Action Unit at 0, 2 and 5 on several people."""
    from actionunits.aus import RENDERED, AUSet
    from actionunits.cli.outputs import check_output
    from actionunits.errors import UserError
    from actionunits.synth.sheet import contact_sheet

    check_output(out, [assets], _PICTURES)
    try:
        aus = AUSet.of(au) if au else RENDERED
    except ValueError as error:
        raise UserError(f"--au: {error}") from None
    with _renderer(assets) as renderer:
        contact_sheet(renderer, out, identities, seed, aus)
    typer.echo(f"written: {out}", err=True)


@app.command()
def looks(
    assets: Assets,
    out: Annotated[Path, typer.Option(help="Picture to write.")] = Path("looks.png"),
    subjects: Annotated[int, typer.Option(min=1, help="Number of people.")] = 32,
    seed: Annotated[int, typer.Option(help="Who they are.")] = 0,
    landmarks: Annotated[bool, typer.Option(help="Draw the 49 landmarks.")] = False,
) -> None:
    """Draw random people with random expressions in random light, as a corpus shows them."""
    from actionunits.cli.outputs import check_output
    from actionunits.synth.sheet import looks_sheet

    check_output(out, [assets], _PICTURES)
    with _renderer(assets) as renderer:
        looks_sheet(renderer, out, subjects, seed, landmarks)
    typer.echo(f"written: {out}", err=True)


@app.command()
def spectra(
    pictures: Annotated[
        list[Path], typer.Argument(help="Photographs of faces, or folders of them.")
    ],
    out: Annotated[Path, typer.Option(help="File .npz to write.")],
) -> None:
    """Measure how coarse and fine photographs of faces are, for `data.augment.spectrum`."""
    import numpy as np
    import torch

    from actionunits.cli.outputs import check_output
    from actionunits.cli.terminal import terminal
    from actionunits.data.spectrum import measure, write
    from actionunits.detect.predict import load
    from actionunits.errors import DataError, UserError, counted
    from actionunits.files import atomic, writing

    check_output(out, pictures, (".npz",))
    problems: list[UserError] = []
    with terminal(error=True).status("reading faces"):
        crops = [each.crops for each in load("default").faces(pictures, problems.append)]
    if not sum(map(len, crops)):
        raise problems[0] if problems else DataError("no face found in these pictures")
    faces = torch.from_numpy(np.concatenate(crops)).permute(0, 3, 1, 2).float() / 255
    with writing(out), atomic(out) as file:
        write(measure(faces), file)
    typer.echo(f"{out}: the spectra of {counted(len(faces), 'face')}", err=True)
    if problems:
        raise problems[0]


def _renderer(assets: Path) -> "Renderer":
    from actionunits.synth.person.assets import load_assets
    from actionunits.synth.person.face import Head
    from actionunits.synth.picture.render import Renderer

    return Renderer(Head(load_assets(assets)))
