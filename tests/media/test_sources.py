"""What the user names becomes a list of sources."""

from PIL import Image

from actionunits import media
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
