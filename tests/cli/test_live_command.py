"""`au detect --live`, and streams on the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import streams
from actionunits.cli import demo
from command import Au

COMMAND = [sys.executable, "-m", "actionunits", "detect"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo.clip(tmp_path_factory.mktemp("live"))


def test_rows_are_objects_with_the_columns_of_the_table(au: Au, clip: Path, tmp_path: Path) -> None:
    said = au(
        "detect", clip, "--live", "--end", "0.5", "--out", tmp_path / "o.csv", "--add", "pose"
    )
    rows = [json.loads(line) for line in said.out.splitlines()]
    table = pd.read_csv(tmp_path / "o.csv")
    assert len(rows) == len(table) > 2
    assert list(rows[0]) == list(table.columns)
    assert [row["AU12_p"] for row in rows] == table["AU12_p"].tolist()
    assert said.code == 0


def test_a_picture_on_standard_input(clip: Path, tmp_path: Path) -> None:
    picture = demo.photograph(tmp_path).read_bytes()
    said = subprocess.run([*COMMAND, "-", "--live"], input=picture, capture_output=True, check=True)
    (line,) = said.stdout.decode().splitlines()
    assert json.loads(line)["input"] == "stdin"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_stream_and_complete_its_table(
    number: signal.Signals, tmp_path: Path
) -> None:
    out = tmp_path / "o.csv"
    with streams.web(streams.moving([90] * 500, apart=0.05)) as web:
        run = subprocess.Popen(
            [*COMMAND, web, "--live", "--out", str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert run.stdout is not None
        first = json.loads(run.stdout.readline())
        assert (first["frame"] >= 1, first["success"], first["input"]) == (True, 0, web)
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    assert len(pd.read_csv(out)) >= 1


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_who_leaves_ends_a_stream() -> None:
    with streams.web(streams.moving([90] * 5000, apart=0.02)) as web:
        run = subprocess.Popen(
            [*COMMAND, web, "--live"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        errors = run.stderr.read().decode()
        assert run.wait(60) == 0, errors
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_rows_come_while_a_pipe_is_open(clip: Path, tmp_path: Path) -> None:
    from clips import write_video

    file = write_video(tmp_path / "a.ts", [i / 25 for i in range(60)])
    run = subprocess.Popen(
        [*COMMAND, "-", "--live"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert run.stdin is not None
    assert run.stdout is not None
    run.stdin.write(file.read_bytes())
    assert json.loads(run.stdout.readline())["frame"] == 1
    time.sleep(0.1)
    assert run.poll() is None
    run.stdin.close()
    rest = run.stdout.read().decode().splitlines()
    assert run.wait(60) == 0
    assert len(rest) == 59


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--live", "--json"], "leave one of them out"),
        (["--blur"], "it needs --overlay"),
        (["--as-clip", "0"], "rate: expected frames a second"),
    ],
)
def test_what_does_not_go_together(au: Au, tmp_path: Path, arguments: list[str], said: str) -> None:
    result = au("detect", demo.photograph(tmp_path), *arguments)
    assert result.code == 2
    assert said in result.err


def test_a_dead_address_costs_itself(au: Au, tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    dead = "http://127.0.0.1:1/x.mp4"
    said = au("detect", demo.photograph(tmp_path), dead, "--out", out)
    assert said.code == 1
    assert f"{dead}: cannot be read" in said.err
    assert len(pd.read_csv(out)) == 1
