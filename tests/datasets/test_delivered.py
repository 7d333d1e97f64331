"""From a tree as its owners hand it out to a table that is trained on, and on to a report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import trees
from actionunits import datasets
from actionunits.data import splits
from actionunits.datasets.prepare import prepare
from actionunits.learn.run import Result
from actionunits.learn.train import train
from runs import tiny_recipe


def prepared(name: str, root: Path, out: Path, template: str, frames: int = 4) -> pd.DataFrame:
    """Write a tree of a data set, prepare it, and return what a faithful reader finds in it."""
    builders = {"bp4d_plus": trees.bp4d_plus, "disfa": trees.disfa}
    truth = builders[name](root, frames=frames)
    prepare(datasets.read_raw(name, root), out, template, 1, Console(quiet=True))
    return truth


@pytest.mark.parametrize("name", ["bp4d_plus", "disfa"])
@pytest.mark.parametrize("template", ["box49", "affine49"])
def test_labels_and_folds_survive_preparation(name: str, template: str, tmp_path: Path) -> None:
    truth = prepared(name, tmp_path / "raw", tmp_path / "out", template)
    table = datasets.load(name, tmp_path / "out", "intensity")
    # The tracker of BP4D+ loses the last face of each sequence, and with it the frame.
    last = truth.groupby(["subject", "task"])["frame"].transform("max") == truth["frame"]
    kept = truth[~last] if name == "bp4d_plus" else truth
    pd.testing.assert_frame_equal(
        table.rows[trees.KEY], kept[trees.KEY].reset_index(drop=True), check_dtype=False
    )
    columns = [f"{column}_intensity" for column in table.aus.columns()]
    np.testing.assert_array_equal(table.labels, kept[columns].to_numpy(np.float32))
    assert table.template == template
    tested = [set(splits.train_test(table, fold)[1].subjects()) for fold in (1, 2, 3)]
    assert set.union(*tested) == set(table.subjects())
    assert sum(map(len, tested)) == len(table.subjects())


def test_a_prepared_data_set_is_trained_and_tested_on(tmp_path: Path) -> None:
    prepared("disfa", tmp_path / "raw", tmp_path / "out", "similarity49", frames=12)
    source = {"name": "disfa", "root": str(tmp_path / "out"), "aus": [1, 2, 6, 12], "threshold": 1}
    recipe = tiny_recipe(tmp_path, data=source, epochs=1)
    result: Result = train(recipe, 1, tmp_path / "run", show=False)
    assert result.report is not None
    assert result.report.frames == 12  # of SN003, the one subject of part 3
