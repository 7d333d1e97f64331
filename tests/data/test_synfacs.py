"""Reading rendered corpora, whole and broken."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from actionunits import aus, datasets
from actionunits.errors import DataError
from builders import write_synfacs


def test_a_folder_of_files_is_one_table(tmp_path: Path) -> None:
    one = write_synfacs(tmp_path / "a.parquet", subjects=2, tasks=1, frames=2, seed=1)
    two = write_synfacs(tmp_path / "b.parquet", subjects=2, tasks=1, frames=3, seed=2)
    renamed = pq.read_table(two)
    names = [f"X{name}" for name in renamed["subject"].to_pylist()]
    pq.write_table(renamed.set_column(0, "subject", [names]), two)
    whole, first = datasets.load("synfacs", tmp_path), datasets.load("synfacs", one)
    assert len(whole) == 10
    np.testing.assert_array_equal(whole.labels[:4], first.labels)
    assert whole.images.read(0) == first.images.read(0)
    assert whole.images.read(4) == datasets.load("synfacs", two).images.read(0)
    assert whole.images.name(5) == f"{two}, row 1"


def test_labels_and_landmarks_are_those_of_the_file(synfacs_file: Path) -> None:
    table, raw = datasets.load("synfacs", synfacs_file), pq.read_table(synfacs_file)
    assert table.aus == aus.ALL
    assert table.coding == "intensity"
    np.testing.assert_array_equal(table.labels[:, 3], raw["AU05"].to_numpy())
    np.testing.assert_array_equal(table.landmarks[7].flatten(), raw["landmarks"][7].as_py())


def test_corpora_of_18_aus_and_of_24_are_read_alone_and_together(tmp_path: Path) -> None:
    write_synfacs(tmp_path / "old.parquet", 2, 1, 1)
    new = pq.read_table(write_synfacs(tmp_path / "new.parquet", 2, 1, 1, version=2))
    new = new.set_column(new.schema.get_field_index("AU27"), "AU27", [[1.5, 2.5]])
    new = new.set_column(0, "subject", [["S003", "S004"]])
    pq.write_table(new, tmp_path / "new.parquet")
    alone = datasets.load("synfacs", tmp_path / "new.parquet")
    assert alone.aus == aus.RENDERED
    assert alone.labels[:, aus.RENDERED.index(27)].tolist() == [1.5, 2.5]
    both = datasets.load("synfacs", tmp_path)
    assert both.aus == aus.RENDERED
    assert np.isnan(both.labels[2:, aus.RENDERED.index(27)]).all()  # not coded
    assert np.isfinite(both.labels[:, aus.RENDERED.index(43)]).all()
    assert both.population == "synfacs/0+v2-0"  # a seed makes other people in another version


def test_what_is_no_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        datasets.load("synfacs", tmp_path / "absent.parquet")
    with pytest.raises(DataError, match="found none"):
        datasets.load("synfacs", tmp_path)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(write_synfacs(tmp_path / "good.parquet", 1, 1, 1).read_bytes()[:-100])
    with pytest.raises(DataError, match=r"broken\.parquet: not a whole Parquet file"):
        datasets.load("synfacs", broken)
    with pytest.raises(DataError, match="no data set 'bp5d'"):
        datasets.load("bp5d")


def test_other_parquet_files_and_versions_are_refused(tmp_path: Path) -> None:
    good = pq.read_table(write_synfacs(tmp_path / "good.parquet", 1, 1, 1))
    other = tmp_path / "other.parquet"
    pq.write_table(good.replace_schema_metadata(), other)
    with pytest.raises(DataError, match="another kind"):
        datasets.load("synfacs", other)
    pq.write_table(good.replace_schema_metadata({"actionunits": '{"version": 9}'}), other)
    with pytest.raises(DataError, match="found version 9"):
        datasets.load("synfacs", other)
    pq.write_table(good.drop_columns("AU43"), other)
    with pytest.raises(DataError, match="lacks the columns AU43"):
        datasets.load("synfacs", other)
