"""``au app`` without a browser: what it refuses, and that nobody else waits for Gradio."""

import socket
import subprocess
import sys

import pytest

from command import Au


def test_without_gradio_it_says_what_to_install(au: Au, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    said = au("app", "--no-browser")
    assert said.code == 2
    assert "pip install 'actionunits[app]'" in said.err


def test_mistakes_are_told_before_it_starts(au: Au, tmp_path: object) -> None:
    assert "--minutes: expected more than 0" in au("app", "--minutes", 0).err
    assert "no such checkpoint" in au("app", "--model", f"{tmp_path}/nowhere").err
    assert au("app", "--port", 0).code == 2


def test_nobody_else_waits_for_gradio() -> None:
    code = (
        "import sys, actionunits, actionunits.cli, actionunits.app.handlers; "
        "print([name for name in ('gradio', 'bokeh', 'torch') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_taken_port_is_named(au: Au) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = au("app", "--no-browser", "--port", port)
    assert said.code == 2
    assert f"127.0.0.1:{port} cannot be listened on" in said.err
