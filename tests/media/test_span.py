"""A part of a video is that part of what the whole video gives."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from actionunits import media
from actionunits.errors import MediaError, UserError
from actionunits.media.span import Choice
from clips import write_video

TIMES = np.cumsum([0, *([0.04, 0.1] * 15)])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("span") / "clip.mp4", TIMES)


def numbers(path, **span):
    return [frame.number for frame in media.frames(path, span=media.Span(**span))]


@pytest.mark.parametrize("start", [0.0, 0.14, 0.5, 2.0])
@pytest.mark.parametrize("end", [None, 0.6, 2.1, 99.0])
@pytest.mark.parametrize("every", [1, 3])
def test_frames_of_a_part_are_those_of_the_whole(clip, start, end, every):
    if end is not None and end <= start:
        return
    whole = list(media.frames(clip))
    part = list(media.frames(clip, span=media.Span(start, end, every)))
    expected = [
        frame
        for frame in whole
        if start <= round(frame.seconds, 4) < (end or 100) and frame.number % every == 0
    ]
    assert [frame[2:] for frame in part] == [frame[2:] for frame in expected]
    pairs = zip(part, expected, strict=True)
    assert all(np.array_equal(a.image, b.image) for a, b in pairs)


@given(
    st.lists(st.floats(0.001, 0.5), min_size=1, max_size=40), st.floats(0.5, 60), st.floats(0, 3)
)
def test_so_many_frames_a_second_are_the_first_of_each_moment(steps, fps, start):
    times = list(itertools.accumulate(steps))
    choice = Choice(media.Span(start, fps=fps))
    taken = [t for number, t in enumerate(times) if choice.takes(number, t)]
    assert choice.taken == len(taken)
    moments = [int((t - start + 1e-6) * fps) for t in times if t >= start - 1e-6]
    assert len(taken) == len(set(moments))
    assert len(taken) <= (max(times) - start) * fps + 2 or not taken


def test_a_part_that_is_not_there_is_named(clip):
    with pytest.raises(MediaError, match=r"clip\.mp4: has no frame from 9 s on.* at 2\.10 s"):
        numbers(clip, start=9.0)


def test_stills_are_read_whatever_the_part_and_animations_in_part(tmp_path):
    shades = [Image.new("RGB", (16, 16), (s, s, s)) for s in (0, 90, 180)]
    shades[0].save(tmp_path / "a.png")
    shades[0].save(tmp_path / "a.tif", save_all=True, append_images=shades[1:])
    shades[0].save(tmp_path / "a.gif", save_all=True, append_images=shades[1:], duration=200)
    assert numbers(tmp_path / "a.png", start=5.0) == [0]
    assert numbers(tmp_path / "a.tif", every=2, end=0.1) == [0, 1, 2]
    assert numbers(tmp_path / "a.gif", every=2) == [0, 2]
    assert numbers(tmp_path / "a.gif", start=0.1, end=0.3) == [1]
    with pytest.raises(MediaError, match="no frame from 5 s on"):
        numbers(tmp_path / "a.gif", start=5.0)


def test_a_video_that_breaks_off_after_the_part_is_not_missed(clip, tmp_path):
    broken = write_video(tmp_path / "long.mkv", np.arange(60) / 20)
    broken.write_bytes(broken.read_bytes()[:-400])
    assert numbers(broken, end=1.0) == list(range(20))
    with pytest.raises(MediaError, match="breaks off"):
        numbers(broken)


@pytest.mark.parametrize(
    ("span", "wrong"),
    [
        ({"start": -1.0}, "start"),
        ({"start": float("nan")}, "start"),
        ({"start": 2.0, "end": 2.0}, "end"),
        ({"end": float("nan")}, "end"),
        ({"every": 0}, "every"),
        ({"fps": 0.0}, "fps"),
        ({"fps": float("inf")}, "fps"),
        ({"fps": 5.0, "every": 2}, "every and fps"),
    ],
)
def test_parts_that_cannot_be_are_named(span, wrong):
    with pytest.raises(UserError, match=f"^{wrong}"):
        media.Span(**span).checked()
