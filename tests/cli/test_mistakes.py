"""Every command with wrong inputs of every kind: a sentence and exit code 2, or 1 for a batch."""

import os
from pathlib import Path

import pytest

from actionunits.learn.train import train
from command import Au
from runs import tiny_recipe

COMMANDS: dict[str, list[str]] = {  # where the wrong input stands
    "train": ["train", "{}", "--out", "run"],
    "crossval": ["crossval", "{}", "--out", "runs"],
    "recipes": ["recipes", "{}"],
    "evaluate": ["evaluate", "{}"],
    "evaluate --data": ["evaluate", "default", "--data", "{}"],
    "evaluate --root": ["evaluate", "default", "--root", "{}"],
    "evaluate --data csv": ["evaluate", "default", "--data", "csv", "--root", "{}"],
    "evaluate --data fec": ["evaluate", "default", "--data", "fec", "--root", "{}"],
    "compare": ["compare", "{}"],
    "export": ["export", "{}"],
    "models": ["models", "--no-time", "{}"],
    "figure --data": ["figure", "tsne", "default", "--data", "{}"],
    "figure": ["figure", "relation", "{}"],
    "synth pack": ["synth", "pack", "{}", "--out", "out.parquet"],
    "synth card": ["synth", "card", "{}"],
    "synth render": ["synth", "render", "--assets", "{}", "--out", "corpus"],
    "synth sheet": ["synth", "sheet", "--assets", "{}"],
    "data name": ["data", "check", "{}", "."],
    "data folds": ["data", "folds", "{}"],
    "data prepare": ["data", "prepare", "{}", ".", "out"],
    "train --ablation": ["train", "renet_synfacs", "--ablation", "{}"],
    "train data.root": ["train", "renet_synfacs", "--out", "run", "--set", "data.root={}"],
    "train data.name": ["train", "renet_synfacs", "--out", "run", "--set", "data.name={}"],
    "train init": ["train", "renet_synfacs", "--out", "run", "--set", "init={}"],
    "train model": ["train", "renet_synfacs", "--out", "run", "--set", "model.name={}"],
    **{
        f"data check {name}": ["data", "check", name, "{}"]
        for name in ("bp4d", "bp4d_plus", "disfa", "fera2017", "fec", "affectnet", "csv")
    },
}
INPUTS = {
    "missing": "nowhere",
    "empty": "",
    "folder": "folder",
    "binary": "binary.parquet",
    "text": "text.yaml",
    "json": "list.csv",
    "unicode": "földer/\u202e😀",
    "brackets": "[/bold]{}%s",
    "long": "x" * 300,
    "line": "two\nlines",
    "dash": "-",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with files that are nothing in particular."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.parquet").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "text.yaml").write_text("hello")
    (tmp_path / "list.csv").write_text("[]")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_an_input_that_is_none_is_named(command: str, place: Path, au: Au) -> None:
    for kind, wrong in INPUTS.items():
        if not wrong and any("={}" in part or part == "--root" for part in COMMANDS[command]):
            continue  # nothing is the default
        said = au(*(part.replace("{}", wrong) for part in COMMANDS[command]))
        assert said.code == 2, (kind, said)
        lines = [line for line in said.err.splitlines() if line.startswith("au: ")]
        assert len(lines) == 1 or "Usage" in said.err, (kind, said.err)
        assert all(len(line) < 1500 for line in lines), kind


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "renet_synfacs", "--fold", "0"], "--fold"),
        (["train", "renet_synfacs", "--fold", "99"], "--fold"),
        (["train", "renet_synfacs", "--fold", "x"], "--fold"),
        (["evaluate", "default", "--fold", "4"], "--fold"),
        (["evaluate", "default", "--batch", "0"], "--batch"),
        (["evaluate", "default", "--predictions", "x.txt"], "x.txt: expected a file .csv"),
        (["evaluate", "default", "--predictions", "folder"], "folder"),
        (["compare", "default", "--metric", "f2"], "--metric"),
        (["export", "default", "--out", "model.pb"], "model.pb: expected the name of a file .onnx"),
        (["export", "default", "--out", "folder"], "folder: expected the name of a file .onnx"),
        (["figure", "relation", "default", "--out", "x.gif"], "x.gif"),
        (["figure", "relation", "default", "--aus", "1,x"], "--aus"),
        (["figure", "relation", "default", "--aus", ""], "--aus"),
        (["figure", "relation", "default", "--aus", "3"], "AU"),
        (["figure", "tsne", "default", "--fold", "7"], "fold"),
        (["figure", "tsne", "default", "--subject", "nobody"], "nobody"),
        (["figure", "tsne", "default", "--limit", "0"], "--limit"),
        (["synth", "render", "--assets", ".", "--out", "o", "--preset", "maxi"], "maxi"),
        (["synth", "render", "--assets", ".", "--out", "o", "--frames", "-1"], "frames"),
        (["synth", "sheet", "--assets", ".", "--au", "3"], "--au"),
        (["synth", "sheet", "--assets", ".", "--out", "x.txt"], "x.txt"),
        (["synth", "pack", ".", "--out", "o.parquet", "--megabytes", "nan"], "megabytes"),
        (["synth", "pack", ".", "--out", "o.parquet", "--megabytes", "-1"], "megabytes"),
        (["data", "prepare", "csv", "list.csv", "out", "--template", "oval"], "list.csv"),
        (["data", "prepare", "bp4d", "folder", "folder"], "folder: is what this command reads"),
        (["data", "folds", "csv", "list.csv", "--out", "list.csv"], "would be lost"),
        (["models", "rennet_synfacs"], "did you mean 'renet_synfacs'"),
        (["trian"], "trian"),
        ([], ""),
    ],
)
def test_an_option_that_is_wrong_is_named(
    arguments: list[str], says: str, place: Path, au: Au
) -> None:
    said = au(*arguments)
    assert said.code == 2
    assert says in said.err


@pytest.fixture(scope="module")
def finished(synfacs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("runs") / "run"
    train(tiny_recipe(synfacs_file, epochs=1), 1, out, show=False)
    return out


def test_nothing_is_written_over_what_is_read(
    finished: Path, synfacs_file: Path, au: Au, tmp_path: Path
) -> None:
    weights = finished / "checkpoint" / "model.safetensors"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(tiny_recipe(synfacs_file).model_dump_json())
    linked = tmp_path / "linked.parquet"
    linked.hardlink_to(synfacs_file)
    commands: dict[Path, list[object]] = {
        weights: ["export", finished, "--out", weights],
        finished / "log.csv": ["compare", finished, "--csv", finished / "log.csv"],
        synfacs_file: ["evaluate", finished, "--predictions", synfacs_file],
        linked: ["evaluate", finished, "--predictions", linked],
        recipe: ["train", recipe, "--fold", 1, "--out", tmp_path],
    }
    for file, command in commands.items():
        before = file.read_bytes()
        said = au(*command)
        assert said.code == 2
        assert f"{file}: " in said.err
        assert file.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are others on Windows")
def test_a_place_that_cannot_be_written_is_named(finished: Path, au: Au, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    places = [file / "x"] + ([] if os.geteuid() == 0 else [closed / "x"])
    for place in places:
        for command in (
            ["train", "renet_synfacs", "--out", place],
            ["compare", finished, "--csv", place.with_suffix(".csv")],
            ["evaluate", finished, "--predictions", place.with_suffix(".csv")],
            ["figure", "relation", finished, "--out", place.with_suffix(".png")],
            ["data", "folds", "synfacs", "--out", place.with_suffix(".csv")],
        ):
            said = au(*command)
            assert said.code == 2, said
            assert str(place.parent) in said.err


def test_people_and_files_with_brackets_are_printed(finished: Path, au: Au, tmp_path: Path) -> None:
    out = tmp_path / "[/red]:smile:.png"
    said = au("figure", "relation", finished, "--out", out)
    assert said.code == 0, said.err
    assert "[/red]:smile:.png" in said.err


def test_a_model_that_cannot_be_is_named_with_its_recipe(au: Au, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("base: renet_synfacs\nmodel: {params: {width: none}}\n", encoding="utf-8")
    said = au("train", recipe, "--fold", "1", "--out", tmp_path / "run")
    assert said.code == 2
    assert "width" in said.err
    assert f"(recipe {recipe})" in said.err
