"""What is computed here stays here."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import network
from actionunits.cli import demo
from actionunits.system.privacy import SILENT

HERE = Path(__file__).parents[1]


def quiet(tmp_path: Path, *command: str) -> dict[str, Path]:
    """Run Python as a user would who has set nothing, where the network is refused."""
    log = str(tmp_path / "asked")
    lines = (
        "import atexit, sys",
        f"sys.path.insert(0, {str(HERE)!r})",
        "import network",
        f"atexit.register(lambda: open({log!r}, 'w').write(' '.join(network.ASKED)))",
    )
    (tmp_path / "sitecustomize.py").write_text("\n".join(lines), encoding="utf-8")
    unset = {*SILENT, "CI", "GITHUB_ACTIONS", "ORT_RUNNING_UNIT_TESTS"}
    settings = {name: value for name, value in os.environ.items() if name not in unset}
    places = {"HOME": tmp_path / "home", "XDG_CACHE_HOME": tmp_path / "cache"}
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    settings |= {name: str(place) for name, place in places.items()} | {"PYTHONPATH": path}
    subprocess.run([sys.executable, *command], env=settings, check=True, cwd=tmp_path)
    return places


def test_a_user_who_reads_a_picture_is_not_reported(tmp_path: Path) -> None:
    picture = demo.photograph(tmp_path)
    places = quiet(tmp_path, "-m", "actionunits", "detect", str(picture), "--out", "read.csv")
    assert (tmp_path / "read.csv").is_file()
    assert (tmp_path / "asked").read_text(encoding="utf-8") == ""
    left = [path for place in places.values() for path in place.rglob("*")]
    assert not [path for path in left if "Microsoft" in path.parts]  # an identifier of the machine


@pytest.mark.parametrize(("name", "value"), SILENT.items())
def test_libraries_are_told_before_they_are_imported(name: str, value: str, tmp_path: Path) -> None:
    code = f"import os, actionunits; assert os.environ[{name!r}] == {value!r}"
    quiet(tmp_path, "-c", code)


def test_what_the_user_has_set_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    code = "import os, actionunits; assert os.environ['ORT_DISABLE_TELEMETRY'] == '0'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sessions_are_made_in_one_place() -> None:
    package = HERE.parent / "src" / "actionunits"
    makers = [
        file.name
        for file in package.rglob("*.py")
        if "InferenceSession(" in file.read_text("utf-8")
    ]
    assert makers == ["privacy.py"]


@pytest.mark.parametrize("host", ["pictures.example", "93.184.216.34"])
def test_who_asks_for_the_network_in_a_test_is_told_no(host: str) -> None:
    with pytest.raises(network.ForbiddenError, match=host):
        socket.create_connection((host, 80), timeout=0.1)
    assert set(network.ASKED) == {host}
    network.ASKED.clear()
