"""The commands of docs/datasets.md, each in its place and no other, on trees of its data sets."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from blocks import ROOT, blocks, commands, sections
from PIL import Image

import trees
from actionunits import datasets
from actionunits.cli import demo
from actionunits.data.faces import decode
from actionunits.datasets.affectnet import EXPRESSIONS
from actionunits.datasets.facts import known
from actionunits.learn.recipe import load_recipe
from actionunits.learn.run import REPORT
from cases import QUICK, SMALL
from command import Au
from web import address, without_web

PAGE = ROOT / "docs" / "datasets.md"
SECTIONS = sections(PAGE)
HELD = "/data/"  # where the data sets lie in the document
SIDE = 128


def quick(arguments: list[str], root: Path) -> list[str]:
    """The same command, with its data sets at `root` and settings that take a second."""
    arguments = [argument.replace(HELD, f"{root}/") for argument in arguments]
    if arguments[:2] == ["data", "prepare"] and arguments[2] != "fec":
        return [*arguments, "--workers", "1"]
    if arguments[0] not in {"train", "crossval"}:
        return arguments
    changes = dict(zip(arguments, arguments[1:], strict=False))
    sets = [value for key, value in zip(arguments, arguments[1:], strict=False) if key == "--set"]
    recipe = load_recipe(arguments[1], sets, changes.get("--ablation"))
    small = SMALL | QUICK[recipe.model.name]
    small.pop("neighbours", None)  # one of MDHR's ablations, which `au compare` would take it for
    sets = [f"model.params.{key}={value}" for key, value in small.items()]
    sets += ["epochs=1", "batch=2"]  # two people are trained on, a clip of each
    if not str(recipe.init).startswith("runs/"):  # weights that are fetched by hand or from the web
        sets.append("init=null")
    return [*arguments, *(f"--set={each}" for each in sets)]


def face(row: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """A rendered face, another person for each subject, with its landmarks."""
    table = datasets.load("synfacs")
    assert table.landmarks is not None
    people = table.subjects()
    person = people[sum(map(ord, row["subject"])) % len(people)]
    rows = table.rows.index[table.rows["subject"] == person]
    number = rows[int(row["frame"]) % len(rows)]
    image = decode(table.images.read(table.rows["image"][number]), SIDE, "")
    return image, table.landmarks[number] * (SIDE / 256)


def own_list(root: Path, coded: tuple[int, ...] = (1, 2, 4, 12)) -> None:
    """Write a list of pictures of three people."""
    rng = np.random.default_rng(0)
    (root / "pictures").mkdir(parents=True)
    rows = []
    for subject in ("anna", "bert", "cleo"):
        for frame in range(16):
            name = f"pictures/{subject}-{frame}.jpg"
            Image.fromarray(face(pd.Series({"subject": subject, "frame": frame}))[0]).save(
                root / name
            )
            rows.append((name, subject, *rng.binomial(1, rng.random(), len(coded))))
    columns = ["image", "subject", *(f"AU{number:02d}" for number in coded)]
    pd.DataFrame(rows, columns=columns).to_csv(root / "mine.csv", index=False)


def fec_tables(root: Path) -> None:
    """Write tables of triplets of six pictures of one portrait."""
    web = root / "web"
    web.mkdir(parents=True)
    portrait = Image.open(demo.photograph(web)).convert("RGB").resize((256, 256))
    urls = []
    for number in range(6):
        portrait.point(lambda value, dark=number: int(value * (1 - dark / 10))).save(
            web / f"{number}.jpg"
        )
        urls.append(address(web / f"{number}.jpg"))
    lines = [
        trees.fec_line([urls[i], urls[i - 1], urls[i - 2]], "TWO_CLASS_TRIPLET", "333311")
        for i in range(6)
    ]
    trees.fec(root / "FEC", lines, lines[:2])


def held(root: Path) -> None:
    """Write all data sets where the document has them: of few people, but of all three parts."""
    subjects = ("F001", "F003", "F004")  # one of each part, as those below
    trees.bp4d(root / "BP4D", subjects, frames=6, landmarks=True, face=face)
    trees.fera2017(root / "FERA2017", subjects, frames=6, face=face)
    trees.bp4d_plus(root / "BP4D+", ("F001", "F002", "F003"), frames=8, face=face)
    trees.disfa(root / "DISFA", ("SN001", "SN003", "SN006"), frames=40, face=face)
    trees.affectnet(root / "AffectNet", {str(i): i for i in range(len(EXPRESSIONS) + 1)})
    fec_tables(root)
    own_list(root)


def follow(au: Au, section: str, root: Path) -> Iterator[tuple[list[str], str]]:
    """Run the commands of a section in the current folder; yield them and what they print."""
    shell = "".join(block.text for block in blocks(section, "sh"))
    for program, *arguments in commands(shell, root):
        assert program == "au"
        said = au(*quick(arguments, root))
        assert said.code == 0, f"au {shlex.join(arguments)}\n{said.err}"
        yield arguments, said.out


def test_a_data_set_goes_from_the_archive_to_the_table(
    au: Au, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trees.bp4d_plus(tmp_path / "BP4D+", ("F001", "F002", "F003"), frames=8, face=face)
    said = {arguments[0]: out for arguments, out in follow(au, SECTIONS["BP4D+"], tmp_path)}
    assert "beside renet Table 3" in said["crossval"]
    assert "renet Table 3" in said["compare"]
    run = tmp_path / "runs" / "renet_bp4d_plus"
    assert {"table.md", "table.tex", "table.csv", REPORT} <= {file.name for file in run.iterdir()}


@pytest.mark.slow
def test_every_command_does_what_the_document_says(
    au: Au, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(tmp_path)
    without_web(monkeypatch)
    monkeypatch.chdir(tmp_path)
    systems = set()
    for section in SECTIONS.values():
        for arguments, out in follow(au, section, tmp_path):
            if arguments[0] == "crossval":
                systems.add(arguments[1].split("_")[0])
            if arguments[0] == "compare":
                assert "Table" in out or "nothing published on" in out, arguments
            if arguments[0] == "evaluate":
                assert " to " in out
    assert systems == {"renet", "mgrrnet", "gtlenet", "sacl", "mdhr"}


def test_figures_are_those_that_copies_are_checked_against() -> None:
    text = PAGE.read_text("utf-8")
    for facts in known().values():
        for published in facts.lists.values():
            for count in (*published.parts, sum(published.parts)):
                assert f"{count:,}" in text
