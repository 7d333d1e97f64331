"""Damaged videos: a frame that is lost is listed, and all others keep their own labels."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from preparing import run

from actionunits import media
from actionunits.datasets.raw import RawTable
from clips import collect
from rawtables import AUS, SIDE, own_landmarks, with_labels

COUNT, GROUP, BROKEN = 48, 12, 20
KINDS = {
    "mjpeg.avi": ("mjpeg", {}),
    "simple.avi": ("mpeg4", {"g": str(GROUP)}),
    "reordered.avi": ("mpeg4", {"g": str(GROUP), "bf": "2"}),
    "reordered.mp4": ("libx264", {"g": str(GROUP), "bf": "2"}),
    "reordered.mkv": ("libx264", {"g": str(GROUP), "bf": "2"}),
}
UNEVEN = [round(t) for t in np.cumsum(np.random.default_rng(0).choice([20, 35, 90], COUNT))]
"""Milliseconds."""


def bars(number: int) -> np.ndarray:
    """A picture that shows its number: eight bars, bright where a bit is set."""
    bits = number >> np.arange(8) & 1
    return np.tile(np.repeat(60 + 140 * bits, 20)[None, :, None], (96, 1, 3)).astype(np.uint8)


def counted(image: np.ndarray) -> int:
    bright = image.mean((0, 2)).reshape(8, 20)[:, 5:15].mean(1) > 130
    return int((bright << np.arange(8)).sum())


def write(file: Path, images: list[np.ndarray], times: list[int] | None = None) -> Path:
    codec, options = KINDS.get(file.name, KINDS["reordered.mp4"])
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=20, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for place, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times:
                frame.pts, frame.time_base = times[place], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def damage(file: Path, how: str) -> None:
    """Overwrite a packet in the middle: all of it, some of it, or the header before it."""
    with av.open(str(file)) as container:
        packets = [(bytes(packet), packet.pos) for packet in container.demux(video=0)]
    (packet, before), content = packets[BROKEN], bytearray(file.read_bytes())
    start, size = content.find(packet, before), len(packet)
    part = {
        "whole": slice(start, start + size),
        "some": slice(start + size // 3, start + 2 * size // 3),
        "header": slice(start - 8, start),
    }[how]
    content[part] = bytes(len(content[part]))
    file.write_bytes(content)


def shown(file: Path) -> list[tuple[int, int, str]]:
    """Number, bar code and doubt of all frames that can be decoded."""
    seen, error = collect(file, threads=1)
    assert "is damaged or breaks off" in error
    return [(each.number, counted(each.image), each.doubt) for each in seen]


@pytest.mark.parametrize("how", ["whole", "some"])
@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_frames_behind_a_damaged_one_keep_their_numbers(
    tmp_path: Path, name: str, uneven: bool, how: str
) -> None:
    if uneven and name.endswith("avi"):
        pytest.skip("AVI knows one rate")
    file = write(tmp_path / name, [bars(n) for n in range(COUNT)], UNEVEN if uneven else None)
    assert [counted(frame.image) for frame in media.frames(file)] == list(range(COUNT))
    damage(file, how)
    sound = [(number, code) for number, code, doubt in shown(file) if not doubt]
    whole = BROKEN + GROUP if how == "some" else 0  # half a picture may be drawn without complaint
    assert all(number == code for number, code in sound if number >= whole)
    assert COUNT - GROUP <= len(sound) < COUNT
    assert sound[-1][0] == COUNT - 1


@pytest.mark.parametrize("name", ["reordered.mp4", "reordered.mkv"])
def test_frame_that_a_decoder_passes_over_in_silence_counts(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, [bars(n) for n in range(COUNT)])
    with av.open(str(file)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    # A picture that none builds on becomes what decoders skip: filler data.
    free = next(packet for packet in packets[BROKEN:] if packet[4] & 0x60 == 0)
    filler = free[:4] + bytes([12]) + free[5:]
    file.write_bytes(file.read_bytes().replace(free, filler, 1))
    seen = shown(file)
    assert len(seen) == COUNT - 1
    assert all(number == code for number, code, _ in seen)
    assert seen[-1] == (COUNT - 1, COUNT - 1, "")


def test_where_times_do_not_tell_nothing_behind_is_relied_on(tmp_path: Path) -> None:
    # AVI has no times but a count in the order of storage, which is not that of showing here.
    file = write(tmp_path / "stored.avi", [bars(n) for n in range(COUNT)])
    assert [frame.number for frame in media.frames(file)] == list(range(COUNT))
    damage(file, "whole")
    seen = shown(file)
    assert all(number == code for number, code, doubt in seen if not doubt)
    assert all("no times that tell" in doubt for number, _, doubt in seen if number > BROKEN)


@pytest.mark.parametrize("name", ["mjpeg.avi", "simple.avi"])
def test_a_packet_that_is_passed_over_is_noticed(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, [bars(n) for n in range(COUNT)])
    damage(file, "header")
    seen = shown(file)
    assert [number for number, _, doubt in seen if not doubt] == list(range(BROKEN))
    assert [code for _, code, doubt in seen if not doubt] == list(range(BROKEN))


@pytest.mark.parametrize("name", ["mjpeg.avi", "reordered.mp4"])
def test_labels_stay_with_their_frames(tmp_path: Path, name: str) -> None:
    shades = 20 + 4 * np.arange(COUNT)
    noise = np.random.default_rng(0).integers(-9, 10, (COUNT, SIDE, SIDE, 1))
    images = [np.repeat(s + n, 3, 2).astype(np.uint8) for s, n in zip(shades, noise, strict=True)]
    file = write(tmp_path / name, images)
    damage(file, "whole")
    rows = pd.DataFrame({"position": np.arange(COUNT), "frame": np.arange(COUNT) + 1, "seed": 0})
    rows = with_labels(rows.assign(subject="S1", task="T1", file=str(file)))
    raw = RawTable("disfa", tmp_path, rows, AUS, None, landmarks=own_landmarks)
    manifest = run(raw, tmp_path / "out")
    stored = pq.read_table(tmp_path / "out" / "S1_T1.parquet").to_pandas()
    seen = [np.asarray(Image.open(io.BytesIO(image))).mean() for image in stored["image"]]
    np.testing.assert_allclose(seen, shades[stored["frame"] - 1], atol=2.4)
    lost = {each.frame: each.reason for each in manifest.lost}
    assert sorted([*lost, *stored["frame"]]) == list(range(1, COUNT + 1))
    assert "it is damaged in its video" in lost.values()
    assert len(lost) == 1 if name == "mjpeg.avi" else 1 < len(lost) <= GROUP
