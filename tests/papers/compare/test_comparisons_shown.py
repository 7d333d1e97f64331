"""Comparisons as tables, files and messages."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from handmade import recipe, report, shown, write_crossval, write_run
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from actionunits import aus
from actionunits.cli.compare import compare as command
from actionunits.errors import RecipeError
from actionunits.learn.report import PlainReport, Report
from actionunits.learn.train import train
from actionunits.papers.compare import compare, read_run
from actionunits.papers.compare.show import grids
from runs import tiny_recipe


@pytest.mark.parametrize("count", [1, 2, 3, 6, 8])
def test_tables_fit_a_terminal(count: int, tmp_path: Path) -> None:
    numbers = aus.ALL.numbers
    of = recipe("mgrrnet", data="synfacs")
    folders = [
        write_crossval(tmp_path / f"a_long_name_of_a_run-{i}", of, numbers, seed=i)
        for i in range(count)
    ]
    text = shown(folders, 80)
    assert "…" not in text
    for number in range(2, count + 1):
        assert f"{number} - 1" in text
    tables = [grid.to_table() for grid in grids(compare(folders))]
    for table in tables:
        assert Console(width=200).measure(table).maximum <= 80


def test_published_tables_fit_80_columns(tmp_path: Path) -> None:
    text = shown([write_crossval(tmp_path / "run", recipe())], 80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    row = next(line for line in text.splitlines() if "Brow lowerer" in line)
    assert "66.9" in row


def test_frames_and_json(tmp_path: Path) -> None:
    one = write_crossval(tmp_path / "one", recipe())
    two = write_crossval(tmp_path / "two", recipe(), seed=1)
    comparison = compare([one, two])
    frame = comparison.to_frame()
    assert len(frame) == 4 * 13
    assert frame.columns[:4].tolist() == ["run", "reference", "metric", "au"]
    assert not frame["like_for_like"][:13].any()
    text = json.dumps(comparison.to_dict(), allow_nan=False)
    values = json.loads(text)
    assert values["runs"][0]["recipe"] == "renet_bp4d"
    assert values["published"][1]["rows"]["AU01"]["reference"] == 57.7
    assert values["published"][1]["rows"]["AU01"]["difference_low"] is None
    assert values["side_by_side"][0]["reference"] is None


def test_command(tmp_path: Path) -> None:
    app = Typer()
    app.command()(command)
    run = str(write_crossval(tmp_path / "run", recipe()))
    says = CliRunner().invoke(app, [run, "--markdown"])
    assert says.exit_code == 0
    assert "| 4 Brow lowerer |" in says.output.replace("|  4", "| 4")
    assert "not like for like: epoch by the rule" in says.output
    says = CliRunner().invoke(app, [run, "--json", "--csv", str(tmp_path / "out.csv")])
    assert json.loads(says.output)["metric"] == "f1"
    assert len(pd.read_csv(tmp_path / "out.csv")) == 13
    assert "renet Table 1, Ours" in CliRunner().invoke(app, [run]).output


def test_a_real_run(synfacs_file: Path, tmp_path: Path) -> None:
    trained = train(tiny_recipe(synfacs_file, epochs=1), 1, tmp_path / "run", show=False)
    frame = compare([tmp_path / "run"]).papers[0].frame
    assert isinstance(trained.report, Report)
    f1 = trained.report.scores["f1"]
    expected = np.array([*f1.per_au, f1.mean])
    np.testing.assert_allclose(frame["value"], 100 * expected)
    ends = np.array([*f1.intervals, f1.mean_interval])
    np.testing.assert_allclose(frame[["low", "high"]], 100 * ends)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere: expected the folder of a run"):
        read_run(tmp_path / "nowhere")
    half = write_crossval(tmp_path / "half", recipe(), finished=2)
    with pytest.raises(RecipeError, match=r"fold3: found no scores.*finished folds one by one"):
        read_run(half)
    with pytest.raises(RecipeError, match=r"found no scores.*with --fold"):
        read_run(write_run(tmp_path / "all", recipe(), None))
    plain = PlainReport(title="t", selection="last", unit="triplets", count=1, scores={})
    with pytest.raises(RecipeError, match=r"expected scores of AUs, found those of triplets"):
        read_run(write_run(tmp_path / "stage1", recipe(), plain))
    damaged = write_run(tmp_path / "damaged", recipe(), report(1))
    (damaged / "report.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecipeError, match="damaged"):
        read_run(damaged)
    one = write_run(tmp_path / "one", recipe(), report(1))
    other = write_run(tmp_path / "other", recipe(), report(1, (25, 26)))
    with pytest.raises(RecipeError, match=r"none in common: .*one reads 1, 2.*reads 25, 26"):
        compare([one, other])
    assert compare([other]).papers[0].unlike[0] == "no AU in common with renet Table 1"
    with pytest.raises(RecipeError, match=r"expected icc, found f1"):
        compare([one], "icc")
    with pytest.raises(RecipeError, match=r"expected one of the metrics f1.*'speed'"):
        compare([one], "speed")
