"""A state that was damaged is refused, by whatever byte it was."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from actionunits.errors import CheckpointError, RecipeError
from actionunits.learn import checkpoint
from actionunits.learn.run import CHECKPOINT, LAST, REPORT, STATE, Run
from actionunits.learn.train import train
from runs import tiny_recipe


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("state") / STATE
    net = torch.nn.Linear(20, 20)
    optimiser = torch.optim.AdamW(net.parameters())
    net(torch.ones(20)).sum().backward()
    optimiser.step()
    checkpoint.save_state(file, net, optimiser, {"epoch": 3})
    return file


def load(file: Path) -> dict:
    net = torch.nn.Linear(20, 20)
    return checkpoint.load_state(file, net, torch.optim.AdamW(net.parameters()))


def places(size: int) -> list[int]:
    """Of the header, which is at the start, and all over."""
    generator = np.random.default_rng(0)
    return [*generator.integers(0, 1200, 60).tolist(), *generator.integers(0, size, 60).tolist()]


def test_a_flipped_byte_is_noticed_wherever_it_is(state: Path, tmp_path: Path) -> None:
    whole, file = state.read_bytes(), tmp_path / STATE
    for place in places(len(whole)):
        for bit in (0x01, 0x20):
            content = bytearray(whole)
            content[place] ^= bit
            file.write_bytes(content)
            with pytest.raises(CheckpointError, match=STATE):
                load(file)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_noticed(state: Path, tmp_path: Path, share: float) -> None:
    content = state.read_bytes()
    (tmp_path / STATE).write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=STATE):
        load(tmp_path / STATE)


def test_a_state_of_an_earlier_version_is_believed(state: Path, tmp_path: Path) -> None:
    with safe_open(state, framework="pt") as stored:
        header = {name: text for name, text in stored.metadata().items() if name != "seal"}
    save_file(load_file(state), tmp_path / STATE, header)
    assert load(tmp_path / STATE) == {"epoch": 3}


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-9] ^= 0x10
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("selection", "advice"),
    [
        ({"rule": "last"}, r"start the run afresh \(--fresh\)$"),
        ({"rule": "best_on_test"}, r"checkpoint of epoch 1, with --set init="),
    ],
    ids=["nothing else", "a checkpoint"],
)
def test_what_to_do_is_said(
    selection: dict, advice: str, synfacs_file: Path, tmp_path: Path, monkeypatch
) -> None:
    recipe = tiny_recipe(synfacs_file, selection=selection, epochs=1)
    monkeypatch.setattr(Run, "finish", lambda run: pytest.exit("killed"))
    with pytest.raises(pytest.exit.Exception):
        train(recipe, 1, tmp_path, show=False)
    damage(tmp_path / STATE)
    with pytest.raises(CheckpointError, match=rf"{STATE}: damaged: .*{advice}"):
        train(recipe, 1, tmp_path, show=False)


def test_a_finished_run_is_not_given_up_for_a_damaged_state(
    synfacs_file: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(synfacs_file, epochs=1)
    train(recipe, 1, tmp_path, show=False)
    damage(tmp_path / LAST)
    with pytest.raises(CheckpointError, match=rf"{LAST}: damaged: .*checkpoint of epoch 1"):
        train(recipe.model_copy(update={"epochs": 2}), 1, tmp_path, show=False)
    assert json.loads((tmp_path / REPORT).read_text(encoding="utf-8"))
    assert checkpoint.load(tmp_path / CHECKPOINT)[1].epoch == 1
    assert train(recipe, 1, tmp_path, show=False).report is not None


def test_a_damaged_report_is_not_believed(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(synfacs_file, epochs=1)
    train(recipe, 1, tmp_path, show=False)
    text = (tmp_path / REPORT).read_text(encoding="utf-8")
    (tmp_path / REPORT).write_text(text.replace("0.", "0.9", 1), encoding="utf-8")
    with pytest.raises(RecipeError, match="damaged; copy it again, or delete it"):
        train(recipe, 1, tmp_path, show=False)
