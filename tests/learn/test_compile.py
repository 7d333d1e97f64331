"""A compiled model learns what the model itself learns, and leaves the same files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch._dynamo.utils import counters
from torch._inductor import config

from actionunits.errors import RecipeError
from actionunits.learn.card import WEIGHTS
from actionunits.learn.recipe import Recipe
from actionunits.learn.run import CHECKPOINT, LAST, LOG, Run
from actionunits.learn.threads import threads
from actionunits.learn.train import train
from learning import ctrl_c_in_batch
from processes import two
from runs import tiny_recipe


def baseline(root: Path, compile: bool) -> Recipe:
    """A run whose steps are so small that rounding does not grow."""
    params = {"relation": "none", "task": "occurrence"}
    changes = {"loss": {"occurrence": 1.0}, "optimiser": {"lr": 1e-5}, "accumulate": 2}
    return tiny_recipe(root, params, compile=compile, precision="fp32", **changes)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / CHECKPOINT / WEIGHTS)


def losses(out: Path) -> np.ndarray:
    return pd.read_csv(out / LOG)["loss"].to_numpy()


def test_where_nothing_can_be_compiled(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = baseline(synfacs_file, True)
    torch.compiler.reset()
    missing = {"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}
    said = pytest.raises(
        RecipeError, match=r"compile: .* renet here \(No working C\+\+ compiler .*"
    )
    with config.patch(missing), said as error:
        train(recipe, 1, tmp_path, show=False)
    assert "compile=false" in str(error.value)
    plain = baseline(synfacs_file, False)
    train(plain, 1, tmp_path, resume=False, show=False)  # what the message says to do


def test_other_runtime_errors_are_as_they_were(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("of another kind")

    monkeypatch.setattr(Run, "record", fails)
    with pytest.raises(RuntimeError, match="^of another kind$"):
        train(baseline(synfacs_file, False), 1, tmp_path, show=False)


def test_a_compiled_model_keeps_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)  # it holds for all tests
    with threads(torch.device("cpu"), fixed=True) as hands:
        assert hands.count == 1  # that is judged: none is taken from one


def of_two(folder: Path) -> dict[str, list[float]]:
    found = {}
    for name in ("plain", "compiled"):
        train(
            baseline(folder / "corpus", name == "compiled"), 1, folder / f"two {name}", show=False
        )
        found[name] = list(losses(folder / f"two {name}"))
    return found


@pytest.mark.slow
def test_compiled_run(synfacs_file: Path, tmp_path: Path) -> None:
    train(baseline(synfacs_file, False), 1, tmp_path / "plain", show=False)
    torch.compiler.reset()
    counters.clear()
    recipe = baseline(synfacs_file, True)
    train(recipe, 1, tmp_path / "compiled", show=False)
    assert counters["stats"]["unique_graphs"] == 1  # of all steps; scores are computed as ever
    assert not counters["graph_break"]
    np.testing.assert_allclose(*map(losses, (tmp_path / "compiled", tmp_path / "plain")), rtol=1e-4)
    compiled, plain = weights(tmp_path / "compiled"), weights(tmp_path / "plain")
    assert compiled.keys() == plain.keys()
    state, other = (load_file(tmp_path / name / LAST) for name in ("compiled", "plain"))
    assert state.keys() == other.keys()

    with ctrl_c_in_batch(4):
        train(recipe, 1, tmp_path / "halves", show=False)
    torch.compiler.reset()  # another process goes on
    train(recipe, 1, tmp_path / "halves", show=False)
    halves = weights(tmp_path / "halves")
    assert all(torch.equal(compiled[name], halves[name]) for name in compiled)


@pytest.mark.slow
def test_compiled_run_of_two_processes(synfacs_file: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus").symlink_to(synfacs_file)
    first, second = two(of_two, tmp_path)
    assert first == second
    assert first["compiled"] != first["plain"]
    np.testing.assert_allclose(first["compiled"], first["plain"], rtol=1e-4)
