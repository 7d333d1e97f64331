"""Pictures of what the commands show, of a rendered clip: `python docs/building/screens.py`.

Writes `docs/images/overlay.png`, `report.jpg` and `app.jpg`. It needs the extras train, app and
dev, and Chromium.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import pandas as pd
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from actionunits import media
from actionunits.cli import demo

IMAGES = Path(__file__).resolve().parents[1] / "images"
RATE = 6  # frames a second of the clip
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync"
QUALITY = 75  # of JPEG
AU = [sys.executable, "-m", "actionunits"]


def clip(folder: Path) -> Path:
    """The rendered clip of the demo, in a format that browsers play."""
    path = folder / "talk.webm"
    frames = [frame.image for frame in media.frames(str(demo.clip(folder)))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=RATE, options={"crf": "24"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def au(folder: Path, *arguments: str) -> None:
    """Run the command in a folder, so that pages show no longer paths than names."""
    subprocess.run([*AU, *arguments], check=True, capture_output=True, cwd=folder)


def overlay(talk: Path) -> None:
    """The frame in which the smile is strongest, as the overlay shows it."""
    seen = talk.with_name("seen.mp4")
    au(talk.parent, "detect", talk.name, "--out", "talk.csv", "--overlay", seen.name)
    best = int(pd.read_csv(talk.with_suffix(".csv"))["AU12_r"].idxmax())
    picture = [frame.image for frame in media.frames(str(seen))][best]
    Image.fromarray(picture).save(IMAGES / "overlay.png", optimize=True)


def report(talk: Path, page: Page) -> None:
    """The first two screens of a report beside one another."""
    au(talk.parent, "report", "talk.csv", "--out", "talk.html")
    width, height = 1180, 1400
    page.set_viewport_size({"width": width, "height": height})
    page.goto(talk.with_suffix(".html").as_uri())
    sheet = Image.new("RGB", (2 * width + 8, height), "#d3d8dd")
    for number in range(2):
        page.evaluate(f"window.scrollTo(0, {number * height})")
        page.wait_for_timeout(2000)  # figures are drawn when they are seen
        shot = talk.with_name(f"{number}.png")
        page.screenshot(path=shot)
        sheet.paste(Image.open(shot), (number * (width + 8), 0))
    sheet.thumbnail((1680, 1680))
    sheet.save(IMAGES / "report.jpg", quality=QUALITY, optimize=True)


@contextmanager
def served() -> Iterator[str]:
    """Address of `au app` while it runs."""
    command = [*AU, "app", "--no-browser", "--port", "7899"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/", said)
            assert found, said
            yield found[0]
        finally:
            process.terminate()


def app(talk: Path, page: Page) -> None:
    """The page after the clip was read with two sets of weights, and a peak was clicked."""
    page.set_viewport_size({"width": 1020, "height": 1660})
    with served() as address:
        page.goto(address)
        page.set_input_files("#au-upload input[type=file]", talk)
        page.wait_for_selector(f"#au-status >> text={talk.name}")
        page.get_by_label("sacl", exact=True).first.check()
        page.click("#au-read")
        page.wait_for_selector("#au-bars table")
        page.get_by_label("head pose", exact=True).first.check()
        page.locator('.au-lane[data-au="12"] .au-peak').last.dispatch_event("click")
        page.wait_for_timeout(3000)
        shot = talk.with_name("app.png")
        page.screenshot(path=shot)
    Image.open(shot).convert("RGB").save(IMAGES / "app.jpg", quality=QUALITY, optimize=True)


def main() -> None:
    """Make them all."""
    chromium = next(filter(None, map(shutil.which, NAMES)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS.split())
        page = browser.new_page()
        page.set_default_timeout(120_000)
        talk = clip(Path(folder))
        overlay(talk)
        report(talk, page)
        app(talk, page)
        browser.close()


if __name__ == "__main__":
    main()
