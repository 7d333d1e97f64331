"""Blocks of code in the documentation, and what becomes of them in the tests.

The language says what a block is: ``sh``, ``python`` and ``r`` are run, from the top of the page to
its end in one folder; ``text`` is what a program prints, or a sketch. One that cannot be run here,
because it takes hours, a camera or a data set under licence, has a title that says so to the
reader: then its commands are only held against the command line's own parser, and its code is
compiled. Other languages with a title are files of that name.
"""

import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import typer

from actionunits.cli import app
from actionunits.learn.recipe import load_recipe

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(page for folder in ("", "papers") for page in (ROOT / "docs" / folder).glob("*.md")),
    *sorted((ROOT / "src/actionunits/weights").glob("*/README.md")),
]
LANGUAGES = {"sh", "python", "r", "text", "yaml", "toml", "csv"}

_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^## (.*?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_INFO = re.compile(r'(\w*)(?: title="([^"]+)")?')


class Block(NamedTuple):
    """A block between fences."""

    language: str
    title: str
    """"" where it has none."""
    text: str


def blocks(text: str, language: str | None = None) -> list[Block]:
    """Blocks of a text, or those of one language."""
    found = []
    for info, inside in _FENCE.findall(text):
        match = _INFO.fullmatch(info.strip())
        assert match, f"a block says {info!r}; expected a language, and perhaps a title"
        found.append(Block(match[1], match[2] or "", inside))
    return [block for block in found if language in (None, block.language)]


def sections(page: Path) -> dict[str, str]:
    """Text of each section by its heading."""
    return dict(_SECTION.findall(page.read_text("utf-8")))


def commands(text: str, here: Path) -> list[list[str]]:
    """Words of each command of a shell block, as the shell expands them in a folder."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [words for line in lines for part in _parts(line) if (words := _words(part, here))]


def _parts(line: str) -> list[str]:
    assert not re.search(r"[|<>;]", re.sub(r"#.*|'[^']*'", "", line)), f"too much shell: {line}"
    return line.split(" && ")


def _words(line: str, here: Path) -> list[str]:
    script = f'set -- {line}\nprintf "%s\\0" "$@"'
    run = subprocess.run(["bash", "-c", script], cwd=here, capture_output=True, check=True)
    return [word for word in run.stdout.decode().split("\0") if word]


def check(words: list[str]) -> None:
    """Hold a command against what it is a command of; does not run it."""
    program, *arguments = words
    if program == "au":
        _check_au(arguments)
    elif program == "torchrun":
        launch = torchrun(arguments)
        assert launch.module
        assert launch.training_script == "actionunits"
        _check_au(launch.training_script_args)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(arguments) <= set(targets), f"make {arguments}: the Makefile has {targets}"
    elif program == "python":
        assert (ROOT / arguments[0]).is_file(), f"there is no {arguments[0]}"
    elif program == "pip":
        _check_extras(arguments[-1])
    else:
        assert program in {".", "apt", "export"}, f"nothing checks {program}: {words}"


def torchrun(arguments: list[str]) -> Any:
    """Parse the arguments of a launch as PyTorch does."""
    from torch.distributed.run import get_args_parser

    return get_args_parser().parse_args(arguments)


def _check_extras(wanted: str) -> None:
    written = (ROOT / "pyproject.toml").read_text("utf-8")
    named = re.fullmatch(r"(?:\.|actionunits)(?:\[([\w,]+)\])?", wanted)
    assert named, wanted
    for extra in (named[1] or "").split(","):
        assert not extra or re.search(rf"^{extra} = ", written, re.MULTILINE), f"no extra {extra}"


def _check_au(arguments: list[str]) -> None:
    """Parse as the command does, and read the recipe that it names; do nothing."""
    command = typer.main.get_command(app)
    asked: list[dict[str, Any]] = []
    _disarm(command, asked)
    command(arguments, standalone_mode=False)
    for values in asked:
        recipe = values.get("recipe")
        if recipe and not recipe.endswith(".yaml"):
            load_recipe(recipe, values.get("settings") or [], values.get("ablation"))


def _disarm(command: Any, asked: list[dict[str, Any]]) -> None:
    """Let a command, and those below it, only tell what it would have been called with."""
    command.callback = lambda **values: asked.append(values)
    for inner in getattr(command, "commands", {}).values():
        _disarm(inner, asked)
