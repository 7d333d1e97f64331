"""Frames that cannot be prepared: listed with their reasons, and all others are there."""

import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from preparing import contents, rewritten, run, times
from rich.console import Console

from actionunits import media
from actionunits.datasets.prepare import prepare, reasons
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError
from clips import write_video
from rawtables import AUS, SIDE, own_landmarks, picture, raw_table, with_labels


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
        ("not a picture of a kind that is read here; convert it to PNG", 1, "S1/T1/1"),
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
