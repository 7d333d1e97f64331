"""Groups of pictures before a part are left out, and the part is that of the whole all the same."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from actionunits.errors import MediaError
from actionunits.media import passing, videos
from actionunits.media.opening import Opened, opened
from actionunits.media.span import Span

CLOSED = {
    "closed.mp4": ("libx264", {"g": "12", "bf": "3"}),
    "closed.mkv": ("libx264", {"g": "12", "bf": "2"}),
}
OTHERS = {
    "open.mp4": ("libx264", {"x264-params": "open-gop=1:keyint=12:bframes=3"}),
    "open.mkv": ("libx265", {"x265-params": "keyint=12:log-level=none"}),
    "refreshed.mkv": ("libx264", {"x264-params": "intra-refresh=1:keyint=12"}),
    "plain.mp4": ("mpeg4", {"g": "12"}),
    "old.avi": ("mpeg4", {"g": "12"}),
}
KINDS = CLOSED | OTHERS
FRAMES, CLOCK = 80, Fraction(1, 1000)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name, (codec, options) in KINDS.items():
        random = np.random.default_rng(0)
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.options = options
            for number in range(FRAMES):
                if number % 30 == 0:
                    scene = random.integers(0, 255, (64, 96, 3), np.uint8)
                picture = av.VideoFrame.from_ndarray(np.roll(scene, 3 * number, 1), "rgb24")
                if name.endswith("mkv"):  # unevenly
                    picture.time_base, picture.pts = CLOCK, number * 40 + 15 * (number % 2)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    return folder


def read(file: Path, start: float = 0.0) -> list[videos.Decoded]:
    """Frames with pictures, up to what cannot be read."""
    found = []
    try:
        for frame in videos.frames(str(file), 1, Span(start)):
            if frame[0] is not None:
                found.append(frame)
    except MediaError:
        assert found
    return found


def alike(part: list[videos.Decoded], whole: list[videos.Decoded], start: float) -> bool:
    wanted = [frame for frame in whole if frame[2] >= start - 1e-6]
    assert [frame[1:] for frame in part] == [frame[1:] for frame in wanted]
    pairs = zip(part, wanted, strict=True)
    return all(np.array_equal(one[0], two[0]) for one, two in pairs)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", KINDS)
def test_a_part_is_that_of_the_whole(name: str, clips: Path) -> None:
    whole = read(clips / name)
    assert len(whole) == FRAMES
    for start in (0.001, 0.3, 0.48, 0.96, 1.5, 2.35, 3.1):
        assert alike(read(clips / name, start), whole, start), start


@pytest.fixture
def left_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames are left out each time that some are."""
    counts, take = [], passing.Passing.take

    def counted(self, packet):  # type: ignore[no-untyped-def]
        taken = take(self, packet)
        counts.append(taken[0])
        return taken

    monkeypatch.setattr(passing.Passing, "take", counted)
    return counts


@pytest.mark.parametrize("name", KINDS)
def test_closed_groups_are_left_out_and_no_others(
    name: str, clips: Path, left_out: list[int]
) -> None:
    read(clips / name, 2.0)
    assert (sum(left_out) >= 36) == (name in CLOSED)
    left_out.clear()
    read(clips / name)
    assert not any(left_out)


@pytest.mark.parametrize("name", ["open.mp4", "open.mkv", "refreshed.mkv"])
def test_what_does_not_begin_as_it_must_is_decoded_after_all(
    name: str, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrongly(video: Opened):  # type: ignore[no-untyped-def]
        return lambda packet: True

    whole = read(clips / name)
    monkeypatch.setattr(passing, "_begins_anew", wrongly)
    part = read(clips / name, 2.0)
    wanted = [frame for frame in whole if frame[2] >= 2.0 - 1e-6]
    assert [frame[1:3] for frame in part] == [frame[1:3] for frame in wanted]


def test_groups_that_are_too_large_are_decoded(
    clips: Path, left_out: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "_MOST", 1000)
    whole = read(clips / "closed.mp4")
    assert alike(read(clips / "closed.mp4", 2.0), whole, 2.0)
    assert not any(left_out)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_damage_before_a_part_changes_no_number(share: float, clips: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mp4"
    content = bytearray((clips / "closed.mp4").read_bytes())
    with opened(str(clips / "closed.mp4")) as video:
        entries = video.stream.index_entries
        place = entries[int(share * len(entries))].pos
    content[place + 8 : place + 80] = bytes(72)
    damaged.write_bytes(content)
    whole = read(damaged)
    for start in (1.0, 2.3, 3.0):
        assert alike(read(damaged, start), whole, start), start


def test_a_part_behind_the_end_is_named(clips: Path) -> None:
    with pytest.raises(MediaError, match=r"no frame from 9 s on.* at 3\.16 s"):
        list(videos.frames(str(clips / "closed.mp4"), 1, Span(9.0)))
