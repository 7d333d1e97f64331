"""Commands that write a folder have it for themselves."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from actionunits.datasets.prepare import prepare
from actionunits.errors import UserError
from actionunits.files import alone
from actionunits.learn.crossval import crossval
from actionunits.learn.train import train
from actionunits.synth import corpus
from actionunits.synth.script import CorpusSettings
from rawtables import raw_table
from runs import tiny_recipe

SETTINGS = CorpusSettings(subjects=1, tasks=1, frames=1, seed=0, size=64, name="tiny")
Command = Callable[[Path], object]


@pytest.fixture(params=["train", "crossval", "prepare", "render"])
def command(
    request: pytest.FixtureRequest,
    synfacs_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Command, str]:
    """What writes a folder, and which of its folders it has for itself."""
    recipe = tiny_recipe(synfacs_file, epochs=1)
    monkeypatch.setattr(corpus, "load_assets", lambda assets: None)
    commands: dict[str, tuple[Command, str]] = {
        "train": (lambda out: train(recipe, 1, out, show=False), ""),
        "crossval": (lambda out: crossval(recipe, out, show=False), "fold1"),
        "prepare": (
            lambda out: prepare(
                raw_table(tmp_path / "raw"), out, "canonical", 1, Console(quiet=True)
            ),
            "",
        ),
        "render": (lambda out: corpus.render_corpus(tmp_path, out, SETTINGS), ""),
    }
    return commands[request.param]


def test_a_second_writer_is_refused(command: tuple[Command, str], tmp_path: Path) -> None:
    write, inside = command
    out = tmp_path / "out"
    with alone(out / inside):
        before = sorted(out.rglob("*"))
        with pytest.raises(UserError, match="another command is writing into this folder"):
            write(out)
        assert sorted(out.rglob("*")) == before


def test_a_place_below_a_file_is_one_sentence(command: tuple[Command, str], tmp_path: Path) -> None:
    (tmp_path / "file.txt").touch()
    with pytest.raises(UserError, match=r"expected a folder, but .*file\.txt is a file; give an"):
        command[0](tmp_path / "file.txt" / "x")
