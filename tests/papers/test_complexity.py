"""Costs of models against known figures."""

import pytest

from actionunits.models import registry
from actionunits.papers.complexity import measure, model_ablations, reference_recipes


def test_resnet18_costs_what_everybody_finds() -> None:
    found = measure("renet_bp4d", "relation=none", timed=False)
    assert found.parameters == pytest.approx(11.18e6, rel=0.01)
    assert found.multiply_adds == pytest.approx(1.81e9, rel=0.01)
    assert (found.size, found.clip, found.ms_per_face) == (224, None, None)


def test_renet_is_as_many_networks_as_there_are_aus_but_for_the_first_convolution() -> None:
    one, all_aus = (measure("renet_bp4d", a, timed=False) for a in ("relation=none", None))
    first = 64 * 3 * 49 * 112 * 112
    heads = 512 * 12
    expected = 12 * (one.multiply_adds - first - heads) + first + 12 * 512
    assert all_aus.multiply_adds == pytest.approx(expected, rel=1e-3)
    assert all_aus.published == {"ms_per_image": 5.4}


def test_every_model_has_a_recipe_that_stands_for_it() -> None:
    recipes = reference_recipes()
    assert set(recipes) == set(registry.list_models())
    assert recipes["sacl"] == "sacl_bp4d"


def test_ablations_that_leave_the_model_alone_are_not_measured_again() -> None:
    found = model_ablations("renet_bp4d")
    assert found[0] is None
    assert "relation=none" in found
    assert not {"duplicate", "relation=none,duplicate"} & set(found)


def test_a_clip_model_is_counted_by_the_frame() -> None:
    found = measure("mdhr_synfacs", timed=True)
    assert found.clip is not None
    assert found.ms_per_face is not None
    assert found.ms_per_face > 0
