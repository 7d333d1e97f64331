"""What is handed out: one version, whole archives, a wheel and an image that read a photograph."""

import datetime
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import skimage.data
import yaml
from PIL import Image

from actionunits import weights

ROOT = Path(__file__).parents[1]
_RELEASE = re.compile(r"## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)")
_LARGEST = 100 << 20  # bytes of a file that package indexes take


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def changes() -> list[str]:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("#")]


def test_the_changelog_is_one() -> None:
    title, unreleased, *others = changes()
    assert (title, unreleased) == ("# Changelog", "## [Unreleased]")
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    seen: set[str] = set()
    versions = []
    for heading in others:
        if heading.startswith("### "):
            kind = heading.removeprefix("### ")
            assert kind in kinds - seen, heading
            seen.add(kind)
        else:
            assert (release := _RELEASE.fullmatch(heading)), heading
            versions.append(tuple(map(int, release[1].split("."))))
            seen.clear()
    assert versions == sorted(versions, reverse=True)
    assert versions


def test_all_say_the_same_version(project: dict[str, Any], citation: dict[str, Any]) -> None:
    last = next(found for line in changes() if (found := _RELEASE.fullmatch(line)))
    assert project["version"] == last[1] == citation["version"]
    assert citation["date-released"] == datetime.date.fromisoformat(last[2])


def test_the_citation_has_what_its_format_requires(citation: dict[str, Any]) -> None:
    """Required keys and the types of works of the Citation File Format, version 1.2.0."""
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["type"] in {"software", "dataset"}
    for work in (citation, *citation["references"]):
        assert {"type", "title", "authors"} <= work.keys()
        assert all({"name", "family-names"} & author.keys() for author in work["authors"])
    types = {reference["type"] for reference in citation["references"]}
    assert types <= {"article", "conference-paper"}
    assert all("name" in r["conference"] for r in citation["references"] if "conference" in r)


def test_licences_are_there(project: dict[str, Any], citation: dict[str, Any]) -> None:
    assert project["license"] == "MIT AND CC0-1.0"
    assert citation["license"] == "MIT"
    texts = [(ROOT / file).read_text(encoding="utf-8") for file in project["license-files"]]
    assert texts[0].startswith("MIT License")
    assert "CC0 1.0 Universal" in texts[1]
    for name in weights.list_weights():
        card = (weights.locate(name) / "README.md").read_text(encoding="utf-8")
        assert "CC0" in card, name


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction of the Dockerfile and its arguments, in its order."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    for line in text.replace("\\\n", " ").splitlines():
        if line:
            name, _, arguments = line.partition(" ")
            yield name, arguments


def copied() -> list[str]:
    """What the image takes from the project."""
    return [
        source
        for name, arguments in instructions()
        if name == "COPY" and "--from" not in arguments
        for source in arguments.split()[:-1]
    ]


def test_the_image_is_built_from_what_is_there(project: dict[str, Any]) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    assert let_in == set(copied())
    assert all((ROOT / source).exists() for source in copied())
    assert {project["readme"], *project["license-files"], "pyproject.toml"} <= set(copied())


def test_the_image_is_small_and_run_by_nobody_in_particular() -> None:
    known = {"FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "VOLUME", "CMD"}
    names, arguments = zip(*instructions(), strict=True)
    assert set(names) <= known  # ADD could fetch, ENTRYPOINT would hide `au`
    bases = [a for n, a in instructions() if n == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim( AS \w+)?", base) for base in bases)
    last = list(instructions())[len(names) - names[::-1].index("FROM") :]
    users = [a for n, a in last if n == "USER"]
    assert users
    assert users[-1] not in {"root", "0"}
    assert ("VOLUME", "/data") in last
    assert ("WORKDIR", "/data") in last
    assert not any(word in " ".join(arguments) for word in ("http", "index-url", "curl", "wget"))


# What takes minutes, and needs the package index for what the wheel depends on.

slow = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed"),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone"),
]


def call(*command: object, cwd: Path, **environment: str) -> str:
    """Run something as outside of these tests."""
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**outside, **environment},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git knows of, as it is now."""
    copy = tmp_path_factory.mktemp("project")
    for name in call("git", "ls-files", "-z", cwd=ROOT).split("\0")[:-1]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def built(tracked: Path) -> Path:
    """Folder of the two archives, made in a tree in which strangers lie about."""
    for stranger in ("src/actionunits/weights/__pycache__/x.pyc", "runs/a.bin", "notes.txt"):
        (tracked / stranger).parent.mkdir(parents=True, exist_ok=True)
        (tracked / stranger).write_bytes(b"x")
    call("uv", "build", "--out-dir", tracked / "dist", cwd=tracked)
    return tracked / "dist"


class TestArchives:
    pytestmark = slow

    def test_the_source_is_the_project(self, built: Path) -> None:
        (file,) = built.glob("*.tar.gz")
        assert file.stat().st_size < _LARGEST
        with tarfile.open(file) as archive:
            names = {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}
        known = set(call("git", "ls-files", "-z", cwd=ROOT).split("\0")[:-1])
        made = {name for name in names if ".egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
        assert names - made <= known
        left_out = {name for name in known - names if not name.startswith(".ci/")}
        assert left_out == {".gitattributes", ".gitignore", ".pre-commit-config.yaml"}

    def test_the_wheel_is_the_package(self, built: Path, project: dict[str, Any]) -> None:
        (file,) = built.glob("*.whl")
        assert file.stat().st_size < _LARGEST
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            said = f"actionunits-{project['version']}.dist-info/METADATA"
            metadata = archive.read(said).decode().partition("\n\n")[0].splitlines()
        known = call("git", "ls-files", "-z", "src", cwd=ROOT).split("\0")[:-1]
        ours = {name for name in names if not name.startswith("actionunits-")}
        assert ours == {name.removeprefix("src/") for name in known}
        assert "License-Expression: MIT AND CC0-1.0" in metadata
        licences = [line for line in metadata if line.startswith("License-File: ")]
        assert len(licences) == len(project["license-files"])
        assert not [line for line in metadata if line.startswith("Project-URL")]

    def test_the_wheel_alone_reads_a_photograph(self, built: Path, tmp_path: Path) -> None:
        call("uv", "venv", "--python", sys.executable, "bare", cwd=tmp_path)
        python = tmp_path / "bare/bin/python"
        constraints = ["-c", ROOT / "constraints.txt"]
        call(
            "uv",
            "pip",
            "install",
            "--python",
            python,
            *constraints,
            *built.glob("*.whl"),
            cwd=tmp_path,
        )
        reads_a_photograph(tmp_path / "bare/bin/au", tmp_path)
        assert not list((tmp_path / "bare/lib").glob("*/site-packages/torch"))

    def test_the_image_would_read_a_photograph(self, tracked: Path, tmp_path: Path) -> None:
        """The commands of the first stage, on what it copies, with this Python."""
        (tmp_path / "project").mkdir()
        for source in copied():
            place = tmp_path / "project" / source
            if (tracked / source).is_dir():
                shutil.copytree(tracked / source, place)
            else:
                shutil.copy(tracked / source, place)
        names = [name for name, _ in instructions()]
        stage = list(instructions())[: names.index("FROM", 1)]
        for command in (a for n, a in stage if n == "RUN"):
            here = command.replace("/opt/au", f"{tmp_path}/au")
            here = re.sub(r"^python ", f"{sys.executable} ", here)
            call("sh", "-ec", here, cwd=tmp_path / "project")
        reads_a_photograph(tmp_path / "au/bin/au", tmp_path, HOME="/nonexistent")


def reads_a_photograph(au: Path, folder: Path, **environment: str) -> None:
    Image.fromarray(skimage.data.astronaut()).save(folder / "astronaut.png")
    call(
        au,
        "detect",
        "astronaut.png",
        "--out",
        "rows.csv",
        "--overlay",
        "seen.png",
        cwd=folder,
        **environment,
    )
    rows = pd.read_csv(folder / "rows.csv")
    assert rows["success"].tolist() == [1]
    assert rows["AU12_c"].tolist() == [1]
    assert (folder / "seen.png").is_file()
