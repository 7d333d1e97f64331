"""The model of landmarks: what comes out, that all of it learns, what is scored and refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from actionunits import datasets, weights
from actionunits.data.dataset import FrameDataset, collate
from actionunits.errors import CheckpointError, DataError, RecipeError
from actionunits.faces.templates import MEAN49
from actionunits.learn.evaluate import evaluate
from actionunits.learn.report import LANDMARK_ERROR, LANDMARK_FAILURE
from actionunits.learn.task import Settings
from actionunits.learn.tasks import TASKS
from actionunits.losses import inter_ocular
from actionunits.models import registry
from actionunits.models.landmarks import LandmarkLoss, LandmarkNet
from actionunits.types import Batch, Shape
from learning import fit

SETTINGS = Settings("last", 5, "fp32")


def net(seed: int = 0, **settings: int) -> LandmarkNet:
    torch.manual_seed(seed)
    return LandmarkNet(**{"size": 64, "align": 72, "width": 8, **settings})


def batch_of(model: LandmarkNet, corpus: Path, count: int = 6) -> Batch:
    samples = FrameDataset(datasets.load("synfacs", corpus), model.spec)
    return collate(samples.__getitems__(list(range(count))))


def test_blank_head_gives_the_mean_face_where_the_crop_shows_it() -> None:
    model = net().eval()
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    found = model(torch.randn(2, 3, 64, 64)).landmarks
    expected = torch.tensor(MEAN49 * 72 - 4, dtype=torch.float32)
    torch.testing.assert_close(found, expected.expand(2, -1, -1))


@pytest.mark.parametrize("size", [32, 64, 80])
def test_a_row_of_a_batch_is_the_image_alone(size: int) -> None:
    model, images = net(size=size, align=96), torch.randn(3, 3, size, size)
    model(images)  # running statistics that are not those of the start
    model.eval()
    with torch.inference_mode():
        together, alone = model(images).landmarks, model(images[1:2]).landmarks
    assert together.shape == (3, 49, 2)
    torch.testing.assert_close(together[1:2], alone, atol=1e-3, rtol=1e-4)


def test_every_parameter_gets_a_gradient(synfacs_file: Path) -> None:
    model = net()
    batch = batch_of(model, synfacs_file)
    terms = LandmarkLoss()(model(batch.images), batch)
    assert tuple(terms) == LandmarkLoss.terms
    terms["landmarks"].backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.learning
def test_one_batch_is_learned(
    synfacs_file: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    model = net(seed=seed)
    batch, loss = batch_of(model, synfacs_file, 4), registry.loss_for("landmarks", None, None)
    record_property("used", fit(model, loss, batch))


def test_faces_without_landmarks_move_nothing(synfacs_file: Path) -> None:
    model = net()
    batch = batch_of(model, synfacs_file, 2)
    truth = batch.landmarks
    off = Shape((truth + torch.tensor([3.0, 4.0])).requires_grad_())
    term = LandmarkLoss()(off, batch)["landmarks"]
    assert term.item() == pytest.approx((5 / inter_ocular(truth)).mean().item())
    partly = batch._replace(landmarks=torch.stack([truth[0], torch.full((49, 2), torch.nan)]))
    term = LandmarkLoss()(off, partly)["landmarks"]
    assert term.item() == pytest.approx((5 / inter_ocular(truth[0])).item())
    term.backward()
    assert off.landmarks.grad[0].any()
    assert not off.landmarks.grad[1].any()
    nobody = batch._replace(landmarks=torch.full_like(truth, torch.nan))
    assert LandmarkLoss()(off, nobody)["landmarks"] == 0


class Off(torch.nn.Module):
    """Finds the mean of a table's landmarks, moved by some pixels of a 64 px crop."""

    def __init__(self, mean: np.ndarray, by: float) -> None:
        super().__init__()
        self.points = torch.nn.Parameter(torch.tensor(mean) + torch.tensor([by, 0]))

    def forward(self, images: torch.Tensor) -> Shape:
        return Shape(self.points.expand(len(images), -1, -1))


def test_the_task_scores_error_and_failures_in_per_cent(synfacs_file: Path) -> None:
    table, spec = datasets.load("synfacs", synfacs_file), net().spec
    face = table.landmarks[0].copy()
    points = np.repeat(face[None], len(table), axis=0)
    points[::3] = np.nan
    table = replace(table, landmarks=points)
    own = face * (72 / 256) - 4
    distance = inter_ocular(torch.tensor(own)).item()
    by = 0.05 * distance
    table = TASKS["landmarks"].select(table, ())
    report = TASKS["landmarks"].score(Off(own, by), table, spec, SETTINGS)
    assert report.scores[LANDMARK_ERROR].mean == pytest.approx(5, rel=1e-4)
    assert report.scores[LANDMARK_FAILURE].mean == 0
    assert report.count == 32  # of 48, a third without landmarks
    report = TASKS["landmarks"].score(Off(own, 3 * by), table, spec, SETTINGS)
    assert report.scores[LANDMARK_FAILURE].mean == 100


def test_what_cannot_be_is_refused(synfacs_file: Path) -> None:
    with pytest.raises(RecipeError, match=r"size: expected 32 to align \(72\) pixels, got 80"):
        net(size=80)
    with pytest.raises(RecipeError, match="width: expected 1 or more"):
        net(width=0)
    table = replace(datasets.load("synfacs", synfacs_file), landmarks=None)
    with pytest.raises(DataError, match="none of 48 frames has landmarks"):
        TASKS["landmarks"].select(table, ())


def test_landmarks_that_a_model_found_teach_nobody(synfacs_file: Path) -> None:
    table = datasets.load("synfacs", synfacs_file)
    found = replace(table, rows=table.rows.assign(found=np.arange(len(table)) < 40))
    assert len(TASKS["landmarks"].select(found, ())) == 8


def test_other_frames_score_a_checkpoint_but_not_one_of_expressions(synfacs_file: Path) -> None:
    table = datasets.load("synfacs", synfacs_file)
    report = evaluate(weights.locate("landmarks"), table=table, resamples=10)
    assert report.count == len(table)
    assert all(" % [" in text for text in report.to_table().columns[1].cells)
    for task in ("triplets", "classes"):
        with pytest.raises(CheckpointError, match="reads no AUs: coded frames cannot score it"):
            TASKS[task].select(table, ())
