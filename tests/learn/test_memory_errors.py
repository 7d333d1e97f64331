"""A batch that does not fit into the memory: which one to try."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from actionunits.learn import scoring
from actionunits.learn.evaluate import evaluate
from actionunits.learn.run import Run
from actionunits.learn.train import train
from actionunits.system.device import BatchTooLargeError, enough_memory
from runs import tiny_recipe


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_out_of_memory_says_which_batch_to_try(
    error: Exception, synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise error

    monkeypatch.setattr(Run, "record", exhausted)
    recipe = tiny_recipe(synfacs_file, batch=5, accumulate=2)
    with pytest.raises(
        BatchTooLargeError, match=r"a batch of 5 .*batch=2 --set accumulate=6"
    ) as said:
        train(recipe, 1, tmp_path, show=False)
    assert said.value.__cause__ is error
    assert "cache" not in str(said.value)
    size = {"size": 64, "align": 64}  # else a norm would have one value to go by
    data = recipe.data.model_dump() | {"cache": True}
    alone = tiny_recipe(synfacs_file, size, batch=1, data=data)
    with pytest.raises(BatchTooLargeError, match=r"a batch of 1 .*smaller model.*cache=false"):
        train(alone, 1, tmp_path, resume=False, show=False)


@pytest.mark.parametrize("allocate", [torch.empty, np.ones])
def test_the_processors_own_words_for_it_are_known(allocate: Callable[[int], object]) -> None:
    said = pytest.raises(BatchTooLargeError, match="a batch of 8 does not fit .*: try less")
    with said, enough_memory(8, "try less"):
        allocate(1 << 55)


def test_scoring_says_which_batch_to_try(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny_recipe(synfacs_file), 1, tmp_path, show=False)
    monkeypatch.setattr(scoring, "place", lambda *_: torch.empty(1 << 55))
    with pytest.raises(BatchTooLargeError, match="a batch of 9 does not fit .*: try one of 4"):
        evaluate(tmp_path, batch=9)


def test_other_errors_of_a_step_stay_what_they_are(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Run, "record", wrong)
    with pytest.raises(RuntimeError, match="shapes differ"):
        train(tiny_recipe(synfacs_file), 1, tmp_path, show=False)
