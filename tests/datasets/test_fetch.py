"""Pictures off the web: asked for once, and those that are gone never again."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from actionunits.datasets.fetch import Missing, fetch, picture
from actionunits.errors import UserError


class Site(BaseHTTPRequestHandler):
    """Pictures that are there, gone, removed, or there at the second try."""

    asked: Counter[str]

    def do_GET(self) -> None:  # noqa: N802  (the name is the base's)
        self.asked[self.path] += 1
        if self.path == "/gone":
            self.send_error(404)
        elif self.path == "/removed":
            self.send_response(302)
            self.send_header("Location", "/photo_unavailable.png")
            self.end_headers()
        elif self.path == "/down" or (self.path == "/busy" and self.asked[self.path] == 1):
            self.send_error(503)
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(Site, "asked", Counter(), raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_downloads_are_asked_for_once(site: str, tmp_path: Path) -> None:
    names = ("there", "gone", "removed", "busy", "down")
    urls = {name: f"{site}/{name}" for name in names}
    urls |= {"file": (tmp_path / "late").as_uri(), "odd": "ftp://x/y", "none": "nothing at all"}
    missing = fetch([*urls.values(), urls["there"]], tmp_path / "cache", pause=0, tries=2)
    assert {name for name, url in urls.items() if url in missing} == {
        "gone",
        "removed",
        "down",
        "file",
        "odd",
        "none",
    }
    assert missing[urls["gone"]] == Missing("HTTP 404 Not Found", final=True)
    assert missing[urls["removed"]] == Missing("removed by its owner", final=True)
    assert missing[urls["odd"]].final
    assert missing[urls["none"]].final
    assert not missing[urls["down"]].final
    assert "503" in missing[urls["down"]].reason
    assert not missing[urls["file"]].final
    assert picture(tmp_path / "cache", urls["there"]).read_bytes() == b"/there"

    before = Counter(Site.asked)
    assert before["/there"] == 1
    assert before["/busy"] == 2
    (tmp_path / "late").write_bytes(b"now")
    again = fetch(urls.values(), tmp_path / "cache", pause=0, tries=2)
    assert set(missing) - set(again) == {urls["file"]}
    assert Site.asked - before == Counter({"/down": 2})


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    (tmp_path / "picture").write_bytes(b"there")
    with pytest.raises(UserError, match="cannot write .*cache"):
        fetch([(tmp_path / "picture").as_uri()], tmp_path / "cache")
