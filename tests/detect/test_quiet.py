"""Thresholds by faces at rest: seldom said of them, never lower than before, kept in a card."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from actionunits import aus, weights
from actionunits.detect import predict
from actionunits.detect.predict import Predictor
from actionunits.detect.quiet import quieted
from actionunits.errors import DataError, UserError
from actionunits.faces.given import Aligned
from actionunits.learn import checkpoint
from actionunits.learn.card import read_card
from actionunits.types import InputSpec, Output
from command import Au


def reads(probability: np.ndarray, thresholds: list[float]) -> SimpleNamespace:
    """A predictor that says (N, A) of N pictures, in each of which a second face is smaller."""

    def readings(paths: object, report: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(probability=np.zeros((0, probability.shape[1])), faces=())
        for row in probability:
            yield SimpleNamespace(probability=np.stack([row, np.ones_like(row)]), faces=(1, 2))

    read = aus.AUSet.of((1, 2, 4)[: len(thresholds)])
    return SimpleNamespace(readings=readings, thresholds=np.array(thresholds), aus=read)


@given(seed=st.integers(0, 10_000), count=st.integers(20, 80), alarms=st.sampled_from([0.05, 0.2]))
@settings(max_examples=50, deadline=None)
def test_an_au_is_said_of_few_and_no_threshold_falls(seed: int, count: int, alarms: float) -> None:
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 3, (count, 3)).round(2)  # with ties
    found = quieted(reads(probability, [0.1, 0.5, 0.9]), [], alarms, pytest.fail)
    assert found.faces == count
    assert (found.after <= alarms).all()
    assert (found.thresholds >= [0.1, 0.5, 0.9]).all()
    np.testing.assert_allclose(found.after, (probability >= found.thresholds).mean(0))
    kept = found.before <= alarms
    np.testing.assert_array_equal(found.thresholds[kept], np.array([0.1, 0.5, 0.9])[kept])
    lower = np.nextafter(found.thresholds, 0)  # raised no more than it had to be
    assert ((probability >= lower).mean(0)[~kept] > alarms).all()


def test_too_few_faces_and_shares_that_there_are_not_are_named() -> None:
    few = reads(np.full((19, 2), 0.5), [0.5, 0.5])
    with pytest.raises(DataError, match="19 faces found: expected 20 or more"):
        quieted(few, [], 0.05, pytest.fail)
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(UserError, match="alarms: expected a share"):
            quieted(few, [], wrong, pytest.fail)
        with pytest.raises(UserError, match="highest: expected a probability"):
            quieted(few, [], 0.5, pytest.fail, highest=wrong * 2)


@pytest.mark.parametrize("lower", [False, True])
def test_none_is_raised_above_the_highest(lower: bool) -> None:
    probability = np.linspace(0, 1, 100)[:, None].repeat(3, axis=1)
    found = quieted(
        reads(probability, [0.3, 0.5, 0.9]), [], 0.1, pytest.fail, lower=lower, highest=0.5
    )
    np.testing.assert_allclose(found.thresholds, [0.5, 0.5, 0.5 if lower else 0.9])


class Gray(nn.Module):
    """Every AU is as likely as its picture is light."""

    spec = InputSpec(size=8, align=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def forward(self, images: torch.Tensor) -> Output:
        shade = images.mean((1, 2, 3)).clamp(0.01, 0.99)
        return Output(shade.logit()[:, None].expand(-1, len(aus.RENDERED)))


def test_the_command_writes_the_same_weights_with_other_thresholds(
    tmp_path: Path, au: Au, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = read_card(weights.locate("default"))
    read = Predictor(Gray(), aus.RENDERED, given.thresholds, detector=Aligned())
    monkeypatch.setattr(predict, "load", lambda *_: read)
    faces, out = tmp_path / "faces", tmp_path / "quiet"
    faces.mkdir()
    for shade in range(40):
        Image.new("RGB", (8, 8), (6 * shade,) * 3).save(faces / f"{shade:02d}.png")
    (faces / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said = au("calibrate", "default", faces, "--out", out, "--alarms", "0.1")
    assert said.code == 1  # for the torn one
    assert "torn.png" in said.err
    assert "at most 10.0% of 40 faces at rest" in " ".join(said.out.split())
    card = read_card(out)
    assert min(card.thresholds) > 6 * 35 / 255 - 0.02
    assert "40 faces at rest" in card.notes
    before, after = (
        checkpoint.load(path)[0].state_dict() for path in (weights.locate("default"), out)
    )
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert au("calibrate", out, faces, "--out", out).code == 2
    assert au("calibrate", "nowhere", faces, "--out", out).code == 2


def test_some_aus_alone_and_down_as_well_as_up(tmp_path: Path, au: Au) -> None:
    read = Predictor(Gray(), aus.RENDERED, [0.9] * len(aus.RENDERED), detector=Aligned())
    for shade in range(20):
        Image.new("RGB", (8, 8), (12 * shade,) * 3).save(tmp_path / f"{shade:02d}.png")
    some = (4, 12)
    up = quieted(read, tmp_path, 0.1, print, aus=some)
    assert (up.thresholds == 0.9).all()  # high enough
    down = quieted(read, tmp_path, 0.1, print, aus=some, lower=True)
    places = [aus.RENDERED.index(number) for number in some]
    assert (down.thresholds[places] < 0.9).all()
    assert (down.after[places] <= 0.1).all()
    assert (down.after[places] > 0).all()
    assert (np.delete(down.thresholds, places) == 0.9).all()
    with pytest.raises(UserError, match="99"):
        quieted(read, tmp_path, 0.1, print, aus=(99,))
    assert au("calibrate", "default", tmp_path, "--out", tmp_path / "o", "--aus", "x").code == 2
