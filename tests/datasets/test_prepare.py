"""Preparation: shards are the pictures aligned, and work is never done twice."""

import dataclasses
import errno
import io
import json
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from preparing import contents, rewritten, run, times
from rich.console import Console

from actionunits import media
from actionunits.data.prepared import MANIFEST, Excluded, read_manifest, shard_name
from actionunits.datasets import prepare as module
from actionunits.datasets import room, shard
from actionunits.datasets.prepare import prepare
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError, UserError
from actionunits.faces import templates
from actionunits.faces.align import transform, warp
from rawtables import AUS, landmarks, own_landmarks


@pytest.mark.parametrize("template", templates.list_templates())
def test_a_shard_holds_what_direct_reading_gives(raw: RawTable, tmp_path, template: str) -> None:
    run(raw, tmp_path / "out", template)
    table = pq.read_table(tmp_path / "out" / "S2_T1.parquet").to_pandas()
    rows = raw.rows[raw.rows["subject"] == "S2"].reset_index(drop=True)
    kept = ["subject", "task", "frame", "part", *raw.label_columns()]
    pd.testing.assert_frame_equal(table[kept], rows[kept], check_dtype=False)
    for row, stored in zip(rows.itertuples(), table.itertuples(), strict=True):
        points = landmarks(row.seed).astype(np.float64)
        matrix = templates.place(points[None], template, 256)
        expected = warp(media.read_image(row.file), matrix, 256)[0]
        shown = np.asarray(Image.open(io.BytesIO(stored.image))).astype(int)
        assert np.abs(shown - expected).mean() < 1.5  # what JPEG loses
        moved = np.asarray(stored.landmarks).reshape(49, 2)
        assert np.allclose(moved, transform(points, matrix[0]), atol=1e-3)


def test_what_is_written_is_described(raw: RawTable, tmp_path: Path) -> None:
    raw = dataclasses.replace(raw, excluded=(Excluded("S9/T1", 7, "no labels"),))
    manifest = run(raw, tmp_path / "out", "affine49")
    assert manifest == read_manifest("bp4d", tmp_path / "out")
    assert manifest.template == "affine49"
    assert manifest.occurrence == AUS.numbers
    assert manifest.intensity == (6, 12)
    assert manifest.threshold == 2
    assert manifest.frames == len(raw)
    assert manifest.shards == {f"S{i}_T1.parquet": 3 for i in (1, 2, 3)}
    assert manifest.excluded == raw.excluded
    assert {*contents(tmp_path / "out")} == {*manifest.shards, MANIFEST}


def test_processes_write_the_same_bytes_as_one(raw: RawTable, tmp_path: Path) -> None:
    run(raw, tmp_path / "one")
    run(raw, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_interrupted_preparation_resumes_to_the_same_bytes(
    raw: RawTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(raw, tmp_path / "whole")
    out, seen = tmp_path / "out", []

    def interrupted(*arguments):
        seen.append(1)
        if len(seen) == 5:  # in the middle of the second sequence
            raise KeyboardInterrupt
        return warp(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(shard, "warp", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(raw, out)
    assert contents(out).keys() == {"S1_T1.parquet"}
    before = times(out)
    run(raw, out)
    assert rewritten(out, before) == {"S2_T1.parquet", "S3_T1.parquet"}
    assert contents(out) == contents(tmp_path / "whole")


def test_a_second_run_does_only_what_has_changed(raw: RawTable, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(raw, out)
    before = times(out)
    run(raw, out)
    assert not rewritten(out, before)

    labels = raw.rows.copy()
    labels.loc[labels["subject"] == "S2", "AU01"] = 1 - labels["AU01"].fillna(0)
    run(dataclasses.replace(raw, rows=labels), out)
    assert rewritten(out, before) == {"S2_T1.parquet"}

    run(raw, out)
    before = times(out)
    (out / "S3_T1.parquet").write_bytes((out / "S3_T1.parquet").read_bytes()[:-50])
    (out / "S1_T1.parquet").unlink()
    run(raw, out)
    assert rewritten(out, before) == {"S1_T1.parquet", "S3_T1.parquet"}

    def moved(rows: pd.DataFrame) -> np.ndarray:
        return own_landmarks(rows) + (rows["subject"] == "S1").to_numpy(np.float32)[:, None, None]

    before = times(out)
    run(dataclasses.replace(raw, landmarks=moved), out)
    assert rewritten(out, before) == {"S1_T1.parquet"}


def test_the_folder_of_another_preparation_is_left_alone(raw: RawTable, tmp_path: Path) -> None:
    run(raw, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(DataError, match=r"template canonical, not bp4d with box49; give another"):
        run(raw, tmp_path / "out", "box49")
    with pytest.raises(DataError, match="holds bp4d with the template"):
        run(dataclasses.replace(raw, name="disfa"), tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_room_is_stated_and_checked_before_anything_is_written(
    raw: RawTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Console(file=io.StringIO(), width=200)
    prepare(raw, tmp_path / "there", workers=1, console=said)
    assert "9 frames to prepare in 3 sequences: about 0.00 GB" in said.file.getvalue()
    usage = type("Usage", (), {"free": 100_000})
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"out: about .* are needed for 9 frames .* make room"):
        run(raw, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists()
    run(raw, tmp_path / "there")  # nothing more is needed


def test_a_full_disk_ends_the_run(raw: RawTable, tmp_path: Path, monkeypatch) -> None:
    def full(image: np.ndarray, quality: int) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(media, "encode_jpeg", full)
    with pytest.raises(UserError, match=r"cannot write .*S1_T1\.parquet: No space left"):
        run(raw, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_sequence_that_fails_does_not_stop_the_others(raw, tmp_path, monkeypatch) -> None:
    original = shard._align

    def failing(chunk, *arguments):
        if "S2" in chunk[0].frame.source:
            raise RuntimeError("out of luck")
        return original(chunk, *arguments)

    monkeypatch.setattr(shard, "_align", failing)
    with pytest.raises(ExceptionGroup, match="1 sequence could not") as caught:
        run(raw, tmp_path / "out")
    assert caught.value.exceptions[0].__notes__ == ["while preparing S2_T1"]
    assert contents(tmp_path / "out").keys() == {"S1_T1.parquet", "S3_T1.parquet"}


names = st.tuples(st.text(min_size=1, max_size=6), st.text(max_size=6))


@given(names, names)
@settings(max_examples=30, deadline=None)
def test_no_two_sequences_share_a_file(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (shard_name(*one) == shard_name(*other)) == (one == other)
    assert Path(shard_name(*one)).name == shard_name(*one)


def test_usual_names_stay_as_they_are() -> None:
    assert shard_name("F001", "T1") == "F001_T1.parquet"


def test_json_is_plain(raw: RawTable, tmp_path: Path) -> None:
    run(raw, tmp_path / "out")
    values = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert (values["kind"], values["version"], values["frames"]) == ("prepared", 2, 9)


def test_a_process_that_dies_is_the_users_to_start_again(raw, tmp_path, monkeypatch) -> None:
    def dead(job: object) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(module, "_work", dead)
    with pytest.raises(DataError, match="a process died; finished sequences are kept"):
        run(raw, tmp_path / "out")
