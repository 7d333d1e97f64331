"""Reading faces opens no connection: the whole command and the process that decodes are watched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actionunits.cli import demo
from clips import write_video

_WATCH = """
import sys
def tell(event, arguments):
    if event.startswith("socket."):
        with open({log!r}, "a", encoding="utf-8") as log:
            log.write(f"{{event}} {{arguments}}\\n")
sys.addaudithook(tell)
"""


def detect(folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """Read a photograph and a video, with all outputs there are, behind another command."""
    photo, video = demo.photograph(folder), folder / "gray.mp4"
    write_video(video, [n / 10 for n in range(20)])
    command = ["-m", "actionunits", "detect", str(photo), str(video), "--out", "rows.parquet"]
    return subprocess.run(
        [*before, sys.executable, *command, "--overlay", "seen/", "--add", "all"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_python_makes_no_socket(tmp_path: Path) -> None:
    log = tmp_path / "sockets"
    (tmp_path / "sitecustomize.py").write_text(_WATCH.format(log=str(log)), encoding="utf-8")
    code = "import socket; socket.socket().close()"
    watched = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=watched, check=True)
    assert "socket.__new__" in log.read_text(encoding="utf-8")  # the watch is awake
    log.unlink()
    ran = detect(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "rows.parquet").is_file()
    assert not log.exists(), log.read_text(encoding="utf-8")


def traces(folder: Path) -> bool:
    """Whether strace is there and may trace."""
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], cwd=folder, capture_output=True)
    return tried.returncode == 0


def test_no_library_connects_to_anything(tmp_path: Path) -> None:
    """Sockets that are only opened, as by what asks for the number of a network card, tell nobody.

    Files' sockets (AF_UNIX) are of this machine.
    """
    if not traces(tmp_path):
        pytest.skip("strace is not installed, or not allowed to trace")
    log = tmp_path / "calls"
    calls = "trace=connect,bind,listen,sendto,sendmsg,sendmmsg,execve"
    ran = detect(tmp_path, "strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", str(log))
    assert ran.returncode == 0, ran.stderr
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    assert sum("execve(" in line for line in lines) >= 2  # the decoder is a process of its own
    told = [line for line in lines if "execve" not in line and "AF_UNIX" not in line]
    assert not told
