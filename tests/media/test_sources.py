"""What the user names becomes a list of sources."""

import os
import socket
import sys
from pathlib import Path

import pytest
from PIL import Image

from actionunits import media
from actionunits.errors import MediaError
from clips import halves, save


def test_folder_is_read_in_natural_order_without_hidden_files(tmp_path):
    for name in ["frame10.png", "frame2.png", "b/frame1.JPG", ".hidden.png", ".git/x.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path, Image.fromarray(halves()), name)
    (tmp_path / "notes.txt").write_text("no picture")
    problems = []
    found = media.sources([tmp_path], problems.append)
    names = [str(tmp_path / name) for name in ["b/frame1.JPG", "frame2.png", "frame10.png"]]
    assert (found, problems) == (names, [])
    assert [frame.source for frame in media.frames(tmp_path)] == names


def test_sources_reports_what_is_missing_and_goes_on(tmp_path):
    (tmp_path / "empty").mkdir()
    good = str(save(tmp_path, Image.fromarray(halves())))
    problems = []
    paths = [tmp_path / "nowhere.jpg", tmp_path / "empty", good, good, 3, "camera:4"]
    assert media.sources(paths, problems.append) == [good, "camera:3", "camera:4"]
    assert "nowhere.jpg: there is no such file" in str(problems[0])
    assert "holds none" in str(problems[1])


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(save(path.parent, Image.fromarray(halves()), path.name))


def link(path, target):
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("links are not allowed here")


def listed(paths):
    problems = []
    return media.sources(paths, problems.append), [str(problem) for problem in problems]


def test_links_are_followed_once(tmp_path):
    inside = picture(tmp_path / "in" / "a.png")
    elsewhere = picture(tmp_path / "far" / "deep" / "b.png")
    link(tmp_path / "in" / "far", tmp_path / "far")
    link(tmp_path / "in" / "again", tmp_path / "far")
    link(tmp_path / "in" / "loop", tmp_path / "in")
    link(tmp_path / "far" / "back", tmp_path / "in")
    found, problems = listed([tmp_path / "in"])
    assert found == [inside, str(tmp_path / "in" / "again" / "deep" / "b.png")]
    assert not problems
    assert listed([elsewhere, tmp_path / "in"])[0] == [elsewhere, inside]


def test_file_of_several_names_is_read_once(tmp_path, monkeypatch, caplog):
    picture(tmp_path / "a.png")
    link(tmp_path / "b.png", tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    paths = ["a.png", "./a.png", str(tmp_path / "a.png"), "b.png"]
    assert listed(paths) == (["a.png"], [])
    assert "b.png: is the same file as a.png" in caplog.text


def test_what_a_folder_holds_and_cannot_be_read_is_named(tmp_path):
    good = picture(tmp_path / "good.png")
    for name in ("raw1.CR2", "raw2.cr2", "drawing.svg", "notes.txt", "table.csv"):
        (tmp_path / name).write_bytes(b"something")
    link(tmp_path / "gone.jpg", tmp_path / "nowhere.jpg")
    found, problems = listed([tmp_path])
    assert found == [good]
    assert len(problems) == 3
    assert "2 files of the kind .cr2, such as raw1.CR2, cannot be read" in problems[0]
    assert "1 file of the kind .svg" in problems[1]
    assert "gone.jpg: there is no such file where this link points to" in problems[2]
    (frame,) = media.frames(good)
    with pytest.raises(MediaError, match=r"\.cr2.*2 problems more"):
        list(media.frames(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_folder_that_must_not_be_read_is_named(tmp_path):
    good = picture(tmp_path / "good.png")
    closed = picture(tmp_path / "secret.png")
    picture(tmp_path / "closed" / "b.png")
    (tmp_path / "closed").chmod(0)
    os.chmod(closed, 0)
    found, problems = listed([tmp_path])
    (tmp_path / "closed").chmod(0o700)
    assert found == [good, closed]
    assert "closed: this folder cannot be looked into" in problems[0]
    with pytest.raises(MediaError, match="Permission denied"):
        list(media.frames(closed))


def test_overlays_of_an_earlier_run_are_left_out(tmp_path, caplog):
    names = ["a.png", "b_au.png", "c_au.jpg", "d.tif"]
    wanted = [picture(tmp_path / name) for name in names]  # c_au.jpg has no source beside it
    for name in ("a_au.jpg", "d_au.jpg", "d_au-2.jpg", "a.png_au.jpg"):
        picture(tmp_path / name)
    assert listed([tmp_path]) == (wanted, [])
    assert "4 overlays that an earlier run drew left out, such as a.png_au.jpg" in caplog.text
    named = str(tmp_path / "a_au.jpg")
    assert listed([named]) == ([named], [])


@pytest.mark.parametrize("name", ["p01.session1", "clip.mp4", "photo.jpg"])
def test_folder_may_be_called_anything(tmp_path, name):
    inside = picture(tmp_path / name / "a.png")
    assert listed([tmp_path / name]) == ([inside], [])
    assert listed([tmp_path]) == ([inside], [])
    assert len(list(media.frames(tmp_path / name))) == 1


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def make_device_link(path):
    path.symlink_to("/dev/zero")


def make_empty(path):
    path.touch()


@pytest.mark.parametrize("suffix", ["", ".jpg", ".mp4"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_pipe, "this is a pipe"),
        (make_socket, "this is a socket"),
        (make_device_link, "this is a device"),
        (make_empty, "the file is empty"),
    ],
)
def test_what_only_looks_like_a_file_is_refused_at_once(monkeypatch, tmp_path, suffix, make, said):
    if sys.platform == "win32" and make is not make_empty:
        pytest.skip("no such things in folders")
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    path = Path(f"x{suffix}")
    make(path)
    with pytest.raises(MediaError, match=said):
        list(media.frames(path))
    with pytest.raises(MediaError, match=said):
        media.read_image(path)
    with pytest.raises(MediaError, match=said):
        media.count_frames(str(path))
    assert media.duration(str(path)) == 0
    assert isinstance(media.is_still(str(path)), bool)


def test_what_is_no_file_in_a_folder_is_named(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes in folders")
    good = picture(tmp_path / "good.png")
    os.mkfifo(tmp_path / "pipe.png")
    found, problems = listed([tmp_path])
    assert found == [good]
    assert "pipe.png: a file was expected, but this is a pipe" in problems[0]


def test_what_lies_beside_videos_is_named_and_costs_nothing(tmp_path):
    """As where somebody types clips/*, and a table lies among them."""
    for name in ("talk.mp4", "talk.csv", "Trials.XLSX", "talk"):
        (tmp_path / name).write_bytes(b"1")
    problems = []
    found = media.sources(sorted(tmp_path.iterdir()), problems.append)
    assert [Path(name).name for name in found] == ["talk", "talk.mp4"]
    assert [str(problem).split(";")[0] for problem in problems] == [
        f"{tmp_path / 'Trials.XLSX'}: expected a picture or a video, found a file .XLSX",
        f"{tmp_path / 'talk.csv'}: expected a picture or a video, found a file .csv",
    ]
