"""Stage 1 of GTLE-Net: what comes out, what is refused, what it starts from."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.nn.test_inception_resnet import published
from torch import Tensor, nn

from actionunits.errors import CheckpointError, RecipeError
from actionunits.models import registry
from actionunits.models.expression import (
    ClassLoss,
    ExpressionClasses,
    ExpressionSimilarity,
    TripletLoss,
)
from actionunits.types import ClassBatch, Classes, Embedding, TripletBatch
from learning import fit

Loss = TripletLoss | ClassLoss
SMALL = {"size": 64, "align": 72, "width": 8}


def triplets(count: int = 2) -> TripletBatch:
    torch.manual_seed(1)
    return TripletBatch(torch.randn(count, 3, 3, 64, 64), torch.full((count,), 0.2), ("",) * 6)


def faces(count: int = 4) -> ClassBatch:
    torch.manual_seed(1)
    return ClassBatch(torch.randn(count, 3, 64, 64), torch.arange(count) % 3, ("",) * count)


def similarity(seed: int = 0, **settings: object) -> ExpressionSimilarity:
    torch.manual_seed(seed)
    return ExpressionSimilarity(**{**SMALL, **settings})


def classes(seed: int = 0, **settings: object) -> ExpressionClasses:
    torch.manual_seed(seed)
    return ExpressionClasses(**{**SMALL, **settings})


def test_what_they_learn_from_is_registered() -> None:
    assert registry.task_of("expression_similarity") == "triplets"
    assert registry.task_of("expression_classes") == "classes"
    with pytest.raises(RecipeError, match="no setting 'classes'"):
        registry.check("expression_similarity", {"classes": 7})


def test_embeddings_have_unit_length_and_the_order_of_the_pictures() -> None:
    model, batch = similarity().eval(), triplets()
    with torch.inference_mode():
        vectors = model(batch.images).vectors
        alone = model.embed(batch.images[1])
    assert vectors.shape == (2, 3, 16)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2, 3))
    torch.testing.assert_close(vectors[1], alone)
    assert similarity(dimensions=4)(batch.images).vectors.shape == (2, 3, 4)


def test_classifier_has_a_logit_a_class() -> None:
    assert classes()(faces().images).logits.shape == (4, 7)
    assert classes(classes=3)(faces().images).logits.shape == (4, 3)


EACH = pytest.mark.parametrize(
    ("make", "loss", "batch"),
    [(similarity, TripletLoss(), triplets(3)), (classes, ClassLoss(), faces())],
    ids=["triplets", "classes"],
)


@EACH
def test_every_parameter_gets_a_gradient(
    make: Callable[..., nn.Module], loss: Loss, batch: TripletBatch | ClassBatch
) -> None:
    model = make()
    terms = loss(model(batch.images), batch)
    assert tuple(terms) == loss.terms
    terms[loss.terms[0]].backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.learning
@EACH
def test_one_batch_is_learned(
    make: Callable[..., nn.Module],
    loss: Loss,
    batch: TripletBatch | ClassBatch,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("used", fit(make(seed), loss, batch))


def test_half_precision_reads_nearly_the_same() -> None:
    model, images = similarity(), triplets().images
    model(images)
    with torch.inference_mode():
        exact = model.eval()(images).vectors
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(images).vectors
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.05, rtol=0.05)


def test_losses_count_in_full_precision() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(4, 3, 16), dim=-1).bfloat16()
    assert TripletLoss()(Embedding(vectors), triplets(4))["triplet"].dtype == torch.float32
    logits = torch.randn(4, 7).bfloat16()
    assert ClassLoss()(Classes(logits), faces())["classes"].dtype == torch.float32


def test_published_weights_are_taken_over_but_for_the_heads(tmp_path: Path) -> None:
    state = {name: tensor.contiguous() for name, tensor in published().items()}
    file = tmp_path / "weights.safetensors"
    save_file(state, file)
    for model in (similarity(), classes()):
        before = model.head.weight.clone()
        model.start_from_file(file)
        assert torch.equal(model.encoder.stem[0].conv.weight, state["conv2d_1a.conv.weight"])
        assert torch.equal(
            model.tail.blocks8[5].branches[1][2].conv.weight, state["block8.branch1.2.conv.weight"]
        )
        assert torch.equal(model.head.weight, before)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    def refused(state: dict[str, Tensor], match: str) -> None:
        save_file(state, tmp_path / "weights.safetensors")
        with pytest.raises(CheckpointError, match=match):
            similarity().start_from_file(tmp_path / "weights.safetensors")

    refused({"conv1.weight": torch.zeros(64, 3, 7, 7)}, "another architecture")
    wide = {name: tensor.contiguous() for name, tensor in published(16).items()}
    refused(wide, "should have the shape")


def test_what_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match="size: expected 32 to align"):
        similarity(size=80)
    with pytest.raises(RecipeError, match="dimensions: expected 2 or more, got 1"):
        similarity(dimensions=1)
    with pytest.raises(RecipeError, match="classes: expected 2 or more, got 1"):
        classes(classes=1)
    with pytest.raises(RecipeError, match="width: expected a multiple of 8, got 10"):
        classes(width=10)


def test_published_size() -> None:
    with torch.device("meta"):
        model = ExpressionSimilarity()
    assert sum(p.numel() for p in model.parameters()) == 22_564_096 + 16 * 1793
