"""Reading pictures and videos: every kind upright and RGB, true times, clear errors."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from actionunits import media
from actionunits.errors import MediaError
from clips import collect, write_video

RED, BLUE = (200, 30, 30), (30, 30, 200)


def halves(width=40, height=30):
    """Picture whose left half is red and whose right half is blue."""
    image = np.full((height, width, 3), BLUE, np.uint8)
    image[:, : width // 2] = RED
    return image


def near(pixel, colour, tolerance=12):
    return np.abs(np.asarray(pixel, int) - colour).max() <= tolerance


def save(tmp_path, image, name="picture.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_picture_is_one_frame_at_zero(tmp_path):
    path = save(tmp_path, Image.fromarray(halves()))
    (frame,) = media.frames(path)
    assert np.array_equal(frame.image, halves())
    assert frame[1:] == (str(path), 0, 0.0, "")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(tmp_path, orientation):
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[::-1],
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: a.swapaxes(0, 1)[:, ::-1],
    }[orientation]
    upright = halves()
    upright[0, 0] = 255  # one corner tells mirrored from turned
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo(upright)))
    assert np.array_equal(media.read_image(save(tmp_path, stored, exif=exif)), upright)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    grey = Image.new("L", (9, 7), 255)
    if mode == "I;16":
        image = Image.fromarray(np.full((7, 9), 65535, np.uint16))
    elif mode == "F":
        image = Image.fromarray(np.ones((7, 9), np.float32))
    elif mode == "CMYK":
        image = grey.convert("RGB").convert("CMYK")
    else:
        image = grey.convert("RGB").convert(mode) if mode not in ("1", "LA") else grey.convert(mode)
    name = "picture.tif" if mode in ("F", "CMYK", "YCbCr") else "picture.png"
    read = media.read_image(save(tmp_path, image, name))
    assert read.shape == (7, 9, 3)
    assert read.dtype == np.uint8
    assert near(read[3, 4], 255, 2)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    read = media.read_image(save(tmp_path, Image.fromarray(ramp)))
    assert np.array_equal(read[0, :, 0], np.arange(256))


def test_transparency_is_laid_on_white(tmp_path):
    image = np.zeros((4, 6, 4), np.uint8)
    image[:, :3] = (10, 20, 30, 255)
    read = media.read_image(save(tmp_path, Image.fromarray(image)))
    assert read[0, 0].tolist() == [10, 20, 30]
    assert read[0, 5].tolist() == [255, 255, 255]
    palette = Image.fromarray(image[..., :3]).quantize(4)
    hidden = palette.getpixel((5, 0))
    read = media.read_image(save(tmp_path, palette, "palette.png", transparency=hidden))
    assert read[0, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "moving.png", "moving.avif"])
def test_animation_is_a_video_with_its_own_times(tmp_path, name):
    red, *rest = (Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE, RED))
    path = save(tmp_path, red, name, save_all=True, append_images=rest, duration=[200, 50, 300])
    seen, error = collect(path)
    assert error is None
    assert not media.is_still(str(path))
    assert [frame.number for frame in seen] == [0, 1, 2]
    assert [round(frame.seconds, 3) for frame in seen] == [0, 0.2, 0.25]
    for frame, colour in zip(seen, (RED, BLUE, RED), strict=True):
        assert near(frame.image[8, 8], colour, 30)


def test_pages_are_stills(tmp_path):
    pages = [Image.new("RGB", (8 + i, 8), colour) for i, colour in enumerate((RED, BLUE))]
    path = save(tmp_path, pages[0], "pages.tif", save_all=True, append_images=pages[1:])
    assert media.is_still(str(path))
    seen = list(media.frames(path))
    assert [(f.image.shape, f.number, f.seconds) for f in seen] == [
        ((8, 8, 3), 0, 0),
        ((8, 9, 3), 1, 0),
    ]
    assert near(seen[1].image[4, 4], BLUE)


def test_truncated_picture_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path, Image.fromarray(noise), "cut.jpg")
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(MediaError, match=r"cut\.jpg.*truncated or damaged"):
        next(media.frames(path))


def test_absurd_size_is_refused(tmp_path):
    path = tmp_path / "bomb.pgm"
    path.write_bytes(b"P5 100000 100000 255\n0")
    with pytest.raises(MediaError, match=r"bomb\.pgm.*megapixels"):
        next(media.frames(path))


@pytest.mark.parametrize("name", ["noise.jpg", "noise.mp4", "noise", "empty.png", "empty.mov"])
def test_rubbish_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"" if name.startswith("empty") else bytes(range(256)) * 20)
    with pytest.raises(MediaError, match=name):
        next(media.frames(tmp_path / name))


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


def test_folder_is_read_in_natural_order_without_hidden_files(tmp_path):
    for name in ["frame10.png", "frame2.png", "b/frame1.JPG", ".hidden.png", ".git/x.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path, Image.fromarray(halves()), name)
    (tmp_path / "notes.txt").write_text("no picture")
    problems = []
    found = media.sources([tmp_path], problems.append)
    names = [str(tmp_path / name) for name in ["b/frame1.JPG", "frame2.png", "frame10.png"]]
    assert (found, problems) == (names, [])
    assert [frame.source for frame in media.frames(tmp_path)] == names


def test_sources_reports_what_is_missing_and_goes_on(tmp_path):
    (tmp_path / "empty").mkdir()
    good = str(save(tmp_path, Image.fromarray(halves())))
    problems = []
    paths = [tmp_path / "nowhere.jpg", tmp_path / "empty", good, good, 3, "camera:4"]
    assert media.sources(paths, problems.append) == [good, "camera:3", "camera:4"]
    assert "nowhere.jpg: there is no such file" in str(problems[0])
    assert "holds none" in str(problems[1])


def test_camera_that_is_not_there_is_named():
    with pytest.raises(MediaError, match="camera:97"):
        next(media.frames(97))
