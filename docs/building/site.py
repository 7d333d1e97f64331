"""What `mkdocs.yml` cannot say: hooks that are called while the site is built.

Pages link to files of the package, as they do where the repository is browsed. The site has no
such files: model cards become pages of it, and so does each file of code that a page links to.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CARDS = "src/actionunits/weights/"
_LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
_LANGUAGES = {".py": "python", ".yaml": "yaml"}


def on_config(config: MkDocsConfig) -> None:
    """Leave pages out of the navigation that are not written yet.

    A page that the navigation names wrongly is one that it does not have, which is a warning.
    """
    config.nav = [entry for each in config.nav or [] for entry in _written(each)]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add cards, and code that pages link to."""
    cards = {file for file in (ROOT / CARDS).glob("*/README.md")}
    pages = {Path(file.abs_src_path) for file in files.documentation_pages() if file.abs_src_path}
    linked = {
        target
        for page in pages | cards
        for target in _targets(page)
        if target.is_file() and not target.is_relative_to(DOCS)
    }
    for source in sorted(cards | linked):
        files.append(File.generated(config, _place(source), content=_content(source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where the site has what they name."""
    source = _source(page.file.src_uri)
    if source.suffix != ".md":  # code, in which brackets are no links
        return markdown
    here = Path(page.file.src_uri).parent

    def led(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(source.parent / match[2]))
        if not target.is_file() or target.is_relative_to(DOCS) and source.is_relative_to(DOCS):
            return match[0]
        return match[1] + Path(os.path.relpath(_place(target), here)).as_posix() + match[3]

    return _LINK.sub(led, markdown)


def _written(entry: Any) -> Iterator[Any]:
    """The entry of a navigation, without pages that are not there; nothing of an empty one."""
    if isinstance(entry, str):
        generated = entry.startswith("cards/")
        if generated or (DOCS / entry).is_file():
            yield entry
    elif isinstance(entry, dict):
        for title, what in entry.items():
            inner = what if isinstance(what, list) else [what]
            kept = [found for each in inner for found in _written(each)]
            if kept:
                yield {title: kept if isinstance(what, list) else kept[0]}


def _targets(page: Path) -> Iterator[Path]:
    for _, link, _ in _LINK.findall(page.read_text("utf-8")):
        yield Path(os.path.normpath(page.parent / link))


def _place(source: Path) -> str:
    """Where in the site a file is: of the documentation, a card, or code."""
    if source.is_relative_to(DOCS):
        return source.relative_to(DOCS).as_posix()
    inside = source.relative_to(ROOT).as_posix()
    if inside.startswith(CARDS) and source.name == "README.md":
        return f"cards/{source.parent.name}.md"
    return f"code/{inside}.md"


def _source(place: str) -> Path:
    """The file of a place in the site."""
    if place.startswith("cards/"):
        return ROOT / CARDS / Path(place).stem / "README.md"
    if place.startswith("code/"):
        return ROOT / place.removeprefix("code/").removesuffix(".md")
    return DOCS / place


def _content(source: Path) -> str:
    text = source.read_text("utf-8")
    if source.suffix == ".md":
        return text
    inside = source.relative_to(ROOT).as_posix()
    language = _LANGUAGES.get(source.suffix, "text")
    hidden = (
        "---\nsearch: {exclude: true}\nhide: [navigation, toc]\n---\n"  # found before pages, else
    )
    return f"{hidden}# {source.name}\n\n`{inside}`\n\n````{language}\n{text}\n````\n"
