"""The learning rate, over the epochs and of groups of parameters."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from actionunits.errors import RecipeError
from actionunits.learn.card import WEIGHTS
from actionunits.learn.recipe import ScheduleSpec
from actionunits.learn.run import CHECKPOINT
from actionunits.learn.train import rate_factor, train
from runs import tiny_recipe


def test_schedule() -> None:
    cosine = ScheduleSpec(name="cosine", warmup=2, floor=0.1)
    factors = [rate_factor(cosine, e / 4, 10) for e in range(41)]
    assert factors[0] == 0
    assert max(factors) == factors[8] == 1
    assert factors[:9] == sorted(factors[:9])
    assert factors[8:] == sorted(factors[8:], reverse=True)
    assert factors[-1] == pytest.approx(0.1)
    assert rate_factor(ScheduleSpec(), 3, 10) == 1


def test_halving_schedule() -> None:
    halving = ScheduleSpec(name="step", every=2, factor=0.5)
    assert [rate_factor(halving, e, 15) for e in (0.1, 1.9, 2, 3.9, 4, 14.5)] == [
        *(1, 1, 0.5, 0.5, 0.25),
        0.5**7,
    ]


def test_inverse_root_schedule() -> None:
    root = ScheduleSpec(name="inverse_sqrt", warmup_steps=1000)
    factors = [rate_factor(root, step / 500, 20, steps=500) for step in (500, 1000, 4000, 9000)]
    assert factors == pytest.approx([0.5, 1, 0.5, 1 / 3])


def test_parameters_of_a_group_are_trained_at_their_own_rate(
    synfacs_file: Path, tmp_path: Path
) -> None:
    def run(name: str, **groups: object) -> dict[str, torch.Tensor]:
        optimiser = {"name": "sgd", "lr": 1e-6, "momentum": 0.0, "groups": groups}
        recipe = tiny_recipe(synfacs_file, optimiser=optimiser, epochs=1, batch=32)
        train(recipe, 1, tmp_path / name, show=False)
        return load_file(tmp_path / name / CHECKPOINT / WEIGHTS)

    plain, faster = run("plain"), run("faster", **{"*gamma": {"lr": 1000.0}})
    gamma, moved = "backbone.bn1.gamma", "head.weight"
    assert not torch.equal(plain[gamma], faster[gamma])
    assert torch.equal(plain[moved], faster[moved])
    with pytest.raises(RecipeError, match=r"no parameter is called 'mask\*'.*backbone, head"):
        run("absent", **{"mask*": {"weight_decay": 0.0}})
