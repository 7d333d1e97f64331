"""docs/your-own.md as it stands: files are written, packages installed, commands run."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from blocks import ROOT, blocks, commands, sections
from people import pictures
from PIL import Image

from actionunits import datasets, plugins
from actionunits.cli import demo
from actionunits.errors import RecipeError
from actionunits.learn.card import read_card
from actionunits.learn.recipe import load_recipe
from actionunits.models import registry
from command import Au

SECTIONS = sections(ROOT / "docs" / "your-own.md")
QUICK = ["--set=epochs=1", "--set=model.params.size=32", "--set=batch=4"]  # else minutes


def texts(section: str, language: str) -> list[str]:
    return [block.text for block in blocks(SECTIONS[section], language)]


def follow(au: Au, section: str, *quick: str) -> None:
    for name, *arguments in commands("".join(texts(section, "sh")), Path()):
        assert name == "au"
        changes = {"train": quick, "crossval": quick, "data prepare": ["--workers", "1"]}
        command = " ".join(arguments[: 2 if arguments[0] == "data" else 1])
        said = au(*arguments, *changes.get(command, ()))
        assert said.code == 0, f"{arguments}\n{said.err}"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.open(demo.photograph(tmp_path)).save("photo.jpg")
    return tmp_path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place that packages can be imported from; what they register is forgotten."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if name in {path.stem for path in site.glob("*.py")}:
            del sys.modules[name]


def install(site: Path, package: str, toml: str) -> None:
    """Write what an installer makes of a project."""
    groups = tomllib.loads(toml)["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in groups.items()
    ]
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("".join(lines))


def test_it_is_yours_in_20_lines(au: Au, here: Path) -> None:
    section = "Make it yours in 20 lines"
    (recipe,), (example,) = texts(section, "yaml"), texts(section, "csv")
    assert len((recipe + "".join(texts(section, "sh"))).splitlines()) <= 20
    (here / "mine.yaml").write_text(recipe)
    rng = np.random.default_rng(0)
    header = example.splitlines()[0]
    lines = [
        f"pictures/{name},{person},{','.join(map(str, rng.integers(0, 2, 2)))}"
        for name, person in pictures(here / "pictures", 4)
    ]
    (here / "mine.csv").write_text("\n".join([header, *lines, ""]))
    assert load_recipe("mine.yaml").init == "default"
    follow(au, section, "--set=epochs=1", "--set=batch=4")
    card = read_card("runs/mine/all")
    assert card.aus == (4, 12)
    rows = pd.read_csv("rows.csv")
    assert rows.groupby("subject").size().to_dict() == {"anna": 4, "bert": 4, "cleo": 4}
    read = pd.read_csv("read.csv")
    assert {"AU04_p", "AU12_p", "e0", "e383"} < set(read.columns)


def test_a_model_is_one_file_and_one_recipe(au: Au, here: Path, installed: Path) -> None:
    section = "A model of your own"
    (code,), (recipe,), (toml,) = (texts(section, kind) for kind in ("python", "yaml", "toml"))
    (installed / "toymodel.py").write_text(code)
    (here / "toy.yaml").write_text(recipe)
    with pytest.raises(RecipeError, match="no model 'toy'"):
        registry.check("toy", {})
    install(installed, "toys", toml)
    assert "toy" in registry.list_models()
    with pytest.raises(RecipeError, match="no setting 'widht' .did you mean 'width'"):
        registry.check("toy", {"widht": 1})
    follow(au, section)
    inputs = onnxruntime.InferenceSession("toy.onnx").get_inputs()
    assert inputs[0].shape[1:] == [3, 64, 64]
    said = au("detect", "photo.jpg", "--model", "runs/toy/fold1", "--add", "embedding", "--json")
    assert '"e127":' in said.out


def test_a_data_set_is_one_function(au: Au, here: Path, installed: Path) -> None:
    section = "A data set of your own"
    (code,), (toml,) = (texts(section, kind) for kind in ("python", "toml"))
    (installed / "smiles.py").write_text(code)
    install(installed, "smiles", toml)
    assert "smiles" in datasets.list_datasets()
    listed = [
        (person, name, i % 2) for i, (name, person) in enumerate(pictures(here / "pictures", 2))
    ]
    table = pd.DataFrame(listed, columns=["person", "picture", "smile"])
    table.to_csv(here / "pictures" / "labels.txt", sep="\t", index=False)
    follow(au, section)
    frames = datasets.load("smiles", here / "prepared" / "smiles")
    assert frames.aus.numbers == (12,)
    assert frames.labels[:, 0].tolist() == [0, 1] * 3


def test_a_broken_package_is_in_nobodys_way_and_named_when_asked_for(
    au: Au, here: Path, installed: Path
) -> None:
    (installed / "broken.py").write_text("import nothing_of_that_name\n")
    (installed / "empty.py").write_text("")
    group = '[project.entry-points."actionunits.models"]\nwreck = "broken"\nnone = "empty"\n'
    install(installed, "wrecks", group + group.replace("models", "datasets"))
    assert au("recipes").code == 0
    assert "renet" in registry.list_models()
    assert datasets.load("synfacs").aus
    said = au("data", "check", "wreck", here)
    assert said.code == 2
    assert "broken of the package wrecks cannot be imported (ModuleNotFoundError" in said.err
    said = au("train", "renet_synfacs", "--set", "model={name: wreck}")
    assert said.code == 2
    assert "wreck: broken of the package wrecks cannot be imported" in said.err
    with pytest.raises(plugins.PluginError, match="registers no model of that name: decorate"):
        registry.check("none", {})
    install(installed, "others", group)
    with pytest.raises(plugins.PluginError, match="broken of the package .* and of broken of"):
        registry.check("wreck", {})


def test_a_model_of_a_package_that_cannot_be_built_is_its_packages_fault(
    au: Au, here: Path, installed: Path
) -> None:
    section = "A model of your own"
    (code,), (recipe,), (toml,) = (texts(section, kind) for kind in ("python", "yaml", "toml"))
    (installed / "toymodel.py").write_text(
        code.replace("super().__init__()", "super().__init__(); raise KeyError('lost')", 1)
    )
    (here / "toy.yaml").write_text(recipe)
    install(installed, "toys", toml)
    said = au("train", "toy.yaml", "--fold", "1")
    assert said.code == 2, said.err
    assert "toymodel of the package toys failed (KeyError: 'lost')" in said.err
