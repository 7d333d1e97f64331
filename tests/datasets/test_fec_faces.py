"""FEC from its tables and pictures on the web to an encoder that is trained on it."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from actionunits.cli import demo
from actionunits.cli.data import app
from actionunits.data.faces import decode
from actionunits.datasets import fec_faces, room
from actionunits.datasets.fec import read
from actionunits.datasets.fec_faces import Prepared, prepare_fec
from actionunits.detect.finder import close_look, landmark_finder
from actionunits.errors import DataError, RecipeError
from actionunits.faces import templates
from actionunits.faces.align import template, transform
from actionunits.faces.detections import Detections
from actionunits.faces.synface import SynFace
from actionunits.learn.evaluate import evaluate
from actionunits.learn.recipe import SelectionSpec, load_recipe, parse_recipe
from actionunits.learn.report import PlainReport
from actionunits.learn.train import train
from actionunits.types import Frame
from trees import fec, fec_line
from web import address, without_web

ONE, TWO, THREE = (f"{number}_CLASS_TRIPLET" for number in ("ONE", "TWO", "THREE"))
QUIET = Console(file=io.StringIO())


class Counting:
    """SynFace that counts, and may be interrupted."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.calls, self.stop_at, self.inner = 0, stop_at, SynFace(threads=1)

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return self.inner(frames, side)


@pytest.fixture(autouse=True)
def _without_web(monkeypatch: pytest.MonkeyPatch) -> None:
    without_web(monkeypatch)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Portraits of different shades, one picture of nothing, one that is none."""
    folder = tmp_path_factory.mktemp("web")
    portrait = Image.open(demo.photograph(folder)).convert("RGB").resize((256, 256))
    for number in range(6):
        shade = np.asarray(portrait) * (1 - 0.1 * number)
        Image.fromarray(shade.astype(np.uint8)).save(folder / f"{number}.jpg")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    (folder / "page.html").write_text("<html>moved</html>", encoding="utf-8")
    return folder


def tables(root: Path, web: Path, *names: str) -> Path:
    """Triplets of the portraits, and for each name one of it with two portraits."""

    def urls(*files: str) -> list[str]:
        return [address(web / file) for file in files]

    lines = [
        fec_line(urls("0.jpg", "1.jpg", "2.jpg"), ONE, "333311"),
        fec_line(urls("1.jpg", "2.jpg", "3.jpg"), TWO, "111122"),
        fec_line(urls("3.jpg", "4.jpg", "5.jpg"), THREE, "22222"),
        fec_line(urls("0.jpg", "2.jpg", "4.jpg"), THREE, "112233"),
        *(fec_line(urls("0.jpg", name, "5.jpg"), TWO, "111111") for name in names),
    ]
    return fec(root, lines, [fec_line(urls("2.jpg", "5.jpg", "0.jpg"), TWO, "111111")])


def prepared(root: Path, out: Path, **options: object) -> Prepared:
    return prepare_fec(root, out, console=QUIET, **options)


def contents(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(out.iterdir()) if file.is_file()}


def test_what_is_prepared_is_aligned_and_what_is_not_is_listed(web: Path, tmp_path: Path) -> None:
    root = tables(tmp_path / "fec", web, "noise.png", "page.html", "absent.jpg")
    with (root / "faceexp-comparison-data-train-public.csv").open("a") as file:
        file.write("broken,line\n")
    detector = Counting()
    result = prepared(root, tmp_path / "out", detector=detector)
    assert result.faces == 6
    assert result.triplets.loc["train"].to_dict() == {
        "listed": 7,
        "disagreed": 1,
        "broken": 3,
        "kept": 3,
    }
    assert result.triplets.loc["test", "kept"] == 1
    lost = pd.read_csv(tmp_path / "out" / "lost.csv")
    reasons = {Path(url).name: why for url, why in zip(lost["url"], lost["reason"], strict=True)}
    assert reasons["noise.png"] == "no face found in its box"
    assert "not a picture" in reasons["page.html"]
    assert "No such file" in reasons["absent.jpg"]
    assert len(pd.read_csv(tmp_path / "out" / "malformed.csv")) == 1
    said = "\n".join(result.lines())
    assert "train: 3 of 7 triplets; annotators disagree on 1, 3 lack a face" in said
    assert "lines malformed: 1: expected 18 cells or more, found 2" in said

    training, test = read(tmp_path / "out")
    assert training.rows["margin"].tolist() == [0.1, 0.2, 0.2]
    assert training.kinds() == ("one_class", "three_class", "two_class")
    faces = [decode(training.images.read(n), 256, "") for n in training.numbers()[0]]
    shades = [face.mean() for face in faces]
    assert shades[0] > shades[1] > shades[2]  # of the pictures 0, 1 and 2, and the odd one last
    assert test.numbers().tolist() == [
        [training.numbers()[2, 1], training.numbers()[0, 0], training.numbers()[0, 2]]
    ]
    (seen,) = detector.inner([Frame(faces[0].copy(), "", 0, 0.0)], 256)
    assert np.abs(seen.landmarks[0] - template(256)).max() < 20  # her mouth is wide


def test_room_is_stated_and_checked_before_anything_is_asked_for(
    web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = tables(tmp_path / "fec", web, "noise.png", "absent.jpg"), tmp_path / "out"
    usage = type("Usage", (), {"free": 1_900_000})
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: usage)
    message = "out: about 0.00 GB are needed for 8 faces to align and 8 pictures to download"
    with pytest.raises(DataError, match=message):  # each alone would fit
        prepared(root, out)
    assert not out.exists()

    usage.free = 10**9
    prepared(root, out)
    usage.free = 210_000  # a tenth must be left over
    said = Console(file=io.StringIO(), width=300)
    with pytest.raises(DataError, match="0 faces to align and 1 picture to download.* make room"):
        prepare_fec(root, out, console=said)
    assert f"0 faces to align: about 0.00 GB; 0.00 GB are free in {out}" in said.file.getvalue()
    usage.free = 230_000
    prepared(root, out)


def test_interrupted_it_goes_on_to_the_same_bytes(
    web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fec_faces, "_SHARD", 2)
    root = tables(tmp_path / "fec", web, "noise.png")
    prepared(root, tmp_path / "whole", images=tmp_path / "pictures", detector=Counting())
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepared(root, out, images=tmp_path / "pictures", detector=Counting(stop_at=5))
    with pytest.raises(DataError, match="to its end"):
        read(out)
    assert len(list(out.glob("faces-*.parquet"))) == 2
    resumed = Counting()
    prepared(root, out, images=tmp_path / "pictures", detector=resumed)
    assert resumed.calls == 3
    assert contents(out) == contents(tmp_path / "whole")
    (out / "faces-00001.parquet").write_bytes(b"damaged")
    prepared(root, out, images=tmp_path / "pictures", detector=resumed)
    assert resumed.calls == 5
    assert contents(out) == contents(tmp_path / "whole")
    (out / "faces-00001.parquet").write_bytes(b"damaged")
    with pytest.raises(DataError, match="damaged"):
        read(out)
    (out / "faces-00001.parquet").unlink()
    with pytest.raises(DataError, match="of the 5 faces beside it in version 2, found 7"):
        read(out)


def test_a_second_run_repairs_only_what_was_missing(web: Path, tmp_path: Path) -> None:
    root, late = tables(tmp_path / "fec", web, "noise.png", "late.jpg"), web / "late.jpg"
    out, detector = tmp_path / "out", Counting()
    assert prepared(root, out, detector=detector).faces == 6
    before, calls = contents(out), detector.calls
    for file in (out / "downloads").rglob("*.picture"):
        file.unlink()  # what is aligned needs no download
    assert prepared(root, out, detector=detector).faces == 6
    assert detector.calls == calls
    assert contents(out) == before
    late.write_bytes((web / "0.jpg").read_bytes())
    try:
        repaired = prepared(root, out, detector=detector)
    finally:
        late.unlink()
    assert detector.calls == calls + 1
    assert repaired.faces == 7
    assert len(read(out)[0]) == 4
    fewer = prepared(root, out, detector=detector, votes=6)
    assert fewer.triplets["kept"].tolist() == [1, 1]
    assert len(read(out)[0].images) == 5


def test_the_command_says_what_became_of_it(web: Path, tmp_path: Path) -> None:
    root = tables(tmp_path / "fec", web, "absent.jpg")
    command = ["prepare", "fec", str(root), str(tmp_path / "out"), "--images", str(tmp_path / "im")]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0
    assert "train: 3 of 5 triplets; annotators disagree on 1, 1 lack a face" in said.stdout
    assert "faces lost: 1: " in said.stdout
    assert any((tmp_path / "im").iterdir())
    assert len(read(tmp_path / "out")[0]) == 3


def test_faces_are_placed_by_49_landmarks_where_somebody_finds_them(
    web: Path, tmp_path: Path
) -> None:
    root, out = tables(tmp_path / "fec", web), tmp_path / "out"
    with pytest.raises(DataError, match="box49 is placed by 49 landmarks and fec brings none"):
        prepared(root, out, template="box49")
    assert not out.exists()
    prepared(root, out, template="box49", look=close_look())
    training, _ = read(out)
    assert training.template == "box49"
    face = decode(training.images.read(training.numbers()[0, 0]), 256, "")
    found = landmark_finder().make()([Frame(face.copy(), "", 0, 0.0)])[0]
    placed = transform(found, templates.place(found[None], "box49", 256)[0])
    assert np.abs(placed - found).mean() < 4  # it lies where the template wants it
    with pytest.raises(DataError, match="holds fec with the template box49, not canonical"):
        prepared(root, out)


def test_a_face_that_cannot_be_placed_is_listed(web: Path, tmp_path: Path) -> None:
    def one_point(frames: list[Frame], five: np.ndarray) -> np.ndarray:
        return np.repeat(five[:, :1], 49, axis=1)

    root, out = tables(tmp_path / "fec", web), tmp_path / "out"
    result = prepared(root, out, template="similarity49", look=one_point)
    assert set(result.lost["reason"]) == {"its landmarks coincide or lie on one line"}
    with pytest.raises(DataError, match="no training triplet has all of its faces"):
        read(out)


def test_an_encoder_learns_from_it(web: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    root = tables(tmp_path / "fec", web)
    with (root / "faceexp-comparison-data-test-public.csv").open("a", newline="") as file:
        urls = [address(web / name) for name in ("1.jpg", "3.jpg", "4.jpg")]
        csv.writer(file).writerow(fec_line(urls, ONE, "222222"))
    prepared(root, out)
    values = load_recipe("expression_fec").model_dump(mode="json")
    values["model"]["params"] |= {"width": 8, "size": 64, "align": 72}
    values["data"] |= {"root": str(out), "workers": 0}
    values |= {"optimiser": {"lr": 0.003}, "schedule": {}, "epochs": 1, "batch": 2}
    recipe = parse_recipe(values, "test")
    report = train(recipe, None, tmp_path / "run", show=False).report
    assert isinstance(report, PlainReport)
    assert (report.count, report.unit) == (2, "triplets")
    whole, one, two = (
        report.scores[f"triplet_accuracy{kind}"].mean for kind in ("", "_one_class", "_two_class")
    )
    assert whole == (one + two) / 2
    assert len(report.scores) == 3
    assert evaluate(tmp_path / "run").scores == report.scores
    with pytest.raises(DataError, match="test pictures of its own: leave the fold out"):
        train(recipe, 1, tmp_path / "fold", show=False)
    held_out = recipe.model_copy(update={"selection": SelectionSpec(rule="inner", share=0.1)})
    with pytest.raises(RecipeError, match="without subjects that could be held out"):
        train(held_out, None, tmp_path / "inner", show=False)
