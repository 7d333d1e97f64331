"""What every registered model must do; a new model is tested here without a word."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from actionunits import aus, data
from actionunits.aus import AUSet
from actionunits.data.dataset import FrameDataset, collate
from actionunits.models import registry
from actionunits.types import Batch, LabelStats, Output

SMALL = {"size": 64, "align": 72}
# What makes a model quick to test.
QUICK: dict[str, dict[str, object]] = {"renet": {"width": 16, "spread": 0.3}}
VARIANTS: dict[str, list[dict[str, object]]] = {
    "renet": [
        {"relation": "pearson"},
        {"relation": "learnable", "task": "both"},
        {"relation": "identity", "task": "intensity"},
        {"relation": "none", "task": "both"},
    ]
}
CASES = [(name, v) for name in registry.list_models() for v in VARIANTS.get(name, [{}])]
every_model = pytest.mark.parametrize(("name", "variant"), CASES)


def stats_of(count: int) -> LabelStats:
    correlation = torch.full((count, count), 0.1).fill_diagonal_(1)
    return registry.blank_stats(count)._replace(correlation=correlation)


def build(name: str, vocabulary: AUSet, variant: Mapping[str, object]) -> nn.Module:
    torch.manual_seed(0)
    stats = stats_of(len(vocabulary))
    return registry.create(name, vocabulary, stats, **SMALL, **QUICK.get(name, {}), **variant)


def train_all(name: str, variant: Mapping[str, object]) -> dict[str, object]:
    """The variant, trained on all AUs in every batch where the model offers a choice."""
    return {**variant, "train_aus": "all"} if name == "renet" else dict(variant)


def batch_of(images: Tensor, count: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    intensity = torch.rand(len(images), count, generator=generator) * 5
    known = torch.ones_like(intensity, dtype=torch.bool)
    keys = tuple(str(i) for i in range(len(images)))
    return Batch(images, (intensity >= 1.5).float(), known, intensity, None, keys)


def total(terms: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()


def values(out: Output) -> Tensor:
    return out.logits if out.intensity is None else torch.cat([out.logits, out.intensity])


@every_model
@pytest.mark.parametrize("vocabulary", [aus.DISFA8, aus.BP4D12, aus.ALL], ids=len)
@pytest.mark.parametrize("count", [1, 3])
def test_shapes(name: str, variant: Mapping[str, object], vocabulary: AUSet, count: int) -> None:
    model = build(name, vocabulary, variant).eval()
    with torch.inference_mode():
        out = model(torch.randn(count, 3, 64, 64))
    assert out.logits.shape == (count, len(vocabulary))
    assert out.logits.isfinite().all()
    if out.intensity is not None:
        assert out.intensity.shape == (count, len(vocabulary))
        assert 0 <= out.intensity.min() <= out.intensity.max() <= 5


@every_model
def test_every_parameter_gets_a_gradient_and_the_loss_names_its_terms(
    name: str, variant: Mapping[str, object]
) -> None:
    settings = train_all(name, variant)
    model = build(name, aus.DISFA8, settings)
    loss = registry.loss_for(name, aus.DISFA8, stats_of(8), **SMALL, **settings)
    batch = batch_of(torch.randn(3, 3, 64, 64), 8)
    terms = loss(model(batch.images), batch)
    assert set(terms) == set(loss.terms)
    assert all(term.ndim == 0 for term in terms.values())
    total(terms).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


@every_model
def test_a_row_of_a_batch_is_the_image_alone(name: str, variant: Mapping[str, object]) -> None:
    model = build(name, aus.DISFA8, variant)
    images = torch.randn(3, 3, 64, 64)
    model(images)  # running statistics that are not those of the start
    model.eval()
    with torch.inference_mode():
        together, alone = model(images), model(images[1:2])
    torch.testing.assert_close(together.logits[1:2], alone.logits, atol=1e-5, rtol=1e-5)
    if together.intensity is not None:
        torch.testing.assert_close(together.intensity[1:2], alone.intensity, atol=1e-5, rtol=1e-5)


@every_model
def test_half_precision_reads_nearly_the_same(name: str, variant: Mapping[str, object]) -> None:
    model = build(name, aus.DISFA8, train_all(name, variant))
    images = torch.randn(2, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        model(images).logits.sum().backward()
    model.eval()
    with torch.inference_mode():
        exact = model(images).logits
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(images).logits
    torch.testing.assert_close(rough.float(), exact, atol=0.05 * exact.abs().max(), rtol=0.05)


@every_model
def test_saved_and_loaded_into_a_model_of_blank_statistics_is_the_same(
    name: str, variant: Mapping[str, object], tmp_path: Path
) -> None:
    model = build(name, aus.DISFA8, variant)
    images = torch.randn(2, 3, 64, 64)
    model(images)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(1)
    settings = {**SMALL, **QUICK.get(name, {}), **variant}
    other = registry.create(name, aus.DISFA8, registry.blank_stats(8), **settings)
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    with torch.inference_mode():
        assert torch.equal(values(model.eval()(images)), values(other.eval()(images)))


@every_model
def test_loss_falls_on_one_batch(
    name: str, variant: Mapping[str, object], synfacs_file: Path
) -> None:
    table = data.load("synfacs", synfacs_file).select(aus.DISFA8)
    settings = train_all(name, variant)
    model = build(name, aus.DISFA8, settings)
    loss = registry.loss_for(name, aus.DISFA8, stats_of(8), **SMALL, **settings)
    batch = collate(FrameDataset(table, model.spec).__getitems__(list(range(0, 48, 6))))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    history = []
    for _ in range(8):
        term = total(loss(model(batch.images), batch))
        optimiser.zero_grad()
        term.backward()
        optimiser.step()
        history.append(term.item())
    assert history[-1] < 0.7 * history[0]
