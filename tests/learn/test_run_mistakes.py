"""What goes wrong in training and in the folder of a run: a sentence, and what was good stays."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from actionunits.errors import CheckpointError, RecipeError, UserError
from actionunits.learn import checkpoint
from actionunits.learn.card import CARD, read_card
from actionunits.learn.recipe import Recipe, load_recipe
from actionunits.learn.run import CHECKPOINT, LAST, STATE, TrainingError
from actionunits.learn.train import train
from actionunits.nn.backbone import check_fit
from command import Au
from runs import make, tiny_recipe


@pytest.fixture(scope="module")
def finished(synfacs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the recipe below."""
    out = tmp_path_factory.mktemp("runs") / "run"
    train(tiny_recipe(synfacs_file, epochs=1), 1, out, show=False)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_batch_too_small_for_its_norms_is_named(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(synfacs_file, batch=1)
    with pytest.raises(RecipeError, match=r"batch: 1 is too small for the batch norms of renet"):
        train(recipe, 1, tmp_path, show=False)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_is_none_is_a_sentence_in_any_process(
    synfacs_file: Path, tmp_path: Path, workers: int
) -> None:
    table = pq.read_table(synfacs_file)
    place = table.schema.get_field_index("image")
    broken = table.set_column(place, "image", pa.array([b"x"] * len(table)))
    pq.write_table(broken, tmp_path / "x.parquet")
    data = {"name": "synfacs", "root": str(tmp_path / "x.parquet"), "aus": [1, 2, 6, 12]}
    recipe = tiny_recipe(synfacs_file, data=data | {"workers": workers})
    with pytest.raises(UserError, match=rf"^{re.escape(str(tmp_path))}") as error:
        train(recipe, 1, tmp_path / "run", show=False)
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize("rule", ["last", "best_on_test"])
def test_weights_that_are_no_numbers_replace_none(
    synfacs_file: Path, tmp_path: Path, rule: str
) -> None:
    optimiser, selection = {"lr": 1e300}, {"rule": rule}
    batch = 32  # one step an epoch: the loss of the step that ruins the weights is finite
    recipe = tiny_recipe(
        synfacs_file, batch=batch, epochs=1, optimiser=optimiser, selection=selection
    )
    with pytest.raises(TrainingError, match=r"in epoch 1, after pass 1 of 1 \(mean loss \d"):
        train(recipe, 1, tmp_path, show=False)
    assert not (tmp_path / CHECKPOINT).exists()
    assert all(tensor.isfinite().all() for tensor in load_file(tmp_path / STATE).values())


def _ruined(folder: Path) -> Path:
    """A checkpoint with a NaN among its weights, whose card has their checksum."""
    model, card = make(tiny_recipe(folder / "x"))
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = torch.nan
    checkpoint.save(model, card, folder)
    return folder


def test_weights_that_are_no_numbers_are_not_read(au: Au, tmp_path: Path) -> None:
    folder = _ruined(tmp_path / "run")
    picture = tmp_path / "x.png"
    picture.write_bytes(b"")
    for command in (
        ["evaluate", folder],
        ["export", folder, "--out", tmp_path / "x.onnx"],
        ["detect", picture, "--model", folder],
        ["train", "renet_synfacs", "--set", f"init={folder}", "--out", tmp_path / "new"],
    ):
        said = au(*command)
        assert said.code == 2
        assert "infinite or none (NaN)" in said.err


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.pth", b"", "not a file of weights"),
        ("x.pth", b"text", "not a file of weights"),
        ("x.pth", b"PK\x03\x04", "not a file of weights"),
        ("x.pth", b"\x80\x04K\x01.", "not a file of weights"),
        ("x.safetensors", b"", "not a file of weights"),
        ("x.safetensors", b"\x02\0\0\0\0\0\0\0{}", "another architecture"),
    ],
)
def test_a_file_that_holds_no_weights_is_named(
    synfacs_file: Path, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    settings = [f"init={file}", f"data.root={synfacs_file}", "batch=2", "schedule.warmup=0"]
    settings += ["model.params.size=64", "model.params.align=72"]
    for recipe in ("expression_synfacs", "mdhr_synfacs"):
        with pytest.raises(CheckpointError, match=says):
            train(load_recipe(recipe, settings), None, tmp_path / recipe, show=False)


Damage = Callable[[bytes], bytes | None]
DAMAGES: dict[str, Damage] = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:99] + bytes([content[99] ^ 0xFF]) + content[100:],
    "zeros": lambda content: bytes(len(content)),
    "list": lambda content: b"[]",
    "number": lambda content: b"1",
    "object": lambda content: b"{}",
    "deep": lambda content: b"[" * 100_000,
    "latin": lambda content: b"caf\xe9" + content,
    "folder": lambda content: None,
}
FILES = {  # of a run, and the commands that have to name them
    "recipe.yaml": ("compare", "resume"),
    "report.json": ("compare", "resume"),
    "last.safetensors": ("further",),
    "checkpoint/card.json": ("evaluate",),
    "checkpoint/model.safetensors": ("evaluate",),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_a_run_is_named(
    file: str, damage: str, run: Path, synfacs_file: Path, tmp_path: Path, au: Au
) -> None:
    place = run / file
    content = DAMAGES[damage](place.read_bytes())
    place.unlink()
    if damage == "folder":
        place.mkdir()
    elif content is not None:
        place.write_bytes(content)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text((tiny_recipe(synfacs_file, epochs=1)).model_dump_json(), "utf-8")
    commands: dict[str, list[Any]] = {
        "evaluate": ["evaluate", run],
        "compare": ["compare", run],
        "resume": ["train", recipe, "--fold", 1, "--out", run],
        "further": ["train", recipe, "--set", "epochs=2", "--fold", 1, "--out", run],
    }
    for command in FILES[file]:
        said = au(*commands[command])
        if command != "resume":  # which may do without, or begin anew
            assert said.code == 2
            assert str(run) in said.err
        assert said.code in {0, 2}
        assert all(len(line) < 1500 for line in said.err.splitlines())


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("thresholds", [0.5], "4 AUs and 1 thresholds"),
        ("thresholds", [0.5, 0.5, 0.5, 7], "thresholds.3"),
        ("thresholds", [0.5, 0.5, 0.5, "NaN"], "thresholds.3"),
        ("aus", [3, 1, 2, 6], "unknown AU numbers"),
        ("aus", [1, 1, 2, 6], "each once"),
        ("aus", [], "thresholds"),
        ("fold", 9, "fold"),
        ("selection", "best", "selection"),
        ("spec", [0, 36, [0.5] * 3, [0.5] * 3], "no picture is of"),
        ("spec", [32, 36, [0.5] * 3, [0.0] * 3], "no picture is of"),
        ("spec", [32, 36, [0.5] * 3, [0.5] * 3, 0], "no clip is of"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(
    tmp_path: Path, key: str, value: Any, says: str
) -> None:
    checkpoint.save(*make(tiny_recipe(tmp_path / "x")), tmp_path)
    file = tmp_path / CARD
    values = json.loads(file.read_text())
    del values["seal"]  # somebody has changed it by hand
    file.write_text(json.dumps(values | {key: value}))
    with pytest.raises(CheckpointError, match=says):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aus", []),
        ("aus", [1, 2]),
        ("subjects", ["S001"]),
        ("thresholds", [0.5]),
        ("scores", {}),
        ("confusion", []),
        ("confusion", [[[1, 2]]]),
        ("selection", "best"),
        ("landmarks", {"landmark_error": {"per_au": [], "mean": 1}}),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(
    run: Path, au: Au, key: str, value: Any
) -> None:
    file = run / "report.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    said = au("compare", run)
    assert said.code == 2
    assert f"{file}: damaged" in said.err


@pytest.mark.parametrize("written", ["state.safetensors", "model.safetensors", "log.csv", "card"])
def test_a_full_disk_while_training_loses_nothing(
    written: str, synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe: Recipe = tiny_recipe(synfacs_file, epochs=2)
    replace, count = os.replace, 0

    def full(source: Any, target: Any) -> None:
        nonlocal count
        if written in Path(target).name:
            count += 1
            if count == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    stopped = written in {"state.safetensors", "log.csv"}
    if stopped:
        with pytest.raises(UserError, match=rf"{written}: No space left on device; make room"):
            train(recipe, 1, tmp_path, show=False)
    else:
        train(recipe, 1, tmp_path, show=False)
    monkeypatch.undo()
    assert train(recipe, 1, tmp_path, show=False).report is not None
    assert (tmp_path / LAST).is_file()
    assert not list(tmp_path.glob(".*"))


def test_an_export_that_cannot_be_written_leaves_what_was_there(
    run: Path, tmp_path: Path, au: Au, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model.onnx"
    out.write_bytes(b"before")

    class Program:
        model = SimpleNamespace(metadata_props={})

        def save(self, file: Path) -> None:
            file.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("actionunits.learn.export._trace", lambda *_: Program())
    said = au("export", run, "--out", out)
    assert said.code == 2
    assert f"cannot write {out}: No space left on device" in said.err
    assert out.read_bytes() == b"before"
    assert not list(tmp_path.glob(".*"))


def test_tensors_of_numbers_are_told_from_others(tmp_path: Path) -> None:
    save_file({"a": torch.tensor([torch.inf])}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="a has numbers that are infinite"):
        check_fit(
            {"a": torch.zeros(1)},
            load_file(tmp_path / "x.safetensors"),
            tmp_path / "x.safetensors",
        )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no sizes of files")
def test_a_file_that_may_not_grow_is_named(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(tiny_recipe(synfacs_file, epochs=1).model_dump_json(), "utf-8")
    code = (
        "import resource, sys; from actionunits.cli import main; import actionunits.learn.train\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); main()"
    )
    command = [sys.executable, "-c", code, "train", str(recipe), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "au: cannot write " in done.stderr
    assert "state.safetensors" in done.stderr
    assert "Traceback" not in done.stderr
    train(load_recipe(recipe), None, tmp_path / "run", show=False)
