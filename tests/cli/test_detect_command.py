"""`au detect` when something goes wrong, by a detector and a model that take no time."""

import errno
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import nn

from actionunits import media
from actionunits.aus import AUSet
from actionunits.cli.terminal import Stream, check, terminal
from actionunits.detect import predict, tables
from actionunits.detect.predict import Predictor
from actionunits.faces.given import Aligned
from actionunits.types import Face, Frame, InputSpec, Output, Reading
from actionunits.weights import locate
from command import Au

AUS = AUSet.of((4, 12))


class Gray(nn.Module):
    """Logits are the mean of the crop, and intensities five times that."""

    tells_intensity = False
    spec = InputSpec(size=8, align=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def forward(self, images: torch.Tensor) -> Output:
        logits = images.mean((1, 2, 3))[:, None].expand(-1, 2)
        return Output(logits, 5 * logits if self.tells_intensity else None)


class Whole(Aligned):
    """Aligned faces; at one frame of one source something else happens."""

    def __init__(self, at: tuple[str, int], error: BaseException | None) -> None:
        self.at, self.error = at, error

    def __call__(self, frames, side):  # type: ignore[no-untyped-def]
        if self.error and any((Path(f.source).name, f.number) == self.at for f in frames):
            raise self.error
        return super().__call__(frames, side)


Set = Callable[..., None]
BOXES = [("a.mp4", 1), ("a.mp4", 31), ("d.png", 1), ("e.mp4", 1)]


@pytest.fixture
def happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Set:
    """Set what happens at which frame; videos have 30 frames of 8 x 8 pixels."""

    def frames(source: str, span=None, **_):  # type: ignore[no-untyped-def]
        if media.is_still(source):
            yield Frame(media.read_image(source), source, 0, 0.0)
            return
        for number in range(30):
            gray = (37 * number + len(source)) % 200
            yield Frame(np.full((8, 8, 3), gray, np.uint8), source, number, number / 30)

    def set_(at: tuple[str, int] = ("", 0), error: BaseException | None = None) -> None:
        def load(*_: object, min_confidence: float = 0, **__: object) -> Predictor:
            found = Whole(at, error)
            return Predictor(Gray(), AUS, [0.5, 0.5], detector=found, min_confidence=min_confidence)

        monkeypatch.setattr(predict, "load", load)

    monkeypatch.setattr(media, "frames", frames)
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (Path("in") / name).touch()
    Image.new("RGB", (8, 8), "gray").save("in/d.png")
    set_()
    return set_


def test_one_source_that_fails_costs_neither_the_table_nor_the_others(au: Au, happens: Set) -> None:
    happens(("b.mp4", 10), MemoryError())
    said = au("detect", "in", "--out", "o.csv")
    assert said.code == 1
    assert "b.mp4: could not be read on at frame 11: out of memory" in said.err
    rows = pd.read_csv("o.csv").groupby("input").size()
    assert [rows[str(Path("in") / name)] for name in ("a.mp4", "b.mp4", "c.mp4", "d.png")] == [
        *(30, 10, 30, 1)
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_was_read_before_ctrl_c_is_kept_and_gone_on_from(
    au: Au, happens: Set, suffix: str
) -> None:
    out = f"o.{suffix}"
    happens(("b.mp4", 16), KeyboardInterrupt())
    said = au("detect", "in", "--out", out, "--overlay", "seen")
    assert said.code == 130
    assert f"au: stopped at frame 16 (0.5 s) of {Path('in') / 'b.mp4'}" in said.err
    assert f"what was read is in {out}.part; the same command with --resume goes on" in said.err
    assert "a.mp4, face 0: 30 frames" in said.out
    assert "b.mp4, face 0: 16 frames" in said.out
    assert len(pd.read_csv(f"{out}.part")) == 46
    assert {p.name for p in Path("seen").iterdir()} == {"a_au.mp4"}  # a part of one is of no use
    happens()
    assert au("detect", "in", "--out", out).code == 2
    said = au("detect", "in", "--out", out, "--overlay", "seen", "--resume")
    assert said.code == 0
    assert "1 of 4 inputs read already" in said.err
    assert {p.name for p in Path("seen").iterdir()} == {
        *("a_au.mp4", "b_au.mp4", "c_au.mp4", "d_au.jpg")
    }
    assert au("detect", "in", "--out", f"whole.{suffix}").code == 0
    assert Path(out).read_bytes() == Path(f"whole.{suffix}").read_bytes()
    assert not list(Path().glob("*.part*"))


def test_a_folder_of_tables_goes_on_by_itself(au: Au, happens: Set) -> None:
    happens(("b.mp4", 16), KeyboardInterrupt())
    said = au("detect", "in", "--out", "tables.d/")
    assert said.code == 130
    assert "whole tables are in tables.d/; the same command goes on with the others" in said.err
    happens()
    said = au("detect", "in", "--out", "tables.d")
    assert "1 of 4 inputs read already; --overwrite reads them anew" in said.err
    assert len(list(Path("tables.d").glob("*.csv"))) == 4
    assert "4 of 4 inputs" in au("detect", "in", "--out", "tables.d").err
    assert "inputs read already" not in au("detect", "in", "--out", "tables.d", "--overwrite").err


def test_ctrl_c_ends_a_camera_and_completes_its_table(
    au: Au, happens: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    def camera(source: str, span=None, **_):  # type: ignore[no-untyped-def]
        for number in range(99):
            yield Frame(np.zeros((8, 8, 3), np.uint8), source, number, number / 30)

    monkeypatch.setattr(media, "frames", camera)
    happens(("camera:7", 5), KeyboardInterrupt())
    assert au("detect", "7", "--out", "o.csv").code == 0
    assert len(pd.read_csv("o.csv")) == 5


def test_json_of_what_was_read_is_printed_on_ctrl_c(au: Au, happens: Set) -> None:
    happens(("b.mp4", 16), KeyboardInterrupt())
    said = au("detect", "in", "--json")
    assert said.code == 130
    assert len(pd.read_json(io.StringIO(said.out))) == 46


class Broken(io.StringIO):
    """A stream whose reader has gone, or whose disk is full."""

    error: OSError

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [(BrokenPipeError(errno.EPIPE, "x"), 0), (OSError(errno.ENOSPC, "No space left"), 1)],
)
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_broken_standard_output_costs_no_file(
    au: Au,
    happens: Set,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    code: int,
    json: list[str],
) -> None:
    stream = Broken()
    stream.error = error
    monkeypatch.setattr(sys, "stdout", stream)
    said = au("detect", "in", "--out", "o.csv", "--overlay", "seen", *json)
    assert said.code == code, said.err
    assert ("cannot write standard output: No space left" in said.err) == (code == 1)
    assert len(pd.read_csv("o.csv")) == 91
    assert len(list(Path("seen").iterdir())) == 4


def test_a_broken_stream_says_so_unless_nobody_reads_on() -> None:
    for error in (BrokenPipeError(), OSError(errno.ENOSPC, "full")):
        broken = Broken()
        broken.error = error
        stream = Stream(broken)
        assert stream.write("text") == 4
        stream.flush()
        console = Console(file=stream)  # type: ignore[arg-type]
        if isinstance(error, BrokenPipeError):
            check(console)
        else:
            with pytest.raises(OSError, match="full"):
                check(console)
    check(terminal())
    closed = Stream(None)  # by 2>&-
    closed.write("text")
    closed.flush()
    assert closed.broken


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--boxes", "boxes.csv", "--out", "boxes.csv"], "boxes.csv: the output would take"),
        (["--boxes", "boxes.csv", "--out", "in/../boxes.csv"], "the output would take the place"),
        (["--overlay", "in/d.png", "--out", "o.csv"], "one file for"),
        (["--resume"], "--resume goes on with a table"),
        (["--resume", "--json", "--out", "o.csv"], "without --json"),
        (["--resume", "--overwrite", "--out", "o.csv"], "leave one of them out"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(
    au: Au, happens: Set, arguments: list[str], says: str
) -> None:
    names = ",".join(f"x_{i},y_{i}" for i in range(5))
    text = f"source,frame,x,y,width,height,{names}\nd.png,1,0,0,8,8,{'1,2,' * 4}3,4\n"
    Path("boxes.csv").write_text(text)
    said = au("detect", "in", *arguments)
    assert said.code == 2
    assert says in said.err
    assert Path("boxes.csv").read_text() == text


def test_boxes_of_other_files_are_named_at_the_end(
    au: Au, happens: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ",".join(f"x_{i},y_{i}" for i in range(5))
    lines = [f"{name},{frame},0,0,8,8,{'1,2,' * 4}3,4" for name, frame in BOXES]
    Path("boxes.csv").write_text("\n".join([f"source,frame,x,y,width,height,{names}", *lines]))
    monkeypatch.setattr(
        predict,
        "load",
        lambda *_, detector, **__: Predictor(Gray(), AUS, [0.5, 0.5], detector=detector),
    )
    said = au("detect", "in", "--boxes", "boxes.csv", "--out", "o.csv")
    assert said.code == 0
    assert "au: warning: boxes.csv: has boxes of e.mp4, which is not among the inputs" in said.err
    assert "has a box of frame 31 of" in said.err
    assert pd.read_csv("o.csv")["success"].sum() == 2


def test_weights_are_no_place_for_tables(au: Au, happens: Set) -> None:
    before = sorted(locate("default").iterdir())
    assert au("detect", "in", "--out", locate("default")).code == 2
    assert sorted(locate("default").iterdir()) == before


def test_names_do_nothing_to_the_terminal(au: Au, happens: Set) -> None:
    names = {"win32": 1, "darwin": 2}.get(sys.platform, 3)  # what can be a name there
    for name in ("[red]x.png", "a\x1b[31mb.png", "caf\udce9.png")[:names]:
        Image.new("RGB", (8, 8), "gray").save(name)
        said = au("detect", name, "--out", f"{name}.d/", "--overlay", f"{name}.d/")
        assert said.code == 0
        assert "\x1b[31m" not in said.out + said.err
        shown = name.replace("\x1b", "\\x1b").replace("\udce9", "\\udce9")
        assert shown in said.out
        assert f"written: {shown}.d/" in said.err


@pytest.mark.parametrize(("encoding", "mark"), [("ascii", "#"), ("cp1252", "#"), ("utf-8", "█")])
def test_bars_are_of_characters_that_the_terminal_has(encoding: str, mark: str) -> None:
    frame = Frame(np.zeros((8, 8, 3), np.uint8), "a.png", 0, 0.0)
    face = Face(frame, 0, np.array([0.0, 0, 8, 8]), np.ones((5, 2)), 1.0)
    reading = Reading(frame, (face,), np.array([[1.0, 0.5]]), np.array([[True, False]]), None)
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=100).print(tables.bars(reading, AUS, 0))
    file.flush()
    shown = file.buffer.getvalue().decode(encoding)
    assert max(line.count(mark) for line in shown.splitlines()) == 20


def test_intensities_above_rest(happens: Set, au: Au, monkeypatch: pytest.MonkeyPatch) -> None:
    said = au("detect", "in/a.mp4", "--neutral", "auto", "--out", "o.csv")
    assert said.code == 2
    assert "the model reads no intensities" in said.err
    monkeypatch.setattr(Gray, "tells_intensity", True)
    assert au("detect", "in", "--neutral", "auto", "--out", "o.csv").code == 0
    table = pd.read_csv("o.csv")
    film = table[table["input"].str.endswith("a.mp4")]
    rest = min(film["AU12_r"].quantile(0.1, interpolation="lower"), 1.5)
    more = (5 * (film["AU12_r"] - rest) / (5 - rest)).clip(lower=0)
    padded = pd.concat([more.iloc[:1], more, more.iloc[-1:]])
    expected = padded.rolling(3, center=True).median().iloc[1:-1]
    np.testing.assert_allclose(film["AU12_n"], expected, atol=0.02)
    assert table[table["input"].str.endswith("d.png")]["AU12_n"].isna().all()
    assert au("detect", "in", "--out", "o.csv", "--neutral", "in/d.png").code == 0
    table = pd.read_csv("o.csv").set_index("input")
    assert table.loc["in/d.png", "AU12_n"] == 0
    assert table["AU12_n"].notna().all()
    rows = pd.read_json(io.StringIO(au("detect", "in", "--neutral", "auto", "--json").out))
    assert rows["AU12_n"].notna().sum() == 90
    said = au("detect", "in/a.mp4", "--neutral", "nowhere.png", "--out", "p.csv")
    assert said.code == 2
    assert "nowhere.png" in said.err
    before = Path("in/d.png").read_bytes()
    assert au("detect", "in/a.mp4", "--neutral", "in/d.png", "--overlay", "in/d.png").code == 2
    assert Path("in/d.png").read_bytes() == before


def test_rows_of_little_confidence_are_marked(happens: Set, au: Au) -> None:
    said = au("detect", "in/d.png", "--min-confidence", "2")
    assert said.code == 2
    assert "min_confidence: expected 0 to 1, got 2" in said.err
