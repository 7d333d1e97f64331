"""Broken pictures and videos, a few in a run beside a whole one, whose row must be there."""

import functools
import io
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pandas as pd
from damage import Random, damaged, truncated
from PIL import Image, features
from pillow_heif import register_heif_opener
from trials import Case, Outcome, Trial
from watched import Ran

FRAMES = 16  # of a video
TOGETHER = 6  # broken files of a run
_DELAY = 4  # frames that a decoder may hold back at damage
_TS_PACKET = 188  # bytes
_UNTOLD = {".wmv": 3, ".nut": 4, ".ts": 1, ".mpg": 1}
"""Frames that a container may lack without a sign: Windows Media and NUT number none, and in a
stream of MPEG one bit makes two frames one, which is noticed within groups that number theirs. The
times of the others are right."""
_GOOD = "good.png"


class Original(NamedTuple):
    """A whole file."""

    suffix: str
    data: bytes
    frames: int
    packets: tuple[int, ...] = ()
    """Where each frame of a video ends in the file, as far as the damage before it matters not."""


_ANIMATED = {".gif", ".webp", ".png", ".tiff"}


def pictures(rng: Random, folder: Path) -> Trial:
    """Break pictures of all formats."""
    return _trial(rng, folder, still(), "picture")


def videos(rng: Random, folder: Path) -> Trial:
    """Break videos of all containers, with and without sound."""
    return _trial(rng, folder, moving(), "clip")


def _trial(rng: Random, folder: Path, originals: Sequence[Original], stem: str) -> Trial:
    Image.fromarray(scene(0)).save(folder / _GOOD)
    cases = []
    for number in range(TOGETHER):
        original = originals[rng.integers(len(originals))]
        # half of the damage is a copy that broke off, the most common of all
        broken = (truncated if rng.random() < 0.3 else damaged)(original.data, rng)
        suffix = original.suffix
        if rng.random() < 0.05:  # a wrong name as well
            suffix = str(rng.choice([".jpg", ".png", ".mkv", ".mp4", ".tif", ".avi"]))
        name = f"{stem}{number}{suffix}"
        (folder / name).write_bytes(broken.data)
        whole = sum(end <= broken.first for end in original.packets) - _DELAY
        if suffix != original.suffix:  # it may be refused for its name
            whole = 0
        left = len(broken.data) if "ends after" in broken.how else len(original.data)
        is_lost = left < 0.9 * len(original.data) and original.frames == 1
        # An animation does not say how many pictures it has: changed bytes can end it early.
        is_told = original.suffix not in _ANIMATED or left < len(original.data)
        # A transport stream has no end of its own: broken off between two packets it is one.
        is_told &= original.suffix != ".ts" or left == len(original.data) or left % _TS_PACKET > 0
        judge = functools.partial(
            _judge,
            name=name,
            frames=original.frames - _UNTOLD.get(original.suffix, 0) if is_told else 1,
            least=whole,
            is_lost=is_lost,
        )
        cases.append(Case(name, f"{original.suffix} {broken.how}", judge))
    return Trial(
        lambda some: [
            "detect",
            "--aligned",
            "--overwrite",
            _GOOD,
            *(case.name for case in some),
            "--out",
            "o.csv",
        ],
        cases,
    )


def _judge(ran: Ran, folder: Path, name: str, frames: int, least: int, is_lost: bool) -> Outcome:
    """Judge a file.

    Args:
        ran: the run.
        folder: where its table is.
        name: of the file.
        frames: of the whole file, without those that nothing tells of.
        least: frames that are whole in the broken one.
        is_lost: much of its only picture is.
    """
    if not (folder / "o.csv").is_file():
        return "rows lost"
    rows = pd.read_csv(folder / "o.csv")
    mine = rows[rows["input"] == name]
    if not (rows["input"] == _GOOD).any() or len(mine) < least:
        return "rows lost"
    if not mine["timestamp"].is_monotonic_increasing:
        return "silent"
    is_named = any(name in line and line.startswith("au: ") for line in ran.said.splitlines())
    if not is_named and (len(mine) < frames or is_lost):
        return "silent"
    if is_named and ran.code != 1:
        return "unnamed"
    return "clean error" if is_named else "read"


def scene(shift: int) -> np.ndarray:
    """Return a small picture with something in it, (64, 64, 3) RGB uint8."""
    low = np.random.default_rng(5).integers(30, 220, (6, 6, 3), dtype=np.uint8)
    smooth = Image.fromarray(low).resize((64, 64), Image.Resampling.BICUBIC)
    return np.roll(np.asarray(smooth), shift, axis=1)


@functools.cache
def still() -> list[Original]:
    """Pictures in all formats that can be written here."""
    image = Image.fromarray(scene(0))
    exif = Image.Exif()
    exif[274] = 6
    more: dict[str, Any] = {
        "save_all": True,
        "append_images": [Image.fromarray(scene(n)) for n in (9, 20)],
    }
    durations = {"duration": 100, "loop": 0}
    grey16 = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 200)
    kinds: list[tuple[Image.Image, str, str, dict[str, Any], int]] = [
        (image, ".jpg", "JPEG", {"exif": exif}, 1),
        (image, ".jpg", "JPEG", {"progressive": True, "quality": 90}, 1),
        (image.convert("CMYK"), ".jpeg", "JPEG", {}, 1),
        (image, ".png", "PNG", {}, 1),
        (image.convert("RGBA"), ".png", "PNG", {"icc_profile": bytes(200)}, 1),
        (image.convert("P"), ".png", "PNG", {}, 1),
        (grey16, ".png", "PNG", {}, 1),
        (image, ".png", "PNG", more | {"duration": 100}, 3),
        (image, ".bmp", "BMP", {}, 1),
        (image, ".gif", "GIF", {}, 1),
        (image, ".gif", "GIF", more | durations, 3),
        (image, ".tif", "TIFF", {}, 1),
        (image, ".tif", "TIFF", {"compression": "tiff_lzw"}, 1),
        (image, ".tiff", "TIFF", {"compression": "tiff_adobe_deflate", **more}, 3),
        (image.convert("F"), ".tif", "TIFF", {}, 1),
        (image, ".webp", "WEBP", {"quality": 90}, 1),
        (image, ".webp", "WEBP", {"lossless": True}, 1),
        (image, ".webp", "WEBP", more | durations, 3),
        (image, ".avif", "AVIF", {}, 1),
        (image, ".jp2", "JPEG2000", {}, 1),
        (image, ".ppm", "PPM", {}, 1),
        (image.convert("L"), ".pgm", "PPM", {}, 1),
        (image, ".tga", "TGA", {"compression": "tga_rle"}, 1),
        (image.convert("L"), ".jpg", "JPEG", {"restart_marker_rows": 1}, 1),
        (image, ".tif", "TIFF", {"compression": "jpeg"}, 1),
        (image, ".tif", "TIFF", {"compression": "packbits"}, 1),
        (grey16, ".tif", "TIFF", {"compression": "tiff_adobe_deflate"}, 1),
        (image.convert("1"), ".png", "PNG", {}, 1),
        (image, ".j2k", "JPEG2000", {"no_jp2": True}, 1),
        (image, ".qoi", "QOI", {}, 1),
        (image, ".heic", "HEIF", {}, 1),
    ]
    lacking = {
        name
        for name, feature in (("AVIF", "avif"), ("WEBP", "webp"), ("JPEG2000", "jpg_2000"))
        if not features.check(feature)
    }
    register_heif_opener()
    originals = []
    for picture, suffix, form, options, frames in kinds:
        if form not in lacking:
            buffer = io.BytesIO()
            picture.save(buffer, form, **options)
            originals.append(Original(suffix, buffer.getvalue(), frames))
    return originals


@functools.cache
def moving() -> list[Original]:
    """Videos in all containers and codecs that can be written here."""
    kinds: list[tuple[str, str, str, str | None, dict[str, str]]] = [
        (".mp4", "mp4", "libx264", "aac", {"bf": "2"}),
        (".mp4", "mp4", "mpeg4", None, {}),
        (".mov", "mov", "mjpeg", None, {}),
        (".mkv", "matroska", "libx264", "aac", {"g": "5", "bf": "2"}),
        (".mkv", "matroska", "mpeg4", None, {}),
        (".webm", "webm", "libvpx", "libopus", {"cpu-used": "8"}),
        (".avi", "avi", "mjpeg", None, {}),
        (".avi", "avi", "libx264", None, {"bf": "2"}),
        (".avi", "avi", "mpeg4", "mp3", {}),
        (".flv", "flv", "flv", None, {}),
        (".flv", "flv", "libx264", "aac", {"g": "5"}),
        (".wmv", "asf", "wmv2", "wmav2", {}),
        (".ts", "mpegts", "libx264", "aac", {"g": "5"}),
        (".mpg", "mpeg", "mpeg1video", "mp2", {}),
        (".ogv", "ogg", "libtheora", None, {}),
        (".mp4", "mp4", "libx265", "aac", {"x265-params": "log-level=none:keyint=8"}),
        (".mp4", "mp4", "libx264", "aac", {"movflags": "frag_keyframe+empty_moov", "g": "4"}),
        (".mp4", "mp4", "libsvtav1", None, {"preset": "12", "g": "8"}),
        (".webm", "webm", "libvpx-vp9", "libopus", {"cpu-used": "8", "g": "8"}),
        (".mov", "mov", "prores", "pcm_s16le", {}),
        (".mkv", "matroska", "ffv1", "flac", {}),
        (".mkv", "matroska", "libx265", "libopus", {"x265-params": "log-level=none:keyint=8"}),
        (".avi", "avi", "huffyuv", "pcm_s16le", {}),
        (".ts", "mpegts", "mpeg2video", "mp2", {"g": "5", "bf": "2"}),
        (".mpg", "mpeg", "mpeg2video", "mp2", {"g": "6", "bf": "2"}),
        (".mxf", "mxf", "mpeg2video", "pcm_s16le", {"g": "6"}),
        (".nut", "nut", "mpeg4", "mp2", {}),
    ]
    codecs = av.codecs_available
    os.environ["SVT_LOG"] = "0"  # an encoder that tells its settings
    return [
        _encoded(*kind)
        for kind in kinds
        if kind[2] in codecs and (kind[3] is None or kind[3] in codecs)
    ]


_PIXELS = {"mjpeg": "yuvj420p", "prores": "yuv422p10le", "huffyuv": "yuv422p"}


def _encoded(
    suffix: str, form: str, codec: str, sound: str | None, options: dict[str, str]
) -> Original:
    buffer = io.BytesIO()
    of_file = {name: value for name, value in options.items() if name == "movflags"}
    with av.open(buffer, "w", format=form, options=of_file) as container:
        of_codec = {name: value for name, value in options.items() if name not in of_file}
        stream = container.add_stream(codec, rate=25, options=of_codec)
        stream.width = stream.height = 64
        stream.pix_fmt = _PIXELS.get(codec, "yuv420p")
        audio = None
        if sound is not None:
            audio = container.add_stream(sound, rate=48000, layout="mono", bit_rate=64_000)
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(scene(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
            if audio is not None:
                container.mux(audio.encode(_silence(number, audio.format.name)))
        for each in (stream, audio):
            if each is not None:
                container.mux(each.encode())
    if hasattr(os, "SCHED_OTHER"):  # SVT-AV1 leaves root's thread with a real-time priority
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    data = buffer.getvalue()
    # In MP4 and MOV the index at the end is needed for every frame.
    streams = form not in {"mp4", "mov"} or of_file
    return Original(suffix, data, FRAMES, _ends(data) if streams else ())


def _silence(number: int, form: str) -> av.AudioFrame:
    kind: Any = {"flt": np.float32, "s16": np.int16, "s32": np.int32}[form.removesuffix("p")]
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), kind), format=form, layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, number * 1920, Fraction(1, 48000)
    return frame


def _ends(data: bytes) -> tuple[int, ...]:
    """Where the packet of each frame has ended: at the latest where the next one begins."""
    with av.open(io.BytesIO(data)) as container:
        places = [p.pos for p in container.demux(container.streams.video[0]) if p.size]
    if any(place is None or place < 0 for place in places):
        return ()
    return tuple(min((p for p in places if p > place), default=len(data)) for place in places)
