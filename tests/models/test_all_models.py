"""What every registered model must do; a new model is tested here without a word."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from actionunits import aus, datasets
from actionunits.aus import AUSet
from actionunits.data.dataset import ClipDataset, FrameDataset, collate
from actionunits.learn.recipe import load_recipe
from actionunits.models import registry
from actionunits.nn.face_regions import CombinationHeads
from actionunits.nn.graph import NearestNeighbours
from actionunits.nn.region import AUPatches
from actionunits.papers.complexity import reference_recipes
from actionunits.types import AUModel, Batch, Besides, LabelStats, Output
from cases import LOST, QUICK, SMALL, VARIANTS
from learning import fit

NAMES = [name for name in registry.list_models() if registry.task_of(name) == "aus"]
CASES = [(name, v) for name in NAMES for v in VARIANTS.get(name, [{}])]
every_model = pytest.mark.parametrize(("name", "variant"), CASES)


def stats_of(count: int) -> LabelStats:
    rate = torch.linspace(0.1, 0.5, count)
    correlation = torch.full((count, count), 0.1).fill_diagonal_(1)
    both = rate[:, None] * rate + 0.1 * (rate * (1 - rate)).sqrt().outer((rate * (1 - rate)).sqrt())
    agreement = (1 + 2 * both - rate[:, None] - rate).fill_diagonal_(1)
    return LabelStats(rate, correlation, agreement)


def build(name: str, vocabulary: AUSet, variant: Mapping[str, object], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    stats = stats_of(len(vocabulary))
    return registry.create(name, vocabulary, stats, **settings(name, variant))


def settings(name: str, variant: Mapping[str, object]) -> dict[str, object]:
    return {**SMALL, **QUICK.get(name, {}), **variant}


def train_all(name: str, variant: Mapping[str, object]) -> dict[str, object]:
    """The variant, trained on all AUs in every batch where the model offers a choice."""
    return {**variant, "train_aus": "all"} if name == "renet" else dict(variant)


def pictures(model: nn.Module, count: int) -> Tensor:
    """(count, [c + T + c,] 3, 64, 64) as the model wants them."""
    spec = cast(AUModel, model).spec
    time = () if spec.clip is None else (spec.clip + 2 * spec.context,)
    return torch.randn(count, *time, 3, spec.size, spec.size)


def batch_of(model: nn.Module, count: int, aus: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    spec = cast(AUModel, model).spec
    axes = (count,) if spec.clip is None else (count, spec.clip)
    intensity = torch.rand(*axes, aus, generator=generator) * 5
    known = torch.ones_like(intensity, dtype=torch.bool)
    landmarks = torch.rand(*axes, 49, 2, generator=generator) * spec.size
    keys = tuple(str(i) for i in range(intensity[..., 0].numel()))
    images = pictures(model, count)
    besides = Besides(
        sides=intensity[..., None] * torch.tensor([1.0, 0.5]),
        pose=20 * torch.randn(*axes, 3, generator=generator),
        gaze=20 * torch.randn(*axes, 2, generator=generator),
        hidden=torch.rand(*axes, 6, generator=generator).round(),
    )
    occurs = (intensity >= 1.5).float()
    return Batch(images, occurs, known, intensity, landmarks, keys, besides)


def total(terms: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()


def weight_of(name: str, term: str) -> float:
    """Weight of a loss term in the recipe that stands for the model."""
    return load_recipe(reference_recipes()[name]).loss.get(term, 1.0)


def values(out: Output) -> Tensor:
    return out.logits if out.intensity is None else torch.cat([out.logits, out.intensity])


class Choices:
    """Discrete choices of one pass, such as nearest neighbours, made again in others.

    A rounding error that changes one of them changes the result beyond any tolerance.
    """

    PLACES = ((NearestNeighbours, "forward"), (CombinationHeads, "active"), (AUPatches, "starts"))

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._made: list[Tensor] = []

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record what is chosen."""
        with self._patch.context() as patch:
            for kind, name in self.PLACES:
                choose = getattr(kind, name)

                def record(*args: object, choose: Callable[..., Tensor] = choose) -> Tensor:
                    self._made.append(choose(*args))
                    return self._made[-1]

                patch.setattr(kind, name, record)
            yield

    @contextmanager
    def repeated(self, rows: slice = slice(None)) -> Iterator[None]:
        """Choose the same, for these rows of the batch."""
        with self._patch.context() as patch:
            for kind, name in self.PLACES:
                patch.setattr(kind, name, lambda *_: self._made.pop(0)[rows])
            yield
        assert not self._made


@every_model
@pytest.mark.parametrize("vocabulary", [aus.DISFA8, aus.BP4D12, aus.ALL], ids=len)
@pytest.mark.parametrize("count", [1, 3])
def test_shapes(name: str, variant: Mapping[str, object], vocabulary: AUSet, count: int) -> None:
    model = build(name, vocabulary, variant).eval()
    batch = batch_of(model, count, len(vocabulary))
    with torch.inference_mode():
        out = model(batch.images)
    assert out.logits.shape == batch.labels.shape
    assert out.logits.isfinite().all()
    if out.intensity is not None:
        assert out.intensity.shape == batch.labels.shape
        assert 0 <= out.intensity.min() <= out.intensity.max() <= 5
    if out.landmarks is not None:
        assert out.landmarks.shape == (count, 49, 2)


@every_model
def test_every_parameter_gets_a_gradient_and_the_loss_names_its_terms(
    name: str, variant: Mapping[str, object]
) -> None:
    chosen = train_all(name, variant)
    model = build(name, aus.DISFA8, chosen)
    loss = registry.loss_for(name, aus.DISFA8, stats_of(8), **settings(name, chosen))
    batch = batch_of(model, 3, 8)
    terms = loss(model(batch.images), batch)
    assert set(terms) == set(loss.terms)
    assert all(term.ndim == 0 for term in terms.values())
    weighted = {n: weight_of(name, n) * term for n, term in terms.items()}
    total(weighted).backward()
    size = {
        n: 0.0 if p.grad is None else p.grad.abs().max().item()
        for n, p in model.named_parameters()
        if p.requires_grad
    }
    lost = {n for n in size if re.fullmatch(LOST.get(name, ""), n)}
    most = max(size.values())
    # A branch that is cut off has exactly 0; the smallest that is not was seen to have 5e-8.
    assert not [n for n in size.keys() - lost if size[n] < 1e-9 * most]
    assert not [n for n in lost if size[n] > 1e-5 * most]


@every_model
def test_what_is_not_coded_moves_nothing(name: str, variant: Mapping[str, object]) -> None:
    model = build(name, aus.DISFA8, train_all(name, variant)).eval()
    loss = registry.loss_for(name, aus.DISFA8, stats_of(8), **settings(name, variant))
    batch = batch_of(model, 2, 8)
    known = batch.known.clone()
    known[..., 3] = False
    with torch.inference_mode():
        out = model(batch.images)
        one = loss(out, batch._replace(known=known))
        flipped = torch.where(known, batch.labels, 1 - batch.labels)
        other = loss(out, batch._replace(known=known, labels=flipped))
    assert one == other


@every_model
def test_a_row_of_a_batch_is_the_image_alone(
    name: str, variant: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(name, aus.DISFA8, variant)
    images = pictures(model, 3)
    model(images)  # running statistics that are not those of the start
    model.eval()
    choices = Choices(monkeypatch)
    with torch.inference_mode():
        with choices.recorded():
            together = model(images)
        with choices.repeated(slice(1, 2)):
            alone = model(images[1:2])
    torch.testing.assert_close(together.logits[1:2], alone.logits, atol=1e-4, rtol=1e-4)
    if together.intensity is not None:
        torch.testing.assert_close(together.intensity[1:2], alone.intensity, atol=1e-4, rtol=1e-4)


@every_model
def test_half_precision_reads_nearly_the_same(
    name: str, variant: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(name, aus.DISFA8, train_all(name, variant))
    images = pictures(model, 2)
    with torch.autocast("cpu", torch.bfloat16):
        model(images).logits.sum().backward()
    model.eval()
    choices = Choices(monkeypatch)
    with torch.inference_mode():
        with choices.recorded():
            exact = model(images).logits
        with choices.repeated(), torch.autocast("cpu", torch.bfloat16):
            rough = model(images).logits
    torch.testing.assert_close(rough.float(), exact, atol=0.1 * exact.abs().max(), rtol=0.1)


@every_model
def test_saved_and_loaded_into_a_model_of_blank_statistics_is_the_same(
    name: str, variant: Mapping[str, object], tmp_path: Path
) -> None:
    model = build(name, aus.DISFA8, variant)
    images = pictures(model, 2)
    model(images)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(1)
    blank = registry.blank_stats(8)
    other = registry.create(name, aus.DISFA8, blank, **settings(name, variant))
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    with torch.inference_mode():
        assert torch.equal(values(model.eval()(images)), values(other.eval()(images)))


@pytest.mark.learning
@every_model
def test_one_batch_is_learned(
    name: str,
    variant: Mapping[str, object],
    synfacs_file: Path,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    table = datasets.load("synfacs", synfacs_file).select(aus.DISFA8)
    chosen = train_all(name, variant)
    model = build(name, aus.DISFA8, chosen, seed)
    loss = registry.loss_for(name, aus.DISFA8, stats_of(8), **settings(name, chosen))
    spec = cast(AUModel, model).spec
    kind = FrameDataset if spec.clip is None else ClipDataset
    samples = range(0, 48, 12) if spec.clip is None else range(2)
    batch = collate(kind(table, spec).__getitems__(list(samples)))
    record_property("used", fit(model, loss, batch))
