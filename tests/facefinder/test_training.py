from itertools import count

import pytest
import torch

from actionunits.facefinder import training


@pytest.fixture(params=training.TASKS, ids=lambda task: task.name)
def task(request):
    return request.param._replace(batch=2)


def test_resumed_equals_uninterrupted(task, composer, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_SAVED", 1)
    whole = training.train(task, lambda: composer, tmp_path / "whole", steps=4, workers=0)
    calls = count()

    def until_the_third(*arguments):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return task.loss(*arguments)

    stopped = task._replace(loss=until_the_third)
    with pytest.raises(KeyboardInterrupt):
        training.train(stopped, lambda: composer, tmp_path / "parts", steps=4, workers=0)
    state = torch.load(tmp_path / "parts" / f"{task.name}.pt", weights_only=True)
    assert state["step"] == 2
    resumed = training.train(task, lambda: composer, tmp_path / "parts", steps=4, workers=0)
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name


def test_a_finished_training_is_not_repeated(task, composer, tmp_path):
    first = training.train(task, lambda: composer, tmp_path, steps=2, workers=0)
    written = (tmp_path / f"{task.name}.pt").stat().st_mtime_ns
    again = training.train(task, lambda: composer, tmp_path, steps=2, workers=0)
    assert (tmp_path / f"{task.name}.pt").stat().st_mtime_ns == written
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    )
