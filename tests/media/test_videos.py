"""Videos: upright and RGB, true times, clear errors."""

import os
import struct
import sys
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from actionunits import media
from actionunits.errors import MediaError
from actionunits.media import videos
from actionunits.media.opening import opened
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


def pictures_in(path, pictures, fourcc=None):
    """An AVI that holds these files of pictures as they are."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 40, 30, "yuvj420p"
        for number, content in enumerate(pictures):
            packet = av.Packet(content)
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base = Fraction(1, 5)
            container.mux(packet)
    if fourcc:
        path.write_bytes(path.read_bytes().replace(b"MJPG", fourcc))
    return path


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 6, 8])
def test_photographs_in_a_video_are_upright(tmp_path, orientation):
    exif, image = Image.Exif(), halves(48, 32)
    exif[0x0112], image[:8] = orientation, 250
    path = save(tmp_path, Image.fromarray(image), "photo.jpg", exif=exif, quality=95)
    upright = media.read_image(path)
    seen, error = collect(pictures_in(tmp_path / "photos.avi", [path.read_bytes()] * 3))
    assert (len(seen), error) == (3, None)
    assert seen[2].image.shape == upright.shape
    assert np.abs(seen[2].image.astype(int) - upright).mean() < 8


def test_colour_profile_crashes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = save(tmp_path, Image.fromarray(halves()), "photo.png", icc_profile=profile)
    path = path.rename(tmp_path / "photo.mkv")
    for _ in range(3):
        (frame,), error = collect(path)
        assert error is None
        assert np.array_equal(frame.image, halves())


def test_unknown_codec_is_named(tmp_path):
    path = save(tmp_path, Image.fromarray(halves()), "photo.jpg")
    path = pictures_in(tmp_path / "strange.avi", [path.read_bytes()], b"ZZZZ")
    seen, error = collect(path)
    assert not seen
    assert "strange.avi: its pictures are stored in a way that FFmpeg here cannot decode" in error
    with pytest.raises(MediaError, match="cannot decode"):
        media.count_frames(str(path))
    assert media.duration(str(path)) == 0


def test_size_of_frames_is_refused_before_it_takes_memory(tmp_path):
    path = write_video(tmp_path / "bomb.avi", [0, 0.1], size=(40, 30), codec="ffv1")
    sizes = [struct.pack("<ii", *size) for size in ((40, 30), (16000, 12000))]
    path.write_bytes(path.read_bytes().replace(*sizes))
    seen, error = collect(path)
    assert not seen
    assert "at most 134 megapixels were expected; this video claims 16000 x 12000" in error


@pytest.mark.parametrize(
    "name",
    ["10:30 talk.mp4", "-i.mp4", "concat:a.mp4", "http:b.mp4", "pipe:0.mp4", "%03d.mp4", "a?b.mp4"],
)
def test_names_are_names_of_files(tmp_path, monkeypatch, name):
    if sys.platform == "win32" and set(":?") & set(name):
        pytest.skip("no such names")
    write_video(tmp_path / "clip.mp4", [0, 0.1]).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (name, str(tmp_path / name)):
        seen, error = collect(path)
        assert (len(seen), error) == (2, None)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_names_need_not_be_text(tmp_path):
    for name, content in (
        (b"caf\xe9.jpg", save(tmp_path, Image.fromarray(halves()), "photo.jpg")),
        (b"caf\xe9.mp4", write_video(tmp_path / "clip.mp4", [0, 0.1])),
        (b"caf\xe9", write_video(tmp_path / "other.mp4", [0, 0.1])),
    ):
        path = os.fsdecode(bytes(tmp_path) + b"/" + name)
        content.rename(path)
        seen, error = collect(path)
        assert seen
        assert error is None
        assert seen[0].source == path


@pytest.mark.parametrize("head", ["#EXTM3U\n#EXTINF:1,\n", "ffconcat version 1.0\nfile "])
@pytest.mark.parametrize("other", ["clip.ts", "http://127.0.0.1:9/clip.ts"])
def test_what_a_file_names_is_not_opened(tmp_path, head, other):
    write_video(tmp_path / "clip.ts", [0, 0.1])
    (tmp_path / "list.mp4").write_text(head + other + "\n")
    seen, error = collect(tmp_path / "list.mp4")
    assert not seen
    assert "list.mp4" in error


def test_cover_of_a_record_is_no_video(tmp_path):
    from_file = save(tmp_path, Image.fromarray(halves()), "cover.jpg").read_bytes()
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 40, 30, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet(from_file)
        packet.stream = cover
        container.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    assert "only sound" in collect(tmp_path / "song.m4a")[1]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
@pytest.mark.parametrize("now_and_then", [2, 500])
def test_frames_are_counted(tmp_path, monkeypatch, name, now_and_then):
    path = write_video(tmp_path / name, np.arange(7) / 20)
    assert media.count_frames(str(path)) == 7
    monkeypatch.setattr(videos, "_NOW_AND_THEN", now_and_then)
    assert list(videos.count(str(path)))[-1] == 7


@pytest.mark.parametrize(("allowed", "asked", "given"), [("1", 0, 1), ("3", 0, 3), ("3", 2, 2)])
def test_a_decoder_has_no_more_threads_than_are_allowed(
    tmp_path, monkeypatch, allowed, asked, given
):
    threads = []

    @contextmanager
    def noted(name):
        with opened(name) as video:
            yield video
            threads.append(video.stream.codec_context.thread_count)

    monkeypatch.setattr(videos, "opened", noted)
    monkeypatch.setenv("OMP_NUM_THREADS", allowed)
    path = write_video(tmp_path / "clip.mp4", [0, 0.04, 0.08])
    assert len(list(videos.frames(str(path), asked))) == 3
    assert threads == [given]
