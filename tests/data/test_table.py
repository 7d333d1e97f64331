"""FrameTable: what it refuses, and its statistics against plain pandas."""

import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits import datasets
from actionunits.aus import AUSet
from actionunits.data import stores as module
from actionunits.data.splits import train_test
from actionunits.data.stores import FileStore, ParquetStore
from actionunits.data.table import FrameTable, duplicate_positives
from actionunits.errors import DataError

AUS = AUSet.of((1, 2, 12))


def table(labels: np.ndarray, coding: str = "occurrence", threshold: float = 1.0) -> FrameTable:
    labels = np.asarray(labels, np.float32)
    count = len(labels)
    rows = pd.DataFrame({"subject": "S1", "task": "T1", "frame": range(count)})
    rows["image"] = range(count)
    rows[AUS.columns()] = labels
    return FrameTable(AUS, rows, FileStore(["x.jpg"] * count), coding, threshold)


def labels_with_gaps(seed: int, count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 3)) < 0.4).astype(np.float32)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    return labels


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_stats_equal_pandas_over_the_frames_where_both_are_known(seed: int) -> None:
    labels = labels_with_gaps(seed)
    frame = pd.DataFrame(labels)
    stats = table(labels).stats()
    np.testing.assert_allclose(stats.rate, frame.mean(), rtol=1e-6)
    expected = frame.corr()
    np.testing.assert_allclose(stats.correlation, expected, atol=1e-6)
    for i in range(3):
        for j in range(3):
            both = frame[[i, j]].dropna(axis=0) if i != j else frame[[i]].dropna()
            same = (both.iloc[:, 0] == both.iloc[:, -1]).mean()
            assert stats.agreement[i, j].item() == pytest.approx(same, abs=1e-6)


def test_an_au_that_never_changes_correlates_with_nothing_but_itself() -> None:
    labels = np.array([[1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]])
    correlation = table(labels).stats().correlation
    assert correlation[0].tolist() == [1, 0, 0]
    assert correlation.isfinite().all()


def test_intensities_round_half_up_before_the_threshold() -> None:
    labels = [[1.49, 1.5, np.nan]]
    assert np.isnan(table(labels, "intensity", 2).occurrence()[0, 2])
    assert table(labels, "intensity", 2).occurrence()[0, :2].tolist() == [0, 1]
    assert table(labels, "intensity", 1).occurrence()[0, :2].tolist() == [1, 1]


def test_relation_of_intensities_differs_and_needs_them() -> None:
    rng = np.random.default_rng(0)
    intensities = rng.uniform(0, 5, (50, 3))
    stats = table(intensities, "intensity", 2).stats("intensity")
    np.testing.assert_allclose(stats.correlation, np.corrcoef(intensities.T), atol=1e-6)
    with pytest.raises(DataError, match="needs them"):
        table(labels_with_gaps(0)).stats("intensity")


def test_an_au_that_is_never_coded_has_no_statistics() -> None:
    labels = labels_with_gaps(0)
    labels[:, 1] = np.nan
    with pytest.raises(DataError, match="AU02: coded in none"):
        table(labels).stats()


@pytest.mark.parametrize(
    ("labels", "coding"), [([[0, 0.5, 1]], "occurrence"), ([[0, 5.5, 1]], "intensity")]
)
def test_labels_outside_their_scale_are_refused(labels: list, coding: str) -> None:
    with pytest.raises(DataError, match="AU02 at S1/T1/0"):
        table(labels, coding)


def test_a_frame_that_occurs_twice_is_refused() -> None:
    good = table(labels_with_gaps(0))
    with pytest.raises(DataError, match="S1/T1/3"):
        dataclasses.replace(good, rows=good.rows.replace({"frame": {4: 3}}))


def test_missing_columns_and_foreign_pictures_are_refused() -> None:
    good = table(labels_with_gaps(0))
    with pytest.raises(DataError, match="AU12"):
        dataclasses.replace(good, rows=good.rows.drop(columns="AU12"))
    with pytest.raises(DataError, match="pictures outside"):
        dataclasses.replace(good, images=FileStore(["x.jpg"]))
    with pytest.raises(DataError, match="landmarks of shape"):
        dataclasses.replace(good, landmarks=np.zeros((len(good), 68, 2)))


def test_select_orders_and_refuses() -> None:
    whole = table([[1, 0, 1]])
    chosen = whole.select(AUSet.of((12, 2)))
    assert chosen.occurrence().tolist() == [[1, 0]]
    with pytest.raises(DataError, match="AU26"):
        whole.select(AUSet.of((26,)))


def test_duplication_repeats_each_positive_frame_once(synfacs_file: Path) -> None:
    whole = datasets.load("synfacs", synfacs_file)
    rare = AUSet.of((1, 2, 15, 23, 24))
    positive = (whole.select(rare).occurrence() == 1).any(1)
    twice = duplicate_positives(whole, rare)
    assert len(twice) == len(whole) + positive.sum()
    assert twice.rows["copy"].sum() == positive.sum()
    np.testing.assert_array_equal(twice.landmarks[len(whole) :], whole.landmarks[positive])
    np.testing.assert_array_equal(twice.rows["image"][len(whole) :], whole.rows["image"][positive])


def test_statistics_of_training_rows_do_not_see_test_labels(synfacs_file: Path) -> None:
    whole = datasets.load("synfacs", synfacs_file)
    before = train_test(whole, 1)[0].stats()
    changed = whole.rows.copy()
    test_rows = changed["part"] == 3
    changed.loc[test_rows, whole.aus.columns()] = 5 - changed.loc[test_rows, whole.aus.columns()]
    after = train_test(dataclasses.replace(whole, rows=changed), 1)[0].stats()
    assert before.threshold == after.threshold == 2
    assert all(torch.equal(a, b) for a, b in zip(before[:3], after[:3], strict=True))


def test_the_store_of_pictures_travels_light(synfacs_file: Path) -> None:
    images = datasets.load("synfacs", synfacs_file).images
    content = images.read(5)
    pickled = pickle.dumps(images)
    assert len(pickled) < len(content)
    assert pickle.loads(pickled).read(5) == content


def test_pictures_are_found_across_files_and_row_groups(tmp_path: Path) -> None:
    contents = [f"picture {number}".encode() for number in range(11)]
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file, part in zip(files, (contents[:7], contents[7:]), strict=True):
        pq.write_table(pa.table({"image": part}), file, row_group_size=3)
    store = ParquetStore(files)
    again = pickle.loads(pickle.dumps(store))
    order = np.random.default_rng(0).permutation(len(contents)).tolist()
    for each in (store, again):
        assert len(each) == len(contents)
        assert [each.read(number) for number in order] == [contents[number] for number in order]
    assert [store.name(number) for number in (0, 6, 7, 10)] == [
        f"{files[0]}, row 0",
        f"{files[0]}, row 6",
        f"{files[1]}, row 0",
        f"{files[1]}, row 3",
    ]


def test_pictures_are_read_by_threads_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEPT_GROUPS", 2)
    contents = [bytes([number]) * 5 for number in range(64)]
    pq.write_table(pa.table({"image": contents}), tmp_path / "x.parquet", row_group_size=4)
    store = ParquetStore([tmp_path / "x.parquet"])
    wanted = np.random.default_rng(1).integers(0, 64, 500).tolist()
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(store.read, wanted)) == [contents[number] for number in wanted]
    assert store._images.cache_info().currsize == 2
