"""Prepared folders as tables that can be trained on, and what is said of folders that are not."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from actionunits import datasets
from actionunits.aus import AUSet
from actionunits.data.prepared import MANIFEST, Excluded, read
from actionunits.data.splits import train_test
from actionunits.datasets.prepare import prepare
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError
from actionunits.faces import main_face
from actionunits.faces.given import Aligned
from actionunits.learn import scoring
from actionunits.learn.recipe import DataSpec, load_recipe
from rawtables import AUS, INTENSITIES, own_landmarks, raw_table


def write(raw: RawTable, out: Path, template: str = "canonical") -> Path:
    prepare(raw, out, template, 1, Console(quiet=True))
    return out


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> RawTable:
    return raw_table(tmp_path_factory.mktemp("data") / "raw")


@pytest.fixture(scope="module")
def folder(raw: RawTable) -> Path:
    return write(raw, raw.root.parent / "out", "similarity49")


def test_occurrence_is_read_where_it_is_coded(raw: RawTable, folder: Path) -> None:
    table = read("bp4d", folder)
    assert (table.coding, table.aus, table.template) == ("occurrence", AUS, "similarity49")
    np.testing.assert_array_equal(table.labels, raw.rows[AUS.columns()])
    np.testing.assert_array_equal(table.occurrence(), table.labels)
    keys = ["subject", "task", "frame", "part"]
    assert table.rows[keys].to_numpy().tolist() == raw.rows[keys].to_numpy().tolist()
    assert table.landmarks.shape == (9, 49, 2)
    assert np.isfinite(table.landmarks).all()


def test_intensity_is_read_when_asked_for(raw: RawTable, folder: Path) -> None:
    table = read("bp4d", folder, "intensity")
    levels = raw.rows[[f"{column}_intensity" for column in INTENSITIES.columns()]].to_numpy()
    assert (table.coding, table.aus, table.threshold) == ("intensity", INTENSITIES, 2)
    np.testing.assert_array_equal(table.labels, levels)
    np.testing.assert_array_equal(table.occurrence(), levels >= 2)


def test_a_data_set_of_intensities_alone(raw: RawTable, tmp_path: Path) -> None:
    out = write(dataclasses.replace(raw, occurrence=None), tmp_path / "out")
    assert read("bp4d", out).coding == "intensity"
    with pytest.raises(DataError, match="no labels of occurrence"):
        read("bp4d", out, "occurrence")


def test_pictures_belong_to_their_rows(folder: Path) -> None:
    table = read("bp4d", folder)
    test = train_test(table, 1)[1]  # the third part
    assert test.subjects() == ["S3"]
    stored = pq.read_table(folder / "S3_T1.parquet")["image"].to_pylist()
    assert [test.images.read(number) for number in test.rows["image"]] == stored


def test_lost_frames_have_no_row(tmp_path: Path) -> None:
    raw = raw_table(tmp_path / "raw")
    (tmp_path / "raw" / "S2" / "T1" / "2.png").unlink()
    left_out = (Excluded("S2/T7", 4, "no pictures"), Excluded("S3 AU04", 0, "not coded"))
    raw = dataclasses.replace(raw, excluded=left_out)
    table = read("bp4d", write(raw, tmp_path / "out"))
    assert table.lost == {"S2": 1 + 4}
    assert table.rows.query("subject == 'S2'")["frame"].tolist() == [1, 3]
    assert table.rows["image"].tolist() == list(range(8))


def test_a_face_without_landmarks_has_nan(
    raw: RawTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gaps(rows: pd.DataFrame) -> np.ndarray:
        points = own_landmarks(rows)
        points[(rows["frame"] == 2).to_numpy()] = np.nan
        return points

    monkeypatch.setattr(main_face, "_detector", Aligned)
    partly = read("bp4d", write(dataclasses.replace(raw, landmarks=gaps), tmp_path / "partly"))
    assert np.isnan(partly.landmarks).all((1, 2)).tolist() == [False, True, False] * 3
    whole = read("bp4d", write(raw, tmp_path / "whole")).landmarks
    np.testing.assert_array_equal(partly.landmarks[[0, 2, 3]], whole[[0, 2, 3]])
    bare = dataclasses.replace(raw, landmarks=None)
    assert read("bp4d", write(bare, tmp_path / "bare")).landmarks is None


def test_recipes_choose_the_labels(
    folder: Path, synfacs_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(datasets._RAW, "bp4d", raw_table)
    spec = DataSpec(name="bp4d", root=str(folder), aus=(12, 6), coding="intensity", threshold=3)
    table = scoring.read_table(spec)
    assert (table.coding, table.aus, table.threshold) == ("intensity", AUSet.of((12, 6)), 3)
    assert datasets.load("bp4d", folder).coding == "occurrence"
    assert "bp4d" in datasets.list_datasets()
    assert datasets.load("synfacs", synfacs_file, "intensity").coding == "intensity"
    with pytest.raises(DataError, match=r"synfacs codes intensity, not occurrence: leave data\."):
        datasets.load("synfacs", synfacs_file, "occurrence")
    with pytest.raises(DataError, match="no data set 'ck'"):
        datasets.read_raw("ck", folder)


def test_recipes_of_intensity_ask_for_it() -> None:
    for name in ("renet_bp4d_intensity", "renet_disfa_intensity"):
        assert load_recipe(name).data.coding == "intensity"
    assert load_recipe("renet_bp4d").data.coding is None


def test_a_threshold_is_without_meaning_for_occurrence(folder: Path) -> None:
    table = read("bp4d", folder)
    strict = dataclasses.replace(table, threshold=3)
    np.testing.assert_array_equal(strict.occurrence(), table.occurrence())


def test_what_is_no_prepared_folder_is_named(raw: RawTable, folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"`au data prepare bp4d ROOT OUT` and give OUT as data.roo"
    ):
        read("bp4d", None)
    with pytest.raises(DataError, match=rf"run `au data prepare bp4d {raw.root} OUT`"):
        read("bp4d", raw.root)
    with pytest.raises(DataError, match="expected disfa, found bp4d"):
        read("disfa", folder)


@pytest.fixture
def damaged(raw: RawTable, tmp_path: Path) -> Path:
    return write(raw, tmp_path / "out")


def test_an_unfinished_folder_is_named(damaged: Path) -> None:
    (damaged / MANIFEST).unlink()
    with pytest.raises(DataError, match="not prepared to its end: run the same"):
        read("bp4d", damaged)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 9}, "expected kind 'prepared' and version 2, found 'prepared' and 9"),
        ({"kind": "album"}, "found 'album'"),
        ({"frames": "many"}, r"prepared\.json: damaged at frames"),
        ({"shards": {"S1_T1.parquet": 2}}, r"S1_T1\.parquet: expected 2 frames, found 3"),
        ({"shards": {"S8_T1.parquet": 2}}, r"S8_T1\.parquet: missing, damaged or of another"),
        ({"template": "box49"}, r"S1_T1\.parquet: missing, damaged or of another preparation"),
        ({"shards": {}}, "no frame of bp4d could be prepared"),
    ],
)
def test_what_does_not_fit_is_named(damaged: Path, change: dict, said: str) -> None:
    values = json.loads((damaged / MANIFEST).read_text())
    del values["seal"]
    (damaged / MANIFEST).write_text(json.dumps(values | change))
    with pytest.raises(DataError, match=said):
        read("bp4d", damaged)


def test_a_digit_that_has_changed_is_named(damaged: Path) -> None:
    text = (damaged / MANIFEST).read_text()
    assert '"threshold": 2.0' in text
    (damaged / MANIFEST).write_text(text.replace('"threshold": 2.0', '"threshold": 3.0'))
    with pytest.raises(DataError, match=r"prepared\.json: damaged \(it is not what its checksum"):
        read("bp4d", damaged)


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_broken_description_is_named(damaged: Path, content: str) -> None:
    (damaged / MANIFEST).write_text(content)
    with pytest.raises(DataError, match=r"prepared\.json: (damaged|expected kind)"):
        read("bp4d", damaged)


def test_landmarks_are_those_of_the_stored_faces(folder: Path, raw: RawTable) -> None:
    stored = read("bp4d", folder).landmarks
    # Aligned, faces that lay anywhere lie on one another.
    assert own_landmarks(raw.rows).std(0).max() > 1
    assert stored.std(0).max() < 5
    assert ((stored > 0) & (stored < 256)).all()
