"""The whole command: tables, videos, groups, and what a user can do wrong."""

import re
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
from made_tables import table

from actionunits.cli import demo
from actionunits.cli.report import Spread
from beside import PHOTOS, photos
from command import Au


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered person."""
    return demo.clip(tmp_path_factory.mktemp("clip"))


def page(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_video_is_read_first_and_shows_its_peaks(au: Au, tmp_path: Path, clip: Path) -> None:
    said = au("report", clip, "--out", tmp_path / "a.html", "--keep", tmp_path / "tables")
    assert said.code == 0, said.err
    assert "written" in said.err
    assert (tmp_path / "tables" / "rendered.csv").is_file()
    text = page(tmp_path / "a.html")
    assert text.count("data:image/jpeg;base64,") > 3
    assert "default (what occurs agrees with its thresholds)" in text
    # the table and its video: nothing is read anew, and the pictures are there all the same
    said = au("report", tmp_path / "tables", clip, "--out", tmp_path / "b.html")
    assert said.code == 0, said.err
    stills = re.compile('data:image/jpeg;base64,[^"]*')
    assert stills.findall(page(tmp_path / "b.html")) == stills.findall(text)
    said = au("report", clip, "--out", tmp_path / "c.html", "--keep", tmp_path / "tables")
    assert said.code == 0, said.err
    assert stills.findall(page(tmp_path / "c.html")) == stills.findall(text)


def test_a_video_without_its_table_leaves_none(au: Au, tmp_path: Path, clip: Path) -> None:
    said = au("report", clip, "--out", tmp_path / "a.html", "--model", "default-fast")
    assert said.code == 0, said.err
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]
    assert "default-fast (what occurs agrees" in page(tmp_path / "a.html")
    assert "none: read from the file itself" in page(tmp_path / "a.html")


def test_against_takes_all_that_follows(au: Au, tmp_path: Path) -> None:
    for i in range(6):
        table(1, source=f"p{i}.mp4", seed=i).to_csv(tmp_path / f"p{i}.csv", index=False)
    files = [tmp_path / f"p{i}.csv" for i in range(6)]
    said = au("report", *files[:3], "--against", *files[3:], "--out", tmp_path / "a.html")
    assert said.code == 0, said.err
    text = page(tmp_path / "a.html")
    assert "3:\np0.mp4, p1.mp4, p2.mp4" in text
    assert "3:\np3.mp4, p4.mp4, p5.mp4" in text
    groups = tmp_path / "groups.csv"
    groups.write_text("input,group\n" + "".join(f"p{i},{'xy'[i % 2]}\n" for i in range(6)))
    said = au("report", *files, "--groups", groups, "--out", tmp_path / "b.html")
    assert said.code == 0, said.err
    assert "3:\np0.mp4, p2.mp4, p4.mp4" in page(tmp_path / "b.html")
    trials = tmp_path / "trials.csv"
    trials.write_text("start,end,condition\n0,.5,rest\n")
    said = au("report", *files, "--trials", trials, "--out", tmp_path / "c.html")
    assert said.code == 2
    assert "expected two conditions to compare, found 1: rest" in said.err
    said = au("report", files[0], "--against", files[0], "--out", tmp_path / "c.html")
    assert said.code == 2
    assert "group B has no table" in said.err


def test_conditions_are_compared_within_people(au: Au, tmp_path: Path) -> None:
    for i in range(4):
        table(60, source=f"p{i}.mp4", seed=i).to_csv(tmp_path / f"p{i}.csv", index=False)
    trials = tmp_path / "trials.csv"
    trials.write_text("start,end,condition\n0,1,rest\n1,2,film\n")
    files = [tmp_path / f"p{i}.csv" for i in range(4)]
    said = au("report", *files, "--trials", trials, "--out", tmp_path / "a.html")
    assert said.code == 0, said.err
    text = page(tmp_path / "a.html")
    assert "rest and film" in text
    assert "counts once on either side" in text
    assert "A g within people is no g between people" in text
    assert text.count("4:\np0.mp4, p1.mp4, p2.mp4, p3.mp4") == 2


def test_a_folder_of_other_tables_says_what_is_other(au: Au, tmp_path: Path, clip: Path) -> None:
    kept = tmp_path / "kept"
    said = au("detect", clip, "--out", f"{kept}/", "--model", "default-fast")
    assert said.code == 0, said.err
    said = au("report", clip, "--out", tmp_path / "a.html", "--keep", kept)
    assert said.code == 2
    assert "the earlier run had other weights; give --keep another folder" in said.err
    (tmp_path / "file").write_text("")
    said = au("report", clip, "--out", tmp_path / "a.html", "--keep", tmp_path / "file")
    assert "file: expected a folder for tables, this is a file" in said.err


def test_options_that_come_after_against_are_no_files() -> None:
    app, given = typer.Typer(), []

    @app.command(cls=Spread)
    def take(
        paths: list[str],
        against: Annotated[list[str] | None, typer.Option()] = None,
        out: Annotated[str, typer.Option()] = "",
    ) -> None:
        given.extend([paths, against, out])

    app(["1", "--against", "2", "3", "--out", "o", "4"], standalone_mode=False)
    assert given == [["1", "4"], ["2", "3"], "o"]


@photos
def test_a_video_without_faces_is_no_mistake(au: Au, tmp_path: Path) -> None:
    said = au("report", PHOTOS / "no_face.mp4", "--out", tmp_path / "a.html")
    assert said.code == 0, said.err
    assert "No face was read in any frame" in page(tmp_path / "a.html")


def test_one_bad_file_costs_itself(au: Au, tmp_path: Path) -> None:
    table().to_csv(tmp_path / "good.csv", index=False)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    inputs = [tmp_path / name for name in ("good.csv", "bad.csv", "bad.mp4", "gone.mp4")]
    said = au("report", *inputs, "--out", tmp_path / "a.html")
    assert said.code == 1
    assert "a.mp4" in page(tmp_path / "a.html")
    for name in ("bad.csv", "bad.mp4", "gone.mp4"):
        assert name in said.err
    assert "inputs that went wrong: 3" in said.err
    said = au("report", *inputs[1:], "--out", tmp_path / "b.html")
    assert said.code != 0
    assert not (tmp_path / "b.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.csv", "--out", "a.pdf"), "expected the name of a file .html or .htm"),
        (("a.csv", "--gap", -1), "--gap: expected 0 to 3600 seconds"),
        (("a.csv", "--fps", 0), "--fps: expected more than 0"),
        (("a.csv", "--groups", "none.csv"), "none.csv: cannot be read"),
        (("a.csv", "--model", "nothing"), "nothing: no such checkpoint"),
        (("0",), "make a table with au detect 0"),
        (("a.csv", "--groups", "g.csv", "--against", "a.csv"), "leave one of them out"),
        (("a.csv", "--groups", "g.csv", "--trials", "g.csv"), "by --groups and by --trials"),
        (("a.csv", "--trials", "none.csv"), "none.csv: cannot be read"),
        (("a.csv", "--trials", "g.csv"), "expected the columns start, end and condition"),
        (("a.csv", "--tier", "film"), "--tier: of which file? give it by --trials"),
        (("gone.csv",), "gone.csv: cannot be read"),
        (("book.xlsx",), "it is a workbook; save the sheet as CSV"),
        (("a.csv", "--groups", "book.xlsx"), "it is a workbook; save the sheet as CSV"),
        (("a.csv", "--against", "a.csv"), "group B has no table that can be read: a.csv: is given"),
    ],
)
def test_mistakes_are_one_line(
    au: Au,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[object, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    table().to_csv("a.csv", index=False)
    Path("g.csv").write_text("input,group\na,x\nb,y\n")
    Path("book.xlsx").write_bytes(b"PK\x03\x04")
    told = au("report", *arguments)
    assert told.code == 2
    assert said in told.err
    assert told.err.count("\n") == 1
    assert not list(tmp_path.glob("*.html"))


def test_a_missing_extra_is_named(au: Au, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("actionunits.report")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "bokeh"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "bokeh", None)
    said = au("report", tmp_path / "a.csv")
    assert said.code == 2
    assert said.err == "au: this needs bokeh: pip install 'actionunits[report]'\n"
