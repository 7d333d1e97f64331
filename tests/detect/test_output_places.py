"""Where outputs go: folders are told from files, nothing clashes, no input is overwritten."""

import os
import unicodedata
from pathlib import Path

import pytest

from actionunits.detect.places import check, destinations, is_folder
from actionunits.errors import UserError


def test_what_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "v1.2").mkdir()
    assert is_folder(tmp_path / "v1.2")
    assert is_folder(f"{tmp_path}/new.d/")
    assert is_folder(tmp_path / "new")
    assert not is_folder(tmp_path / "new.csv")


@pytest.mark.parametrize(
    "names",
    [
        ["a.jpg", "A.JPG"],
        ["10:30.mp4", "1030.mp4", "10_30.mp4"],
        ["b.png", "b.jpg", "b.png.mp4"],
        ["x/a.jpg", "X/a.jpg", "x/a.png"],
        [unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD")],
        ["caf\udce9.jpg", "caf\udce8.jpg", "caf\x1b.jpg"],
        ["y" * 300 + ".jpg", "y" * 301 + ".jpg"],
        ["../a.jpg", "in/a.jpg", "camera:0", "camera0.mp4"],
        ["a.jpg", "../x/a.jpg"],
        ['a"?.jpg', "a<|.jpg"],
    ],
)
def test_no_two_inputs_share_an_output(tmp_path: Path, names: list[str]) -> None:
    sources = [name if name.startswith("camera") else str(tmp_path / "x" / name) for name in names]
    paths = destinations(sources, tmp_path / "out", lambda _: ".csv")
    alike = {unicodedata.normalize("NFC", str(path)).casefold() for path in paths.values()}
    assert len(alike) == len(names)
    for path in paths.values():
        assert (tmp_path / "out") in Path(os.path.abspath(path)).parents
        str(path).encode("utf-8")
        assert len(os.fsencode(f"{path.name}.part.jsonl")) <= 255


def test_the_name_of_an_output_does_not_depend_on_the_other_inputs(tmp_path: Path) -> None:
    both = [str(tmp_path / "x" / name) for name in ("a.jpg", "A.JPG", "b.jpg")]
    more = [*both, str(tmp_path / "x" / "c.jpg"), str(tmp_path / "x" / "deep" / "d.jpg")]
    few, many = (destinations(s, tmp_path, lambda _: ".csv") for s in (both, more))
    assert few.items() <= many.items()


def test_outputs_over_inputs_are_refused_however_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("boxes.csv").write_text("")
    Path("in").mkdir()
    for name in ("boxes.csv", "in/../boxes.csv", str(tmp_path / "boxes.csv")):
        with pytest.raises(UserError, match=r"boxes\.csv: the output would take the place of an"):
            check([Path(name)], ["boxes.csv"])
    with pytest.raises(UserError, match="two outputs would be this file"):
        check([Path("o.csv"), Path("in/../o.csv")], [])
    check([Path("o.csv"), Path("o.png")], ["boxes.csv"])


def test_a_link_to_an_input_is_the_input(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    os.link(tmp_path / "a.csv", tmp_path / "b.csv")
    with pytest.raises(UserError, match="input"):
        check([tmp_path / "b.csv"], [tmp_path / "a.csv"])
