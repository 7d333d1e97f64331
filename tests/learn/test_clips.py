"""Runs of a model of clips: what their recipe says of time, and what their card keeps of it."""

from pathlib import Path
from typing import Any

import pytest

from actionunits.errors import RecipeError
from actionunits.learn.card import read_card
from actionunits.learn.evaluate import evaluate
from actionunits.learn.recipe import Recipe
from actionunits.learn.scoring import samples_at_once
from actionunits.learn.train import train
from actionunits.types import InputSpec
from builders import write_synfacs
from runs import tiny_recipe

QUICK = {"backbone": "lcnet_050", "clip": 3, "fps": 6.0, "neighbours": 1, "width": 8}


def clips(root: Path, params: dict[str, Any] | None = None, **data: Any) -> Recipe:
    """A small MDHR on a corpus of `builders`, which has 6 frames a second."""
    return tiny_recipe(
        root,
        model={"name": "mdhr", "params": {**QUICK, "size": 32, "align": 36, **(params or {})}},
        data={"name": "synfacs", "root": str(root), "aus": [1, 2, 6, 12], **data},
        loss={"occurrence": 1.0, "combination": 0.01},
        epochs=1,
        batch=2,
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synfacs(tmp_path_factory.mktemp("corpus") / "c.parquet", 6, 2, 7)


def test_a_card_keeps_the_rate_and_any_batch_scores_alike(corpus: Path, tmp_path: Path) -> None:
    result = train(clips(corpus, one_clip_in="video"), 1, tmp_path, show=False)
    assert result.report is not None
    assert result.report.frames == 2 * 2 * 7  # all, whatever an epoch of training has
    assert read_card(result.checkpoint).spec.fps == 6.0
    for batch in (None, 1):
        assert evaluate(result.checkpoint, batch=batch).confusion == result.report.confusion


def test_frames_of_another_rate_are_refused(corpus: Path, tmp_path: Path) -> None:
    wrong = clips(corpus, {"fps": 25.0})
    with pytest.raises(RecipeError, match=r"25 frames a second.* have 6: set model.params.fps=6"):
        train(wrong, 1, tmp_path, show=False)


def test_single_frames_are_no_clips(corpus: Path, tmp_path: Path) -> None:
    data = {"name": "synfacs", "root": str(corpus), "aus": [1, 2], "one_clip_in": 4}
    with pytest.raises(RecipeError, match="one_clip_in: renet reads single frames; leave it out"):
        train(tiny_recipe(corpus, data=data), 1, tmp_path, show=False)


def test_a_batch_of_clips_is_one_of_as_many_pictures() -> None:
    picture = InputSpec(224, 256, (0.5,) * 3, (0.5,) * 3)
    clip = picture._replace(clip=16, context=7)  # 30 pictures
    gigabytes = 10**9
    assert samples_at_once(picture, 20 * gigabytes) == 64
    assert samples_at_once(picture, 4 * gigabytes) == 26
    assert samples_at_once(clip, 20 * gigabytes) == 4
    assert samples_at_once(clip, gigabytes // 10) == 1
