"""What a film is cut to: as somebody wished it is whole, as damage wished it is not."""

import struct
from pathlib import Path

import pytest

from clips import collect
from media.test_missing import write

FRAMES, RATE = 72, 30
TICKS = 512  # of a frame, as FFmpeg writes them
FILM = 1000  # ticks of a second by the clock of the film
CODECS = ["libx264", "mpeg4"]  # stored out of order, and in order


def edited(folder: Path, codec: str, frames: int, shift: int) -> Path:
    """A film whose only edit is of so many frames, and begins so many ticks later than it did."""
    path = write(folder / "clip.mp4", codec)
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 12
    whole, start = struct.unpack_from(">Ii", data, place)
    assert whole == FRAMES * FILM / RATE
    struct.pack_into(">Ii", data, place, round(frames * FILM / RATE), start + shift)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    ("first", "frames"), [(0, FRAMES), (0, 20), (5, 20), (5, FRAMES - 5), (5.5, 20)]
)
def test_a_film_that_somebody_cut_is_whole(
    tmp_path: Path, codec: str, first: float, frames: int
) -> None:
    seen, error = collect(edited(tmp_path, codec, frames, round(first * TICKS)))
    assert error is None
    assert frames - 1 <= len(seen) <= FRAMES


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("shift", [8, TICKS, 4 * TICKS, 10 * TICKS + 100])
def test_a_film_that_begins_later_and_lasts_as_long_is_damaged(
    tmp_path: Path, codec: str, shift: int
) -> None:
    seen, error = collect(edited(tmp_path, codec, FRAMES, shift))
    assert len(seen) < FRAMES
    assert "is damaged or breaks off" in str(error)


@pytest.mark.parametrize("codec", CODECS)
def test_a_film_whose_cut_ends_behind_its_end_is_damaged(tmp_path: Path, codec: str) -> None:
    seen, error = collect(edited(tmp_path, codec, FRAMES - 4, 12 * TICKS))
    assert len(seen) < FRAMES
    assert "is damaged or breaks off" in str(error)


@pytest.mark.parametrize("late", [16, 20])
def test_a_picture_that_damage_put_behind_the_end_is_missed(tmp_path: Path, late: int) -> None:
    path = write(tmp_path / "clip.mp4", "libx264")
    data = bytearray(path.read_bytes())
    first = data.index(b"ctts") + 12  # how many, and how late
    data[first + 8 * 20 + 7 - late // 8] ^= 1 << late % 8
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) < FRAMES
    assert "is damaged or breaks off" in str(error)


@pytest.mark.parametrize("codec", CODECS)
def test_times_that_add_up_to_another_length_are_damage(tmp_path: Path, codec: str) -> None:
    path = write(tmp_path / "clip.mp4", codec)
    data = bytearray(path.read_bytes())
    each = data.index(b"stts") + 16  # ticks of each of the first ones
    data[each + 2] ^= 0x20
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) < FRAMES
    assert "is damaged or breaks off" in str(error)


def test_a_media_without_ticks_to_a_second_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", "libx264")
    data = bytearray(path.read_bytes())
    rate = data.index(b"mdhd") + 16
    data[rate : rate + 4] = bytes(4)
    path.write_bytes(data)
    assert "is damaged or breaks off" in str(collect(path)[1])


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("flipped", [1 << 4, 1 << 11, 1 << 23])
def test_a_film_whose_clock_was_damaged_is_not_whole(tmp_path, codec, flipped):
    """By another clock its edits are shorter than they were, and leave out the last frames."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(write(tmp_path / "whole.mp4", codec).read_bytes())
    data = bytearray(path.read_bytes())
    place = data.index(b"mvhd") + 16
    ticks = int.from_bytes(data[place : place + 4])
    assert ticks == 1000
    data[place : place + 4] = (ticks ^ flipped).to_bytes(4)
    path.write_bytes(data)
    seen, error = collect(path)
    assert error is None or "is damaged or breaks off" in error
    assert (error is None) is (len(seen) == len(collect(tmp_path / "whole.mp4")[0]))
