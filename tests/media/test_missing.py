"""What is missing in a video is said, and what is whole is not called damaged."""

import contextlib
import re
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from actionunits import media
from actionunits.errors import MediaError
from actionunits.media import transport, videos
from actionunits.media.numbers import Numbers
from actionunits.media.opening import opened
from clips import collect, write_video

COUNT = 72
MOVABLE = dict.fromkeys(("mp4", "mov"), {"movflags": "faststart"})
NOISE = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
SILENT = {
    "mkv": "libx264",
    "webm": "libvpx",
    "flv": "flv",
    "wmv": "wmv2",
    "asf": "wmv2",
    "avi": "mpeg4",
    "ts": "libx264",
    "m2ts": "libx264",
    "mpg": "mpeg2video",
    "mxf": "mpeg2video",
    "nut": "mpeg4",
    "rm": "rv20",
    "mp4": "libx264",
    "mov": "mjpeg",
}
SOUND = {"mkv": "aac", "flv": "aac", "avi": "ac3", "ts": "aac", "mpg": "mp2", "mp4": "aac"}


def write(
    path, codec, *, sound=None, seconds=0.0, hold=None, start=0.0, times=None, keys=12, **options
):
    """A video of 72 frames at 30 a second of which each differs, with sound or without."""
    times = np.arange(COUNT) / 30 if times is None else times
    rate = 30 if hold is None and start == 0 and len(times) == COUNT else 1000
    if codec not in av.codecs_available:
        pytest.skip(f"FFmpeg without {codec}")
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream(codec, rate=30)
        video.height, video.width = NOISE.shape[:2]
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.gop_size = keys
        if rate == 1000:
            video.codec_context.time_base = Fraction(1, 1000)
        streams = [video]
        if sound:
            streams.append(container.add_stream(sound, rate=44100, layout="mono"))
            for part in range(int((seconds or COUNT / 30) * 30)):
                noise = av.AudioFrame.from_ndarray(np.zeros((1, 1470), np.float32), "fltp", "mono")
                noise.sample_rate, noise.pts = 44100, part * 1470
                container.mux(streams[1].encode(noise))
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.roll(NOISE, number, axis=1), format="rgb24")
            frame.time_base = Fraction(1, rate)
            frame.pts = round((time + start) * rate)
            container.mux(video.encode(frame))
        for stream in streams:
            for packet in stream.encode():
                if hold and stream is video:
                    packet.duration = int(hold / packet.time_base)
                container.mux(packet)
    return path


CASES = [(suffix, codec, None) for suffix, codec in SILENT.items()]
CASES += [(suffix, SILENT[suffix], sound) for suffix, sound in SOUND.items()]


@pytest.mark.parametrize(("suffix", "codec", "sound"), CASES)
def test_whole_file_is_whole_and_half_is_not(tmp_path, suffix, codec, sound):
    path = write(tmp_path / f"clip.{suffix}", codec, sound=sound, **MOVABLE.get(suffix, {}))
    seen, error = collect(path)
    assert (len(seen), error) == (COUNT, None)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 + 7])
    part, error = collect(path)
    assert 0 < len(part) < COUNT
    assert np.array_equal(part[0].image, seen[0].image)
    assert f"clip.{suffix}" in error
    assert "is damaged or breaks off" in error
    assert f"up to {part[-1].seconds:.2f} s" in error


@pytest.mark.parametrize(("suffix", "codec", "sound"), CASES)
def test_hole_in_the_middle_is_said(tmp_path, suffix, codec, sound):
    path = write(tmp_path / f"clip.{suffix}", codec, sound=sound, **MOVABLE.get(suffix, {}))
    data = bytearray(path.read_bytes())
    middle, size = len(data) // 2, len(data) // 6
    data[middle : middle + size] = bytes(size)
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) < COUNT
    assert "is damaged or breaks off" in error
    assert [a.seconds for a in seen] == sorted(a.seconds for a in seen)


def test_fragment_that_is_torn_is_said(tmp_path):
    options = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "500000"}
    path = write(tmp_path / "live.mp4", "mjpeg", **options)
    assert collect(path)[1] is None
    data = bytearray(path.read_bytes())
    third = [place.start() for place in re.finditer(b"moof", data)][2]
    data[third - 4 : third + 4] = bytes(8)
    path.write_bytes(data)
    seen, error = collect(path)
    assert 0 < len(seen) < COUNT
    assert "is damaged or breaks off" in error


def test_what_is_missing_is_said_of_every_file(tmp_path):
    data = write(tmp_path / "clip.webm", "libvpx").read_bytes()
    for name in ("a.webm", "b.webm", "c.webm"):
        (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
        assert f"{name}: the video is damaged or breaks off" in collect(tmp_path / name)[1]


@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_what_is_missing_is_counted(tmp_path, suffix):
    path = write(tmp_path / f"clip.{suffix}", "mjpeg", **MOVABLE.get(suffix, {}))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    seen, error = collect(path)
    assert f"{len(seen)} of 72 frames up to" in error
    assert "s of 2.40 s" in error


@pytest.mark.parametrize("threads", [1, 2])
def test_last_frames_come_out_where_sound_is_stored_first(tmp_path, threads):
    whole, path = write(tmp_path / "whole.mp4", "libx264", sound="aac"), tmp_path / "sound.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        kinds = ("audio", "video")
        streams = {
            kind: target.add_stream_from_template(getattr(source.streams, kind)[0])
            for kind in kinds
        }
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.type]
                target.mux(packet)
    seen, error = collect(path, threads)
    assert (len(seen), error) == (COUNT, None)


PAUSE = np.r_[np.arange(30) / 30, 3 + np.arange(31) / 30]
UNEVEN = np.cumsum(np.random.default_rng(0).choice([0.02, 0.035, 0.09, 0.4], 60))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hold.mp4", {"hold": 3}),
        ("hold.mov", {"hold": 3}),
        ("hold.mkv", {"hold": 3}),
        ("sound.mp4", {"sound": "aac", "seconds": 5}),
        ("sound.mkv", {"sound": "aac", "seconds": 5}),
        ("sound.flv", {"sound": "aac", "seconds": 5}),
        ("sound.ts", {"sound": "aac", "seconds": 5}),
        ("sound.avi", {"sound": "ac3", "seconds": 5}),
        *((f"late.{suffix}", {"start": 5}) for suffix in ("mp4", "mov", "mkv", "flv", "ts")),
        *((f"pause.{suffix}", {"times": PAUSE}) for suffix in ("mp4", "mov", "mkv", "flv", "ts")),
        *((f"uneven.{each}", {"times": UNEVEN}) for each in ("mp4", "mkv", "flv", "ts", "nut")),
    ],
)
def test_what_is_whole_is_not_called_damaged(tmp_path, name, options):
    path = write(tmp_path / name, "mpeg4" if name.endswith("avi") else "libx264", **options)
    seen, error = collect(path)
    assert error is None
    assert len(seen) == len(options.get("times", range(COUNT)))


def test_frames_that_an_edit_list_leaves_out_are_not_missed(tmp_path):
    whole, cut = write(tmp_path / "whole.mp4", "libx264"), tmp_path / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                for name in ("pts", "dts"):  # the first second comes before the beginning
                    setattr(packet, name, getattr(packet, name) - int(1 / packet.time_base))
                packet.stream = stream
                target.mux(packet)
    seen, error = collect(cut)
    assert error is None
    assert 40 <= len(seen) < COUNT


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_pictures_stored_out_of_order_in_avi_have_growing_times(tmp_path, codec):
    path = tmp_path / "reordered.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=20, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            image = np.full((48, 64, 3), number * 10, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    seen, error = collect(path)
    assert error is None
    assert np.allclose([frame.seconds for frame in seen], np.arange(20) / 20)
    assert np.allclose([frame.image.mean() for frame in seen], np.arange(20) * 10, atol=8)


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [("ts", "libx264", "aac"), ("ts", "mpeg2video", None), ("mpg", "mpeg2video", "mp2")],
)
def test_joined_streams_go_on(tmp_path, caplog, suffix, codec, sound):
    parts = [write(tmp_path / f"{n}.{suffix}", codec, sound=sound).read_bytes() for n in range(2)]
    path = tmp_path / f"joined.{suffix}"
    path.write_bytes(b"".join(parts))
    seen, error = collect(path)
    assert error is None
    assert [frame.number for frame in seen] == list(range(2 * COUNT))
    steps = np.diff([frame.seconds for frame in seen])
    assert np.allclose(steps, 1 / 30, atol=0.002)
    assert not any(frame.doubt for frame in seen)
    assert "its clock starts anew after frame 72" in caplog.text


def test_damage_behind_a_joint_is_said(tmp_path):
    parts = [write(tmp_path / f"{n}.ts", "libx264").read_bytes() for n in range(2)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts)[:-3000])
    seen, error = collect(path)
    assert COUNT < len(seen) < 2 * COUNT
    assert "is damaged or breaks off" in error


def test_length_is_that_of_the_pictures(tmp_path):
    for suffix, codec, _ in CASES[: len(SILENT)]:
        if codec in av.codecs_available and suffix not in {"nut"}:
            path = write(tmp_path / f"clip.{suffix}", codec)
            assert media.duration(str(path)) == pytest.approx(2.4, abs=0.05), suffix
    assert media.duration(str(write_video(tmp_path / "short.mp4", [0, 0.1]))) < 0.3


def test_transport_stream_whose_end_is_blank_is_not_whole(tmp_path):
    path = write(tmp_path / "clip.ts", "libx264")
    data = path.read_bytes()
    path.write_bytes(data[:-2016] + bytes(2016))
    seen, error = collect(path)
    assert 0 < len(seen) < COUNT
    assert "clip.ts" in str(error)


def test_frames_before_the_first_that_comes_out_are_missing_from_the_first_key_on(tmp_path):
    path = str(write_video(tmp_path / "clip.mp4", np.arange(12) / 10))
    with opened(path) as video:
        packets = [packet for packet in video.container.demux(video.stream) if packet.size]
        numbers = Numbers(video)
        for packet in packets:
            numbers.expect(packet)
        last = SimpleNamespace(pts=packets[-1].pts, is_corrupt=False, key_frame=False)
        assert numbers.place(last)[0] == 11
        assert numbers.swallowed() == 11


@pytest.mark.parametrize(
    "damage",
    [
        lambda data, at: data[:at] + bytes(188) + data[at + 188 :],  # one packet is blank
        lambda data, at: data[:at] + data[at + 188 :],  # or missing
        lambda data, at: data[: at + 50] + data[at + 51 :],  # a byte of it is
        lambda data, at: data[: at + 1] + bytes([data[at + 1] | 0x80]) + data[at + 2 :],  # torn
    ],
)
def test_transport_stream_that_lacks_a_packet_is_not_whole(tmp_path, damage):
    path = write(tmp_path / "clip.ts", "libx264", sound="aac", seconds=2.4)
    data = path.read_bytes()
    with av.open(str(path)) as container:
        video = container.streams.video[0].id
    places = range(0, len(data), 188)
    mine = [p for p in places if (data[p + 1] & 0x1F) << 8 | data[p + 2] == video]
    path.write_bytes(damage(data, mine[len(mine) // 2]))
    seen, error = collect(path)
    assert seen
    assert "clip.ts" in str(error)


@pytest.mark.parametrize(("length", "before"), [(188, 0), (192, 4), (204, 0)])
def test_transport_streams_of_all_forms_count_their_packets(tmp_path, length, before):
    bare = np.frombuffer(write(tmp_path / "bare.ts", "libx264").read_bytes(), np.uint8)
    packets = np.zeros((len(bare) // 188, length), np.uint8)
    packets[:, before : before + 188] = bare.reshape(-1, 188)
    path = tmp_path / "clip.m2ts"
    path.write_bytes(b"noise" + packets.tobytes())
    assert transport.breaks(str(path), 256) == 0
    path.write_bytes(packets[np.arange(len(packets)) != 50].tobytes())
    assert transport.breaks(str(path), 256) == 1
    path.write_bytes(np.concatenate([packets, packets]).tobytes())
    assert transport.breaks(str(path), 256) <= 1


@pytest.mark.parametrize("left", [0.2, 0.5, 0.9, 0.98])
def test_mp4_whose_list_breaks_off_is_not_whole(tmp_path, left):
    path = write(tmp_path / "clip.mp4", "libx264")
    data = path.read_bytes()
    place = data.rindex(b"moov")
    path.write_bytes(data[: place + int(left * (len(data) - place))])
    _, error = collect(path)
    assert "clip.mp4" in str(error)


def test_mp4_whose_list_is_overwritten_is_not_whole(tmp_path):
    path = write(tmp_path / "clip.mp4", "libx264")
    data = bytearray(path.read_bytes())
    place = data.rindex(b"stsz") + 16 + 4 * (COUNT // 2)
    data[place : place + 8] = b"\xfe" * 8  # sizes of two frames
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) < COUNT
    assert "clip.mp4" in str(error)


def test_mp4_of_which_a_frame_is_long_after_its_end_is_not_whole(tmp_path):
    path = write_video(tmp_path / "clip.mp4", np.arange(12) / 10)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"stts") + 8 + 4  # the first entry: so many frames, so long
    data[place : place + 8] = (1).to_bytes(4) + (1 << 24).to_bytes(4)
    path.write_bytes(data)
    _, error = collect(path)
    assert "clip.mp4" in str(error)


@pytest.mark.parametrize("kind", [2, 3, 4])
def test_a_first_picture_whose_head_says_that_it_needs_others_is_not_lost_in_silence(
    tmp_path, kind
):
    path = write(tmp_path / "clip.mpg", "mpeg1video")
    data = bytearray(path.read_bytes())
    place = data.index(b"\0\0\1\0")  # of the first picture; ten bits, then its kind in three
    assert data[place + 5] >> 3 & 7 == 1
    data[place + 5] = data[place + 5] & 0b11000111 | kind << 3
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) == COUNT or "is damaged or breaks off" in str(error)


class Failing:
    """A container that cannot be read on after some packets."""

    def __init__(self, container, packets):
        self._container, self._packets = container, packets

    def __getattr__(self, name):
        return getattr(self._container, name)

    def demux(self):
        for number, packet in enumerate(self._container.demux()):
            if number == self._packets:
                raise av.BlockingIOError(11, "Resource temporarily unavailable", "clip")
            yield packet


def test_frames_that_the_decoder_holds_when_reading_fails_are_not_lost(tmp_path, monkeypatch):
    """FFmpeg gives an error instead of an end where that of some transport streams is blank."""
    path = write(tmp_path / "clip.mkv", "libx264")

    @contextlib.contextmanager
    def failing(name):
        with opened(name) as video:
            yield video._replace(container=Failing(video.container, 40))

    monkeypatch.setattr(videos, "opened", failing)
    seen = []
    with pytest.raises(MediaError, match="is damaged or breaks off"):
        seen.extend(videos.frames(str(path), 1))
    assert len(seen) == 40
