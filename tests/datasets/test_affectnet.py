"""Folders named after expressions, and an encoder trained on them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from actionunits import datasets
from actionunits.datasets.affectnet import EXPRESSIONS, read
from actionunits.errors import DataError, RecipeError
from actionunits.learn.evaluate import evaluate
from actionunits.learn.recipe import SelectionSpec, load_recipe, parse_recipe
from actionunits.learn.report import PlainReport
from actionunits.learn.task import Settings
from actionunits.learn.tasks import TASKS
from actionunits.learn.train import train
from actionunits.types import Classes, InputSpec
from learning import learned
from trees import affectnet


def test_names_spellings_and_numbers_are_the_same(tmp_path: Path) -> None:
    named = affectnet(tmp_path / "named", {name: i for i, name in enumerate(EXPRESSIONS)})
    spelled = ("Neutral", "happiness", "Sadness", "surprised", "fear", "Disgust", "angry")
    other = affectnet(tmp_path / "other", {name: i for i, name in enumerate(spelled)})
    numbers = affectnet(tmp_path / "numbers", {str(i): i for i in range(8)})  # 7 is contempt
    for root in (named, other, numbers):
        train_table, test_table = read(root)
        assert len(train_table) == len(test_table) == 21
        labels = train_table.rows["label"].tolist()
        for row, label in enumerate(labels):
            file = train_table.images.name(row)
            assert np.asarray(Image.open(file)).mean() // 30 == label
        assert train_table.names == EXPRESSIONS


def test_pictures_are_counted(tmp_path: Path) -> None:
    affectnet(tmp_path, {name: i for i, name in enumerate(EXPRESSIONS)}, pictures=2)
    (tmp_path / "train" / "happy" / "0.png").unlink()
    counts = datasets.count("affectnet", tmp_path)
    assert counts["expression"].tolist() == list(EXPRESSIONS)
    assert counts["train"].tolist() == [2, 1, 2, 2, 2, 2, 2]
    assert counts["test"].tolist() == [2] * 7
    with pytest.raises(DataError, match="known: affectnet, fec"):
        datasets.count("bp4d", tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not come with the package"):
        datasets.load_classes("affectnet")
    with pytest.raises(DataError, match="expected a folder train or train_set"):
        datasets.load_classes("affectnet", tmp_path)
    affectnet(tmp_path, {"happy": 1, "sad": 2})
    with pytest.raises(DataError, match="expected pictures of neutral, surprise, fear"):
        datasets.load_classes("affectnet", tmp_path)
    with pytest.raises(DataError, match="known: affectnet"):
        datasets.load_classes("fer", tmp_path)


class Shade(torch.nn.Module):
    """Tells the classes of `trees.affectnet` by their shade; `off` by 1 it names the next one."""

    def __init__(self, off: int) -> None:
        super().__init__()
        self.shades = torch.nn.Parameter((torch.arange(7.0) - off) * 30 + 5)

    def forward(self, images: torch.Tensor) -> Classes:
        return Classes(-(images.mean((1, 2, 3))[:, None] * 255 - self.shades).abs())


@pytest.mark.parametrize(("off", "accuracy"), [(0, 1.0), (1, 1 / 7)])
def test_accuracy_is_the_share_of_pictures_whose_class_is_found(
    off: int, accuracy: float, tmp_path: Path
) -> None:
    root = affectnet(tmp_path, {name: i for i, name in enumerate(EXPRESSIONS)})
    spec = InputSpec(32, 32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    settings = Settings("last", 5, "fp32")
    report = TASKS["classes"].score(Shade(off), read(root)[1], spec, settings)
    assert report.scores["accuracy"].mean == pytest.approx(accuracy)
    assert report.count == 21


@pytest.mark.learning
def test_an_encoder_learns_the_classes(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    classes = {name: i for i, name in enumerate(EXPRESSIONS)}
    root = affectnet(tmp_path / "faces", classes, pictures=2)
    values = load_recipe("expression_affectnet").model_dump(mode="json")
    values["model"]["params"] |= {"width": 8, "size": 64, "align": 72}
    values["data"] |= {"root": str(root), "workers": 0}
    # Each step sees all pictures: batch norm's statistics of fewer would differ from step to step.
    values |= {"optimiser": {"lr": 0.003}, "schedule": {}, "epochs": 10, "batch": 14, "seed": seed}
    recipe = parse_recipe(values, "test")
    report = train(recipe, None, tmp_path / "run", show=False).report
    assert isinstance(report, PlainReport)
    assert report.count == 14
    record_property("used", learned(tmp_path / "run"))
    with pytest.raises(DataError, match="test pictures of its own: leave the fold out"):
        train(recipe, 1, tmp_path / "fold", show=False)
    held_out = recipe.model_copy(update={"selection": SelectionSpec(rule="inner", share=0.1)})
    with pytest.raises(RecipeError, match="without subjects that could be held out"):
        train(held_out, None, tmp_path / "inner", show=False)
    again = evaluate(tmp_path / "run")
    assert again.scores == report.scores
