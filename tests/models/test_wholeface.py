"""The network of the default weights: what it reads, what teaches it, and what it starts from."""

import io
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from torch import Tensor

from actionunits import aus, datasets
from actionunits.data.table import FrameTable
from actionunits.errors import RecipeError
from actionunits.learn.report import read_report
from actionunits.learn.scoring import score
from actionunits.models import registry
from actionunits.models.wholeface import WholeFace, WholeFaceLoss
from actionunits.types import Batch, Besides, InputSpec, LabelStats, Output
from builders import write_synfacs

SMALL: dict[str, object] = {"size": 32, "align": 36, "widths": [8, 16], "depths": [1, 2]}


def net(vocabulary: aus.AUSet = aus.DISFA8, **changed: object) -> WholeFace:
    torch.manual_seed(0)
    stats = registry.blank_stats(len(vocabulary))
    return registry.create("wholeface", vocabulary, stats, **SMALL | changed)


def batch_of(count: int, seed: int = 0) -> Batch:
    g = torch.Generator().manual_seed(seed)
    intensity = 5 * torch.rand(count, 8, generator=g)
    besides = Besides(
        sides=5 * torch.rand(count, 8, 2, generator=g),
        pose=20 * torch.randn(count, 3, generator=g),
        gaze=20 * torch.randn(count, 2, generator=g),
        hidden=torch.rand(count, 6, generator=g),
    )
    return Batch(
        torch.randn(count, 3, 32, 32, generator=g),
        (intensity >= 1.5).float(),
        torch.rand(count, 8, generator=g) > 0.2,
        intensity,
        32 * torch.rand(count, 49, 2, generator=g),
        tuple(map(str, range(count))),
        besides,
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_the_stronger_side_has_the_intensity_of_the_au(seed: int) -> None:
    torch.manual_seed(seed)
    model = net().eval()
    torch.nn.init.normal_(model.asymmetry.weight)
    with torch.inference_mode():
        out = model(torch.randn(3, 3, 32, 32))
    sides = out.besides.sides
    torch.testing.assert_close(sides.amax(-1), out.intensity)
    assert (sides >= 0).all()
    assert (sides.amin(-1) < out.intensity).any()
    assert ((out.quality >= 0) & (out.quality <= 1)).all()


def test_fresh_weights_say_the_mean_face_and_the_rates() -> None:
    stats = LabelStats(torch.linspace(0.1, 0.8, 8), torch.eye(8), torch.eye(8))
    model = WholeFace(aus.DISFA8, stats, **SMALL).eval()
    for layer in (model.occurrence, model.geometry):
        torch.nn.init.zeros_(layer.weight)
    out = model(torch.randn(1, 3, 32, 32))
    torch.testing.assert_close(out.logits.sigmoid()[0], stats.rate)
    torch.testing.assert_close(out.landmarks[0], model.mean_shape)
    assert not out.besides.pose.any()


def literal(out: object, batch: Batch) -> dict[str, float]:
    """The terms, frame by frame and AU by AU, as the docstring says them."""
    bce = torch.nn.functional.binary_cross_entropy
    count, known, truth = len(batch.labels), batch.known, batch.besides
    occurrence, intensity = [], []
    for a in range(8):
        rows = [i for i in range(count) if known[i, a]]
        p = out.logits.sigmoid()
        occurrence.append(sum(bce(p[i, a], batch.labels[i, a]) for i in rows) / max(len(rows), 1))
        squares = [(out.intensity[i, a] - batch.intensity[i, a]) ** 2 for i in rows]
        intensity.append(sum(squares) / max(len(rows), 1))
    rate, right = torch.linspace(0.1, 0.6, 8), []
    for i in range(count):
        seen = [a for a in range(8) if known[i, a]]
        if seen:
            missed = sum(bce(p[i, a], batch.labels[i, a]) for a in seen)
            blind = sum(bce(rate[a], batch.labels[i, a]) for a in seen)
            right.append((1 - missed / blind).clamp(0, 1))
    told = [out.quality[i] for i in range(count) if known[i].any()]
    difference = (out.besides.sides - truth.sides) @ torch.tensor([1.0, -1.0])
    errors = []
    for i in range(count):
        true = batch.landmarks[i]
        apart = (true[19:25].mean(0) - true[25:31].mean(0)).norm()
        errors.append(sum((out.landmarks[i, j] - true[j]).norm() for j in range(49)) / 49 / apart)
    terms = {
        "occurrence": sum(occurrence) / 8,
        "intensity": sum(intensity) / 8,
        "quality": sum((t - r) ** 2 for t, r in zip(told, right, strict=True)) / len(told),
        "sides": (difference**2).mean(),
        "landmarks": sum(errors) / count,
        "pose": (out.besides.pose - truth.pose).abs().mean() / 10,
        "gaze": (out.besides.gaze - truth.gaze).abs().mean() / 10,
        "hidden": bce(out.besides.hidden, truth.hidden),
    }
    return {name: float(value.detach()) for name, value in terms.items()}


def test_the_terms_are_those_of_a_slow_transcription() -> None:
    batch, model = batch_of(5), net()
    out = model(batch.images)
    stats = LabelStats(torch.linspace(0.1, 0.6, 8), torch.eye(8), torch.eye(8))
    terms = WholeFaceLoss(aus.DISFA8, stats)(out, batch)
    assert {n: v.item() for n, v in terms.items()} == pytest.approx(literal(out, batch), rel=1e-4)


def test_what_is_not_known_counts_in_no_term() -> None:
    batch, model = batch_of(4), net()
    loss, out = WholeFaceLoss(aus.DISFA8, registry.blank_stats(8)), model(batch.images)
    bare = batch._replace(intensity=None, landmarks=None, besides=None)
    terms = loss(out, bare)
    assert {name for name, value in terms.items() if value} == {"occurrence", "quality"}
    unknown = torch.full((1,), torch.nan)

    def half(values: Tensor) -> Tensor:
        return torch.cat([values[:2], unknown.expand_as(values[2:])])

    partly = batch._replace(
        landmarks=half(batch.landmarks), besides=Besides(*map(half, batch.besides))
    )
    some = loss(out, partly)
    first = model.eval()(batch.images)
    assert all(value.isfinite() for value in loss(first, partly).values())
    some["pose"].backward(retain_graph=True)
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    two = (out.besides.pose[:2] - batch.besides.pose[:2]).abs().mean() / 10
    torch.testing.assert_close(some["pose"], two)


def test_quality_is_learned_without_bending_the_readings_to_it() -> None:
    batch, model = batch_of(4), net()
    WholeFaceLoss(aus.DISFA8, registry.blank_stats(8))(model(batch.images), batch)[
        "quality"
    ].backward()
    assert model.occurrence.weight.grad is None
    assert model.state.weight.grad[-1].any()
    assert not model.state.weight.grad[:-1].any()


def test_it_starts_from_one_of_other_aus() -> None:
    given, mine = net(aus.ALL), net(aus.AUSet.of((12, 18, 4)))
    before = mine.occurrence.weight[1].clone()
    mine.adopt(given, aus.ALL)
    for here, number in ((0, 12), (2, 4)):
        there = aus.ALL.index(number)
        assert torch.equal(mine.occurrence.weight[here], given.occurrence.weight[there])
        assert torch.equal(mine.asymmetry.bias[here], given.asymmetry.bias[there])
    assert torch.equal(mine.occurrence.weight[1], before)  # AU18 is not in the other
    assert torch.equal(mine.geometry.weight, given.geometry.weight)
    assert torch.equal(mine.stem[1].weight, given.stem[1].weight)


@pytest.mark.parametrize(
    "changed", [{"size": 48, "align": 50}, {"widths": [8, 24]}, {"depths": [1, 1]}]
)
def test_another_size_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="from one of the same"):
        net().adopt(net(**changed), aus.DISFA8)
    with pytest.raises(RecipeError, match="cannot start from a Linear"):
        net().adopt(torch.nn.Linear(1, 1), aus.DISFA8)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"size": 30}, "size: expected a multiple of 4"),
        ({"size": 40}, "from 8 to align"),
        ({"widths": [8]}, "as many of each"),
        ({"depths": [1, 0]}, "as many of each"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_settings_that_cannot_be_are_named(changed: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        net(**changed)


class Off(torch.nn.Module):
    """Says of every face what is true of it, and some degrees and intensities more."""

    def __init__(self, table: FrameTable, by: float) -> None:
        super().__init__()
        self.spec = InputSpec(32, 36, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.known, self.by, self.at = table.besides, by, 0

    def forward(self, images: Tensor) -> Output:
        rows = slice(self.at, self.at + len(images))
        self.at += len(images)
        known = Besides(*(values[rows] for values in self.known))
        more = torch.zeros_like(known.sides)
        more[..., 0] = 0.1 * self.by
        said = Besides(
            known.sides + more, known.pose + self.by, known.gaze - 2 * self.by, known.hidden
        )
        return Output(torch.zeros(known.sides.shape[:2]), besides=said)


def test_reports_tell_how_far_pose_gaze_and_sides_are_off(tmp_path: Path) -> None:
    table = datasets.load("synfacs", write_synfacs(tmp_path / "c.parquet", 3, 1, 4, version=2))
    known = table.besides
    assert known is not None
    known.pose[5, 1] = torch.nan  # is left out
    report = score(Off(table, 3.0), table, Off(table, 3.0).spec, thresholds=torch.full((24,), 0.5))
    found = {name: round(each.mean, 4) for name, each in report.besides.items()}
    assert found == {
        **dict.fromkeys(("yaw", "pitch", "roll"), 3.0),
        **dict.fromkeys(("gaze_yaw", "gaze_pitch"), 6.0),
        "sides": 0.3,
    }
    assert read_report(report.to_json()) == report
    console = Console(width=400, file=io.StringIO())
    console.print(report.to_table())
    assert "yaw 3, pitch 3, roll 3, gaze 6 sideways" in console.file.getvalue()
