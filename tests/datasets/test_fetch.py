"""Pictures off the web: asked for once, with care, and those that are gone never again."""

import io
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from actionunits.datasets import web
from actionunits.datasets.fetch import Missing, fetch, picture
from actionunits.errors import UserError

HOSTS = {"127.0.0.1"}


def png() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(data, "PNG")
    return data.getvalue()


def eps() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(data, "EPS")
    return data.getvalue()


class Site(BaseHTTPRequestHandler):
    """Pictures that are there, gone, removed, or there at the second try, and worse."""

    asked: Counter[str]
    other: str  # address of the same site by another name
    to = {
        "/removed": "/photo_unavailable.png",
        "/moved": "/there",
        "/to-file": "file:///etc/hostname",
        "/to-ftp": "ftp://ftp.example/picture",
        "/circle": "/circle",
    }

    def do_GET(self) -> None:  # noqa: N802  (the name is the base's)
        self.asked[self.path] += 1
        if self.path == "/gone":
            self.send_error(404)
        elif self.path in self.to or self.path == "/to-private":
            self.send_response(302)
            self.send_header("Location", self.to.get(self.path, f"{self.other}/there"))
            self.end_headers()
        elif self.path == "/down" or (self.path == "/busy" and self.asked[self.path] == 1):
            self.send_error(503)
        elif self.path == "/page":
            self.answer(b"<html>log in</html>", kind="text/html")
        elif self.path == "/posing":
            self.answer(b"<html>log in</html>", kind="image/jpeg")
        elif self.path == "/odd-format":
            self.answer(eps(), kind="image/eps")
        elif self.path == "/said-large":
            self.answer(png(), size=10**9)
        elif self.path == "/large":
            self.answer(png() + bytes(10**6))
        elif self.path == "/cut":
            self.answer(png()[:40], size=len(png()))
        elif self.path == "/slow":
            self.answer(b"")
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.02)
        elif self.path == "/empty":
            self.answer(b"")
        else:
            self.answer(png(), kind="image/png")

    def answer(self, content: bytes, *, kind: str | None = None, size: int | None = None) -> None:
        self.send_response(200)
        if kind is not None:
            self.send_header("Content-Type", kind)
        if size is not None:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # who asked has seen enough
            super().handle()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(Site, "asked", Counter(), raising=False)
    monkeypatch.setattr(web, "LARGEST", 100_000)
    monkeypatch.setattr(web, "LONGEST", 0.3)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    monkeypatch.setattr(Site, "other", f"http://localhost:{server.server_port}", raising=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_downloads_are_asked_for_once(site: str, tmp_path: Path) -> None:
    names = ("there", "moved", "gone", "removed", "busy", "down")
    urls = {name: f"{site}/{name}" for name in names}
    urls |= {"odd": "ftp://x/y", "none": "nothing at all"}
    cache = tmp_path / "cache"
    missing = fetch([*urls.values(), urls["there"]], cache, hosts=HOSTS, pause=0, tries=2)
    assert {name for name, url in urls.items() if url in missing} == {
        "gone",
        "removed",
        "down",
        "odd",
        "none",
    }
    assert missing[urls["gone"]] == Missing("HTTP 404 Not Found", final=True)
    assert missing[urls["removed"]] == Missing("removed by its owner", final=True)
    assert missing[urls["odd"]].final
    assert missing[urls["none"]].final
    assert not missing[urls["down"]].final
    assert "503" in missing[urls["down"]].reason
    assert picture(cache, urls["there"]).read_bytes() == png()
    assert picture(cache, urls["moved"]).read_bytes() == png()

    before = Counter(Site.asked)
    assert before["/there"] == 2  # once by its own name
    assert before["/busy"] == 2
    again = fetch(urls.values(), cache, hosts=HOSTS, pause=0, tries=2)
    assert set(missing) == set(again)
    assert Site.asked - before == Counter({"/down": 2})


@pytest.mark.parametrize(
    ("path", "reason", "final"),
    [
        ("/to-file", "302", True),
        ("/to-ftp", "not an address of the web", True),
        ("/to-private", "localhost is in a private network", False),
        ("/circle", "302", True),
        ("/said-large", "larger than 0.1 MB", True),
        ("/large", "larger than 0.1 MB", True),
        ("/slow", "longer than 0.3 seconds", False),
        ("/cut", "IncompleteRead", False),
        ("/empty", "an empty answer", False),
        ("/page", "not a picture, but text/html", False),
        ("/posing", "not a picture of JPEG, PNG", False),
        ("/odd-format", "not a picture of JPEG, PNG", False),
    ],
)
def test_what_is_not_wanted_is_not_taken(
    site: str, tmp_path: Path, path: str, reason: str, final: bool
) -> None:
    url = f"{site}{path}"
    missing = fetch([url], tmp_path, hosts=HOSTS, tries=1)[url]
    assert reason in missing.reason
    assert missing.final == final
    assert not picture(tmp_path, url).exists()


def test_a_private_network_is_asked_only_by_name(site: str, tmp_path: Path) -> None:
    url = f"{site}/there"
    missing = fetch([url], tmp_path, tries=1)[url]
    assert "127.0.0.1 is in a private network" in missing.reason
    assert not missing.final
    assert not Site.asked
    assert fetch([url], tmp_path, hosts=HOSTS, tries=1) == {}


def test_a_file_of_this_machine_is_none_of_the_web(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    url = (tmp_path / "secret.png").as_uri()
    assert fetch([url], tmp_path / "cache")[url] == Missing("not an address of the web", final=True)


@pytest.mark.parametrize(
    "url", ["https://x/../../../etc/cron.d/y", "https://x/%2e%2e/%00", "/", ""]
)
def test_no_address_leads_out_of_the_folder(url: str, tmp_path: Path) -> None:
    file = picture(tmp_path, url)
    assert file.resolve().is_relative_to(tmp_path.resolve())
    assert file.name.removesuffix(".picture").isalnum()


def test_a_folder_that_cannot_be_written_is_named(site: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match="expected a folder, but .*cache is a file"):
        fetch([f"{site}/there"], tmp_path / "cache", hosts=HOSTS)
