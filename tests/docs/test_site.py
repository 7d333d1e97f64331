"""The documentation as a site: it builds strictly, needs no web, and repeats data as they are."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from blocks import ROOT

sys.path.insert(0, str(ROOT / "docs" / "building"))
import tables

BUILT = pytest.importorskip("mkdocs.commands.build", reason="pip install '.[docs]'")


class Fetched(HTMLParser):
    """Collects addresses that a browser would ask for by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in {"script", "img", "iframe", "source"}:
            self.addresses.append(named.get("src") or "")
        if tag == "link" and named.get("rel") in {"stylesheet", "preconnect", "icon"}:
            self.addresses.append(named.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    BUILT.build(config)  # a broken link, a page that the navigation lacks: an exception
    return folder


def test_no_page_asks_the_web_for_anything(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text("utf-8"))
        for address in filter(None, parser.addresses):
            assert not re.match(r"(https?:)?//", address), f"{page.name}: {address}"
            target = address.partition("?")[0].partition("#")[0]
            if page.name != "404.html" and not target.startswith("data:"):
                assert (page.parent / target).is_file(), f"{page.name}: {address}"


def test_cards_and_code_are_pages(site: Path) -> None:
    assert "CC0" in (site / "cards" / "default.html").read_text("utf-8")
    page = (site / "papers" / "renet.html").read_text("utf-8")
    assert 'href="../code/src/actionunits/models/renet.py.html"' in page
    code = (site / "code/src/actionunits/models/renet.py.html").read_text("utf-8")
    assert "AU-conditional batch norms" in code


def test_every_page_that_is_written_has_a_place(site: Path) -> None:
    written = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").glob("*.md")}
    navigation = yaml.safe_dump(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    missing = {page for page in written if page not in navigation}
    assert not missing, f"name {missing} in mkdocs.yml, under nav"


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: page.name)
def test_tables_are_what_they_repeat(page: Path) -> None:
    text = page.read_text("utf-8")
    assert tables.filled(text) == text, "run `python docs/building/tables.py`"


def test_every_au_has_its_pictures_and_they_are_small() -> None:
    text = (ROOT / "docs" / "facs.md").read_text("utf-8")
    folder = ROOT / "docs" / "images" / "facs"
    files = sorted(folder.iterdir())
    assert [f.stem for f in files] == [au.column for au in tables.RENDERED]
    assert all(f"(images/facs/{file.name})" in text for file in files)
    assert sum(file.stat().st_size for file in files) < 3e6
