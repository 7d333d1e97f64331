"""Nobody is in two splits."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits import datasets
from actionunits.data.splits import inner_split, parts, train_test
from actionunits.data.table import FrameTable
from actionunits.errors import DataError
from builders import write_synfacs


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> FrameTable:
    path = tmp_path_factory.mktemp("splits") / "corpus.parquet"
    return datasets.load("synfacs", write_synfacs(path, subjects=8, tasks=1, frames=2))


def test_fold_k_tests_part_4_minus_k_and_all_frames_are_tested_once(table: FrameTable) -> None:
    tested = []
    for fold in (1, 2, 3):
        train, test = train_test(table, fold)
        assert set(test.rows["part"]) == {4 - fold}
        assert not set(train.subjects()) & set(test.subjects())
        assert len(train) + len(test) == len(table)
        tested += test.rows["image"].tolist()
    assert sorted(tested) == list(range(len(table)))


def test_without_parts_sorted_subjects_are_dealt_out(table: FrameTable) -> None:
    bare = dataclasses.replace(table, rows=table.rows.drop(columns="part"))
    np.testing.assert_array_equal(parts(bare.rows), table.rows["part"])


@given(share=st.floats(0.01, 0.99), seed=st.integers(0, 1000), fold=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_inner_split_is_by_subject(table: FrameTable, share: float, seed: int, fold: int) -> None:
    train, _ = train_test(table, fold)
    stays, aside = inner_split(train, share, seed)
    assert stays.subjects()
    assert aside.subjects()
    assert sorted(stays.subjects() + aside.subjects()) == train.subjects()
    assert inner_split(train, share, seed)[1].subjects() == aside.subjects()


def test_what_cannot_be_split_is_said(table: FrameTable) -> None:
    with pytest.raises(DataError, match="expected fold 1 to 3, got 4"):
        train_test(table, 4)
    with pytest.raises(DataError, match=r"found 1 subject in parts \[1\]$"):
        train_test(table.subset((table.rows["subject"] == "S001").to_numpy()), 1)
    torn = table.rows.copy()
    torn.loc[0, "part"] = 2
    with pytest.raises(DataError, match="'S001' is in more than one part"):
        train_test(dataclasses.replace(table, rows=torn), 1)
