"""Recipes are checked before any data is read, and what is wrong is named."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from actionunits.data.transforms import Augment
from actionunits.errors import RecipeError
from actionunits.learn.recipe import (
    Augmentation,
    list_ablations,
    list_recipes,
    load_recipe,
)
from actionunits.models import registry


def variants() -> list[tuple[str, str | None]]:
    return [(name, a) for name in list_recipes() for a in (None, *list_ablations(name))]


@pytest.mark.parametrize(("name", "ablation"), variants())
def test_every_recipe_and_ablation_in_the_package_is_valid(name: str, ablation: str | None) -> None:
    recipe = load_recipe(name, ablation=ablation)
    registry.check(recipe.model.name, recipe.model.params)
    if ablation is not None:
        assert recipe != load_recipe(name)


def test_baseline_differs_from_renet_in_its_norms_only() -> None:
    ours, baseline = load_recipe("renet_synfacs"), load_recipe("resnet18_synfacs")
    same = {"about": "", "model": ours.model}
    assert baseline.model_copy(update=same) == ours.model_copy(update=same)
    assert baseline.model.params["relation"] == "none"
    kept = {"size", "align", "task"}
    assert {k: baseline.model.params[k] for k in kept} == {k: ours.model.params[k] for k in kept}


def test_augmentation_has_the_settings_of_the_transforms() -> None:
    assert Augment(**Augmentation().model_dump()) == Augment()
    assert list(Augmentation.model_fields) == [field.name for field in fields(Augment)]


def test_overrides_are_yaml_and_come_after_the_ablation() -> None:
    recipe = load_recipe(
        "renet_synfacs",
        [
            "optimiser.lr=1e-3",
            "data.aus=[1, 2]",
            "clip_norm=null",
            "model.params.relation=identity",
        ],
        ablation="relation=none",
    )
    assert recipe.optimiser.lr == 0.001
    assert recipe.data.aus == (1, 2)
    assert recipe.clip_norm is None
    assert recipe.model.params["relation"] == "identity"


def test_float_without_a_dot_is_a_number_where_nothing_converts_it() -> None:
    recipe = load_recipe("renet_synfacs", ["model.params.anything=5e-1"])
    assert recipe.model.params["anything"] == 0.5


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optimiser.lrr=1", "unknown key optimiser.lrr (did you mean 'lr'?); allowed keys here"),
        ("bacth=3", "unknown key bacth (did you mean 'batch'?)"),
        ("epochs=ten", "epochs: input should be a valid integer"),
        ("batch=0", "batch: input should be greater than or equal to 1, found 0"),
        ("optimiser=3", "optimiser: expected a mapping"),
        ("batch.size=3", "batch has no keys"),
        ("selection.rule=inner", "needs a share of the training subjects"),
        ("selection.patience=3", "patience needs the rule"),
        ("selection.rule=best", "'last', 'inner' or 'best_on_test', found 'best'"),
        ("data.augment.flip=2", "data.augment.flip: input should be less than or equal to 1"),
        ("epochs", "expected a setting as key=value, found 'epochs'"),
        ("epochs=[1", "the value of epochs: not valid YAML"),
    ],
)
def test_wrong_settings_are_named(override: str, said: str) -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe("renet_synfacs", [override])
    assert said in str(error.value)


def test_recipe_upon_another_changes_what_it_names(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "base: renet_synfacs\nepochs: 3\nmodel: {params: {task: both}}\n"
        "schedule: {warmup: null}\nablations: {mine: {seed: 7}, unit_affine: null}\n"
    )
    below, recipe = load_recipe("renet_synfacs"), load_recipe(own)
    assert recipe.model.params == below.model.params | {"task": "both"}
    assert recipe.schedule == below.schedule.model_copy(update={"warmup": 0.0})
    kept = {"model": below.model, "epochs": below.epochs, "schedule": below.schedule}
    assert recipe.model_copy(update=kept) == below
    assert set(list_ablations(own)) == {*list_ablations("renet_synfacs"), "mine"} - {"unit_affine"}
    assert load_recipe(own, ablation="mine").seed == 7
    above = tmp_path / "above.yaml"
    above.write_text("base: own.yaml\nbatch: 8\n")
    assert (load_recipe(above).batch, load_recipe(above).epochs) == (8, 3)
    own.write_text("base: above.yaml\n")
    with pytest.raises(RecipeError, match="based on each other in a circle"):
        load_recipe(own)
    own.write_text("base: absent.yaml\n")
    with pytest.raises(RecipeError, match=r"there is no recipe '.*absent.yaml'"):
        load_recipe(own)


def test_schedules_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(RecipeError, match="schedule: give warmup in epochs or warmup_steps"):
        load_recipe("renet_synfacs", ["schedule.warmup_steps=5"])
    with pytest.raises(RecipeError, match="inverse_sqrt starts from a warm-up"):
        load_recipe("renet_synfacs", ["schedule.name=inverse_sqrt", "schedule.warmup=0"])


def test_unknown_names_come_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'renet_synfacs'"):
        load_recipe("renet_synfac")
    with pytest.raises(RecipeError, match="did you mean 'relation=none'"):
        load_recipe("renet_synfacs", ablation="relation=non")
    with pytest.raises(RecipeError, match="there is no recipe"):
        load_recipe(tmp_path / "absent.yaml")


def test_own_file_is_named_in_its_errors(tmp_path: Path) -> None:
    values = load_recipe("renet_synfacs").model_dump(mode="json")
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    assert load_recipe(file) == load_recipe("renet_synfacs")
    del values["epochs"]
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(RecipeError, match="mine.yaml: the key epochs is missing"):
        load_recipe(file)
    for content in ("- a list", "a: [", ""):
        file.write_text(content)
        with pytest.raises(RecipeError, match=r"mine\.yaml"):
            load_recipe(file)


def test_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_recipe("renet_synfacs").epochs = 3  # type: ignore[misc]
