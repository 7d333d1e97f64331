"""`au figure`: it writes the file, names what it left out, and is quick to start."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from stand_ins import Make

from actionunits.cli import figure as command
from actionunits.errors import UserError
from actionunits.papers.figures import trained


@pytest.mark.parametrize("name", ["relation.png", "relation.svg", "relation.pdf"])
def test_command_writes_the_figure(
    name: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("renet")  # before `load` is replaced, which `make` calls too
    monkeypatch.setattr(trained, "load", lambda _: run)
    command.relation("run", tmp_path / name, "1,12")
    assert [file.name for file in tmp_path.iterdir()] == [name]
    if name.endswith("png"):
        assert min(Image.open(tmp_path / name).size) > 200


def test_command_names_what_it_left_out(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("gtlenet")
    monkeypatch.setattr(trained, "load", lambda _: run)
    Image.new("RGB", (96, 96), "gray").save(tmp_path / "a.png")
    paths = [str(tmp_path / "a.png"), str(tmp_path / "absent.png")]
    out = tmp_path / "masks.png"
    with pytest.raises(ExceptionGroup, match="things left out of the figure: 1") as group:
        command.masks("run", paths, out, "1", aligned=True)
    assert "absent.png" in str(group.value.exceptions[0])
    assert out.is_file()
    with pytest.raises(UserError, match=r"masks\.bmp: expected a file \.png, \.svg or \.pdf"):
        command.masks("run", paths, tmp_path / "masks.bmp")


def test_command_is_quick_to_import() -> None:
    code = "import sys, actionunits.cli.figure; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
