"""Containers that are chains: whole ones are whole, whoever wrote them; torn ones are torn."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from actionunits.media.mp4 import KIND as MP4
from actionunits.media.structure import is_torn
from clips import collect
from media.test_missing import write

KINDS = {"mkv": "matroska,webm", "webm": "matroska,webm", "flv": "flv", "mpg": "mpeg", "wmv": "asf"}
WAYS: list[tuple[str, str, str | None, dict[str, str]]] = [
    ("mkv", "libx264", "aac", {}),
    ("mkv", "libx264", None, {"live": "1"}),
    ("mkv", "mpeg4", "aac", {"cluster_time_limit": "100", "write_crc32": "0"}),
    ("mkv", "libx264", "aac", {"reserve_index_space": "5000"}),
    ("webm", "libvpx", None, {"dash": "1"}),
    ("webm", "libvpx", None, {"live": "1"}),
    ("flv", "flv", "aac", {}),
    ("flv", "libx264", "aac", {"flvflags": "add_keyframe_index"}),
    ("wmv", "wmv2", "mp2", {}),
    ("wmv", "wmv1", None, {}),
    ("mpg", "mpeg2video", "mp2", {}),
    ("mpg", "mpeg1video", None, {"packetsize": "4096"}),
]


@pytest.fixture(scope="module", params=range(len(WAYS)), ids=lambda n: f"{WAYS[n][0]}{n}")
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    suffix, codec, sound, options = WAYS[request.param]
    if {codec, sound} - {None} - set(av.codecs_available):
        pytest.skip(f"FFmpeg without {codec} or {sound}")
    folder = tmp_path_factory.mktemp("whole")
    return write(folder / f"clip.{suffix}", codec, sound=sound, **options)


def kind(path: Path) -> str:
    return KINDS[path.suffix[1:]]


def test_whole_chains_are_whole(whole: Path, tmp_path: Path) -> None:
    assert not is_torn(str(whole), kind(whole))
    assert not is_torn(str(whole), "avi")  # which is none
    assert collect(whole)[1] is None
    (tmp_path / "disc.dat").write_bytes(b"RIFF" + bytes(range(256)))
    assert not is_torn(str(tmp_path / "disc.dat"), "mpeg")
    (tmp_path / "empty").touch()
    assert not is_torn(str(tmp_path / "empty"), kind(whole))


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5, 0.65, 0.8])
@pytest.mark.parametrize("count", [1, 13, 1000])
def test_where_bytes_are_left_out_the_chain_ends(
    whole: Path, tmp_path: Path, share: float, count: int
) -> None:
    data = whole.read_bytes()
    place = int(share * len(data))
    path = tmp_path / whole.name
    path.write_bytes(data[:place] + data[place + count :])
    assert is_torn(str(path), kind(whole))


@pytest.mark.parametrize("seed", range(20))
def test_no_bytes_are_too_broken_to_walk_through(whole: Path, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(whole.read_bytes(), np.uint8).copy()
    data[rng.integers(0, len(data), 50)] = rng.integers(0, 256, 50)
    path = tmp_path / whole.name
    path.write_bytes(data[: rng.integers(1, len(data))].tobytes())
    assert is_torn(str(path), kind(whole)) in {True, False}


def test_a_block_of_pictures_under_another_name_is_missed(tmp_path: Path) -> None:
    """Players pass over elements that they do not know."""
    path = write(tmp_path / "clip.mkv", "mjpeg")
    data = bytearray(path.read_bytes())
    place = data.index(b"\xff\xd8\xff", len(data) // 2)  # of the next picture; before it its head
    head = data.rindex(b"\xa3", place - 12, place)
    for name in (0xA7, 0xAB, 0xA2, 0xA1):
        data[head] = name
        path.write_bytes(data)
        seen, error = collect(path)
        assert len(seen) == 71
        assert "is damaged or breaks off" in str(error)


def test_the_same_time_left_out_of_pictures_and_sound_is_missed(tmp_path: Path) -> None:
    """In a file that lacks whole tags, so that the others follow each other."""
    path = write(tmp_path / "clip.flv", "flv", sound="aac", seconds=2.4)
    data = path.read_bytes()
    places, place = [], 13
    while place < len(data):
        places.append(place)
        place += 15 + int.from_bytes(data[place + 1 : place + 4])
    times = [int.from_bytes(data[p + 4 : p + 7]) for p in places]
    kept = [p for p, t in zip(places, times, strict=True) if not 1000 < t < 1300]
    ends = dict(zip(places, [*places[1:], len(data)], strict=True))
    path.write_bytes(data[:13] + b"".join(data[p : ends[p]] for p in kept))
    said = data.index(b"filesize") + 9  # and the file as it is now
    size = struct.pack(">d", path.stat().st_size)
    path.write_bytes(path.read_bytes()[:said] + size + path.read_bytes()[said + 8 :])
    assert not is_torn(str(path), "flv")
    seen, error = collect(path)
    assert len(seen) < 72
    assert "is damaged or breaks off" in str(error)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("name", [b"ctts", b"stts"])
def test_times_of_other_samples_than_there_are_are_damage(
    tmp_path: Path, suffix: str, name: bytes
) -> None:
    path = write(tmp_path / f"clip.{suffix}", "libx264", sound="aac")
    assert not is_torn(str(path), MP4)
    data = bytearray(path.read_bytes())
    first = data.index(name) + 12  # version, flags, number of runs; then how long the first one is
    data[first + 3] ^= 8
    path.write_bytes(data)
    assert is_torn(str(path), MP4)
    assert "is damaged or breaks off" in str(collect(path)[1])


@pytest.mark.parametrize("number", [0, 1, 2], ids=["first chunk", "samples", "description"])
def test_samples_that_are_in_no_chunk_that_can_be_read_are_missed(
    tmp_path: Path, number: int
) -> None:
    """FFmpeg leaves out chunks of a description that is not there, and says nothing of it."""
    path = write(tmp_path / "clip.mp4", "libx264", sound="aac")
    data = bytearray(path.read_bytes())
    runs = data.index(b"stsc") + 8
    assert int.from_bytes(data[runs : runs + 4]) > 1
    last = runs + 4 + 12 * (int.from_bytes(data[runs : runs + 4]) - 1) + 4 * number
    data[last : last + 4] = b"\0\0\0\0" if number == 1 else b"\0\0\0\x60"
    path.write_bytes(data)
    assert is_torn(str(path), MP4)
    assert "get a whole copy" in str(collect(path)[1])


@pytest.mark.parametrize("name", [b"mdhd", b"tkhd", b"mdia", b"minf", b"stbl"])
def test_a_part_under_another_name_is_missed(tmp_path: Path, name: bytes) -> None:
    path = write(tmp_path / "clip.mp4", "libx264")
    assert not is_torn(str(path), MP4)
    path.write_bytes(path.read_bytes().replace(name, b"free"))
    assert is_torn(str(path), MP4)


def test_edits_that_swallow_what_comes_after_them_are_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mov", "mjpeg")
    data = bytearray(path.read_bytes())
    data[data.index(b"edts") - 2] |= 2  # 512 bytes more
    path.write_bytes(data)
    assert is_torn(str(path), MP4)
    assert "get a whole copy" in str(collect(path)[1])


def test_mp4_in_fragments_has_no_such_lists(tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    assert not is_torn(str(write(tmp_path / "live.mp4", "libx264", **options)), MP4)


@pytest.mark.parametrize("name", [b"traf", b"trun", b"tfdt"])
@pytest.mark.parametrize("place", [-1, 3], ids=["size", "name"])
def test_a_part_of_a_fragment_that_nobody_knows_is_missed(
    tmp_path: Path, name: bytes, place: int
) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    path = write(tmp_path / "live.mp4", "libx264", sound="aac", **options)
    data = bytearray(path.read_bytes())
    data[data.index(name) + place] ^= 0x10
    path.write_bytes(data)
    assert is_torn(str(path), MP4)
    assert "get a whole copy" in str(collect(path)[1])


@pytest.mark.parametrize("kept", [2, 5, 9])
def test_a_short_film_that_breaks_off_between_two_tags_is_short(tmp_path: Path, kept: int) -> None:
    path = write(tmp_path / "clip.flv", "libx264", times=np.arange(16) / 25)
    assert collect(path)[1] is None
    data = path.read_bytes()
    place, pictures = 13, 0
    while pictures <= kept:  # the first tag of pictures holds none
        pictures += data[place] == 9
        place += 15 + int.from_bytes(data[place + 1 : place + 4])
    path.write_bytes(data[:place])
    assert not is_torn(str(path), "flv")
    assert "is damaged or breaks off" in str(collect(path)[1])


def test_a_picture_that_calls_itself_settings_is_missed(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.flv", "libx264", sound="aac")
    assert not is_torn(str(path), "flv")
    data = bytearray(path.read_bytes())
    place, last = 13, 0
    while place < len(data):
        last = place if data[place] == 9 and data[place + 12] == 1 else last
        place += 15 + int.from_bytes(data[place + 1 : place + 4])
    data[last + 12 : last + 28] = bytes(16)
    path.write_bytes(data)
    assert is_torn(str(path), "flv")
    assert "is damaged or breaks off" in str(collect(path)[1])


@pytest.mark.parametrize("head", [0xFF, 0x22, 0x07, 0x91])
def test_a_picture_of_another_codec_is_missed(tmp_path: Path, head: int) -> None:
    path = write(tmp_path / "clip.flv", "libx264", sound="aac")
    data = bytearray(path.read_bytes())
    place, last = 13, 0
    while place < len(data):
        last = place if data[place] == 9 and data[place + 12] == 1 else last
        place += 15 + int.from_bytes(data[place + 1 : place + 4])
    data[last + 11] = head
    path.write_bytes(data)
    assert is_torn(str(path), "flv")
    assert "is damaged or breaks off" in str(collect(path)[1])


@pytest.mark.parametrize("sound", ["aac", "libmp3lame", None])
@pytest.mark.parametrize("codec", ["libx264", "flv"])
def test_a_picture_that_calls_itself_sound_is_missed(
    tmp_path: Path, codec: str, sound: str | None
) -> None:
    path = write(tmp_path / "clip.flv", codec, sound=sound)
    assert not is_torn(str(path), "flv")
    data = bytearray(path.read_bytes())
    place, pictures = 13, 0
    while pictures < 20:
        pictures += data[place] == 9
        last, place = place, place + 15 + int.from_bytes(data[place + 1 : place + 4])
    data[last] = 8
    path.write_bytes(data)
    assert is_torn(str(path), "flv")
    assert "is damaged or breaks off" in str(collect(path)[1])
