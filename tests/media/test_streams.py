"""Streams: servers on this machine, pipes and stand-in cameras."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

import streams
from actionunits import media
from actionunits.errors import MediaError
from actionunits.media import addresses, connecting, live
from actionunits.media.opening import opened
from clips import collect, halves, save, write_video

WAITS = (0.02, 0.02)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(addresses, "WAITS", WAITS)
    monkeypatch.setattr(addresses, "PATIENCE", 1.0)


def source(address):
    problems = []
    found = media.sources([address], problems.append)
    return found[0] if found else str(problems[0])


def shades(frames):
    return [int(frame.image[0, 0, 0]) for frame in frames]


def of_address(address, waits=WAITS, end=None):
    """Frames off the network, decoded in this process."""
    connect = lambda: connecting.address(address, address)  # noqa: E731
    items = live.frames(address, connect, media.Span(end=end), waits)
    return [item for item in items if item[0] is not None]


def test_a_file_of_the_web_is_read_like_one_of_the_disk(tmp_path):
    file = write_video(tmp_path / "clip.mp4", [0, 0.1, 0.25])
    with streams.web(streams.whole(file.read_bytes())) as web:
        name = source(f"{web}/a/clip.mp4")
        assert (media.is_live(name), media.is_still(name), media.is_stored(name)) == (0, 0, 0)
        there, here = collect(name), collect(file)
        assert [f.seconds for f in there[0]] == [f.seconds for f in here[0]]
        assert there[0][0].source == name == f"{web}/a/clip.mp4"
        assert media.duration(name) == media.duration(str(file))


def test_a_picture_of_the_web_is_still_and_damage_is_told(tmp_path):
    file = save(tmp_path, Image.fromarray(halves()))
    with streams.web(streams.whole(file.read_bytes())) as web:
        assert media.is_still(source(f"{web}/picture.png"))
    with streams.web(streams.whole(file.read_bytes()[:-40])) as web:
        seen, error = collect(source(f"{web}/picture.png"))
        assert not seen
        assert "picture.png" in error


def test_a_file_that_breaks_off_is_asked_for_again(tmp_path):
    content = save(tmp_path, Image.fromarray(halves(400, 300))).read_bytes()
    asked = []

    def torn(request):
        asked.append(request.headers.get("Range"))
        if len(asked) > 1:
            streams.whole(content)(request)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[:100])

    with streams.web(torn) as web:
        assert collect(source(f"{web}/a.png"))[1] is None
    assert asked == [None, "bytes=100-"]


def test_moving_pictures_have_the_times_at_which_they_come():
    with streams.web(streams.moving([10, 60, 110, 160], apart=0.15)) as web:
        assert media.is_live(source(web))
        found = of_address(web)
    assert [round(int(image[0, 0, 0]), -1) for image, *_ in found] == [10, 60, 110, 160]
    assert [number for _, number, *_ in found] == [0, 1, 2, 3]
    times = [seconds for *_, seconds, _ in found]
    assert times[0] == 0
    assert 0.2 < times[2] < 5
    assert times == sorted(times)


def test_a_stream_that_breaks_is_connected_again_and_goes_on(caplog):
    with streams.web(streams.moving([10, 60, 110], ends=False)) as web:
        found = of_address(web, end=0.15)
    assert len(found) >= 3
    assert [number for _, number, *_ in found] == sorted(number for _, number, *_ in found)
    assert "broke off at" in caplog.text
    assert "connecting again in 0.02 s" in caplog.text


def test_a_stream_that_stays_away_is_given_up():
    answers = iter([streams.moving([10, 60], ends=False)])

    def once(request):
        next(answers, lambda asked: asked.send_error(503))(request)

    with streams.web(once) as web, pytest.raises(MediaError, match="no try of 2 to connect again"):
        of_address(web)


def test_only_the_address_that_was_typed_is_asked():
    asked = []

    def note(request):
        asked.append(request.path)
        streams.whole(b"x")(request)

    def leads(request):
        request.send_response(302)
        request.send_header("Location", f"{other}/elsewhere")
        request.end_headers()

    with streams.web(note) as other, streams.web(leads) as web:
        assert f"leads to another address, {other}/elsewhere" in source(f"{web}/x.mp4")
    answer = "RTSP/1.0 302 Moved\r\nLocation: rtsp://127.0.0.1:9/other"
    with streams.rtsp([1], answers=answer) as there:
        assert "leads to another address, rtsp://127.0.0.1:9/other" in collect(there)[1]
    assert asked == []


def test_a_playlist_leads_nowhere():
    asked = []

    def playlist(request):
        asked.append(request.path)
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{web}/part.ts\n#EXT-X-ENDLIST\n"
        streams.whole(text.encode())(request)

    with streams.web(playlist) as web:
        assert collect(source(f"{web}/list.m3u8"))[1]
    assert asked == ["/list.m3u8"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1/x.mp4", "cannot be read (Connection refused)"),
        ("http:///x", "this is no address (it names no host)"),
        ("http://h:99999/x", "this is no address"),
        ("rtmp://127.0.0.1/x", "addresses that can be read begin with rtsp://, http://"),
    ],
)
def test_addresses_that_cannot_be_are_named(address, said):
    assert said in source(address)


def test_answers_that_are_no_are_named():
    with streams.web(lambda asked: asked.send_error(404)) as web:
        assert "404 Not Found: there is nothing at this address" in source(f"{web}/x")
    with streams.web(streams.whole(b"not a video, whatever it says")) as web:
        assert "neither a picture nor a video" in collect(source(f"{web}/x.mp4"))[1]


def test_a_silent_server_is_given_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        assert "no answer for 1 s" in source(f"http://127.0.0.1:{port}/")
        with pytest.raises(MediaError, match="no answer for 1 s"):
            of_address(f"rtsp://127.0.0.1:{port}/")


def test_a_dead_camera_of_the_network_is_named():
    assert "cannot be read (Connection refused)" in collect("rtsp://127.0.0.1:1/live")[1]


def test_passwords_are_asked_with_and_shown_nowhere():
    seen = []

    def locked(request):
        seen.append(request.headers.get("Authorization"))
        if not seen[-1]:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="it"')
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        streams.moving([10])(request)

    with streams.web(locked) as web:
        assert "401" in source(web)
        name = source(web.replace("//", "//me:secret@"))
        assert name == web
        (frame,) = media.frames(name)
    assert "secret" not in frame.source
    assert addresses.full(name) == web.replace("//", "//me:secret@")
    assert seen[-1].startswith("Basic ")


def test_rtsp_is_played():
    shades = [10, 60, 110, 160, 210, 160]
    with streams.rtsp(shades) as there:
        found = of_address(there, end=0.15)
    # those that come faster than they are taken are passed over, which depends on the machine
    left = iter(shades)
    assert found
    assert all(round(int(image[0, 0, 0]), -1) in left for image, *_ in found)
    times = [seconds for *_, seconds, _ in found]
    assert times == sorted(times)


def test_who_reads_slowly_gets_the_newest_frames_at_their_times(tmp_path, caplog):
    file = write_video(tmp_path / "clip.mp4", [i / 100 for i in range(60)])

    @contextmanager
    def paced():
        with opened(str(file)) as video:
            yield video

    items = live.frames("camera:0", paced, media.WHOLE, ())
    taken = []
    for image, number, seconds, _ in items:
        if image is not None:
            taken.append((number, round(seconds * 100)))
            time.sleep(0.05)
    assert len(taken) < 60
    assert all(number == hundredths for number, hundredths in taken)
    assert taken[-1][0] == 59  # the newest
    assert f"{60 - len(taken)} frames of 60 passed over" in caplog.text


def test_of_a_pipe_nothing_is_passed_over(tmp_path):
    file = write_video(tmp_path / "clip.mkv", [i / 100 for i in range(30)])
    items = live.frames("stdin", lambda: opened(str(file)), media.WHOLE, None)
    numbers = []
    for image, number, *_ in items:
        if image is not None:
            numbers.append(number)
            time.sleep(0.005)
    assert numbers == list(range(30))


def test_a_stream_that_is_silent_can_be_left():
    def silent(request):
        streams.moving([10], ends=False)(request)
        time.sleep(20)

    with streams.web(silent) as web:
        seen = []
        for frame in media.frames(source(web), unwanted=lambda: len(seen) > 0):
            seen.append(frame)
        assert len(seen) <= 1


READ = (
    "import sys; from actionunits import media; found = media.sources(['-'], print);"
    "print(found, [media.is_live(s) for s in found], [media.is_still(s) for s in found]);"
    "print(*[(f.number, f.source, round(f.seconds, 2)) for s in found for f in media.frames(s)])"
)


@pytest.mark.parametrize(
    ("name", "is_live"),
    [("clip.mp4", False), ("clip.mkv", True), ("clip.ts", True), ("clip.avi", False)],
)
def test_videos_on_standard_input(tmp_path, name, is_live):
    file = write_video(tmp_path / name, [0, 0.1, 0.2])
    if os.name != "posix":
        is_live = False
    said = subprocess.run(
        [sys.executable, "-c", READ], input=file.read_bytes(), capture_output=True, check=True
    ).stdout.decode()
    assert said.split("\n")[0] == f"['stdin'] [{is_live}] [False]"
    assert said.count("'stdin'") == 4
    assert "(2, 'stdin', 0.2" in said


@pytest.mark.parametrize(("count", "is_live"), [(1, False), (3, os.name == "posix")])
def test_pictures_on_standard_input(count, is_live):
    content = b"".join(streams.jpeg(40 * i) for i in range(count))
    said = subprocess.run(
        [sys.executable, "-c", READ], input=content, capture_output=True, check=True
    ).stdout.decode()
    assert said.split("\n")[0] == f"['stdin'] [{is_live}] [{not is_live}]"
    assert said.count("(") == count


def test_nothing_on_standard_input_is_named():
    said = subprocess.run(
        [sys.executable, "-c", READ], stdin=subprocess.DEVNULL, capture_output=True, check=True
    ).stdout.decode()
    assert "a picture or a video was expected on standard input" in said
    said = subprocess.run(
        [sys.executable, "-c", READ], input=b"", capture_output=True, check=True
    ).stdout.decode()
    assert "nothing came" in said


def test_files_that_look_like_streams_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path, Image.fromarray(halves()), "a.png").rename("stdin")
    assert media.sources(["stdin"], print) == [os.path.join(".", "stdin")]
    Path("http:").mkdir()
    save(tmp_path / "http:", Image.fromarray(halves()), "x.png")
    (name,) = media.sources(["http://x.png"], print)
    assert media.is_stored(name)
