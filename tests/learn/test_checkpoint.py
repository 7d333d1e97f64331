"""Checkpoints come back exactly, and what is wrong with one is said."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from actionunits.errors import CheckpointError, UserError
from actionunits.learn import checkpoint
from actionunits.learn.card import CARD, WEIGHTS, read_card
from actionunits.learn.recipe import Recipe
from runs import make, tiny_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return tiny_recipe(tmp_path / "none.parquet")


def test_comes_back_exactly(recipe: Recipe, tmp_path: Path) -> None:
    model, card = make(recipe)
    saved = checkpoint.save(model.to(memory_format=torch.channels_last), card, tmp_path / "run")
    loaded, read = checkpoint.load(tmp_path / "run")
    assert read.thresholds == card.thresholds
    assert read.recipe == recipe
    assert read.spec == card.spec
    assert read.sha256 == saved.sha256
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert {f.name for f in (tmp_path / "run").iterdir()} == {WEIGHTS, CARD}


def test_a_card_without_template_is_canonical(recipe: Recipe, tmp_path: Path) -> None:
    model, card = make(recipe)
    checkpoint.save(model, card.model_copy(update={"template": "box49"}), tmp_path)
    assert read_card(tmp_path).template == "box49"
    values = json.loads((tmp_path / CARD).read_text())
    del values["template"], values["seal"]
    (tmp_path / CARD).write_text(json.dumps(values))
    assert read_card(tmp_path).template == "canonical"


def test_experimental_aus_go_with_the_label_axis(recipe: Recipe, tmp_path: Path) -> None:
    model, card = make(recipe)
    checkpoint.save(model, card.model_copy(update={"experimental": (6,)}), tmp_path)
    aus = read_card(tmp_path).au_set()
    assert [aus.label(au) for au in aus] == ["1", "2", "6*", "12"]


def test_run_folder_is_as_good_as_its_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    model, card = make(recipe)
    checkpoint.save(model, card, tmp_path / "run" / "checkpoint")
    assert read_card(tmp_path / "run") == checkpoint.load(tmp_path / "run/checkpoint")[1]


def test_half_precision_halves_parameters_and_keeps_what_does_not_fit(
    recipe: Recipe, tmp_path: Path
) -> None:
    model, card = make(recipe)
    with torch.no_grad():
        model.get_parameter("head.bias")[0] = 1e6
    checkpoint.save(model, card, tmp_path, dtype="float16")
    stored = load_file(tmp_path / WEIGHTS)
    assert stored["head.weight"].dtype == torch.float16
    assert stored["head.bias"].dtype == torch.float32
    assert all(stored[name].dtype == b.dtype for name, b in model.named_buffers() if name in stored)
    loaded, card = checkpoint.load(tmp_path)
    assert card.dtype == "float16"
    assert loaded.get_parameter("head.weight").dtype == torch.float32
    assert loaded.get_parameter("head.bias")[0] == 1e6
    torch.testing.assert_close(loaded.state_dict(), model.state_dict(), rtol=1e-3, atol=1e-3)


def truncate(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, 1000)


def swap(folder: Path) -> None:
    stored = load_file(folder / WEIGHTS)
    save_file({n: t + 1 for n, t in stored.items()}, folder / WEIGHTS)


def edit_card(folder: Path, **values: object) -> None:
    card = json.loads((folder / CARD).read_text())
    del card["seal"]
    (folder / CARD).write_text(json.dumps(card | values))


def edit_digit(folder: Path) -> None:
    text = (folder / CARD).read_text()
    assert '"epoch": 2' in text
    (folder / CARD).write_text(text.replace('"epoch": 2', '"epoch": 6'))


def reshape(folder: Path) -> None:
    """Weights of a wider model under the same card."""
    stored = load_file(folder / WEIGHTS)
    save_file(stored | {"head.bias": torch.zeros(99)}, folder / WEIGHTS)
    edit_card(folder, sha256=checkpoint._sha256(folder / WEIGHTS))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / WEIGHTS).unlink(), r"model\.safetensors: the weights are missing"),
        (lambda f: (f / CARD).unlink(), r"expected a checkpoint"),
        (truncate, r"model\.safetensors: damaged"),
        (swap, r"model\.safetensors: damaged, or not the weights of its card"),
        (reshape, r"head\.bias should have the shape \(7,\), it has \(99,\)"),
        (lambda f: (f / CARD).write_text("{"), r"card\.json: not a card"),
        (lambda f: (f / CARD).write_bytes(b"\xff\xfe"), r"card\.json: not a card"),
        (lambda f: edit_card(f, aus="all"), r"card\.json: not a card"),
        (edit_digit, r"card\.json: .*not what its checksum says; if you have changed it"),
    ],
)
def test_damage_is_named(damage, said: str, recipe: Recipe, tmp_path: Path) -> None:
    checkpoint.save(*make(recipe), tmp_path)
    damage(tmp_path)
    with pytest.raises(CheckpointError, match=said):
        checkpoint.load(tmp_path)


def test_unknown_model_and_missing_folder_are_named(recipe: Recipe, tmp_path: Path) -> None:
    checkpoint.save(*make(recipe), tmp_path)
    values = recipe.model_dump(mode="json")
    values["model"]["name"] = "renett"
    edit_card(tmp_path, recipe=values)
    with pytest.raises(CheckpointError, match="there is no model 'renett'"):
        checkpoint.load(tmp_path)
    with pytest.raises(CheckpointError, match="absent: expected a checkpoint"):
        checkpoint.load(tmp_path / "absent")


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_state_continues_exactly(kind: type[torch.optim.Optimizer], tmp_path: Path) -> None:
    def build(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(72, 2))
        net.to(memory_format=torch.channels_last)
        settings = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        return net, kind(net.parameters(), lr=1 / 3, **settings)

    def step(net: nn.Module, optimiser: torch.optim.Optimizer, seed: int) -> None:
        images = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
        optimiser.zero_grad()
        net(images).square().sum().backward()
        optimiser.step()

    net, optimiser = build(0)
    step(net, optimiser, 0)
    progress = {"epoch": 3, "best": float("-inf"), "sums": {"loss": 0.1 + 0.2}}
    file = tmp_path / "state.safetensors"
    checkpoint.save_state(file, net, optimiser, progress)
    other, continued = build(1)
    assert checkpoint.load_state(file, other, continued) == progress
    file.unlink()  # nothing depends on the file any more
    for seed in (1, 2):
        step(net, optimiser, seed)
        step(other, continued, seed)
    for one, two in zip(net.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)


def test_foreign_or_damaged_state_is_named(tmp_path: Path) -> None:
    net, other = nn.Linear(2, 2), nn.Linear(3, 2)
    file = tmp_path / "state.safetensors"
    checkpoint.save_state(file, net, torch.optim.SGD(net.parameters()), {})
    with pytest.raises(CheckpointError, match=r"state\.safetensors: weight should have the shape"):
        checkpoint.load_state(file, other, torch.optim.SGD(other.parameters()))
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(CheckpointError, match=r"state\.safetensors: damaged"):
        checkpoint.load_state(file, net, torch.optim.SGD(net.parameters()))


def test_a_full_disk_is_said_in_one_sentence(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(UserError, match=r"cannot write .*safetensors: I/O error: No space left"):
        checkpoint.save(*make(recipe), tmp_path)


def test_a_new_card_of_the_same_weights_leaves_no_moment_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, card = make(tiny_recipe(tmp_path / "x"))
    checkpoint.save(model, card, tmp_path)
    monkeypatch.setattr(checkpoint.seals, "write_json", lambda *_: 1 / 0)  # as if it were killed
    with pytest.raises(ZeroDivisionError):
        checkpoint.save(model, card.model_copy(update={"epoch": 3}), tmp_path)
    assert checkpoint.load(tmp_path)[1].epoch == 2
    for parameter in model.parameters():
        parameter.data += 1
    with pytest.raises(ZeroDivisionError):
        checkpoint.save(model, card, tmp_path)
    with pytest.raises(CheckpointError):  # and no card of other weights
        checkpoint.load(tmp_path)
