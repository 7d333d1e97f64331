"""What workers write is what one process writes: its predictor is asked beside them."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from pools import Here

from actionunits.bench.scene import clip, pictures, stills
from actionunits.detect import chunks, seek
from actionunits.detect.predict import Predictor
from actionunits.media import Span
from actionunits.scale import engine, manifest, parts, ranges, tasks, work
from actionunits.scale.manifest import Item
from actionunits.scale.parts import Output
from actionunits.scale.schedule import Schedule
from actionunits.scale.tasks import Task

BLOCK = 24  # frames, in place of 1800


@pytest.fixture
def short_blocks(monkeypatch):
    for module in (chunks, seek, ranges):
        monkeypatch.setattr(module, "BLOCK", BLOCK)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return clip(tmp_path_factory.mktemp("video") / "two.mp4", 110, 2, 160, 120)


def h264(path: Path, groups: str) -> Path:
    """A video of H.264 as cameras write it: frames refer to later ones, groups are short."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"x264-params": f"{groups}:keyint=10:bframes=3:b-adapt=0:scenecut=0"}
        for picture in pictures(110, 2, 160, 120):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def settings(tmp_path, **changed):
    return work.Settings(**{"out": str(tmp_path / "out"), "device": "cpu", **changed})


def read(how, *given):
    """Everything through a schedule and one worker; its rows, and what was counted."""
    table = manifest.read([str(each) for each in given], pytest.fail)
    worker = work.Worker(how)
    schedule = Schedule(tasks.tasks(table), len(table), pytest.fail)
    engine.work(schedule, Here(worker, workers=1), lambda *_: None)
    output = Output(how.out)
    tables = [parts.table(output, name).to_pandas() for name in output.parts()]
    return pd.concat(tables, ignore_index=True), schedule.count


def assert_same(got: pd.DataFrame, want: pd.DataFrame, tolerance: float = 0.0) -> None:
    keys = ["input", "frame", "face_id"]
    got, want = (each.sort_values(keys).reset_index(drop=True) for each in (got, want))
    assert list(got) == list(want)
    assert (got["input"] == want["input"]).all()
    for column in got.columns.drop("input"):
        a, b = (each[column].astype(float).to_numpy() for each in (got, want))
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, equal_nan=True, err_msg=column)


@pytest.mark.parametrize("how", [{}, {"every": 2}])
def test_parts_of_a_video_make_the_rows_of_one_process_to_the_bit(
    tmp_path, short_blocks, monkeypatch, video, how
):
    monkeypatch.setattr(ranges, "_LEAD", 0.5)
    ranged = settings(tmp_path, split=1.0, **how)
    got, count = read(ranged, video)
    want = ranged.predictor().predict(video, **how)
    assert_same(got, want)
    assert count.done == 1
    assert count.frames == want["frame"].nunique()
    assert not Output(ranged.out).names("ranges")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("groups", ["open-gop=0", "open-gop=1"])
def test_seams_in_h264_lie_anywhere_in_groups_closed_or_open(
    tmp_path, short_blocks, monkeypatch, groups, suffix
):
    """Blocks of 24 frames and groups of 10: each seam is in another place of its group."""
    monkeypatch.setattr(ranges, "_LEAD", 0.1)
    monkeypatch.setattr(ranges, "_LEAD_FRAMES", 4)
    video = h264(tmp_path / f"long.{suffix}", groups)
    ranged = settings(tmp_path, split=1.0)
    want = ranged.predictor().predict(video)
    assert want["frame"].nunique() == 110
    got, count = read(ranged, video)
    assert count.done == 1
    assert len(work.Worker(ranged)(Task((Item(str(video)),))).ranges) == 4
    assert_same(got, want)


def test_clips_go_over_the_seams(tmp_path, monkeypatch):
    """Of a block that is longer than all that is read before a part for other reasons."""
    for module in (chunks, seek, ranges):
        monkeypatch.setattr(module, "BLOCK", 70)
    monkeypatch.setattr(ranges, "_LEAD", 0.5)
    video = clip(tmp_path / "long.mp4", 150, 1, 160, 120)
    how = settings(tmp_path, model="mdhr", split=2.0)
    predictor = how.predictor()
    assert predictor.network.spec.context
    got, count = read(how, video)
    assert count.done == 1
    assert_same(got, predictor.predict(video), 1e-6)


def test_identities_go_over_the_seams(tmp_path, short_blocks, video):
    got, _ = read(settings(tmp_path, split=1.0), video)
    assert set(got["face_id"]) == {0, 1}
    steps = got.sort_values("frame").groupby("face_id")["face_x"].diff().abs()
    assert steps.max() < 20  # nobody takes the place of another


def test_pictures_a_video_and_what_is_damaged(tmp_path, video):
    folder = stills(tmp_path / "pictures", 10, 1, 160, 120)
    (folder / "bad.jpg").write_bytes(b"no picture")
    how = settings(tmp_path)
    got, count = read(how, folder, video)
    assert_same(got, how.predictor().predict(folder, video))
    assert count.done == 11
    assert len(count.failed) == 1
    records = Output(how.out).settle().set_index("path")
    assert records["state"].value_counts().to_dict() == {parts.DONE: 11, parts.FAILED: 1}
    assert "bad.jpg" in records.loc[str(folder / "bad.jpg"), "why"]


def test_intensities_above_rest_are_those_of_one_process(tmp_path, video):
    how = settings(tmp_path, neutral="auto", split=1.0)
    got, _ = read(how, video)
    assert_same(got, how.predictor().predict(video, neutral="auto"))


def test_a_part_of_a_video_that_a_list_names(tmp_path, video):
    (tmp_path / "list.csv").write_text(f"path,start,end\n{video},1,2\n")
    how = settings(tmp_path)
    got, _ = read(how, tmp_path / "list.csv")
    assert_same(got, how.predictor().predict(video, start=1, end=2))


def test_memory_that_is_short_halves_the_task_and_is_told_in_the_end(tmp_path, monkeypatch):
    folder = stills(tmp_path / "pictures", 4, 1, 160, 120)

    def readings(self, paths, report, *rest):
        from actionunits.detect.faults import Faults

        for path in paths:
            if str(path).endswith("0002.jpg"):
                Faults(report).tell(str(path), MemoryError())
            else:
                yield from whole(self, [path], report, *rest)

    whole = Predictor.readings
    monkeypatch.setattr(Predictor, "readings", readings)
    got, count = read(settings(tmp_path), folder)
    assert got["input"].nunique() == 3
    assert count.done == 3
    assert "out of memory" in count.failed[0]


def test_a_checksum_is_that_of_the_file(tmp_path, video):
    how = settings(tmp_path, checksum=True, every=20)
    read(how, video)
    import hashlib

    (known,) = Output(how.out).settle()["checksum"]
    assert known == hashlib.sha256(video.read_bytes()).hexdigest()


def test_a_part_that_is_there_is_not_read_again(tmp_path, short_blocks, video, monkeypatch):
    how = settings(tmp_path, split=1.0)
    worker = work.Worker(how)
    task = Task((Item(str(video), size=1, modified=1.0),))
    first, *_ = worker(task).ranges
    part = task._replace(range=first)
    worker(part)
    monkeypatch.setattr(worker, "_fetched", lambda *_: pytest.fail("read again"))
    worker(part)


def test_seams_are_where_a_rate_chooses_the_same_frames(video):
    spec = work.Settings("", device="cpu").predictor().network.spec
    for fps in (0.7, 5.0, 12.5):
        begin = ranges.before(100.0, Span(3.0, None, 1, fps), str(video), spec)
        assert begin <= 100 - 16 / fps
        assert abs((begin - 3.0) * fps - round((begin - 3.0) * fps)) < 1e-9


def test_what_a_list_names_and_is_not_there_is_listed_until_it_comes(tmp_path, au):
    stills(tmp_path / "in", 2, 1, 160, 120)
    (tmp_path / "list.csv").write_text("path\nin/0000.jpg\nin/late.jpg\nin/late.jpg\nin/0001.jpg\n")
    how = settings(tmp_path)

    def run():
        problems = []
        count = engine.detect(
            [str(tmp_path / "list.csv")],
            how,
            lambda make: nullcontext(Here(make(), workers=1)),
            problems.append,
            lambda *_: None,
        )
        return count.done, au("tables", how.out, "--failed").out

    done, said = run()
    assert done == 2
    assert f"missing: {tmp_path}/in/late.jpg: there is no such file" in said
    assert "1 input that went wrong" in said
    manifest_file = pd.read_parquet(tmp_path / "out" / "manifest.parquet")
    assert sorted(manifest_file["state"]) == ["done", "done", "missing"]
    assert "1 input that went wrong" in run()[1]
    au("compact", how.out)
    assert "1 input that went wrong" in au("tables", how.out, "--failed").out
    shutil.copyfile(tmp_path / "in" / "0000.jpg", tmp_path / "in" / "late.jpg")
    assert run()[0] == 1
    (tmp_path / "in" / "late.jpg").unlink()  # its rows are there
    done, said = run()
    assert not done
    assert "0 inputs that went wrong" in said
