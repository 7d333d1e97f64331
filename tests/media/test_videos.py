"""Videos: upright and RGB, true times, clear errors."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from actionunits import media
from actionunits.errors import MediaError
from clips import collect, halves, near, save, write_video


def test_sound_without_pictures_is_named(tmp_path):
    with av.open(tmp_path / "sound.wav", "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(MediaError, match=r"sound\.wav.*only sound"):
        next(media.frames(tmp_path / "sound.wav"))


def test_variable_frame_rate_keeps_true_times(tmp_path):
    times = [0.0, 0.033, 0.1, 0.5, 0.517, 1.25]
    seen, error = collect(write_video(tmp_path / "vfr.mp4", times))
    assert error is None
    assert [frame.number for frame in seen] == [0, 1, 2, 3, 4, 5]
    assert np.allclose([frame.seconds for frame in seen], times, atol=1e-3)
    assert all(near(frame.image[20, 20], frame.number * 10, 4) for frame in seen)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_tag_is_applied(tmp_path, rotation):
    image = halves(64, 48)
    image[:12] = 250  # a bright top, so that half a turn is seen too
    path = write_video(tmp_path / "turned.mp4", [0, 0.1], rotation=rotation, shades=[image] * 2)
    upright = np.rot90(image, rotation // 90)  # the tag counts counter-clockwise
    (first, _), error = collect(path)
    assert error is None
    assert first.image.shape == upright.shape
    assert np.abs(first.image.astype(int) - upright).mean() < 8


def test_oblong_pixels_are_made_square(tmp_path):
    path = tmp_path / "anamorphic.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(halves(64, 48), "rgb24")))
        container.mux(stream.encode(None))
    (frame,), _ = collect(path)
    assert frame.image.shape == (48, 96, 3)


def test_odd_sizes(tmp_path):
    path = write_video(tmp_path / "odd.mkv", [0, 0.1], size=(37, 23), codec="ffv1")
    seen, error = collect(path)
    assert error is None
    assert seen[0].image.shape == (23, 37, 3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_video_that_breaks_off_gives_what_it_has_and_says_so(tmp_path, suffix):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    times = np.arange(60) / 20
    path = write_video(tmp_path / f"cut{suffix}", times, shades=noise, movflags="faststart")
    whole, error = collect(path)
    assert (len(whole), error) == (60, None)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10 + 7])
    part, error = collect(path)
    assert 20 < len(part) < 45
    assert np.array_equal(part[10].image, whole[10].image)
    assert f"cut{suffix}" in error
    assert "are kept" in error


def test_video_without_its_index_is_named(tmp_path):
    path = write_video(tmp_path / "headless.mp4", np.arange(20) / 20)
    path.write_bytes(path.read_bytes()[:-400])
    seen, error = collect(path)
    assert not seen
    assert "headless.mp4" in error


def test_kind_is_found_by_content_where_the_name_says_nothing(tmp_path):
    save(tmp_path, Image.fromarray(halves()), "photo.png").rename(tmp_path / "photo")
    write_video(tmp_path / "clip.mp4", [0, 0.1]).rename(tmp_path / "clip")
    assert media.is_still(str(tmp_path / "photo"))
    assert not media.is_still(str(tmp_path / "clip"))
    assert len(collect(tmp_path / "clip")[0]) == 2


def test_camera_that_is_not_there_is_named():
    with pytest.raises(MediaError, match="camera:97"):
        next(media.frames(97))
