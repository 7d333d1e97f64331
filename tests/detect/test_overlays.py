"""Files of overlays: sound, times and sizes of the source; and heads that nobody sees."""

import weakref
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from actionunits import media
from actionunits.aus import ALL
from actionunits.detect import plots
from actionunits.detect.hidden import Hider, with_hidden
from actionunits.detect.outputs import Job
from actionunits.detect.overlays import overlay_writer
from actionunits.detect.paint import AXES
from actionunits.detect.strip import LANES, ROWS, Strip
from actionunits.faces.pose import axes as pose_axes
from actionunits.media import Span
from actionunits.types import Face, Frame, Reading
from clips import save, write_video


def reading(image, number=0, seconds=0.0, boxes=((10, 10, 20, 24),), tracks=None, source="a.mp4"):
    frame = Frame(image, source, number, seconds)
    tracks = range(len(boxes)) if tracks is None else tracks
    faces = tuple(
        Face(frame, track, np.array(box, float), np.tile(np.array(box[:2], float), (5, 1)), 0.9)
        for track, box in zip(tracks, boxes, strict=True)
    )
    values = np.full((len(faces), len(ALL)), 3.0)
    return Reading(frame, faces, values / 5, values > 2, values)


def noise(height=120, width=160, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write_sound(path: Path, times, seconds=1.0, codec="aac", **options) -> str:
    """A video with a tone."""
    silent = write_video(path.with_name(f"silent{path.suffix}"), times, **options)
    with av.open(silent) as pictures, av.open(path, "w") as out:
        video = out.add_stream_from_template(pictures.streams.video[0])
        sound = out.add_stream(codec, rate=16000, layout="mono")
        for packet in pictures.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                out.mux(packet)
        tone = np.sin(np.arange(int(16000 * seconds)) / 9).astype("f4")
        size = sound.codec_context.frame_size or 1024
        for start in range(0, len(tone), size):
            form = "fltp" if codec == "aac" else "s16"
            part = tone[None, start : start + size]
            part = part if form == "fltp" else (part * 9000).astype("i2")
            frame = av.AudioFrame.from_ndarray(part, form, "mono")
            frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    silent.unlink()
    return str(path)


def packets(path, start=0.0, end=float("inf")):
    with av.open(path) as file:
        return [
            (bytes(packet), float(packet.pts * packet.time_base))
            for packet in file.demux(audio=0)
            if packet.pts is not None and start <= packet.pts * packet.time_base < end
        ]


def overlay_of(source, out, span=media.WHOLE, blur=False):
    job = Job([source], ALL, span=span, blur=blur)
    with overlay_writer(out, job) as file:
        for frame in media.frames(source, span=span):
            file.add(reading(frame.image, frame.number, frame.seconds, source=source))
    assert not job.problems
    return out


def test_sound_is_copied_as_it_is_and_where_it_goes_on_longer(tmp_path):
    source = write_sound(tmp_path / "a.mp4", [0, 0.04, 0.3, 0.31], seconds=1.5)
    out = overlay_of(source, tmp_path / "o.mp4")
    before, after = packets(source, start=0), packets(out)
    assert [data for data, _ in after] == [data for data, _ in before]
    assert np.allclose([t for _, t in after], [t for _, t in before], atol=1e-3)
    assert after[-1][1] > 1.3
    times = [frame.seconds for frame in media.frames(out)]
    assert np.allclose(times, [0, 0.04, 0.3, 0.31], atol=1e-3)


def test_of_a_part_pictures_and_sound_begin_together(tmp_path):
    source = write_sound(tmp_path / "a.mp4", [i / 10 for i in range(20)], seconds=2.0)
    out = overlay_of(source, tmp_path / "o.mp4", Span(start=0.5, end=1.0, every=2))
    with av.open(out) as file:
        times = [float(frame.pts * frame.time_base) for frame in file.decode(video=0)]
    assert np.allclose(times, [0.1, 0.3], atol=1e-3)
    there = packets(source, 0.5, 1.0)
    assert [data for data, _ in packets(out)] == [data for data, _ in there]
    shift = [t - s for (_, t), (_, s) in zip(there, packets(out), strict=True)]
    assert np.allclose(shift, 0.5, atol=2e-3)


def test_sound_that_a_file_cannot_hold_is_told(tmp_path, caplog):
    source = write_sound(tmp_path / "a.mkv", [0, 0.1], codec="mp2")
    out = overlay_of(source, tmp_path / "o.flv")
    assert "its sound (mp2) cannot be stored in .flv" in caplog.text
    with av.open(out) as file:
        assert [len(file.streams.video), len(file.streams.audio)] == [1, 0]
    assert len(packets(overlay_of(source, tmp_path / "o.mkv"))) == len(packets(source))


def test_no_sound_is_no_matter(tmp_path, caplog):
    source = str(write_video(tmp_path / "a.mp4", [0, 0.1]))
    with av.open(overlay_of(source, tmp_path / "o.mp4")) as file:
        assert not file.streams.audio
    assert not caplog.records


@pytest.mark.parametrize("size", [(64, 360), (33 * 2, 401 * 2)])
def test_a_turned_video_keeps_its_upright_size(tmp_path, size):
    source = str(write_video(tmp_path / "a.mp4", [0, 0.1], size=size[::-1], rotation=90))
    (first, _) = media.frames(source)
    written = next(media.frames(overlay_of(source, tmp_path / "o.mp4")))
    assert written.image.shape[0] >= first.image.shape[0]
    assert written.image.shape[1] > first.image.shape[1]


def test_frames_of_360_lines_keep_their_pixels():
    first = reading(np.full((360, 640, 3), 90, np.uint8), boxes=())
    strip = Strip(ALL)
    strip.add(first)
    image = plots.overlay(first, ALL, strip)
    assert (image[:360, :640] == 90).all()
    assert (image[360:, :640] != 90).any(axis=-1).all()


def test_pictures_of_other_sizes_are_fitted_into_the_first(tmp_path):
    source = str(write_video(tmp_path / "a.mp4", [0, 0.1]))
    with overlay_writer(tmp_path / "o.mp4", Job([source], ALL)) as file:
        for number, size in enumerate([(360, 640), (200, 200)]):
            file.add(
                reading(np.full((*size, 3), 200, np.uint8), number, number / 10, source=source)
            )
    first, second = media.frames(tmp_path / "o.mp4")
    assert first.image.shape == second.image.shape


@pytest.mark.parametrize(
    ("pose", "expected"),
    [
        ((0, 0, 0), [[1, 0], [0, 1], [0, 0]]),
        ((90, 0, 0), [[0, 0], [0, 1], [1, 0]]),  # the nose to the subject's left, the image's right
        ((0, 90, 0), [[1, 0], [0, 0], [0, 1]]),  # up
        ((0, 0, 90), [[0, 1], [-1, 0], [0, 0]]),  # to the right shoulder, counter-clockwise
    ],
)
def test_axes_turn_with_the_head(pose, expected):
    assert np.allclose(pose_axes(np.array(pose, float))[:, :2] * [1, -1], expected, atol=1e-9)


def test_landmarks_and_axes_are_drawn_where_they_are_known():
    image = np.full((360, 640, 3), 90, np.uint8)
    bare = reading(image, boxes=[(200, 100, 120, 150)])
    points = np.random.default_rng(0).uniform((210, 110), (310, 240), (1, 49, 2))
    told = bare._replace(landmarks=points, pose=np.array([[20.0, 10.0, 0.0]]))
    for colour, known in [(c, r) for c in AXES for r in (bare, told)]:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        count = (plots.overlay(known, ALL)[:, :640] == wanted).all(axis=-1).sum()
        assert (count > 20) == (known is told)


def test_the_strip_has_lanes_for_what_is_strongest():
    strip = Strip(ALL)
    image = np.zeros((9, 9, 3), np.uint8)
    for number in range(60):
        values = np.zeros((1, len(ALL)))
        values[0, :LANES] = 1.0 if number < 20 else 0.0  # weak, and over
        values[0, -1] = 4.0 if number > 30 else 0.0
        shown = reading(image, number, number / 10, boxes=[(0, 0, 4, 4)])
        strip.add(shown._replace(present=values > 0.5, intensity=values))
    assert len(strip._lanes) == LANES < ROWS
    assert len(ALL) - 1 in strip._lanes
    assert strip._moments[0].seconds == 0.0
    strip.add(reading(image, 999, 99.0, boxes=()))
    assert len(strip._moments) == 1  # constant memory


# Heads that are hidden


def differences(image, hidden):
    """Rows and columns of what is changed."""
    changed = (image != hidden).any(axis=-1)
    return np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))


def test_a_hidden_head_is_a_few_squares():
    image = noise(240, 320)
    hidden = with_hidden(reading(image, boxes=[(130, 90, 60, 75)])).frame.image
    rows, columns = differences(image, hidden)
    assert rows[0] <= 90 - 45
    assert rows[-1] >= 165 + 25
    assert columns[0] <= 130 - 30
    assert columns[-1] >= 190 + 30
    face = hidden[90:165, 130:190].reshape(-1, 3)
    assert len(np.unique(face, axis=0)) <= 5 * 6
    assert (with_hidden(reading(image, boxes=())).frame.image == image).all()


@pytest.mark.parametrize("box", [(-50, -60, 70, 80), (150, 110, 400, 300), (5000, 5, 9, 9)])
def test_heads_at_the_edge(box):
    image = noise()
    hidden = with_hidden(reading(image, boxes=[box])).frame.image
    assert hidden.shape == image.shape
    assert (hidden == image).all() == (box[0] > 1000)


def hidden_frames(readings):
    hider = Hider()
    found = [each for one in readings for each in hider.push(one)]
    return found + list(hider.finish())


def wall():
    """A picture of tiles, which compression keeps to a few levels, and larger squares do not."""
    tiles = np.indices((15, 40)).sum(axis=0) % 2 * 160 + 40
    return np.kron(tiles[..., None], np.ones((8, 8, 3))).astype(np.uint8)


def is_changed(image, before):
    """Whether more than compression changed some of it."""
    return bool((np.abs(image.astype(int) - before) > 4).any())


def test_a_face_that_is_lost_stays_hidden_for_half_a_second():
    image, rate = wall(), 30
    seen = [i for i in range(90) if not 30 <= i < 75]
    readings = [
        reading(image, i, i / rate, boxes=[(60, 40, 30, 36)] if i in seen else ())
        for i in range(90)
    ]
    shown = [each.frame for each in hidden_frames(readings)]
    assert [each.number for each in shown] == list(range(90))
    is_hidden = [is_changed(each.image[45:70, 65:85], image[45:70, 65:85]) for each in shown]
    assert all(is_hidden[:45])  # half a second after
    assert all(is_hidden[60:])  # and before it is found again
    assert not any(is_hidden[46:59])
    assert [is_changed(each.image, image) for each in shown] == is_hidden


def test_between_two_places_all_is_hidden():
    image = wall()
    boxes = {0: (20, 40, 24, 30), 6: (250, 40, 24, 30)}
    readings = [reading(image, i, i / 30, [boxes[i]] if i in boxes else ()) for i in range(7)]
    middle = hidden_frames(readings)[3].frame.image
    changed = np.flatnonzero((np.abs(middle.astype(int) - image) > 4).any(axis=(0, 2)))
    assert changed[0] < 30
    assert changed[-1] > 264
    assert len(changed) > 200


def test_frames_that_wait_do_so_at_any_size_without_their_pictures():
    """Half a second of a film of sixty frames a second, of which none is held as it was."""
    pictures, hider = [], Hider()
    for i in range(40):
        image = np.full((120, 160, 3), i, np.uint8)
        pictures.append(weakref.ref(image))
        shown = reading(image, i, i / 60, boxes=[(60, 40, 30, 36)])
        out = list(hider.push(shown))
        del image, shown
        assert len(out) == (i > 30)
    assert not any(picture() is not None for picture in pictures)


def test_a_frame_that_waited_in_bands_is_as_one_that_waited_whole(tmp_path):
    image = noise(600, 40)
    (shown,) = hidden_frames([reading(image, boxes=())])
    with Image.open(
        save(tmp_path, Image.fromarray(image), "whole.jpg", quality=95, subsampling=0)
    ) as whole:
        assert np.array_equal(shown.frame.image, np.asarray(whole))


def test_an_overlay_that_hides_has_no_sound(tmp_path):
    source = write_sound(tmp_path / "a.mp4", [i / 10 for i in range(20)])
    out = overlay_of(source, tmp_path / "o.mp4", blur=True)
    with av.open(out) as file:
        assert not file.streams.audio
    assert len(list(media.frames(out))) == 20
