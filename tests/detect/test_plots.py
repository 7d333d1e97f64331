"""Overlays and plots: what is drawn is there, and files are whole."""

import numpy as np
import pytest
from PIL import Image

from actionunits import media
from actionunits.aus import ALL
from actionunits.detect import overlays, plots
from actionunits.detect.outputs import Job
from actionunits.detect.paint import COLOURS, FAINT
from actionunits.detect.strip import Strip
from actionunits.detect.tables import Rows
from actionunits.detect.timeline import timeline
from actionunits.errors import UserError
from actionunits.types import Face, Frame, Reading
from clips import write_video


def reading(size=(360, 640), faces=1, source="a.png", number=0, seconds=0.0, level=3.0):
    image = np.full((*size, 3), 90, np.uint8)
    frame = Frame(image, source, number, seconds)
    height, width = size
    box = np.array([0.25 * width, 0.3 * height, 0.4 * width, 0.5 * height])
    shown = tuple(
        Face(frame, i, box, box[:2] + np.full((5, 2), 0.5) * box[2:], 0.9) for i in range(faces)
    )
    values = np.full((faces, len(ALL)), level)
    return Reading(frame, shown, values / 5, values > 2, values)


def count(image, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(image.astype(int) - wanted).max(axis=-1) < 3).sum())


@pytest.mark.parametrize(
    "size", [(360, 640), (1, 1), (40, 3000), (2000, 50), (33, 47), (1080, 1920)]
)
def test_overlay_fits_any_size(size):
    image = plots.overlay(reading(size), ALL)
    assert image.dtype == np.uint8
    assert image.shape[0] % 2 == image.shape[1] % 2 == 0
    assert image.shape[0] >= max(size[0], 16 * (len(ALL) + 2))
    assert image.shape[1] > size[1]


def test_overlay_of_a_frame_keeps_its_pixels_and_size():
    empty = plots.overlay(reading(faces=0), ALL)
    assert (empty[:360, :640] == 90).all()
    many = plots.overlay(reading(faces=9), ALL)
    assert empty.shape == many.shape


@pytest.mark.parametrize(
    "size", [(4320, 7680), (8000, 600), (600, 8000), (2160, 3840), (6000, 6000)]
)
@pytest.mark.parametrize("history", [None, Strip(ALL)], ids=["picture", "video"])
def test_a_large_overlay_is_shrunk_until_all_of_it_is_about_4k(size, history):
    shown = reading(size, faces=0)
    if history:
        history.add(shown)
    image = plots.overlay(shown, ALL, history)
    assert max(image.shape) <= 3900  # letters have a least size
    frame = (image == 90).all(axis=2)
    assert frame.any(axis=0).sum() / frame.any(axis=1).sum() == pytest.approx(
        size[1] / size[0], rel=0.02
    )


def test_bars_are_as_long_as_the_intensity():
    # Only bars of AUs that occur have the colour of the face; the box has it in all.
    colour = COLOURS[0]
    base = count(plots.overlay(reading(level=1.0), ALL), colour)
    three, five = (count(plots.overlay(reading(level=v), ALL), colour) - base for v in (3.0, 5.0))
    assert three > 1000
    assert abs(five / three - 5 / 3) < 0.05


def test_every_face_has_its_colour():
    image = plots.overlay(reading(faces=3), ALL)
    assert all(count(image, colour) > 300 for colour in COLOURS[:3])
    assert count(image, COLOURS[3]) == 0


def test_probability_is_drawn_where_there_is_no_intensity():
    known = plots.overlay(reading(), ALL)
    unknown = plots.overlay(reading()._replace(intensity=None), ALL)
    # 3 of 5 and 0.6 are the same bar with another number behind it.
    assert count(unknown, COLOURS[0]) == count(known, COLOURS[0])
    assert not np.array_equal(unknown, known)


def test_overlay_video_has_the_times_of_its_source(tmp_path):
    times = [0.0, 0.04, 0.3, 0.31, 1.5]
    source = str(write_video(tmp_path / "clip.mp4", times))
    with overlays.overlay_writer(tmp_path / "out", Job([source], ALL)) as file:
        for i, time in enumerate(times):
            file.add(reading((90, 160), source=source, number=i, seconds=time))
    written = list(media.frames(tmp_path / "out" / "clip_au.mp4"))
    assert np.allclose([frame.seconds for frame in written], times, atol=1e-3)
    first, strip = reading((90, 160), source=source), Strip(ALL)
    strip.add(first)
    expected = plots.overlay(first, ALL, strip)
    assert written[0].image.shape == expected.shape
    assert np.abs(written[0].image.astype(int) - expected).mean() < 12


def test_overlay_pictures_go_into_the_folder(tmp_path):
    sources = [str(tmp_path / name) for name in ("a.png", "b.png")]
    with overlays.overlay_writer(tmp_path / "out", Job(sources, ALL)) as files:
        for source in sources:
            files.add(reading(source=source))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a_au.jpg", "b_au.jpg"]
    with Image.open(tmp_path / "out" / "a_au.jpg") as image:
        assert image.size == plots.overlay(reading(), ALL).shape[1::-1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("moving.gif", ["moving_au.mp4"]), ("pages.tif", ["pages_au-2.jpg", "pages_au.jpg"])],
)
def test_animation_is_drawn_as_a_video_and_pages_one_by_one(tmp_path, name, expected):
    pages = [Image.new("RGB", (90, 60), shade) for shade in ("red", "blue")]
    pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:], duration=200)
    source = str(tmp_path / name)
    with overlays.overlay_writer(tmp_path / "out", Job([source], ALL)) as file:
        for frame in media.frames(source):
            shown = reading((60, 90))
            file.add(shown._replace(frame=frame))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == expected


@pytest.mark.parametrize("name", ["one.heic", "one.apng"])
def test_pictures_that_are_only_read_are_not_drawn(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="change the suffix"):
        overlays.overlay_writer(name, Job(["a.png"], ALL))


def test_interrupted_overlay_video_leaves_nothing_behind(tmp_path):
    source = str(write_video(tmp_path / "clip.mp4", [0, 0.1]))
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        overlays.overlay_writer(tmp_path / "out.mp4", Job([source], ALL)) as file,
    ):
        file.add(reading(source=source))
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(
    ("out", "sources", "message"),
    [
        ("all.mp4", ["a.mp4", "b.mp4"], "one file for 2 inputs"),
        ("one.png", ["a.mp4"], "is a video"),
        ("one.mp4", ["a.png"], "is a picture"),
        ("a.png", ["a.png"], "take the place of an input"),
    ],
)
def test_overlays_that_cannot_be_are_refused(tmp_path, monkeypatch, out, sources, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        overlays.overlay_writer(out, Job(sources, ALL))


def test_a_face_that_is_not_sure_enough_is_grey(tmp_path):
    sure, doubtful = (reading()._replace(sure=np.array([value])) for value in (True, False))
    assert (plots.overlay(sure, ALL) == plots.overlay(reading(), ALL)).all()
    image = plots.overlay(doubtful, ALL)
    assert count(image, COLOURS[0]) == 0
    assert count(image, FAINT) > 1000


@pytest.mark.parametrize("doubtful", [False, True])
def test_timeline_is_a_picture_with_gaps(tmp_path, doubtful):
    rows = Rows(ALL)
    for i in range(30):
        away = 10 <= i < 20
        read = reading((48, 64), faces=int(doubtful or not away), number=i, seconds=i / 10)
        rows.add(read._replace(sure=np.array([not away])) if doubtful else read)
    timeline(rows.table(), ALL, tmp_path / "lanes.png")
    with Image.open(tmp_path / "lanes.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0] > 60).any(axis=0)
    edges = np.flatnonzero(np.diff(blue.astype(int)))
    assert len(edges) == 4  # drawn, away, drawn
    with pytest.raises(UserError, match="no face 7 in the table; it has"):
        timeline(rows.table(), ALL, tmp_path / "lanes.png", face=7)
