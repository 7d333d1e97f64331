"""The page itself: what it holds, how large it is, and that it asks nobody for anything."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_tables import CARD, nobody, table

from actionunits.errors import UserError
from actionunits.report import write
from actionunits.report.sections import duration
from clips import write_video

_LARGEST = 5_000_000  # bytes of a report on ten minutes


class Page(HTMLParser):
    """What a page refers to, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.refers: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.text = ""
        self.styles = ""
        self._within = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self._within = tag
        self.tags.append(tag)
        named = dict(attrs)
        self.refers += [named[name] or "" for name in ("src", "href", "action") if name in named]
        if tag == "img":
            self.images.append(named)

    def handle_endtag(self, tag):
        self._within = ""

    def handle_data(self, data):
        if self._within == "style":
            self.styles += data
        elif self._within != "script":
            self.text += data


def test_ten_minutes_of_two_faces_are_small_and_whole(tmp_path: Path):
    rows = pd.concat([table(18000, face=face, seed=face) for face in (0, 1)])
    blink = (rows["frame"] == 9000) & (rows["face_id"] == 1)
    rows.loc[:, ["AU45_p", "AU45_r"]] = 0.0
    rows.loc[:, "AU45_c"] = 0
    rows.loc[blink, ["AU45_p", "AU45_r", "AU45_c"]] = [0.99, 4.95, 1]
    write([rows], tmp_path / "a.html")
    assert (tmp_path / "a.html").stat().st_size < _LARGEST
    page = Page(tmp_path / "a.html")
    assert "10 min 0 s" in page.text
    assert "18,000" in page.text
    assert "so that no peak is lost" in page.text
    assert "4.95" in page.text


def test_nothing_is_asked_of_the_network(tmp_path: Path):
    write([table(), nobody()], tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    assert page.refers
    assert all(name.startswith(("#", "data:")) for name in page.refers)
    assert "link" not in page.tags
    assert not re.search(r"@import|url\(", page.styles)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Content-Security-Policy" in text
    assert "default-src 'none'" in text


def test_a_browser_opens_it_offline_and_draws_all(tmp_path: Path):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    write([pd.concat([table(), table(face=1)])], tmp_path / "a.html")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        arguments += ["--disable-background-networking", "--disable-component-update"]
        chromium = playwright.chromium.launch(executable_path=browser, args=arguments)
        for width in (1280, 390):
            context = chromium.new_context(viewport={"width": width, "height": 800}, offline=True)
            page = context.new_page()
            asked: list[str] = []
            wrong: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
            page.goto((tmp_path / "a.html").as_uri())
            for face in (0, 1):
                place = page.locator(f"#file1face{face}live")
                place.scroll_into_view_if_needed()
                place.locator("canvas").first.wait_for(state="visible")
            assert not wrong
            assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width  # nothing is cut off on a phone
            page.emulate_media(media="print")
            assert page.locator("svg.timeline").first.is_visible()
            assert not page.locator("div.live").first.is_visible()
            context.close()
        plain = chromium.new_context(java_script_enabled=False, offline=True).new_page()
        plain.goto((tmp_path / "a.html").as_uri())
        assert plain.locator("svg.timeline").count() == 6
        assert plain.locator("svg.timeline").first.is_visible()
        chromium.close()


def test_a_video_without_faces_gives_a_report_that_says_so(tmp_path: Path):
    assert write([nobody()], tmp_path / "a.html") == []
    page = Page(tmp_path / "a.html")
    assert "No face was read in any frame" in page.text
    assert "empty.mp4" in page.text
    assert "script" not in page.tags


def test_a_video_without_faces_stars_no_more_than_the_weights_of_the_others(tmp_path: Path):
    write([table(), nobody()], tmp_path / "a.html")
    starred = set(re.findall(r"AU(\d+)\*", Page(tmp_path / "a.html").text))
    assert starred == set(map(str, CARD.experimental))


def test_stills_show_each_peak_with_its_landmarks(tmp_path: Path):
    shades = [np.full((120, 160, 3), 4 * i, np.uint8) for i in range(30)]
    video = write_video(tmp_path / "clip.mp4", np.arange(30) / 30, (160, 120), shades=shades)
    rows = table(30, source="elsewhere/clip.mp4", AU12=2.0, AU01=0.0)
    rows.loc[17, ["AU12_p", "AU12_c", "AU12_r"]] = [0.99, 1, 4.9]
    points = {f"{axis}_{i}": 40.0 + i for i in range(49) for axis in "xy"}
    rows.assign(**points).to_csv(tmp_path / "clip.csv", index=False)
    write([tmp_path / "clip.csv"], tmp_path / "a.html")  # found beside its table
    page = Page(tmp_path / "a.html")
    told = [image for image in page.images if "AU12 Lip corner puller 4.9" in (image["alt"] or "")]
    assert len(told) == 1
    assert "at 0.57 s" in (told[0]["alt"] or "")
    assert all((image["src"] or "").startswith("data:image/jpeg;base64,") for image in page.images)
    assert not any("AU1 " in (image["alt"] or "") for image in page.images)
    assert "The video is not at hand" not in page.text
    video.write_bytes(video.read_bytes()[:800])
    write([tmp_path / "clip.csv"], tmp_path / "a.html")
    assert "Some pictures are missing" in Page(tmp_path / "a.html").text


def test_names_of_files_are_text(tmp_path: Path):
    evil = '<script>alert(1)</script>&".mp4'
    write([table(source=evil), table(source="b.mp4")], tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert evil in Page(tmp_path / "a.html").text


def test_many_files_have_an_overview_and_the_first_a_section(tmp_path: Path):
    rows = pd.concat([table(1, source=f"{i}.mp4", seed=i) for i in range(30)])
    write([rows], tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    assert "30 files" in page.text
    assert all(f"{i}.mp4" in page.text for i in range(30))
    assert sum(name == "#file12" for name in page.refers) == 2
    assert "#file13" not in page.refers
    assert "The first 12 files have a section of their own" in page.text


def test_groups_stand_side_by_side_with_their_effects(tmp_path: Path):
    low = [table(1, source=f"l{i}.mp4", seed=i, AU12=1.0 + i / 10) for i in range(4)]
    high = [table(1, source=f"h{i}.mp4", seed=i + 9, AU12=3.0 + i / 10) for i in range(4)]
    write(low, tmp_path / "a.html", against=high)
    page = Page(tmp_path / "a.html")
    assert "Hedges" in page.text
    assert "A and B" in page.text
    names = pd.DataFrame(
        {"input": [f"{k}{i}" for k in "lh" for i in range(4)], "group": ["low"] * 4 + ["high"] * 4}
    )
    write([*low, *high], tmp_path / "b.html", groups=names)
    assert "low and high" in Page(tmp_path / "b.html").text
    for path in ("a.html", "b.html"):
        text = (tmp_path / path).read_text(encoding="utf-8")
        (row,) = re.findall(
            r'<tr><th scope="row" title="Lip corner puller">AU12.*?</tr>', text, re.S
        )[:1]
        assert "\N{MINUS SIGN}" in row
        assert 'class="forest"' in row
    with pytest.raises(
        UserError, match="given by --against and by --groups; leave one of them out"
    ):
        write(low, tmp_path / "c.html", against=high, groups=names)
    with pytest.raises(UserError, match="group B has no table that can be read"):
        write(low, tmp_path / "c.html", against=[tmp_path / "none.csv"])
    assert not (tmp_path / "c.html").exists()


def test_a_table_that_cannot_be_read_is_named_on_the_page(tmp_path: Path):
    problems = write([table(), tmp_path / "none.csv"], tmp_path / "a.html")
    assert [str(problem) for problem in problems] == [
        f"{tmp_path / 'none.csv'}: cannot be read: No such file or directory"
    ]
    assert "none.csv: cannot be read" in Page(tmp_path / "a.html").text


def test_frames_last_as_long_as_the_video_says(tmp_path: Path):
    rows = table(60)
    rows.loc[30:, "timestamp"] = 1 + np.arange(30) / 10  # the rate changes in mid-video
    other = nobody(60).assign(timestamp=rows["timestamp"], input="a.mp4")
    write([pd.concat([rows.iloc[:30], other.iloc[30:]])], tmp_path / "a.html")
    assert "Read in 30 frames of 60, 1.0 s" in Page(tmp_path / "a.html").text


@pytest.mark.parametrize("frames", [1, 2, 3, 500])
def test_short_and_long_tables_are_drawn(tmp_path: Path, frames: int):
    write([table(frames)], tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    assert f"{frames} frame" in page.text
    assert ("svg" in page.tags) == (frames > 1)


def test_durations_are_for_people():
    assert [duration(s) for s in (0.04, 59.94, 59.96, 119.7, 7325)] == [
        *("0.0 s", "59.9 s", "1 min 0 s", "2 min 0 s", "122 min 5 s")
    ]
