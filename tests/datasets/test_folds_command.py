"""`au data folds`: who is tested in which fold, of raw, prepared and rendered data."""

from pathlib import Path

import pandas as pd
import pytest
from preparing import run

import trees
from actionunits import datasets
from actionunits.data.splits import members, train_test
from command import Au


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_raw_and_prepared_folders_say_the_same(au: Au, tmp_path: Path) -> None:
    trees.disfa(tmp_path / "raw", ("SN001", "SN003", "SN006", "SN002"), 3)
    code, said, _ = au("data", "folds", "disfa", tmp_path / "raw")
    assert code == 0
    expected = [["SN003", "1", "3"], ["SN006", "2", "3"], ["SN001", "3", "3"], ["SN002", "3", "3"]]
    assert table(said) == [["subject", "fold", "frames"], *expected]
    run(datasets.read_raw("disfa", tmp_path / "raw"), tmp_path / "out")
    assert au("data", "folds", "disfa", tmp_path / "out")[1] == said


def test_it_is_the_fold_that_is_tested(au: Au, tmp_path: Path) -> None:
    file = tmp_path / "new" / "folds.csv"
    code, said, _ = au("data", "folds", "synfacs", "--out", file)
    assert (code, said) == (0, "")
    found, rows = pd.read_csv(file), datasets.load("synfacs")
    pd.testing.assert_frame_equal(found, members(rows.rows), check_dtype=False)
    for fold, part in found.groupby("fold"):
        test = train_test(rows, int(fold))[1]
        assert part["subject"].tolist() == test.subjects()
        assert part["frames"].sum() == len(test)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ck",), "there is no data set 'ck'"),
        (("disfa",), "disfa does not come with the package"),
        (("csv", "list.csv"), "three folds need subjects in parts"),
    ],
)
def test_what_has_no_folds_is_said(
    au: Au, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").write_bytes(b"x")
    Path("list.csv").write_text("image,subject,AU04\na.jpg,S1,1\n")
    code, _, told = au("data", "folds", *arguments)
    assert code == 2
    assert said in told
