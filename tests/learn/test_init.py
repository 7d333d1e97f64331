"""`init` starts from other weights, the package's by name, for any AUs and any size that fits."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from actionunits import weights
from actionunits.aus import ALL, RENDERED, AUSet
from actionunits.errors import RecipeError
from actionunits.learn import checkpoint
from actionunits.learn.recipe import Recipe, load_recipe, parse_recipe
from actionunits.learn.task import Rows
from actionunits.learn.train import start, train
from actionunits.models import registry
from actionunits.types import AUModel
from cases import QUICK, SMALL
from runs import tiny_recipe

AUS = AUSet.of((12, 4, 26))
BASELINE = {"relation": "none", "width": 8, "task": "both", "size": 64, "align": 72}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a folder without any called ``default``."""
    monkeypatch.chdir(tmp_path)


def started(recipe: Recipe) -> AUModel:
    torch.manual_seed(1)
    stats = registry.blank_stats(len(AUS))
    model = registry.create(recipe.model.name, AUS, stats, **recipe.model.params)
    rows = Rows(SimpleNamespace(template="canonical"), None, None)
    start(model, recipe, None, AUS.numbers, rows)
    return model.eval()


@pytest.fixture
def baseline(synfacs_file: Path, tmp_path: Path) -> str:
    """A run of the baseline on other people, with all AUs."""
    data = {"name": "synfacs", "root": str(synfacs_file), "aus": ALL.numbers}
    recipe = tiny_recipe(synfacs_file, BASELINE, epochs=1, data=data)
    train(recipe, 1, tmp_path / "baseline", show=False)
    return str(tmp_path / "baseline")


@pytest.mark.parametrize("task", ["occurrence", "intensity", "both"])
@pytest.mark.parametrize("size", [64, 128])
def test_aus_in_common_are_read_as_before(baseline: str, task: str, size: int) -> None:
    params = BASELINE | {"task": task, "size": size, "align": size}
    mine = started(tiny_recipe(Path(), params, init=baseline))
    given, card = checkpoint.load(baseline)
    assert card.aus == ALL.numbers
    places = [ALL.index(number) for number in AUS.numbers]
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        one, other = mine(images), given.eval()(images)
    if task != "intensity":  # whose logits come from its levels
        torch.testing.assert_close(one.logits, other.logits[:, places])
    if task != "occurrence":
        torch.testing.assert_close(one.intensity, other.intensity[:, places])


def test_the_default_weights_are_a_start_by_name() -> None:
    default, card = checkpoint.load(weights.locate("default"))
    recipe = load_recipe("wholeface_people", ["init=default"])
    mine = started(recipe)
    assert card.aus == RENDERED.numbers
    places = [RENDERED.index(number) for number in AUS.numbers]
    images = torch.randn(2, 3, mine.spec.size, mine.spec.size)
    with torch.inference_mode():
        one, other = mine(images), default.eval()(images)
    torch.testing.assert_close(one.logits, other.logits[:, places])
    torch.testing.assert_close(one.landmarks, other.landmarks)


def test_relations_start_from_its_norms(baseline: str) -> None:
    mine = started(tiny_recipe(Path(), BASELINE | {"relation": "identity"}, init=baseline))
    given, _ = checkpoint.load(baseline)
    gamma, before = (m.get_parameter("backbone.bn1.gamma") for m in (mine, given))
    torch.testing.assert_close(gamma, before.expand_as(gamma))


def test_another_width_is_refused(baseline: str) -> None:
    with pytest.raises(RecipeError, match="backbone is resnet18 of width 16, found .* width 8"):
        started(tiny_recipe(Path(), BASELINE | {"width": 16}, init=baseline))


@pytest.mark.parametrize("name", ["gtlenet", "mdhr", "mgrrnet", "sacl"])
@pytest.mark.parametrize("given", ["default", "default-fast", "landmarks"])
def test_models_that_do_not_fit_are_refused(name: str, given: str) -> None:
    values = load_recipe(f"{name}_bp4d").model_dump(mode="json") | {"init": given}
    values["model"]["params"] |= SMALL | QUICK[name]
    with pytest.raises(RecipeError, match="init|takes over|starts from its own checkpoints"):
        started(parse_recipe(values, name))


def test_a_whole_run_from_it(baseline: str, synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(synfacs_file, BASELINE, init=baseline, epochs=1, optimiser={"lr": 1e-9})
    result = train(recipe, 1, tmp_path / "run", show=False)
    model, card = checkpoint.load(result.checkpoint)
    given, _ = checkpoint.load(baseline)
    assert card.recipe.init == baseline
    assert isinstance(model, nn.Module)
    kernel, before = (m.get_parameter("backbone.conv1.weight") for m in (model, given))
    torch.testing.assert_close(kernel, before, rtol=0, atol=1e-6)
