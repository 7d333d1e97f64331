"""Folders named after expressions, and an encoder trained on them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actionunits import datasets
from actionunits.datasets.affectnet import EXPRESSIONS, read
from actionunits.errors import DataError, RecipeError
from actionunits.learn.evaluate import evaluate
from actionunits.learn.recipe import SelectionSpec, load_recipe, parse_recipe
from actionunits.learn.report import PlainReport
from actionunits.learn.train import train
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


def test_an_encoder_learns_the_classes(tmp_path: Path) -> None:
    root = affectnet(
        tmp_path / "faces", {name: i for i, name in enumerate(EXPRESSIONS)}, pictures=6
    )
    values = load_recipe("expression_affectnet").model_dump(mode="json")
    values["model"]["params"] |= {"width": 8, "size": 64, "align": 72}
    values["data"] |= {"root": str(root), "workers": 0}
    values |= {"optimiser": {"lr": 0.003}, "schedule": {}, "epochs": 6, "batch": 14}
    values["precision"] = "fp32"  # so that all processors learn alike
    recipe = parse_recipe(values, "test")
    report = train(recipe, None, tmp_path / "run", show=False).report
    assert isinstance(report, PlainReport)
    assert report.count == 42
    assert report.scores["accuracy"].mean > 0.5  # chance is a seventh
    with pytest.raises(DataError, match="test pictures of its own: leave the fold out"):
        train(recipe, 1, tmp_path / "fold", show=False)
    held_out = recipe.model_copy(update={"selection": SelectionSpec(rule="inner", share=0.1)})
    with pytest.raises(RecipeError, match="without subjects that could be held out"):
        train(held_out, None, tmp_path / "inner", show=False)
    again = evaluate(tmp_path / "run")
    assert again.scores == report.scores
