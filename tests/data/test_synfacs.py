"""Reading rendered corpora, whole and broken."""

import json
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


def test_landmarks_are_in_pixels_of_stored_faces_whatever_the_size_of_the_pictures(
    tmp_path: Path,
) -> None:
    file = write_synfacs(tmp_path / "small.parquet", 1, 1, 1)
    raw = pq.read_table(file)
    card = {**json.loads(raw.schema.metadata[b"actionunits"]), "settings": {"size": 128}}
    pq.write_table(raw.replace_schema_metadata({"actionunits": json.dumps(card)}), file)
    points = datasets.load("synfacs", file).landmarks
    np.testing.assert_allclose(points.flatten(), 2 * np.array(raw["landmarks"][0].as_py()))
    card["settings"] = {}
    pq.write_table(raw.replace_schema_metadata({"actionunits": json.dumps(card)}), file)
    with pytest.raises(DataError, match="size of its pictures"):
        datasets.load("synfacs", file)


def test_version_2_knows_sides_pose_gaze_and_what_is_hidden(tmp_path: Path) -> None:
    write_synfacs(tmp_path / "old.parquet", 2, 1, 1)
    assert datasets.load("synfacs", tmp_path / "old.parquet").besides is None
    new = pq.read_table(write_synfacs(tmp_path / "new.parquet", 2, 1, 2, version=2))
    pq.write_table(
        new.set_column(0, "subject", [[f"N{n}" for n in new["subject"].to_pylist()]]),
        tmp_path / "new.parquet",
    )
    both = datasets.load("synfacs", tmp_path)  # new before old
    known = both.besides
    assert known is not None
    sides = known.sides[:4].numpy()
    np.testing.assert_array_equal(sides.max(-1), both.labels[:4])
    np.testing.assert_array_equal(sides.reshape(4, -1), np.stack(new["sides"].to_pylist()))
    np.testing.assert_array_equal(known.pose[:4, 2], new["roll"].to_numpy())
    np.testing.assert_allclose(known.gaze[:4, 1], new["gaze_pitch"].to_numpy(), rtol=1e-6)
    np.testing.assert_allclose(known.hidden[:4], np.stack(new["hidden"].to_pylist()), rtol=1e-6)
    for values in known:
        assert values[4:].isnan().all()
    chosen = both.select(aus.AUSet.of((12, 1))).subset(np.array([2])).besides
    assert chosen is not None
    places = [aus.RENDERED.index(12), aus.RENDERED.index(1)]
    np.testing.assert_array_equal(chosen.sides[0], known.sides[2, places])


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
