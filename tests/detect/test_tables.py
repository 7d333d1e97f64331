"""Rows, files and folders of readings: the same values everywhere, whole or not there."""

import errno
import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from actionunits.aus import AUSet
from actionunits.detect import outputs, tables
from actionunits.detect.added import added
from actionunits.detect.outputs import Job
from actionunits.detect.places import destinations
from actionunits.errors import UserError
from actionunits.types import Face, Frame, Reading

AUS = AUSet.of((4, 12))


def reading(source="a.mp4", number=0, faces=1, intensity=True, seconds=None, size=(48, 64)):
    rng = np.random.default_rng(number)
    image = np.full((*size, 3), 90, np.uint8)
    frame = Frame(image, source, number, number / 30 if seconds is None else seconds)
    shown = tuple(
        Face(frame, i, np.array([5.0 + i, 6, 20, 24]), rng.uniform(5, 25, (5, 2)), 0.9)
        for i in range(faces)
    )
    probability = rng.uniform(size=(faces, 2))
    return Reading(
        frame, shown, probability, probability > 0.5, 5 * probability if intensity else None
    )


def rows(*readings):
    collected = tables.Rows(AUS)
    for one in readings:
        collected.add(one)
    return collected.table()


def write(path, readings):
    with outputs.table(path, Job(["a.mp4"], AUS)) as file:
        for one in readings:
            file.add(one)


def interrupted():
    yield reading()
    raise KeyboardInterrupt


def full_after_header():
    """`DataFrame.to_csv` on a disk that has room for one call."""
    calls = iter([pd.DataFrame.to_csv])

    def to_csv(*args, **kwargs):
        for call in calls:
            return call(*args, **kwargs)
        raise OSError(errno.ENOSPC, "No space left on device")

    return to_csv


def test_columns_begin_as_openface_users_expect():
    assert tables.columns(AUS) == [
        *["frame", "face_id", "timestamp", "confidence", "success"],
        *["face_x", "face_y", "face_w", "face_h"],
        *["AU04_p", "AU12_p", "AU04_c", "AU12_c", "AU04_r", "AU12_r", "input"],
    ]


def test_rows_hold_what_was_read():
    one = reading(number=6, faces=2)
    table = rows(one, reading(number=7, faces=0))
    assert table["frame"].tolist() == [7, 7, 8]
    assert table["face_id"].tolist()[:2] == [0, 1]
    assert table["success"].tolist() == [1, 1, 0]
    assert np.allclose(table["timestamp"], [0.2, 0.2, 7 / 30])
    assert np.allclose(table.loc[:1, ["AU04_p", "AU12_p"]], one.probability)
    assert np.allclose(table.loc[:1, ["AU04_r", "AU12_r"]], one.intensity)
    assert table.loc[:1, ["AU04_c", "AU12_c"]].to_numpy().tolist() == one.present.tolist()
    assert table.loc[2, ["face_id", "face_x", "AU04_p", "AU12_c", "AU12_r"]].isna().all()


def test_a_table_without_rows_has_its_types():
    assert rows().dtypes.equals(rows(reading()).dtypes)


def test_json_is_rows_with_nulls():
    first, second = json.loads(tables.to_json(rows(reading(), reading(number=1, faces=0))))
    assert list(first) == tables.columns(AUS)
    assert first["success"] == 1
    assert second["AU12_p"] is None
    assert second["face_id"] is None
    assert second["input"] == "a.mp4"


def test_bars_show_names_numbers_and_lengths():
    one = reading()
    one = one._replace(intensity=np.array([[5.0, 2.5]]), present=np.array([[True, False]]))
    console = Console(file=io.StringIO(), width=100)
    console.print(tables.bars(one, AUS, 0))
    brow, lip = (
        line for line in console.file.getvalue().splitlines() if "owerer" in line or "pul" in line
    )
    assert brow.count("█") == 20
    assert "5.0" in brow
    assert lip.count("█") == 10


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_hold_the_table(tmp_path, suffix):
    given = [reading(number=i, faces=i % 3) for i in range(900)]  # more than one flush
    path = tmp_path / "new" / f"out{suffix}"
    write(path, given)
    read = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    expected = rows(*given)
    assert len(read) == 1200 == len(expected)
    pd.testing.assert_frame_equal(
        read.astype(expected.dtypes.to_dict()), expected, check_exact=False, atol=1e-2
    )
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_without_frames_the_header_is_written(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    with outputs.table(path, Job([], AUS)):
        pass
    read = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert list(read.columns) == tables.columns(AUS)
    assert read.empty


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_interrupted_run_leaves_its_rows_beside_the_last_table(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    path.write_text("the last run's")
    with pytest.raises(KeyboardInterrupt):
        write(path, interrupted())
    assert path.read_text() == "the last run's"
    assert len(pd.read_csv(tmp_path / f"out{suffix}.part")) == 1


@pytest.mark.parametrize("late", [True, False])
def test_a_full_disk_is_named(tmp_path, monkeypatch, late):
    path = tmp_path / "out.csv"
    monkeypatch.setattr(pd.DataFrame, "to_csv", full_after_header())
    with pytest.raises(UserError, match=r"cannot write .*out\.csv: No space left"):
        write(path, [reading(number=i) for i in range(10 if late else 1100)])
    assert not path.exists()


def test_an_output_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="expected a folder"),
        outputs.table(tmp_path / "file" / "out.csv", Job([], AUS)),
    ):
        pass


def test_unknown_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"out\.xlsx.*\.csv or \.parquet, or a folder"):
        outputs.table(tmp_path / "out.xlsx", Job([], AUS))


def copy_until_interrupted(out, sources):
    with outputs.table(out, Job(sources, AUS)) as files:
        for source in sources:
            files.add(reading(source, 0))
            files.add(reading(source, 1))
        raise KeyboardInterrupt


def test_a_folder_gets_a_file_an_input(tmp_path):
    sources = [str(tmp_path / "in" / name) for name in ("a.mp4", "deep/a.mp4", "b.png", "b.jpg")]
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        copy_until_interrupted(out, sources)
    # The last one was not complete when the run broke; the others are.
    written = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*") if p.is_file())
    assert written == [".au-detect.jsonl", "a.csv", "b.jpg.csv.part", "b.png.csv", "deep/a.csv"]
    assert pd.read_csv(out / "deep" / "a.csv")["frame"].tolist() == [1, 2]


def test_destinations_of_cameras_and_single_files(tmp_path):
    found = destinations(["camera:0"], tmp_path, lambda _: ".csv")
    assert found == {"camera:0": tmp_path / "camera0.csv"}
    found = destinations(["/x/y.mov"], tmp_path, lambda _: "_au.mp4")
    assert found == {"/x/y.mov": tmp_path / "y_au.mp4"}


def test_embedding_has_its_columns_in_every_format(tmp_path):
    vectors = np.array([[1 / 3, -2.0, 1e-9], [4.0, 5.0, 6.0]])
    shown, nobody = reading(faces=2)._replace(embedding=vectors), reading(number=1, faces=0)
    three = added(["embedding"], {"embedding": 3}, AUS)
    collected = tables.Rows(AUS, three)
    for name in ("rows.csv", "rows.parquet"):
        with outputs.table(tmp_path / name, Job(["a.mp4"], AUS, three)) as file:
            file.add(shown)
            file.add(nobody)
    collected.add(shown)
    collected.add(nobody)
    table = collected.table()
    assert list(table.columns[-4:]) == ["e0", "e1", "e2", "input"]
    assert list(table.columns[:-4]) == tables.columns(AUS)[:-1]
    np.testing.assert_array_equal(table[["e0", "e1", "e2"]][:2], vectors)
    assert table[["e0", "e1", "e2"]].iloc[2].isna().all()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "rows.parquet"), table)
    text = pd.read_csv(tmp_path / "rows.csv")
    assert text["e0"].tolist()[:2] == [0.333333, 4.0]
    assert list(text.columns) == list(table.columns)
