"""Wrong names and settings are named before anything is built."""

import pytest
import torch
from torch import nn

from actionunits import aus
from actionunits.errors import RecipeError
from actionunits.models import registry

STATS = registry.blank_stats(8)


def test_wrong_names_are_named_with_the_nearest_right_one() -> None:
    with pytest.raises(RecipeError, match="no model 'renett' .did you mean 'renet'"):
        registry.check("renett", {})
    with pytest.raises(RecipeError, match="no setting 'relations' .did you mean 'relation'"):
        registry.create("renet", aus.DISFA8, STATS, relations="none")
    with pytest.raises(RecipeError, match="no setting 'stats'"):
        registry.check("renet", {"stats": 1})
    with pytest.raises(RecipeError, match="no setting 'tusk'"):
        registry.loss_for("renet", aus.DISFA8, STATS, tusk="both")


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="two models"):
        registry.register("renet", lambda aus, stats: None)(nn.Module)


def test_models_say_what_they_can_start_from() -> None:
    with pytest.raises(
        RecipeError, match="cannot start from 'vggface'.*by name it offers: imagenet"
    ):
        registry.initialise("renet", registry.create("renet", aus.DISFA8, STATS), "vggface")
    with pytest.raises(RecipeError, match="it offers: none"):
        registry.initialise("other", nn.Linear(1, 1), "imagenet")


def test_blank_statistics_are_neutral() -> None:
    stats = registry.blank_stats(3)
    assert torch.equal(stats.correlation, torch.eye(3))
    assert stats.rate.shape == (3,)
