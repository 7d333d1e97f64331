"""A place that cannot be written is said in one sentence, by every command that writes."""

import re
from pathlib import Path

import pytest

from actionunits.cli import demo
from command import Au

COMMANDS = {
    "detect": ("detect", "PICTURE", "--out", "OUT.csv"),
    "detect into a folder": ("detect", "PICTURE", "--out", "OUT"),
    "overlay": ("detect", "PICTURE", "--overlay", "OUT.jpg"),
    "train": ("train", "renet_synfacs", "--fold", "1", "--out", "OUT"),
    "crossval": ("crossval", "renet_synfacs", "--out", "OUT"),
    "evaluate": ("evaluate", "default", "--predictions", "OUT.csv"),
    "export": ("export", "default", "--out", "OUT.onnx"),
    "folds": ("data", "folds", "synfacs", "--out", "OUT.csv"),
    "demo": ("demo", "--out", "OUT"),
}


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo.photograph(tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_place_below_a_file(
    command: tuple[str, ...], picture: Path, au: Au, tmp_path: Path
) -> None:
    (tmp_path / "file.txt").write_text("mine", encoding="utf-8")
    places = {"PICTURE": str(picture), "OUT": str(tmp_path / "file.txt" / "x")}
    said = au(*(part if part.startswith("-") else replaced(part, places) for part in command))
    assert said.code == 2
    assert re.fullmatch(r".*expected a folder, but .*file\.txt is a file; .*", said.err.strip())
    assert (tmp_path / "file.txt").read_text(encoding="utf-8") == "mine"


def replaced(part: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        part = part.replace(name, place)
    return part
