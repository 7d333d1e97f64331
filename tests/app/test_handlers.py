"""What the page asks for, without a browser."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from uploads import uploaded

import actionunits
from actionunits.app import handlers, limits, reading
from actionunits.app.limits import Limits
from actionunits.app.sessions import Session, Sessions
from actionunits.detect.tables import rounded
from actionunits.errors import UserError
from clips import write_video

FAST = {"default-fast": "default-fast"}
LIMITS = Limits()


def ignore(share: float, where: str) -> None:
    assert 0 <= share <= 1
    assert where


@pytest.fixture(scope="module")
def expected(clip: Path) -> pd.DataFrame:
    return rounded(actionunits.load("default-fast").predict(clip))


@pytest.fixture
def read(session: Session, clip: Path, tmp_path: Path) -> Session:
    handlers.take(session, uploaded(clip, tmp_path), LIMITS)
    handlers.read(session, FAST, LIMITS, ignore)
    return session


def numbers(bars: str) -> list[float]:
    return [float(found) for found in re.findall(r"<b>(\d\.\d+)\*?</b></div>", bars)]


def test_the_table_is_that_of_predict(read: Session, expected: pd.DataFrame) -> None:
    table = pd.read_csv(handlers.of(read).said[0].csv)
    assert set(table["input"]) == {"talk.webm"}  # and not where it lies here
    columns = expected.columns[:-1]
    pd.testing.assert_frame_equal(table[columns], expected[columns], check_dtype=False)


def test_a_clip_has_a_player_lanes_and_its_face(
    session: Session, clip: Path, tmp_path: Path, expected: pd.DataFrame
) -> None:
    said = handlers.take(session, uploaded(clip, tmp_path), LIMITS)
    assert "talk.webm, 0:04: ready" in said
    shown = handlers.read(session, FAST, LIMITS, ignore)
    assert f"{len(expected)} frames" in shown.status
    assert shown.faces == [0]
    assert "<video" in shown.player
    lanes = handlers.lanes(session, 0)
    apexes = [float(t) for t in re.findall(r'au-peak" data-seconds="([\d.]+)"', lanes)]
    assert apexes
    assert set(apexes) <= set(expected["timestamp"])


def test_a_frame_is_that_of_its_time(read: Session, expected: pd.DataFrame) -> None:
    row = expected.iloc[17]
    for seconds in (row["timestamp"], row["timestamp"] + 0.1):  # until the next one is shown
        still, bars = handlers.frame(read, seconds, 0, ("boxes", "landmarks", "head pose"))
        assert f"frame 18, {row['timestamp']:.2f} s" in still
        graded = row.filter(regex=r"AU\d\d_r").to_numpy(float)
        np.testing.assert_allclose(numbers(bars), graded, atol=0.051)
    first, _ = handlers.frame(read, 0.0, 0, ())
    assert "frame 1, 0.00 s" in first
    last, _ = handlers.frame(read, 99.0, 0, ())
    assert f"frame {len(expected)}," in last


def test_another_face_than_those_there_has_no_bars(read: Session) -> None:
    _, bars = handlers.frame(read, 0.0, 7, ())
    assert not numbers(bars)


def test_models_stand_side_by_side(session: Session, photo: Path, tmp_path: Path) -> None:
    handlers.take(session, uploaded(photo, tmp_path), LIMITS)
    shown = handlers.read(session, {**FAST, "mine": "sacl"}, LIMITS, ignore)
    assert not shown.player
    assert not handlers.lanes(session, 0)
    _, bars = handlers.frame(session, 0.0, 0, ("landmarks",))
    assert re.findall(r'--colour:#\w+">([\w-]+)</th>', bars) == ["default-fast", "mine"]
    assert len(numbers(bars)) == 2 * 24
    assert [said.csv.name for said in handlers.of(session).said] == [
        "face-default-fast.csv",
        "face-mine.csv",
    ]
    links = handlers.downloads(session)
    assert links.count("<a ") == 2


def test_attention_is_drawn_where_a_model_gives_it(
    session: Session, photo: Path, tmp_path: Path
) -> None:
    handlers.take(session, uploaded(photo, tmp_path), LIMITS)
    models = {"gtlenet": "gtlenet"}
    handlers.read(session, models, LIMITS, ignore)
    drawn = handlers.attended(session, 0.0, models)
    assert drawn.count("<img") == 1
    assert "gtlenet: masks" in drawn


def test_a_report_is_written_of_each_model(read: Session) -> None:
    pytest.importorskip("actionunits.report", reason="there are no reports")
    pytest.importorskip("bokeh", reason="bokeh is not installed")
    handlers.report(read, FAST, ignore)
    links = handlers.downloads(read)
    assert "talk-default-fast.html" in links
    page = handlers.of(read).said[0].csv.with_suffix(".html").read_text(encoding="utf-8")
    assert "talk.webm" in page


def test_a_report_of_a_closed_page_is_not_kept(
    sessions: Sessions, read: Session, tmp_path: Path
) -> None:
    pytest.importorskip("actionunits.report", reason="there are no reports")
    pytest.importorskip("bokeh", reason="bokeh is not installed")
    with pytest.raises(UserError, match="was taken away"):
        handlers.report(read, FAST, lambda share, where: sessions.end("key"))
    assert not [file for file in (tmp_path / "pages").rglob("*") if file.is_file()]


def test_without_attention_it_says_which_weights_have_it(read: Session) -> None:
    with pytest.raises(UserError, match="default-fast: no masks .* gtlenet gives masks"):
        handlers.attended(read, 0.0, FAST)


def test_nobody_in_a_picture(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "wall.png"
    Image.fromarray(np.full((90, 120, 3), 128, np.uint8)).save(file)
    handlers.take(session, file, LIMITS)
    shown = handlers.read(session, FAST, LIMITS, ignore)
    assert "no face was found" in shown.status
    still, bars = handlers.frame(session, 0.0, 0, ("boxes", "landmarks"))
    assert "<img" in still
    assert not numbers(bars)


def test_pages_of_a_file_are_all_in_its_table(session: Session, tmp_path: Path) -> None:
    pages = [Image.new("RGB", (60, 40), shade) for shade in ("red", "blue")]
    pages[0].save(tmp_path / "pages.tiff", save_all=True, append_images=pages[1:])
    handlers.take(session, tmp_path / "pages.tiff", LIMITS)
    assert "the first picture is shown" in handlers.read(session, FAST, LIMITS, ignore).status
    assert len(pd.read_csv(handlers.of(session).said[0].csv)) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "the file is empty"), (b"no video" * 99, "neither a picture nor a video")],
)
def test_a_broken_upload_is_named_as_the_user_named_it(
    session: Session, tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "broken.mp4").write_bytes(content)
    handlers.take(session, tmp_path / "broken.mp4", LIMITS)
    with pytest.raises(UserError, match=f"^broken.mp4: .*{told}"):
        handlers.read(session, FAST, LIMITS, ignore)


def test_of_a_torn_upload_what_there_is_is_read(
    session: Session, clip: Path, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.webm"
    torn.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    handlers.take(session, torn, LIMITS)
    status = handlers.read(session, FAST, LIMITS, ignore).status
    assert "<li>torn.webm: the video is damaged" in status
    assert str(tmp_path) not in status


def test_two_hours_are_refused_before_anything_is_decoded(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = write_video(tmp_path / "lecture.mp4", [0, 7200])
    monkeypatch.setattr("actionunits.media.frames", None)  # whoever decodes fails
    with pytest.raises(UserError, match="lecture.mp4: lasts 2:00:00, the page takes 10 minutes"):
        handlers.take(session, long, LIMITS)
    assert session.upload is None
    assert not list(session.folder.iterdir())  # it is not kept either


def test_a_large_upload_is_refused(session: Session, tmp_path: Path) -> None:
    (tmp_path / "large.mp4").write_bytes(bytes(2_000_001))
    with pytest.raises(UserError, match="large.mp4: has 2 MB, the page takes 1; .* --megabytes"):
        handlers.take(session, tmp_path / "large.mp4", Limits(megabytes=1))


def test_what_does_not_say_its_length_is_read_up_to_the_limit(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_video(tmp_path / "raw.mp4", [0, 1, 2, 3])
    monkeypatch.setattr("actionunits.media.duration", lambda source: 0.0)
    handlers.take(session, file, LIMITS)
    status = handlers.read(session, FAST, Limits(minutes=1.5 / 60), ignore).status
    assert "2 frames" in status
    assert "longer than 0.025 minutes" in status


def test_what_the_terminal_would_be_warned_of_is_on_the_page(
    session: Session, frames: np.ndarray, tmp_path: Path
) -> None:
    size = frames.shape[2], frames.shape[1]
    slow = write_video(tmp_path / "slow.mp4", np.arange(8) / 2, size, shades=list(frames[:8]))
    handlers.take(session, uploaded(slow, tmp_path), LIMITS)
    status = handlers.read(session, {"mdhr": "mdhr", **FAST}, LIMITS, ignore).status
    assert "mdhr: slow.mp4: has 2 frames a second; the model was trained on" in status
    assert "default-fast: " not in status
    assert not logging.getLogger("actionunits").handlers


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", limits.Limits._fields)
def test_a_limit_is_above_nothing(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"--{name}: expected more than 0"):
        Limits(**{name: value}).checked()


def test_nothing_chosen_and_nothing_uploaded(session: Session, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="drop a photograph"):
        handlers.read(session, FAST, LIMITS, ignore)
    with pytest.raises(UserError, match="nothing has been read yet"):
        handlers.frame(session, 0.0, 0, ())
    handlers.take(session, uploaded(photo, tmp_path), LIMITS)
    with pytest.raises(UserError, match="choose one of the weights"):
        handlers.read(session, {}, LIMITS, ignore)


def test_who_stops_keeps_what_was_read(session: Session, clip: Path, tmp_path: Path) -> None:
    handlers.take(session, uploaded(clip, tmp_path), LIMITS)
    session.begin()

    def stop(share: float, where: str) -> None:
        if "frame 10" in where:
            session.stop.set()

    status = handlers.read(session, FAST, LIMITS, stop).status
    assert "talk.webm: 10 frames" in status
    assert "stopped at 0:01" in status


def test_a_closed_page_ends_its_work_and_leaves_nothing(
    sessions: Sessions, session: Session, clip: Path, tmp_path: Path
) -> None:
    file = uploaded(clip, tmp_path)
    handlers.take(session, file, LIMITS)
    assert not file.parent.exists()  # its name is the checksum of the upload
    told = []

    def close(share: float, where: str) -> None:
        told.append(where)
        sessions.end("key")

    with pytest.raises(UserError):
        handlers.read(session, FAST, LIMITS, close)
    assert len(told) == 1
    assert not list((tmp_path / "pages").iterdir())


def test_a_new_upload_takes_the_place_of_the_old(
    session: Session, photo: Path, clip: Path, tmp_path: Path
) -> None:
    first = handlers.take(session, uploaded(clip, tmp_path), LIMITS)
    handlers.read(session, FAST, LIMITS, ignore)
    assert first
    old = session.upload
    handlers.take(session, uploaded(photo, tmp_path), LIMITS)
    assert old is not None
    assert not old.exists()
    with pytest.raises(UserError, match="nothing has been read yet"):
        handlers.lanes(session, 0)


def test_names_do_nothing_in_the_page(session: Session, photo: Path, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    said = handlers.take(session, uploaded(photo, tmp_path, name), LIMITS)
    shown = handlers.read(session, FAST, LIMITS, ignore)
    for text in (said, shown.status, handlers.downloads(session)):
        assert "<img" not in text


def test_the_weights_that_can_be_chosen(tmp_path: Path) -> None:
    found = reading.models()
    assert list(found)[0] == "default"
    assert {"default-fast", "gtlenet", "mdhr", "mgrrnet", "renet", "sacl"} <= set(found)
    assert "landmarks" not in found  # reads no AUs
    with pytest.raises(UserError, match="no such checkpoint"):
        reading.models([str(tmp_path / "nowhere")])
