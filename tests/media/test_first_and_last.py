"""The first and the last pictures of a video: what is lost of them is missed, and no more."""

import av
import numpy as np
import pytest

from clips import collect, write_video
from media.test_missing import COUNT, NOISE, write


def test_a_beginning_that_a_transport_stream_announced_and_lost_is_missed(tmp_path):
    """Its first picture says that it needs none before it, and calls itself something else."""
    path = write(tmp_path / "clip.ts", "libx264", keys=8)
    assert collect(path)[1] is None
    data = bytearray(path.read_bytes())
    place = data.index(b"\0\0\1\x65") + 3  # a picture that begins anew
    data[place] ^= 2
    path.write_bytes(data)
    seen, error = collect(path)
    assert 0 < len(seen) < COUNT
    assert seen[0].number > 0  # by its time
    assert "is damaged or breaks off" in str(error)


def test_a_first_picture_that_does_not_decode_is_missed(tmp_path):
    path = write(tmp_path / "clip.mkv", "mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"\0\0\1\xb6") + 4
    data[place] |= 0x80  # says that it is made of two others
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) == COUNT - 1
    assert seen[0].number == 1
    assert "is damaged or breaks off" in str(error)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "avi"])
def test_a_last_picture_that_does_not_decode_is_missed(tmp_path, suffix):
    """Decoders that work on several pictures at once swallow what they cannot make of the last."""
    path = write(tmp_path / f"clip.{suffix}", "mpeg4")
    assert collect(path)[1] is None
    data = bytearray(path.read_bytes())
    place = data.rindex(b"\0\0\1\xb6")
    data[place : place + 20] = b"\xff" * 20
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) < COUNT
    assert "is damaged or breaks off" in str(error)


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_a_last_picture_that_is_refused_costs_no_other_whatever_the_threads(tmp_path, suffix):
    """Of several threads, one that fails at the end makes FFmpeg give up what the others hold."""
    path = write(tmp_path / f"clip.{suffix}", "libx264", bf="2")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        last = bytes([packet for packet in container.demux(video=0) if packet.size][-1])
    place = data.rindex(b"\0\0\1\x41") + 3 if suffix == "ts" else data.rindex(last) + 4
    assert data[place] & 0x1F in {1, 5}  # a picture, that needs others or none
    data[place] |= 8
    path.write_bytes(data)
    alone, error = collect(path, 1)
    assert len(alone) == COUNT - 1
    assert "is damaged or breaks off" in error
    for threads in (0, 2, 3, 4):
        seen, error = collect(path, threads)
        assert [frame.seconds for frame in seen] == [frame.seconds for frame in alone]
        assert [frame.number for frame in seen] == [frame.number for frame in alone]
        assert all((a.image == b.image).all() for a, b in zip(seen, alone, strict=True))
        assert "is damaged or breaks off" in error


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_a_wrong_beginning_of_the_list_of_an_avi_costs_no_frame(tmp_path, codec):
    """FFmpeg reckons by the first entry where all others point."""
    path = write(tmp_path / "clip.avi", codec)
    whole, error = collect(path)
    assert error is None
    data = bytearray(path.read_bytes())
    data[data.rindex(b"idx1") + 8 + 10] ^= 2  # of the place that the first entry tells
    path.write_bytes(data)
    seen, error = collect(path)
    assert [frame.seconds for frame in seen] == [frame.seconds for frame in whole]
    assert all((a.image == b.image).all() for a, b in zip(seen, whole, strict=True))
    assert "is damaged or breaks off" in error


def test_a_flash_film_that_breaks_off_between_packets_is_missed(tmp_path):
    """Its end is as it should be, but it says at its start how many bytes it has."""
    path = write(tmp_path / "clip.flv", "flv")
    data = path.read_bytes()
    tag = int.from_bytes(data[-4:]) + 4
    for _ in range(3):  # tags from the end on: so few are no sign by the times
        data = data[:-tag]
        tag = int.from_bytes(data[-4:]) + 4
    path.write_bytes(data)
    seen, error = collect(path)
    assert 0 < len(seen) < COUNT
    assert "is damaged or breaks off" in error


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_steps_in_which_an_avi_shows_nothing_new_are_no_loss(tmp_path, codec):
    times = np.array([0, 1, 2, 5, 6, 7, 11, 12, 20]) / 30
    path = write(tmp_path / "clip.avi", codec, times=times)
    seen, error = collect(path)
    assert error is None
    assert [frame.seconds for frame in seen] == pytest.approx(times, abs=1e-3)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 5])
    seen, error = collect(path)
    assert 0 < len(seen) < len(times)
    assert "is damaged or breaks off" in str(error)


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_pictures_that_hardly_change_are_whole(tmp_path, suffix):
    times = np.arange(30) / 10
    grey = np.full((30, 48, 64, 3), 90, np.uint8)
    path = write_video(tmp_path / f"still.{suffix}", times, shades=grey, codec="mpeg4")
    seen, error = collect(path)
    assert (len(seen), error) == (30, None)


def test_a_copy_of_a_part_is_whole_though_it_begins_with_pictures_that_need_others(tmp_path):
    """Pictures that are stored after the first, and shown before it, need one that was cut off."""
    if "libx265" not in av.codecs_available:
        pytest.skip("FFmpeg without libx265")
    whole, part = tmp_path / "whole.mkv", tmp_path / "part.mkv"
    options = {"x265-params": "keyint=12:open-gop=1:bframes=3:scenecut=0:log-level=none"}
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("libx265", rate=30, options=options)
        stream.height, stream.width, stream.pix_fmt = *NOISE.shape[:2], "yuv420p"
        for number in range(40):
            image = np.roll(NOISE, number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(whole)) as source, av.open(str(part), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        key = [number for number, packet in enumerate(packets) if packet.is_keyframe][1]
        assert min(packet.pts for packet in packets[key:]) < packets[key].pts
        for packet in packets[key:]:
            packet.stream = stream
            container.mux(packet)
    seen, error = collect(part)
    assert 20 < len(seen) < len(packets) - key
    assert error is None


def test_a_recording_that_begins_amid_pictures_is_whole(tmp_path):
    """As from a broadcast: its first picture does not say that it needs none before it."""
    path = write(tmp_path / "clip.ts", "mpeg2video")
    data = path.read_bytes()
    starts = [
        at
        for at in range(0, len(data), 188)
        if data[at + 1] == 0x41 and data[at + 2] == 0 and data[at + 3] & 0x20
    ]
    announced = [at for at in starts if data[at + 4] and data[at + 5] & 0x40]
    amid = next(at for at in starts if announced[0] < at < announced[1])
    path.write_bytes(data[: announced[0]] + data[amid:])
    seen, error = collect(path)
    assert 0 < len(seen) < COUNT
    assert error is None


@pytest.mark.parametrize("kept", [67, 100])
def test_a_recording_that_loses_what_comes_behind_its_beginning_is_not_whole(tmp_path, kept):
    """It does not begin amid a packet, as a broadcast may: its first one breaks off."""
    path = write(tmp_path / "clip.ts", "libx264", sound="aac")
    data = path.read_bytes()
    path.write_bytes(data[:kept] + data[data.index(b"G", 188 * 40) + 188 - 1 :])
    seen, error = collect(path)
    assert 0 < len(seen) < COUNT
    assert "is damaged or breaks off" in error


@pytest.mark.parametrize(("suffix", "codec"), [("nut", "mpeg4"), ("mxf", "mpeg2video")])
def test_what_is_broken_at_the_end_costs_nothing_before_it(tmp_path, suffix, codec):
    """FFmpeg looks there first, or at places that damage made up, and may give up all."""
    path = write(tmp_path / f"clip.{suffix}", codec)
    whole, error = collect(path)
    assert error is None
    data = path.read_bytes()
    place = len(data) * 3 // 4
    for broken in (data[:place], data[:place] + b"\r" + data[place:]):
        path.write_bytes(broken)
        seen, error = collect(path)
        assert len(seen) >= 30
        times = [frame.seconds for frame in whole[:30]]
        assert [frame.seconds for frame in seen[:30]] == pytest.approx(times)
        assert "is damaged or breaks off" in error


@pytest.mark.parametrize("rate", [25, 30])
@pytest.mark.parametrize("longer", [-2, -1, 0])
def test_a_hole_before_the_first_picture_that_is_left_is_missed(tmp_path, rate, longer):
    """Also where the sound, which tells the end, stops before the pictures do."""
    sound = {"sound": "mp2", "seconds": (16 + longer) / rate}
    path = write(tmp_path / "clip.nut", "mpeg4", times=np.arange(16) / rate, keys=4, **sound)
    data = path.read_bytes()
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    start = places[0] - 37  # in the sound before it, so that nothing is found until the next mark
    path.write_bytes(data[:start] + b"\xff" * (places[8] - start) + data[places[8] :])
    seen, error = collect(path)
    assert 0 < len(seen) < 16
    assert "is damaged or breaks off" in error


def test_a_hole_after_the_first_picture_is_missed(tmp_path):
    """Where only times tell: what is usual is known from what comes behind the hole."""
    times = np.arange(16) / 30
    path = write(tmp_path / "clip.nut", "mpeg4", times=times, sound="mp2", seconds=16 / 30)
    data = path.read_bytes()
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(data[: places[1]] + b"\xff" * (places[12] - places[1]) + data[places[12] :])
    seen, error = collect(path)
    assert 0 < len(seen) < 16
    assert "is damaged or breaks off" in error


@pytest.mark.parametrize("codec", ["mjpeg", "libx264"])
def test_a_picture_that_only_the_list_of_an_avi_tells_is_missed(tmp_path, codec):
    """FFmpeg refuses a list whose first part cannot be, and passes over parts without a name."""
    path = write(tmp_path / "clip.avi", codec)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"idx1") + 8 + 15] |= 0x80  # of the first part
    place = -1
    for _ in range(20):
        place = data.index(b"00dc", place + 1)
    data[place] ^= 0x40
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) < COUNT
    assert f"of {COUNT} frames" in error


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4", "libx264"])
def test_a_list_of_an_avi_that_was_overwritten_costs_no_picture(tmp_path, codec):
    path = write(tmp_path / "clip.avi", codec)
    whole, error = collect(path)
    assert error is None
    data = bytearray(path.read_bytes())
    start = data.rindex(b"idx1") + 8 + 16  # its second part
    data[start:] = np.random.default_rng(0).bytes(len(data) - start)
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) >= len(whole) - 1
    times = [frame.seconds for frame in seen]
    late = 1 / 30 + 1e-3  # at most, where pictures are stored out of order
    assert times == pytest.approx([frame.seconds for frame in whole[: len(seen)]], abs=late)
    assert times == sorted(times)
    assert "is damaged or breaks off" in error


def test_a_windows_media_film_whose_first_packets_are_blank_is_missed(tmp_path):
    path = write(tmp_path / "clip.wmv", "wmv2", sound="mp2")
    data = path.read_bytes()
    header = int.from_bytes(data[16:24], "little") + 50  # and the head of the data
    size = int.from_bytes(data[data.index(bytes.fromhex("a1dcab8c47a9cf11")) + 92 :][:4], "little")
    blank = (len(data) - header) // size // 2 * size
    path.write_bytes(data[:header] + bytes(blank) + data[header + blank :])
    seen, error = collect(path)
    assert 0 < len(seen) < COUNT
    assert "is damaged or breaks off" in error
