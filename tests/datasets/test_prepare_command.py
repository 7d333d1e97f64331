"""From the command that prepares a data set to a model that knows how its faces were placed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from actionunits import datasets
from actionunits.learn.card import read_card
from actionunits.learn.evaluate import evaluate
from actionunits.learn.train import train
from command import Au, Said
from rawtables import raw_table
from runs import tiny_recipe


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch, au: Au) -> Callable[..., Said]:
    """Run ``au data prepare``; BP4D is a tiny data set at the root."""
    monkeypatch.setitem(datasets._RAW, "bp4d", lambda root: raw_table(root, frames=8))
    return lambda *arguments: au("data", "prepare", *arguments, "--workers", "1")


def test_prepare_then_train_then_evaluate(prepare, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, _, said = prepare("bp4d", tmp_path / "raw", out, "--template", "similarity49")
    assert code == 0
    assert "24 frames to prepare in 3 sequences" in said
    assert f"24 frames of 3 sequences in {out}" in said.replace("\n", "")
    recipe = tiny_recipe(
        out,
        {"task": "occurrence"},
        data={"name": "bp4d", "root": str(out), "aus": [1, 2, 6, 12]},
        loss={"occurrence": 1.0},
        epochs=1,
    )
    run = train(recipe, 1, tmp_path / "run", show=False)
    assert read_card(run.checkpoint).template == "similarity49"
    report = evaluate(run.checkpoint, resamples=0)
    assert (report.frames, report.template) == (8, "similarity49")


def test_losses_are_told(prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(root: Path):
        raw = raw_table(root)
        (root / "S2" / "T1" / "2.png").unlink()
        return raw

    monkeypatch.setitem(datasets._RAW, "bp4d", broken)
    code, told, _ = prepare("bp4d", tmp_path / "raw", tmp_path / "out")
    assert code == 0
    assert told == "lost: 1 frame, the first is S2/T1/2: no such file\n"


def test_mistakes_are_one_line(prepare, tmp_path: Path) -> None:
    assert prepare("ck", tmp_path, tmp_path / "out")[0] == 2
    code, _, said = prepare("bp4d", tmp_path / "raw", tmp_path / "out", "--template", "tight")
    assert code == 2
    assert said.startswith("au: there is no template 'tight'; known: canonical, similarity49")
