"""The command as a user meets it: what it writes, and what it says of mistakes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from actionunits import aus
from actionunits.cli import demo
from actionunits.learn.card import read_card
from command import Au

TINY = [
    "--set=model.params={relation: pearson, task: occurrence, size: 32, align: 36, width: 8}",
    "--set=epochs=1",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training on the embedded corpus by the installed command itself."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    command = ["au", "train", "renet_synfacs", "--fold", "1", "--out", str(out), *TINY]
    done = subprocess.run(
        [sys.executable, "-c", "from actionunits.cli import main; main()", *command[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mean" in done.stdout
    return out


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo.photograph(tmp_path_factory.mktemp("photo"))


def test_help_fills_its_lines(au: Au, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("events", "summary", "agree", "prototypes", "report", "detect"):
        said = au(command, "--help").out
        prose = said.partition("Usage:")[2].partition("\N{BOX DRAWINGS LIGHT ARC DOWN AND RIGHT}")[
            0
        ]
        for paragraph in prose.split("\n" + " " * 80 + "\n")[1:]:
            lines = paragraph.splitlines()
            for line, following in zip(lines, lines[1:], strict=False):
                assert len(line.rstrip()) + len(following.split()[0]) >= 79, (command, line)


def test_help_comes_without_heavy_imports() -> None:
    code = "import sys; import actionunits.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torch", "pandas", "matplotlib", "onnxruntime", "av"} & set(loaded.stdout.split())


def test_train_then_evaluate_then_detect(au: Au, run: Path, portrait: Path, tmp_path: Path) -> None:
    assert read_card(run).au_set() == aus.ALL
    report = json.loads(au("evaluate", run, "--json").out)
    assert report["frames"] == 10 * 4 * 26
    assert len(report["scores"]["f1"]["per_au"]) == 18

    out, overlay = tmp_path / "rows.csv", tmp_path / "seen.png"
    said = au("detect", portrait, "--model", run, "--out", out, "--overlay", overlay)
    assert said.code == 0
    assert "Lip corner puller" in said.out
    table = pd.read_csv(out)
    assert list(table)[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert table[["frame", "face_id", "success"]].iloc[0].tolist() == [1, 0, 1]
    with Image.open(overlay) as image:
        assert image.width > 512  # the panel stands beside the picture


def test_a_run_is_compared_exported_and_drawn(au: Au, run: Path, tmp_path: Path) -> None:
    said = au("compare", run, run, "--json")
    assert said.code == 0, said.err
    json.loads(said.out)
    file = tmp_path / "model.onnx"
    assert au("export", run, "--out", file).code == 0
    assert file.stat().st_size > 10_000
    picture = tmp_path / "relation.png"
    assert au("figure", "relation", run, "--aus", "1,2,12", "--out", picture).code == 0
    with Image.open(picture) as image:
        assert image.width > 300
    assert au("figure", "masks", run, "--out", picture).code == 2


def test_a_device_that_is_not_there_is_named(au: Au, portrait: Path) -> None:
    said = au("detect", portrait, "--device", "abacus")
    assert said.code == 2
    assert "device abacus: not to be had here" in said.err


def test_models_are_listed_with_their_costs(au: Au) -> None:
    rows = json.loads(au("models", "--no-time", "--json").out)
    assert {"renet", "mgrrnet", "gtlenet", "sacl", "mdhr"} <= {row["name"] for row in rows}
    assert all(row["parameters"] > 1e6 and row["multiply_adds"] > 1e7 for row in rows)
    said = au("models", "renet_synfacs", "--no-time").out
    assert "relation=none" in said
    assert "SACL's multiply-adds leave the products of attention out" in " ".join(said.split())


def test_ablations_of_a_recipe_are_listed(au: Au) -> None:
    said = au("recipes", "sacl_bp4d").out
    assert "knn=5" in said
    assert "model.params.knn=5" in said


def test_finished_runs_are_not_trained_again(au: Au, run: Path) -> None:
    before = (run / "checkpoint" / "model.safetensors").stat().st_mtime_ns
    assert au("train", "renet_synfacs", "--fold", "1", "--out", run, *TINY).code == 0
    assert (run / "checkpoint" / "model.safetensors").stat().st_mtime_ns == before


def test_detect_prints_json(au: Au, run: Path, portrait: Path) -> None:
    rows = json.loads(au("detect", portrait, "--model", run, "--json").out)
    assert rows[0]["success"] == 1
    assert 0 <= rows[0]["AU12_p"] <= 1
    assert rows[0]["AU12_r"] is None  # this model tells no intensity


def test_one_broken_file_does_not_cost_the_others(
    au: Au, run: Path, portrait: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.png").write_bytes(portrait.read_bytes())
    (folder / "half.png").write_bytes(portrait.read_bytes()[:20_000])
    Image.fromarray(np.zeros((60, 80), np.uint8)).save(folder / "nobody.png")
    said = au("detect", folder, tmp_path / "missing.jpg", "--model", run, "--out", tmp_path / "o")
    assert said.code == 1
    assert "half.png" in said.err
    assert "missing.jpg" in said.err
    assert "Traceback" not in said.err
    assert {file.name for file in (tmp_path / "o").glob("[a-z]*")} == {"good.csv", "nobody.csv"}
    nobody = pd.read_csv(tmp_path / "o" / "nobody.csv")
    assert nobody["success"].tolist() == [0]
    assert nobody["AU12_p"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "renet_sinfacs"], "renet_synfacs"),
        (["train", "renet_synfacs", "--set", "optimiser.rate=1"], "optimiser.rate"),
        (["train", "renet_synfacs", "--set", "epochs=many"], "epochs"),
        (["train", "renet_synfacs", "--set", "model.params.relations=none"], "relation"),
        (["train", "renet_synfacs", "--set", "model.params.relation=person"], "relation"),
        (["train", "renet_synfacs", "--set", "model.params.size=large"], "size"),
        (["train", "renet_synfacs", "--set", "data.root=nowhere"], "nowhere"),
        (["train", "renet_synfacs", "--ablation", "no"], "ablation"),
        (["evaluate", "nowhere"], "nowhere"),
        (["detect", "x.jpg", "--model", "nowhere"], "nowhere"),
        (["detect", "x.jpg", "--aligned", "--boxes", "b.csv"], "--boxes"),
        (["detect", "x.jpg", "--detector", "magic"], "magic"),
        (["synth", "render", "--assets", "nowhere", "--out", "o"], "nowhere"),
        (["synth", "card", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_told_in_one_line(
    au: Au, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = au(*arguments)
    assert said.code == 2
    assert said.err.startswith("au: ")
    assert says in said.err
    assert "Traceback" not in said.err


def test_a_place_that_cannot_be_written_is_named(
    au: Au, run: Path, portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    said = au("detect", portrait, "--model", run, "--out", tmp_path / "file" / "rows.csv")
    assert said.code == 2
    assert str(tmp_path / "file") in said.err
    assert "Traceback" not in said.err


def test_card_of_the_embedded_corpus(au: Au) -> None:
    card = json.loads(au("synth", "card", "--json").out)
    assert card["summary"]["corpus"]["subjects"] == 30
    assert min(rates["corpus"] for rates in card["rates"].values()) > 0.05


def test_recipes_are_listed(au: Au) -> None:
    listed = json.loads(au("recipes", "--json").out)
    assert {"renet_synfacs", "resnet18_synfacs", "wholeface_people"} <= listed.keys()
    assert "relation=identity" in listed["renet_synfacs"]["ablations"]
