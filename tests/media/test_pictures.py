"""Pictures: every kind upright and RGB, clear errors."""

import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from actionunits import media
from actionunits.errors import MediaError
from actionunits.media import pictures
from clips import BLUE, RED, collect, halves, near, save


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
    # Pillow 12.3 reads no TIFF of YCbCr, not even its own.
    name = {"F": "picture.tif", "CMYK": "picture.tif", "YCbCr": "picture.jpg"}.get(
        mode, "picture.png"
    )
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


@pytest.mark.parametrize("tile", [0, 64])
def test_picture_of_a_phone_is_whole_and_upright(tmp_path, monkeypatch, tile):
    monkeypatch.setattr(pillow_heif.options, "GRID_TILE_SIZE", tile)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    image = halves(192, 128)
    image[:32] = 250
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(image)))
    options = {"exif": exif.tobytes(), "quality": 90}
    path = save(tmp_path, stored, "phone.heic", **options)
    assert (b"grid" in path.read_bytes()) == bool(tile)
    assert media.is_still(str(path))
    read = media.read_image(path)
    assert read.shape == image.shape
    assert np.abs(read.astype(int) - image).mean() < 6
    assert media.sources([tmp_path], pytest.fail) == [str(path)]


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_white_is_found_where_numbers_are_of_fewer_bits(tmp_path, caplog, name, bits):
    ramp = np.linspace(0, 2**bits - 1, 256).astype(np.uint16)[None].repeat(4, 0)
    read = media.read_image(save(tmp_path, Image.fromarray(ramp), name))
    assert np.abs(read[0, :, 0].astype(int) - np.arange(256)).max() <= 1
    assert ("is taken for white" in caplog.text) == (bits < 16)


@pytest.mark.parametrize(
    ("kind", "top"),
    [(np.int32, 255), (np.int32, 4095), (np.float32, 1), (np.float32, 255), (np.float32, 65535)],
)
def test_wide_numbers_are_scaled(tmp_path, kind, top):
    ramp = np.linspace(0, top, 256).astype(kind)[None].repeat(4, 0)
    read = media.read_image(save(tmp_path, Image.fromarray(ramp), "wide.tif"))
    assert np.abs(read[0, :, 0].astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK", "1"])
def test_a_picture_of_many_strips_is_as_one_converted_whole(mode):
    noise = np.random.default_rng(1).integers(0, 256, (700, 900, 4), np.uint8)
    image = Image.fromarray(noise)
    image = image.convert("RGB").quantize(16) if mode == "P" else image.convert(mode)
    if mode == "P":
        image.info["transparency"] = 3
    whole = image.convert("RGBA")
    expected = Image.new("RGB", whole.size, "white")
    expected.paste(whole, mask=whole)
    if mode == "CMYK":
        expected = image.convert("RGB")
    assert np.array_equal(pictures.rgb(image), np.asarray(expected))


def test_white_is_that_of_the_brightest_strip(tmp_path):
    dark = np.zeros((300, 4), np.uint16)
    dark[10], dark[-1] = 250, 4095
    read = media.read_image(save(tmp_path, Image.fromarray(dark)))[:, 0, 0]
    assert (read[0], read[10], read[-1]) == (0, round(250 / 4095 * 255), 255)


def test_numbers_that_are_none_are_black(tmp_path):
    values = np.full((200, 4), 0.5, np.float32)
    values[0], values[100], values[199] = np.nan, np.inf, -np.inf
    read = media.read_image(save(tmp_path, Image.fromarray(values), "lights.tif"))[:, 0, 0]
    assert (read[0], read[1], read[100], read[199]) == (0, 128, 0, 0)


def test_white_that_the_file_names_is_believed(tmp_path):
    dark = np.full((4, 4), 1000, np.uint16)
    said = TiffImagePlugin.ImageFileDirectory_v2()
    said[281] = 4095  # MaxSampleValue
    path = save(tmp_path, Image.fromarray(dark), "dark.tif", tiffinfo=said)
    assert media.read_image(path)[0, 0, 0] == round(1000 / 4095 * 255)
    path = save(tmp_path, Image.fromarray(dark), "dark.png")
    chunk = b"sBIT" + bytes([12])
    chunk = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])
    assert media.read_image(path)[0, 0, 0] == round(1000 / 4095 * 255)


@pytest.mark.parametrize("name", ["photo.jpg", "photo"])
@pytest.mark.parametrize(
    "content",
    [
        b"%!PS\n{} loop\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n",
        b"\x01\x00\x00\x00" + bytes(36) + b" EMF" + bytes(100),
        b"\xd7\xcd\xc6\x9a" + bytes(100),
    ],
    ids=["ps", "eps", "emf", "wmf"],
)
def test_what_others_would_have_to_draw_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    seen, error = collect(tmp_path / name)
    assert not seen
    assert str(tmp_path / name) in error
    assert "convert" in error


@pytest.mark.parametrize("name", ["bomb.png", "bomb.gif", "bomb.tif", "bomb.bmp"])
def test_size_is_refused_before_it_takes_memory(tmp_path, name):
    path = save(tmp_path, Image.new("1", (16000, 16000)), name)
    assert path.stat().st_size < 1 << 26
    seen, error = collect(path)
    assert not seen
    assert "at most 134 megapixels was expected; this one claims" in error


def test_text_beside_a_picture_is_no_traceback(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("long", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    path = save(tmp_path, Image.fromarray(halves()), pnginfo=info)
    seen, error = collect(path)
    assert len(seen) == 1 if error is None else "picture.png" in error


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_white_of_colours_is_found(tmp_path, bits):
    ramp = np.linspace(0, 2**bits - 1, 256)[None, :, None].repeat(4, 0).repeat(3, 2)
    ramp[..., 1] /= 2
    lines = b"".join(b"\0" + line.tobytes() for line in ramp.astype(">u2"))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 256, 4, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    ]
    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
            for kind, content in chunks
        )
    )
    read = media.read_image(path)[0].astype(int)
    assert np.abs(read[:, 0] - np.arange(256)).max() <= 1
    assert np.abs(read[:, 1] - np.arange(256) / 2).max() <= 1


@pytest.mark.parametrize("name", ["pages.tif", "moving.gif", "moving.png"])
def test_pages_before_the_damage_are_kept(tmp_path, name):
    rng = np.random.default_rng(0)
    pages = [Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)) for _ in range(4)]
    path = save(tmp_path, pages[0], name, save_all=True, append_images=pages[1:])
    assert len(collect(path)[0]) == 4
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 5])
    seen, error = collect(path)
    assert 0 < len(seen) < 4
    assert f"{name}: the picture is truncated or damaged" in error


def test_smaller_copies_in_a_file_are_no_pages(tmp_path):
    small = TiffImagePlugin.ImageFileDirectory_v2()
    small[254] = 1  # NewSubfileType: a reduced copy of another page
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "pyramid.tif"), True) as file:
        for size, said in ((32, {}), (16, small), (32, {})):
            Image.new("RGB", (size, size), RED).save(file, "TIFF", tiffinfo=said)
            file.newFrame()
    seen = list(media.frames(tmp_path / "pyramid.tif"))
    assert [(frame.number, frame.image.shape[0]) for frame in seen] == [(0, 32), (1, 32)]


def test_picture_that_is_called_a_video_is_read_as_what_it_is(tmp_path):
    pages = [Image.fromarray(halves(shift)) for shift in (40, 44, 48)]
    whole = tmp_path / "clip.avi"
    pages[0].save(whole, "GIF", save_all=True, append_images=pages[1:], duration=200)
    assert [frame.seconds for frame in media.frames(whole)] == [0, 0.2, 0.4]
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[:-60])
    with pytest.raises(MediaError, match=r"cut\.avi"):
        list(media.frames(cut))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile_size": (64, 64)},
        {"no_jp2": True},
        {"irreversible": True, "quality_mode": "rates", "quality_layers": [20, 10]},
        {"tile_size": (100, 50), "progression": "RPCL"},
    ],
)
def test_jpeg_2000_of_which_the_end_is_missing_is_no_picture(tmp_path, options):
    """The decoder makes a picture of the little that there is, black if need be."""
    path = tmp_path / "scan.jp2"
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    try:
        Image.fromarray(noise).save(path, "JPEG2000", **options)
    except KeyError:
        pytest.skip("Pillow without JPEG 2000")
    assert collect(path)[1] is None
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        assert "truncated or damaged" in str(collect(path)[1])
    path.write_bytes(data[: len(data) // 2] + data[len(data) // 2 + 9 :])
    assert "truncated or damaged" in str(collect(path)[1])
