"""What the shells offer at TAB, asked as they ask."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actionunits.learn.recipe import list_ablations, list_recipes
from actionunits.weights import list_weights


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A search path on which `au` is the command of these sources."""
    au = tmp_path_factory.mktemp("bin") / "au"
    code = f"#!{sys.executable}\nfrom actionunits.cli import main\nmain()\n"
    au.write_text(code, encoding="utf-8")
    au.chmod(0o755)
    return f"{au.parent}{os.pathsep}{os.environ['PATH']}"


def offered(path: str, *words: str) -> list[str]:
    """What bash offers in place of the last word."""
    script = 'eval "$(_AU_COMPLETE=source_bash au)"; complete -p au >/dev/null || exit 3; '
    script += 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _au_completion au; '
    script += 'printf "%s\\n" "${COMPREPLY[@]}"'
    asked = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", "au", *words],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not asked.stderr
    return [line for line in asked.stdout.splitlines() if line]


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


@needs_bash
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["det"], ["detect"]),
        (["figure", "re"], ["reconstruction", "relation"]),
        (["figure", "masks", "gt"], ["gtlenet"]),
        (["train", "sacl_"], [name for name in list_recipes() if name.startswith("sacl_")]),
        (["train", "sacl_bp4d", "--ablation", ""], list_ablations("sacl_bp4d")),
        (["train", "--ablation", ""], []),
        (["train", "none.yaml", "--ablation", ""], []),
        (["detect", "x.mp4", "--model", ""], list_weights()),
        (["detect", "--model", "runs/"], []),  # bash then offers files
        (["detect", "--runtime", "in"], ["int8"]),
        (["detect", "--format", "op"], ["openface"]),
        (["detect", "--detector", "al"], ["aligned"]),
        (["detect", "--add", "pose,gaze,p"], []),
        (["detect", "--add", "pose,la"], ["pose,landmarks"]),
        (["export", "default-"], ["default-fast"]),
    ],
)
def test_bash_offers(path: str, words: list[str], expected: list[str]) -> None:
    assert offered(path, *words) == expected


def test_zsh_is_answered(path: str) -> None:
    answered = subprocess.run(
        ["au"],
        env={
            **os.environ,
            "PATH": path,
            "_AU_COMPLETE": "complete_zsh",
            "_TYPER_COMPLETE_ARGS": "au detect --model def",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert answered.stdout.split() == ["_arguments", "'*:", ':(("default"', '"default-fast"))\'']


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_the_script(path: str) -> None:
    script = 'autoload -U compinit; compinit -D; eval "$(_AU_COMPLETE=source_zsh au)"; '
    script += "print $_comps[au]"
    asked = subprocess.run(
        ["zsh", "-f", "-c", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert asked.stdout.split() == ["_au_completion"]


def test_the_script_is_put_where_bash_reads_it(path: str, tmp_path: Path) -> None:
    installed = subprocess.run(
        ["bash", "--norc", "-c", "au --install-completion; true"],
        env={**os.environ, "PATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "bash completion installed" in installed.stdout, installed.stderr
    assert "complete -o default -F _au_completion au" in (
        tmp_path / ".bash_completions" / "au.sh"
    ).read_text(encoding="utf-8")
    assert ".bash_completions/au.sh" in (tmp_path / ".bashrc").read_text(encoding="utf-8")
