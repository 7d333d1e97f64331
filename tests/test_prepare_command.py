"""From the command that prepares a data set to a model that knows how its faces were placed."""

import sys
from pathlib import Path

import pytest

from actionunits import checkpoint, data
from actionunits.cli import main
from actionunits.evaluate import evaluate
from actionunits.train import train
from rawtables import raw_table
from runs import tiny_recipe


@pytest.fixture
def au(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Run ``au data prepare bp4d`` in this process; the data set is a tiny one at the root."""
    monkeypatch.setitem(data._RAW, "bp4d", lambda root: raw_table(root, frames=8))

    def run(*arguments: object) -> tuple[int, str, str]:
        command = ["au", "data", "prepare", *map(str, arguments), "--workers", "1"]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), *capfd.readouterr()

    return run


def test_prepare_then_train_then_evaluate(au, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, _, said = au("bp4d", tmp_path / "raw", out, "--template", "similarity49")
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
    assert checkpoint.read_card(run.checkpoint).template == "similarity49"
    assert evaluate(run.checkpoint, resamples=0).frames == 8


def test_losses_are_told(au, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(root: Path):
        raw = raw_table(root)
        (root / "S2" / "T1" / "2.png").unlink()
        return raw

    monkeypatch.setitem(data._RAW, "bp4d", broken)
    code, told, _ = au("bp4d", tmp_path / "raw", tmp_path / "out")
    assert code == 0
    assert told == "lost: 1 frames, the first is S2/T1/2: no such file\n"


def test_mistakes_are_one_line(au, tmp_path: Path) -> None:
    assert au("ck", tmp_path, tmp_path / "out")[0] == 2
    code, _, said = au("bp4d", tmp_path / "raw", tmp_path / "out", "--template", "tight")
    assert code == 2
    assert said.startswith("au: there is no template 'tight'; known: canonical, similarity49")
