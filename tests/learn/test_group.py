"""Several processes that do not fit each other, or of which one is lost, end with a sentence."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from actionunits import datasets
from actionunits.data import stores
from actionunits.data.dataset import FrameDataset
from actionunits.data.stores import ParquetStore
from actionunits.datasets.prepare import prepare
from actionunits.errors import RecipeError, UserError
from actionunits.learn import group
from actionunits.learn.evaluate import evaluate
from actionunits.learn.feed import Feed
from actionunits.learn.group import GroupError, joined
from actionunits.learn.train import train
from actionunits.system.together import of_all, rank, share
from actionunits.types import InputSpec
from builders import write_synfacs
from command import Au
from processes import two
from rawtables import raw_table
from runs import tiny_recipe

SPEC = InputSpec(32, 36, (0.5,) * 3, (0.5,) * 3)


class Part(NamedTuple):
    values: Tensor
    nothing: None
    keys: tuple[str, ...]
    inside: dict[str, Any]


def gathered(folder: Path) -> dict[str, Any]:
    """Parts of both, what each made of them, and the gradient that came back."""
    own = torch.arange(4.0).view(2, 2) + 10 * rank()
    own.requires_grad_()
    part = Part(own, None, (f"k{rank()}",), {"own": own * 2, "far": Part(own, None, (), {})})
    both = of_all(part)
    assert both.nothing is None
    assert list(both.inside) == ["own", "far"]
    assert list(both.inside["far"])[0] is both.inside["far"].values
    total = (both.values * (1 + rank()) + both.inside["own"]).square().sum()
    total.backward()
    return {"values": both.values.detach(), "keys": both.keys, "gradient": own.grad}


def other_fold(folder: Path) -> None:
    train(tiny_recipe(folder / "corpus"), 1 + rank(), folder / "run", show=False)


def other_recipe(folder: Path) -> None:
    recipe = tiny_recipe(folder / "corpus", optimiser={"lr": 0.1 * (1 + rank())})
    train(recipe, 1, folder / "run", show=False)


def other_version(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "version", lambda name: f"{rank()}.0")
        train(tiny_recipe(folder / "corpus"), 1, folder / "run", show=False)


def other_folder(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "_VISIBLE", 0.5)
        train(tiny_recipe(folder / "corpus"), 1, folder / f"run{rank()}", show=False)


def other_data(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "compare", lambda facts: None)  # the recipes differ too: other places
        roots = [folder / "corpus", folder / "fewer"]
        train(tiny_recipe(roots[rank()]), 1, folder / "run", show=False)


def odd_batch(folder: Path) -> None:
    train(tiny_recipe(folder / "corpus", batch=5), 1, folder / "run", show=False)


def another_run(folder: Path) -> None:
    train(tiny_recipe(folder / "corpus", epochs=1, seed=1), 1, folder / "one", show=False)


def one_sample(folder: Path) -> None:
    table = datasets.load("synfacs", folder / "corpus")
    evaluate(folder / "one", table=table.subset(np.arange(1)))


def first_fails(folder: Path) -> None:
    def work() -> None:
        raise UserError("the first says no")

    group.by_first(work)


WRONG: dict[Callable[[Path], None], str] = {
    other_fold: r"^fold: process 0 on .* has '1', process 1 on .* has '2': start the same command",
    other_recipe: r"^recipe.optimiser.lr: process 0 on .* has '0.1', process 1 on .* '0.2'",
    other_version: r"^actionunits: process 0 on .* has '\"0.0\"', .* the same versions",
    other_folder: r"run\d: process 1 on .* does not see what process 0 .* that all machines share",
    other_data: r"^samples: process 0 on .* has '32', process 1 on .* has '16'.*the same data",
    odd_batch: r"^batch: 5 cannot be shared by 2 processes: start 1, or --set batch=6",
    another_run: r"one holds a run of another recipe \(seed\): choose another folder",
    one_sample: r"^1 sample to score cannot be shared by 2 processes: start 1 at most",
    first_fails: r"^the first says no$",
}


def read_prepared(folder: Path) -> dict[str, Any]:
    """Files whose sum this process has compared, and pictures that it has read of two epochs."""
    compared: list[str] = []
    numbers: list[int] = []
    whole, read = stores.seals.is_whole_parquet, ParquetStore.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            stores.seals, "is_whole_parquet", lambda f: compared.append(f.name) or whole(f)
        )
        patch.setattr(ParquetStore, "read", lambda s, n: numbers.append(n) or read(s, n))
        table = datasets.load("bp4d", folder / "prepared")
        data = {"name": "bp4d", "root": str(folder / "prepared"), "lanes": 2}
        recipe = tiny_recipe(folder, batch=4, data=data)
        feed = Feed(recipe, FrameDataset(table, SPEC), torch.device("cpu"))
        for epoch in range(2):
            for _ in feed.epoch(epoch, skip=0):
                pass
    return {"compared": compared, "numbers": sorted(numbers), "all": len(table)}


def all_of_it(folder: Path) -> dict[str, Any]:
    """What each of two processes does."""
    found: dict[str, Any] = {}
    with joined({}):
        found["gathered"] = gathered(folder)
        found["read"] = read_prepared(folder)
    for wrong in WRONG:
        with pytest.raises(UserError) as error:
            wrong(folder)
        found[wrong.__name__] = str(error.value)
    if rank() == 1:
        dist.destroy_process_group()
        return found
    with pytest.raises(GroupError) as lost:
        train(tiny_recipe(folder / "corpus"), 1, folder / "run", show=False)
    found["lost"] = str(lost.value)
    with suppress(RuntimeError):
        dist.destroy_process_group()
    return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("group")
    write_synfacs(folder / "corpus")
    write_synfacs(folder / "fewer", 6, 1, 4)
    prepare(raw_table(folder / "raw", 3, 2, 4), folder / "prepared", "box49", 1)
    train(tiny_recipe(folder / "corpus", epochs=1), 1, folder / "one", show=False)
    return two(all_of_it, folder)


def test_parts_are_gathered_and_gradients_go_back(pair: list[dict[str, Any]]) -> None:
    first, second = (found["gathered"] for found in pair)
    values = torch.cat([torch.arange(4.0).view(2, 2) + 10 * each for each in range(2)])
    for each in (first, second):
        assert torch.equal(each["values"], values)
        assert each["keys"] == ("k0", "k1")
    # ((w v + 2 v)^2)' = 2 v (w + 2)^2, of which each process makes its own with w of 1 and 2
    expected = 2 * values * (3**2 + 4**2)
    assert torch.equal(torch.cat([first["gradient"], second["gradient"]]), expected)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_what_does_not_fit_is_said_in_all(
    wrong: Callable[[Path], None], pair: list[dict[str, Any]]
) -> None:
    for found in pair:
        message = found[wrong.__name__]
        assert pytest.RaisesExc(UserError, match=WRONG[wrong]).matches(UserError(message)), message


def test_a_process_that_is_gone_is_noticed(pair: list[dict[str, Any]]) -> None:
    assert "another process of this run cannot be reached any more" in pair[0]["lost"]


def test_no_process_reads_everything(pair: list[dict[str, Any]]) -> None:
    first, second = (found["read"] for found in pair)
    assert len(first["compared"]) == len(second["compared"]) == 3  # of six sequences
    assert not set(first["compared"]) & set(second["compared"])
    half = first["all"] // 2
    assert first["numbers"] == sorted([*range(half)] * 2)
    assert second["numbers"] == sorted([*range(half, 2 * half)] * 2)


COMPLETE = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "1",
}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"RANK": None}, "has LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT and lacks RANK"),
        ({"MASTER_ADDR": "", "MASTER_PORT": None}, "lacks MASTER_ADDR, MASTER_PORT: start it with"),
        ({"RANK": "2"}, "RANK from 0 to below WORLD_SIZE, found RANK='2', WORLD_SIZE='2'"),
        ({"RANK": "-1"}, "found RANK='-1'"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE='two'"),
        (
            {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_MAX_RESTARTS": "3"},
            "up to 3 times, and those of a later time would find the addresses of those before",
        ),
        (dict.fromkeys(COMPLETE) | {"PMI_SIZE": "4"}, "PMI_SIZE says 4 processes, and RANK is not"),
    ],
)
def test_an_environment_that_is_not_whole_is_refused(
    changes: dict[str, str | None],
    says: str,
    au: Au,
    synfacs_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (COMPLETE | changes).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(tiny_recipe(synfacs_file, epochs=1).model_dump_json(), "utf-8")
    said = au("train", recipe, "--out", tmp_path / "run")
    assert said.code == 2
    assert says in said.err
    assert not (tmp_path / "run").exists()


def test_one_process_alone_has_all(synfacs_file: Path) -> None:
    assert "RANK" not in os.environ
    assert share(7) == slice(0, 7)
    part = (torch.zeros(1), None)
    assert of_all(part) is part
    few = FrameDataset(datasets.load("synfacs", synfacs_file).subset(np.arange(3)), SPEC)
    with pytest.raises(RecipeError, match="one step takes batch"):
        Feed(tiny_recipe(synfacs_file), few, torch.device("cpu"))


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_an_epoch_has_each_sample_once_and_each_batch_as_many_of_each_lane(
    lanes: int, synfacs_file: Path
) -> None:
    samples = FrameDataset(datasets.load("synfacs", synfacs_file), SPEC)
    data = {"name": "synfacs", "root": str(synfacs_file), "lanes": lanes}
    feed = Feed(tiny_recipe(synfacs_file, data=data), samples, torch.device("cpu"))
    first, second = feed._order(0), feed._order(1)
    assert (np.sort(first.ravel()) == np.arange(len(samples))).all()
    assert (first != second).any()
    stretch = np.sort(first * lanes // len(samples), axis=1)
    assert (stretch == np.repeat(np.arange(lanes), 4 // lanes)).all()


def test_a_batch_has_as_many_of_each_lane_or_none(synfacs_file: Path) -> None:
    samples = FrameDataset(datasets.load("synfacs", synfacs_file), SPEC)
    data = {"name": "synfacs", "root": str(synfacs_file), "lanes": 3}
    with pytest.raises(RecipeError, match="batch of 4 cannot take as many samples of each of 3 la"):
        Feed(tiny_recipe(synfacs_file, data=data), samples, torch.device("cpu"))
