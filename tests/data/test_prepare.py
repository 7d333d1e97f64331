"""Preparation: shards are the pictures aligned, losses are listed, and work is never done twice."""

import dataclasses
import errno
import io
import json
import shutil
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from actionunits import data, media
from actionunits.data import prepare as module
from actionunits.data import prepared, room, shard
from actionunits.data.prepare import prepare, reasons
from actionunits.data.prepared import MANIFEST, Manifest, read_manifest, shard_name
from actionunits.data.raw import Excluded, RawTable
from actionunits.errors import DataError
from actionunits.faces import templates
from actionunits.faces.align import five_points, transform, warp
from actionunits.faces.main_face import Finder
from actionunits.finder import landmark_finder
from rawtables import AUS, SIDE, landmarks, own_landmarks, picture, raw_table, with_labels
from test_media import write_video

QUIET = Console(quiet=True)


def run(raw: RawTable, out: Path, template: str = "canonical", workers: int = 1) -> Manifest:
    return prepare(raw, out, template, workers, QUIET)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def rewritten(folder: Path, before: dict[str, int]) -> set[str]:
    """Shards that have been written since the times were taken."""
    return {name for name, time in times(folder).items() if before.get(name) != time}


def times(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in folder.glob("*.parquet")}


@pytest.fixture
def raw(tmp_path: Path) -> RawTable:
    return raw_table(tmp_path / "raw")


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
        expected = warp(media.read_image(row.file), matrix, 256)[0].permute(1, 2, 0).numpy()
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


def test_lost_frames_are_listed_and_the_rest_is_prepared(tmp_path: Path) -> None:
    raw, out = raw_table(tmp_path / "raw", subjects=2, frames=6), tmp_path / "out"
    whole = run(raw, tmp_path / "whole", "similarity49")
    first = tmp_path / "raw" / "S1" / "T1"
    good = (first / "1.png").read_bytes()
    (first / "1.png").write_bytes(good[:200])
    (first / "2.png").unlink()
    broken = {2: np.nan, 3: 1000.0}  # landmarks that are not there, and outside the picture

    def gaps(rows: pd.DataFrame) -> np.ndarray:
        points = own_landmarks(rows)
        if rows["subject"].iat[0] == "S1":
            for row, value in broken.items():
                points[row] += value
            points[4] = 20
        return points

    manifest = run(dataclasses.replace(raw, landmarks=gaps), out, "similarity49")
    assert manifest.shards == {"S1_T1.parquet": 1, "S2_T1.parquet": 6}
    assert [(lost.subject, lost.frame) for lost in manifest.lost] == [
        ("S1", n) for n in range(1, 6)
    ]
    said = [lost.reason for lost in manifest.lost]
    assert said[0].startswith("the picture is truncated")
    assert said[1:] == [
        "no such file",
        "no landmarks in the data set",
        "its landmarks lie outside the picture",
        "its landmarks coincide or lie on one line",
    ]
    assert contents(out)["S2_T1.parquet"] == contents(tmp_path / "whole")["S2_T1.parquet"]

    # The rest of the archive is unpacked: the same command repairs the one sequence.
    (first / "1.png").write_bytes(good)
    Image.fromarray(picture(1)).save(first / "2.png")
    before = times(out)
    assert run(raw, out, "similarity49") == whole
    assert rewritten(out, before) == {"S1_T1.parquet"}
    assert contents(out) == contents(tmp_path / "whole")


def test_landmarks_that_cannot_be_read_cost_their_sequence_only(raw: RawTable, tmp_path) -> None:
    def damaged(rows: pd.DataFrame) -> np.ndarray:
        if rows["subject"].iloc[0] == "S2":
            raise DataError("S2_T1.mat: not a whole MATLAB file")
        return own_landmarks(rows)

    said = Console(file=io.StringIO(), record=True, width=200)
    spoilt = dataclasses.replace(raw, landmarks=damaged)
    manifest = prepare(spoilt, tmp_path / "out", "box49", 1, said)
    assert {each.subject for each in manifest.lost} == {"S2"}
    assert manifest.frames == len(raw) - len(manifest.lost) > 0
    assert "S2_T1.mat: not a whole MATLAB file; going on" in said.export_text()


def test_reasons_are_counted_with_their_first_frame(tmp_path: Path) -> None:
    raw = raw_table(tmp_path / "raw", subjects=2)
    for name in ("S1/T1/3.png", "S2/T1/2.png", "S2/T1/3.png"):
        (tmp_path / "raw" / name).unlink()
    (tmp_path / "raw/S1/T1/1.png").write_bytes(b"x" * 9)
    manifest = run(raw, tmp_path / "out")
    assert reasons(manifest.lost) == [
        ("no such file", 3, "S1/T1/3"),
        ("not a picture that Pillow knows; convert it to PNG", 1, "S1/T1/1"),
    ]


def test_a_sequence_that_is_lost_as_a_whole_is_not_tried_again(raw: RawTable, tmp_path) -> None:
    shutil.rmtree(tmp_path / "raw" / "S2")
    manifest = run(raw, tmp_path / "out")
    assert manifest.shards["S2_T1.parquet"] == 0
    before = times(tmp_path / "out")
    run(raw, tmp_path / "out")
    assert not rewritten(tmp_path / "out", before)


@pytest.fixture
def video(tmp_path: Path) -> RawTable:
    """A video of eight frames, of which the labels name every second one and two that are not."""
    shades = [np.full((SIDE, SIDE, 3), 20 + 25 * i, np.uint8) for i in range(8)]
    file = write_video(tmp_path / "clip.mp4", np.arange(8) / 20, (SIDE, SIDE), shades=shades)
    rows = pd.DataFrame({"position": [0, 2, 4, 6, 8, 10]})
    rows = rows.assign(subject="S1", task="T1", frame=rows["position"] + 1, file=str(file), seed=0)
    return RawTable("disfa", tmp_path, with_labels(rows), AUS, None, landmarks=own_landmarks)


def test_a_video_is_decoded_once_and_in_order(video: RawTable, tmp_path, monkeypatch) -> None:
    decoded = []

    def frames(file, threads):
        for frame in media_frames(file, threads):
            decoded.append(frame.number)
            yield frame

    media_frames = media.frames
    monkeypatch.setattr(media, "frames", frames)
    short = dataclasses.replace(video, rows=video.rows.iloc[:3])
    run(short, tmp_path / "out")
    assert decoded == [0, 1, 2, 3, 4]  # not a frame further than the labels
    stored = pq.read_table(tmp_path / "out" / "S1_T1.parquet").to_pandas()
    assert stored["frame"].tolist() == [1, 3, 5]
    shades = [np.asarray(Image.open(io.BytesIO(image))).mean() for image in stored["image"]]
    assert np.allclose(shades, [20, 70, 120], atol=3)


def test_a_video_that_is_shorter_than_its_labels_loses_those_only(video, tmp_path) -> None:
    manifest = run(video, tmp_path / "out")
    assert manifest.frames == 4
    assert [lost.frame for lost in manifest.lost] == [9, 11]
    assert {lost.reason for lost in manifest.lost} == {"the video ends before its labels"}
    Path(video.rows["file"].iat[0]).write_bytes(b"rubbish" * 30)
    manifest = run(video, tmp_path / "out")
    assert manifest.frames == 0
    assert all("neither a picture nor a video" in lost.reason for lost in manifest.lost)


def test_without_landmarks_faces_are_detected(raw: RawTable, tmp_path: Path) -> None:
    portrait = Image.fromarray(skimage.data.astronaut()[20:220, 120:320])
    rows = raw.rows[raw.rows["subject"] == "S1"]
    for file in rows["file"][:2]:
        portrait.save(file)
    found = run(dataclasses.replace(raw, rows=rows, landmarks=None), tmp_path / "out")
    assert [(lost.frame, lost.reason) for lost in found.lost] == [(3, "no face found")]
    table = pq.read_table(tmp_path / "out" / "S1_T1.parquet")
    assert table["landmarks"].null_count == len(table) == 2

    # Where the data set has them for some frames only, the others are detected.
    def third(rows: pd.DataFrame) -> np.ndarray:
        points = own_landmarks(rows)
        points[:2] = np.nan
        return points

    mixed = run(dataclasses.replace(raw, rows=rows, landmarks=third), tmp_path / "mixed")
    assert not mixed.lost
    stored = pq.read_table(tmp_path / "mixed" / "S1_T1.parquet")
    assert [row.is_valid for row in stored["landmarks"]] == [False, False, True]
    assert stored["image"].to_pylist()[:2] == table["image"].to_pylist()


def test_templates_of_49_points_need_landmarks(raw: RawTable, tmp_path: Path) -> None:
    bare = dataclasses.replace(raw, landmarks=None)
    with pytest.raises(DataError, match=r"box49 is placed by 49 .* enough for: canonical$"):
        run(bare, tmp_path / "out", "box49")
    with pytest.raises(DataError, match="no template 'tight'"):
        run(raw, tmp_path / "out", "tight")


@pytest.fixture
def people(tmp_path: Path) -> RawTable:
    """Two rendered people whose pictures come with labels only; the third picture shows nobody."""
    table = data.load("synfacs")
    rows = []
    for subject, frames in (("S1", (0, 1, None)), ("S2", (1500, 1501, 1502))):
        for number, frame in enumerate(frames, start=1):
            image = Image.new("RGB", (360, 300), (90, 80, 70))
            if frame is not None:
                image.paste(Image.open(io.BytesIO(table.images.read(frame))), (60, 20))
            file = tmp_path / f"{subject}_{number}.png"
            image.save(file)
            rows.append((subject, "T1", number, str(file), 0, -1 if frame is None else frame))
    names = ["subject", "task", "frame", "file", "position", "seed"]
    rows = with_labels(pd.DataFrame(rows, columns=names))
    return RawTable("csv", tmp_path, rows, AUS, None)


@pytest.mark.parametrize("template", ["similarity49", "affine49", "box49"])
def test_a_finder_stands_in_for_landmarks(people: RawTable, tmp_path, template: str) -> None:
    out = tmp_path / "out"
    manifest = prepare(people, out, template, 1, QUIET, finder=landmark_finder())
    assert (manifest.frames, manifest.found) == (5, 5)
    assert [(each.frame, each.reason) for each in manifest.lost] == [(3, "no face found")]
    true = data.load("synfacs").landmarks[[0, 1, 1500, 1501, 1502]].astype(float)
    table = prepared.read("csv", out)
    ideal = transform(true, templates.place(true, template, 256))
    eyes = np.linalg.norm(np.diff(five_points(ideal)[:, :2], axis=1)[:, 0], axis=-1)
    off = np.linalg.norm(table.landmarks - ideal, axis=-1).mean(-1) / eyes
    assert off.max() < 0.09  # placed by found points, and found there


def test_the_canonical_template_keeps_to_five_points(people: RawTable, tmp_path: Path) -> None:
    plain, given = tmp_path / "plain", tmp_path / "given"
    assert prepare(people, given, "canonical", 1, QUIET, finder=landmark_finder()).found == 0
    run(people, plain)
    assert contents(plain) == contents(given)
    assert prepared.read("csv", given).landmarks is None


def test_own_landmarks_come_before_found_ones(people: RawTable, tmp_path: Path) -> None:
    true = data.load("synfacs").landmarks + np.float32([60, 20])

    def some(rows: pd.DataFrame) -> np.ndarray:
        points = true[rows["seed"]]
        points[rows["frame"] > 1] = np.nan
        return points

    partly = dataclasses.replace(people, landmarks=some)
    manifest = prepare(partly, tmp_path / "out", "box49", 1, QUIET, finder=landmark_finder())
    assert (manifest.frames, manifest.found) == (5, 3)
    own = true[[0, 1500]].astype(float)
    expected = transform(own, templates.place(own, "box49", 256))
    stored = prepared.read("csv", tmp_path / "out").landmarks[[0, 2]]
    np.testing.assert_allclose(stored, expected, atol=1e-3)


def test_points_of_another_finder_are_found_anew(raw: RawTable, tmp_path: Path) -> None:
    class Known:
        def __call__(self, frames):
            return np.stack([landmarks(0)] * len(frames))

    def some(rows: pd.DataFrame) -> np.ndarray:
        points = own_landmarks(rows)
        points[(rows["subject"] == "S2").to_numpy()] = np.nan
        return points

    partly, out = dataclasses.replace(raw, landmarks=some), tmp_path / "out"
    prepare(partly, out, "box49", 1, QUIET, finder=Finder(Known, "first"))
    before = times(out)
    assert prepare(partly, out, "box49", 1, QUIET, finder=Finder(Known, "first")).found == 3
    assert not rewritten(out, before)
    prepare(partly, out, "box49", 1, QUIET, finder=Finder(Known, "second"))
    assert rewritten(out, before) == {"S2_T1.parquet"}


def test_a_finder_that_nobody_needs_is_not_made(raw: RawTable, tmp_path: Path) -> None:
    def never():
        raise AssertionError

    manifest = prepare(raw, tmp_path / "out", "box49", 1, QUIET, finder=Finder(never, "x"))
    assert (manifest.frames, manifest.found) == (9, 0)


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
    with pytest.raises(DataError, match=r"cannot write .*S1_T1\.parquet: No space left"):
        run(raw, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_sequence_that_fails_does_not_stop_the_others(raw, tmp_path, monkeypatch) -> None:
    original = shard._align

    def failing(chunk, *arguments):
        if "S2" in chunk[0].frame.source:
            raise RuntimeError("out of luck")
        return original(chunk, *arguments)

    monkeypatch.setattr(shard, "_align", failing)
    with pytest.raises(ExceptionGroup, match="1 sequences could not") as caught:
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
    assert (values["kind"], values["version"], values["frames"]) == ("prepared", 1, 9)


def test_a_process_that_dies_is_the_users_to_start_again(raw, tmp_path, monkeypatch) -> None:
    def dead(job: object) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(module, "_work", dead)
    with pytest.raises(DataError, match="a process died; finished sequences are kept"):
        run(raw, tmp_path / "out")
