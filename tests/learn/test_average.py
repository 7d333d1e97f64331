"""The mean of two trainings lies between them."""

from pathlib import Path

import pytest
import torch

from actionunits.errors import UserError
from actionunits.learn import checkpoint
from actionunits.learn.average import average
from command import Au


def changed(folder: Path) -> Path:
    """`default-fast` with other numbers."""
    model, card = checkpoint.load(Path(checkpoint.__file__).parents[1] / "weights/default-fast")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    people = card.model_copy(update={"people": ("synfacs/9:S001",)})
    checkpoint.save(model, people, folder)
    return folder


def test_mean_lies_between(tmp_path: Path, au: Au) -> None:
    other = changed(tmp_path / "other")
    said = au("average", "default-fast", other, "--share", 0.25, "--out", tmp_path / "mean")
    assert said.code == 0, said.err
    (first, ours), (mean, card) = (
        checkpoint.load(Path(folder))
        for folder in (
            Path(checkpoint.__file__).parents[1] / "weights/default-fast",
            said_folder(said.err),
        )
    )
    for one, two in zip(first.parameters(), mean.parameters(), strict=True):
        torch.testing.assert_close(two, one + 0.25, atol=1e-3, rtol=1e-3)
    assert {*card.people} == {"synfacs/9:S001", *ours.people}
    assert card.thresholds == ours.thresholds
    assert "mean of two trainings, 0.25" in card.notes


def said_folder(line: str) -> str:
    return line.split("checkpoint: ")[1].strip()


def test_what_cannot_be_averaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="same model and AUs"):
        average("default", "default-fast", 0.5, tmp_path / "mean")
    with pytest.raises(UserError, match="expected 0 to 1"):
        average("default", "default", 1.5, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
