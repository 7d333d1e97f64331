"""Folders and patterns of numbered pictures as clips."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from actionunits import media
from actionunits.errors import MediaError, UserError
from actionunits.media import Span, numbered

CLIP = Span(rate=25.0)


def fill(folder, names, size=(8, 6)):
    folder.mkdir(exist_ok=True)
    for at, name in enumerate(names):
        Image.new("RGB", size, (10 * at % 250,) * 3).save(folder / name)
    return folder


@settings(deadline=None, max_examples=20)
@given(st.sets(st.integers(0, 2000), min_size=1, max_size=8), st.sampled_from(["{}", "{:04}"]))
def test_numbers_are_places_and_times(tmp_path_factory, numbers, form):
    folder = tmp_path_factory.mktemp("frames")
    fill(folder, [f"take2_frame_{form.format(number)}.png" for number in numbers])
    frames = list(media.frames(str(folder), span=CLIP))
    expected = [number - min(numbers) for number in sorted(numbers)]
    assert [frame.number for frame in frames] == expected
    assert np.allclose([frame.seconds for frame in frames], np.array(expected) / 25)
    assert {frame.source for frame in frames} == {str(folder)}


def test_a_folder_is_pictures_one_by_one_unless_a_clip_is_wished(tmp_path):
    folder = fill(tmp_path / "a", ["f_1.png", "f_10.png", "f_2.png"])
    assert len(media.sources([folder], print)) == 3
    assert media.sources([folder], print, clips=True) == [str(folder)]
    assert not media.is_still(str(folder))
    assert [frame.number for frame in media.frames(folder, span=CLIP)] == [0, 1, 9]
    assert media.duration(str(folder), CLIP) == 10 / 25


def test_folders_below_are_clips_of_their_own(tmp_path):
    for name in ("b", "a"):
        fill(tmp_path / name, ["1.png", "2.png"])
    (tmp_path / "film.mp4").touch()
    found = media.sources([tmp_path], print, clips=True)
    assert found == [str(tmp_path / name) for name in ("a", "b", "film.mp4")]
    assert media.sources(found, print, clips=True) == found


def test_gaps_and_others_are_told(tmp_path, caplog):
    folder = fill(tmp_path / "a", ["f_3.png", "f_4.png", "f_07.png", "f_7.jpg", "g_1.png", "x.png"])
    frames = list(media.frames(folder, span=CLIP))
    assert [frame.number for frame in frames] == [0, 1, 4]
    assert "2 pictures of 5 missing in its numbers, the first after f_4.png" in caplog.text
    assert "2 pictures left out, not being called as most are, such as g_1.png" in caplog.text
    assert "f_7.jpg left out: f_07.png has its number" in caplog.text


def test_a_broken_picture_costs_itself(tmp_path):
    folder = fill(tmp_path / "a", [f"f{i}.png" for i in range(5)])
    (folder / "f2.png").write_bytes((folder / "f1.png").read_bytes()[:40])
    Image.new("RGB", (30, 20)).save(folder / "f3.png")
    frames = media.frames(folder, span=CLIP)
    seen = [(each.number, each.image.shape[1]) for each in itertools.islice(frames, 4)]
    assert seen == [(0, 8), (1, 8), (3, 30), (4, 8)]
    with pytest.raises(MediaError, match=r"1 picture of the clip left out, the first since .*f2"):
        next(frames)


def test_parts_of_clips(tmp_path):
    folder = fill(tmp_path / "a", [f"f{i}.png" for i in range(50)])
    span = Span(start=0.4, end=1.2, fps=5, rate=25.0)
    assert [frame.number for frame in media.frames(folder, span=span)] == [10, 15, 20, 25]
    with pytest.raises(MediaError, match="has no frame from 9 s on"):
        list(media.frames(folder, span=Span(start=9, rate=25.0)))


def test_patterns(tmp_path):
    folder = fill(tmp_path / "a", ["l_001.png", "l_002.png", "r_001.png", "r_002.png"])
    (name,) = media.sources([folder / "l_%03d.png"], print, clips=True)
    assert [frame.number for frame in media.frames(name, span=CLIP)] == [0, 1]
    with pytest.raises(MediaError, match=r"as many pictures called .*name one by its pattern"):
        list(media.frames(folder, span=CLIP))
    problems = []
    assert not media.sources([folder / "l_%03d.png"], problems.append)
    assert "as in --as-clip 25" in str(problems[0])
    with pytest.raises(MediaError, match="numbered pictures"):
        numbered.pictures(str(folder / "nobody_%d.png"))


def test_a_file_that_is_called_like_a_pattern_is_a_file(tmp_path):
    folder = fill(tmp_path / "a", ["x_%d.png"])
    assert media.sources([folder / "x_%d.png"], print) == [str(folder / "x_%d.png")]


def test_folders_without_numbers_are_named(tmp_path):
    folder = fill(tmp_path / "a", ["one.png"])
    with pytest.raises(
        MediaError, match=r"numbered pictures, such as frame_001\.png, were expected"
    ):
        list(media.frames(folder, span=CLIP))


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_rates_that_cannot_be(rate):
    with pytest.raises(UserError, match="rate: expected"):
        Span(rate=rate).checked()
