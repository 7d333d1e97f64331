"""Every model says what it makes of a face: one vector, the same in any batch."""

from collections.abc import Mapping

import pytest
import torch
from test_all_models import Choices, build, every_model, pictures
from torch import nn

from actionunits import aus
from actionunits.errors import RecipeError
from actionunits.models import registry
from actionunits.types import Output


@every_model
def test_embeddings_are_of_one_length_finite_and_those_of_the_face_alone(
    name: str, variant: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(name, aus.DISFA8, variant)
    images = pictures(model, 3)
    for module in model.modules():  # the norms know these faces, or some read all as nothing
        if hasattr(module, "momentum"):
            module.momentum = 1.0
    model(images)
    model.eval()
    choices = Choices(monkeypatch)
    with torch.inference_mode():
        with choices.recorded():
            out = model(images)
        with choices.repeated(slice(1, 2)):
            alone = registry.embedding(model(images[1:2]))
    together = registry.embedding(out)
    assert together.shape[:-1] == out.logits.shape[:-1]
    assert together.dtype == torch.float32
    assert together.isfinite().all()
    assert not torch.equal(together[0], together[1])
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)


def test_it_is_the_mean_over_the_aus() -> None:
    each = torch.arange(12.0).view(1, 2, 3, 2)  # (B, T, K, E)
    out = Output(torch.zeros(1, 2, 3), aux={"embeddings": each.bfloat16()})
    assert registry.embedding(out).tolist() == [[[2, 3], [8, 9]]]


def test_the_baselines_head_reads_it() -> None:
    model = build("renet", aus.DISFA8, {"relation": "none", "task": "occurrence"}).eval()
    out = model(pictures(model, 2))
    assert isinstance(model.head, nn.Linear)
    torch.testing.assert_close(model.head(registry.embedding(out)), out.logits)


def test_a_model_without_is_named() -> None:
    with pytest.raises(RecipeError, match='lacks aux."embeddings"'):
        registry.embedding(Output(torch.zeros(1, 8), aux={"other": torch.zeros(1)}))
