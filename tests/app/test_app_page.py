"""The page in a browser, end to end: one server for all tests here, each with pages of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pandas as pd
import pytest

import actionunits
from actionunits.detect.tables import rounded
from clips import write_video

sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="gradio is not installed: pip install 'actionunits[app]'")

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is on PATH")
PATIENCE = 120  # seconds, for machines that do much besides
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--use-fake-ui-for-media-stream --use-fake-device-for-media-stream "
    "--use-file-for-fake-video-capture={}"
)


class Server(NamedTuple):
    address: str
    temporary: Path  # the only place for what it stores

    def pages(self) -> list[Path]:
        """Folders of the pages that are open."""
        return list(self.temporary.glob(".au-*/page-*"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    temporary = tmp_path_factory.mktemp("temporary")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "actionunits", "app", "--no-browser", f"--port={port}"]
    command += ["--megabytes=3", "--minutes=1"]
    # Somebody's proxy must not be asked for the page either.
    environment = {**os.environ, "TMPDIR": str(temporary), "HTTP_PROXY": "http://192.0.2.1:1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    late = threading.Timer(PATIENCE, process.kill)
    late.start()
    said = process.stderr.readline()
    late.cancel()
    found = re.search(r"http://127\.0\.0\.1:\d+/", said)
    assert found, said + process.stderr.read()
    yield Server(found[0], temporary)
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130, rest
    assert "Traceback" not in rest, rest
    assert not list(temporary.iterdir())


@pytest.fixture(scope="module")
def browser(frames: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    camera = tmp_path_factory.mktemp("camera") / "webcam.y4m"
    size = frames.shape[2], frames.shape[1]
    with av.open(str(camera), "w", format="yuv4mpegpipe") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for image in [frames[8]] * 5:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))
    with sync.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS.format(camera).split()
        )
        yield started
        started.close()


@pytest.fixture
def opened(server: Server, browser: Any) -> Iterator[Callable[[], Any]]:
    """Opens pages; whatever they ask for, they ask this machine, and nothing in them fails."""
    context = browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    asked, failed = list[str](), list[str]()

    def new() -> Any:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(server.address)
        page.wait_for_selector("#au-read")
        return page

    yield new
    context.close()
    here = (server.address, "data:", "blob:")
    assert asked
    assert not [url for url in asked if not url.startswith(here)]
    assert not failed


def upload(page: Any, file: Path, models: tuple[str, ...] = ("default-fast",)) -> None:
    page.set_input_files("#au-upload input[type=file]", file)
    page.wait_for_selector(f"#au-status >> text={file.name}")
    page.get_by_label("default", exact=True).uncheck()
    for model in models:
        page.get_by_label(model, exact=True).first.check()


def read(page: Any) -> None:
    page.click("#au-read")
    page.wait_for_selector("#au-bars table")


def shown(page: Any) -> list[float]:
    """Intensities in the table of bars, AU by AU."""
    return [float(text.rstrip("*")) for text in page.locator("#au-bars td b").all_inner_texts()]


def test_a_clip_is_read_looked_at_and_downloaded(
    opened: Callable[[], Any], clip: Path, tmp_path: Path
) -> None:
    expected = rounded(actionunits.load("default-fast").predict(clip))
    graded = expected.filter(regex=r"AU\d\d_r").to_numpy(float)
    page = opened()
    assert "Everything stays on this machine" in page.inner_text("body")
    upload(page, clip)
    read(page)
    assert f"{len(expected)} frames" in page.inner_text("#au-status")
    np.testing.assert_allclose(shown(page), graded[0], atol=0.051)

    peak = page.locator('.au-lane[data-au="25"] .au-peak').first
    apex = float(peak.get_attribute("data-seconds"))
    number = int(np.flatnonzero(np.isclose(expected["timestamp"], apex))[0])
    assert number > 0
    peak.dispatch_event("click")
    page.wait_for_selector(f"#au-still figcaption >> text=frame {number + 1}, {apex:.2f} s")
    np.testing.assert_allclose(shown(page), graded[number], atol=0.051)
    seconds = page.evaluate("document.querySelector('#au-player video').currentTime")
    assert seconds == pytest.approx(apex, abs=0.01)
    size = page.evaluate("document.querySelector('#au-still img').naturalWidth")
    assert size > 300

    with page.expect_download() as download:
        page.click("#au-files a >> text=.csv")
    assert download.value.suggested_filename == "talk-default-fast.csv"
    download.value.save_as(tmp_path / "talk.csv")
    table = pd.read_csv(tmp_path / "talk.csv")
    columns = expected.columns[:-1]
    pd.testing.assert_frame_equal(table[columns], expected[columns], check_dtype=False)


def test_a_stopped_video_shows_the_frame_at_which_it_stands(
    opened: Callable[[], Any], clip: Path
) -> None:
    page = opened()
    upload(page, clip)
    read(page)
    page.evaluate(
        "() => { const v = document.querySelector('#au-player video'); v.currentTime = 2.05;"
        " v.play().then(() => v.pause()) }"
    )
    page.wait_for_selector("#au-still figcaption >> text=/frame 1[3-9], 2.[0-9]+ s/")


def test_broken_uploads_are_told_and_the_page_goes_on(
    opened: Callable[[], Any], photo: Path, tmp_path: Path
) -> None:
    page = opened()
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 99)
    upload(page, tmp_path / "broken.mp4")
    page.click("#au-read")
    page.wait_for_selector("#au-status [role=alert] >> text=broken.mp4: neither a picture nor")
    long = write_video(tmp_path / "lecture.mp4", [0, 7200])
    page.set_input_files("#au-upload input[type=file]", long)
    page.wait_for_selector("#au-status [role=alert] >> text=lecture.mp4: lasts 2:00:00")
    assert "Traceback" not in page.inner_text("body")
    upload(page, photo)
    read(page)
    assert "1 face" in page.inner_text("#au-status")
    assert page.locator("#au-player video").count() == 0


def test_a_large_upload_is_refused(opened: Callable[[], Any], tmp_path: Path) -> None:
    page = opened()
    (tmp_path / "large.mp4").write_bytes(bytes(3_100_000))
    page.set_input_files("#au-upload input[type=file]", tmp_path / "large.mp4")
    page.wait_for_selector("text=/exceed the maximum allowed size/")


def test_two_pages_wait_for_one_another_and_a_closed_one_ends(
    opened: Callable[[], Any], server: Server, clip: Path, frames: np.ndarray, tmp_path: Path
) -> None:
    size = frames.shape[2], frames.shape[1]
    shades = [frames[i % len(frames)] for i in range(300)]
    long = write_video(tmp_path / "long.mp4", np.arange(300) / 25, size, shades=shades)
    assert long.stat().st_size < 3e6
    first, second = opened(), opened()
    upload(first, long, ("default-fast", "gtlenet", "renet", "sacl"))
    upload(second, clip)
    first.click("#au-read")
    first.wait_for_selector("#au-status >> text=/frame [0-9]/")
    second.click("#au-read")
    second.wait_for_selector("#au-status >> text=/queue: 1/")
    before = len(server.pages())
    first.close(run_before_unload=False)
    second.wait_for_selector("#au-bars table")  # the work of the first would take much longer
    assert "26 frames" in second.inner_text("#au-status")
    assert len(server.pages()) < before
    assert not [file for page in server.pages() for file in page.rglob("long*")]


def test_the_webcam_is_read_live(opened: Callable[[], Any]) -> None:
    page = opened()
    page.click('role=tab[name="Webcam"]')
    page.click("text=Click to Access Webcam")
    page.wait_for_function(  # on a busy machine its button is there before its picture
        "() => [...document.querySelectorAll('video')].some(video => video.videoWidth > 0)"
    )
    page.click('button:has-text("Record")')
    smile = page.wait_for_selector('#au-live-bars tr[data-au="12"] td.au-occurs b')
    assert float(smile.inner_text()) > 1
    assert page.locator("#au-live img").count() == 1


def test_no_other_page_may_ask_the_server(server: Server) -> None:
    import httpx

    host = {"host": "elsewhere.example"}
    assert httpx.get(server.address, headers=host, trust_env=False).status_code == 400
    answer = httpx.get(server.address, trust_env=False)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
