"""Every block of code of every page: run, or held against what it is code of."""

import shutil
import subprocess
from pathlib import Path

import pytest
from blocks import LANGUAGES, PAGES, ROOT, Block, blocks, check, commands

from command import Au

OTHERS = {"datasets.md", "python.md", "your-own.md"}  # are followed by tests of their own
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def run_shell(text: str, here: Path, au: Au) -> None:
    for program, *arguments in commands(text, here):
        if program == ".":  # the environment is the test's
            continue
        assert program == "au", f"{program} is not run by tests; a title says why to the reader"
        said = au(*arguments)
        assert said.code == 0, f"au {' '.join(arguments)}\n{said.err}"


def run_r(text: str, here: Path) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed; all else on the page was run")
    (here / "page.R").write_text(text)
    run = subprocess.run(["Rscript", "page.R"], cwd=here, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def check_titled(block: Block, here: Path) -> None:
    if block.language == "sh":
        for words in commands(block.text, here):
            check(words)
    elif block.language == "python":
        compile(block.text, block.title, "exec")
    elif block.language == "r" and shutil.which("Rscript"):
        (here / "titled.R").write_text(block.text)
        subprocess.run(["Rscript", "-e", 'invisible(parse("titled.R"))'], cwd=here, check=True)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_block_says_what_it_is(page: Path) -> None:
    for block in blocks(page.read_text("utf-8")):
        assert block.language in LANGUAGES, f"expected one of {LANGUAGES}: {block}"


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name not in OTHERS], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_block_does_what_the_page_says(
    page: Path, here: Path, au: Au, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = blocks(page.read_text("utf-8"))
    for block in found:
        if block.title and block.language not in {"sh", "python", "r", "text"}:
            (here / block.title).write_text(block.text)
    names: dict[str, object] = {"__name__": "page"}
    for block in found:
        if block.title:
            check_titled(block, here)
        elif block.language == "sh":
            run_shell(block.text, here, au)
        elif block.language == "python":
            exec(compile(block.text, str(page), "exec"), names)
    statistics = [block.text for block in found if block.language == "r" and not block.title]
    if statistics:
        run_r("\n".join(statistics), here)
