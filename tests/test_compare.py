"""Runs beside their papers and beside each other, on hand-made reports."""

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from actionunits import aus
from actionunits.cli.compare import compare as command
from actionunits.compare import compare, measured, read_run
from actionunits.compare.show import grids
from actionunits.errors import RecipeError
from actionunits.metrics import F1
from actionunits.recipe import Recipe, parse_recipe
from actionunits.report import PlainReport, Report, Score
from actionunits.train import train
from runs import tiny_recipe

BP4D = aus.BP4D12.numbers


def recipe(
    model: str = "renet",
    data: str = "bp4d",
    params: dict[str, Any] | None = None,
    threshold: float | None = None,
    **changes: Any,
) -> Recipe:
    values: dict[str, Any] = {
        "about": "for tests",
        "model": {"name": model, "params": params or {}},
        "data": {"name": data, "threshold": threshold},
        "loss": {"occurrence": 1.0},
        "epochs": 2,
        "batch": 4,
    }
    return parse_recipe(values | changes, "test")


def report(
    fold: int,
    numbers: Sequence[int] = BP4D,
    seed: int = 0,
    template: str = "affine49",
    **scores: Score,
) -> Report:
    """Report of a fold: 6 subjects whose counts are drawn, placed as in RE-Net's paper."""
    rng = np.random.default_rng(100 * seed + fold)
    counts = rng.integers(20, 200, (6, len(numbers), 4))
    total = counts.sum(0)
    f1 = 2 * total[:, 0] / (2 * total[:, 0] + total[:, 1] + total[:, 2])
    return Report(
        title=f"fold {fold}",
        selection="last",
        aus=tuple(numbers),
        subjects=tuple(f"F{fold}{i}" for i in range(6)),
        frames=int(counts[:, 0].sum()),
        template=template,
        thresholds=(0.5,) * len(numbers),
        scores={"f1": Score(per_au=f1.tolist(), mean=float(f1.mean())), **scores},
        confusion=counts.tolist(),
    )


def located(fold: int, error: float) -> Report:
    """Report of a fold whose model also predicted landmarks."""
    scores = {"landmark_error": error, "landmark_failure": 0.0}
    whole = {name: Score(per_au=[], mean=value) for name, value in scores.items()}
    return report(fold).model_copy(update={"landmarks": whole})


def write_run(folder: Path, of: Recipe, result: Report | PlainReport | None) -> Path:
    folder.mkdir(parents=True)
    values = of.model_dump(mode="json")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    if result is not None:
        (folder / "report.json").write_text(result.to_json(), encoding="utf-8")
    return folder


def write_crossval(
    folder: Path, of: Recipe, numbers: Sequence[int] = BP4D, seed: int = 0, finished: int = 3
) -> Path:
    for fold in (1, 2, 3):
        done = report(fold, numbers, seed) if fold <= finished else None
        write_run(folder / f"fold{fold}", of, done)
    return folder


@pytest.fixture(autouse=True)
def packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the recipes of the package."""
    known = [("renet_bp4d", "", recipe())]
    known += [
        ("renet_bp4d", f"relation={name}", recipe(params={"relation": name}))
        for name in ("none", "learnable", "identity")
    ]
    known += [("renet_bp4d_intensity", "", recipe(params={"task": "intensity"}))]
    known += [("renet_disfa", "", recipe(data="disfa", threshold=1))]
    known += [("sacl_disfa", "", recipe("sacl", "disfa", init="imagenet"))]
    known += [("mgrrnet_bp4d", "", recipe("mgrrnet"))]
    known += [("gtlenet_bp4d", "freeze_encoder", recipe("gtlenet", params={"freeze": True}))]

    def named(model: str, data: str) -> list[tuple[str, str, Recipe]]:
        return [one for one in known if (one[2].model.name, one[2].data.name) == (model, data)]

    monkeypatch.setattr(measured, "_named", named)


def shown(folders: Sequence[Path], width: int = 100, metric: str = "f1") -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    for grid in grids(compare(folders, metric)):
        console.print(grid.to_table())
        for line in grid.lines:
            console.print(line, markup=False)
    return console.export_text()


def test_a_cross_validation_stands_beside_its_paper(tmp_path: Path) -> None:
    folder = write_crossval(tmp_path / "ours", recipe())
    (pair,) = compare([folder]).papers
    assert pair.reference == "renet Table 1, Ours"
    assert list(pair.frame.index) == [*aus.BP4D12.columns(), "mean"]
    folds = [report(fold).scores["f1"].per_au for fold in (1, 2, 3)]
    expected = 100 * np.mean(folds, 0)
    np.testing.assert_allclose(pair.frame["value"][:-1], expected)
    assert pair.frame.loc["mean", "value"] == pytest.approx(expected.mean())
    assert pair.frame.loc["AU04", "reference"] == 66.9
    assert pair.frame.loc["mean", "reference"] == 65.5
    np.testing.assert_allclose(
        pair.frame["difference"], pair.frame["value"] - pair.frame["reference"]
    )
    assert (pair.frame["low"] < pair.frame["value"]).all()
    assert (pair.frame["value"] < pair.frame["high"]).all()
    # alike in all but what the paper does not say
    assert [reason.partition(",")[0] for reason in pair.unlike] == ["epoch by the rule 'last'"]


def test_the_interval_of_one_fold_is_that_of_its_report(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", recipe(), report(1))
    counts = np.array(report(1).confusion)
    metric = F1(len(BP4D), len(counts))
    metric.sums += torch.tensor(counts)
    ends = np.quantile(metric.bootstrap().numpy(), [0.025, 0.975], axis=0)
    frame = compare([folder]).papers[0].frame
    np.testing.assert_allclose(frame["low"][:-1], 100 * ends[0])
    np.testing.assert_allclose(frame["high"][:-1], 100 * ends[1])


def test_an_ablation_stands_beside_its_own_row(tmp_path: Path) -> None:
    one = write_crossval(tmp_path / "a", recipe(params={"relation": "learnable"}))
    other = write_crossval(tmp_path / "b", recipe(params={"relation": "none"}))
    neither = write_crossval(tmp_path / "c", recipe(params={"relation": "identity"}))
    papers = compare([one, other, neither]).papers
    assert papers[0].reference == "renet Table 7, Ours+ learnable"
    assert papers[0].frame.loc["mean", "reference"] == 63.7
    assert papers[0].frame["reference"][:-1].isna().all()  # printed without its AUs
    assert papers[1].reference == "renet Table 1, ResNet18"
    assert papers[2].reference is None
    assert papers[2].unlike == ("no published f1 of renet_bp4d --ablation relation=identity",)


@pytest.mark.parametrize(
    ("of", "numbers", "folds", "reason"),
    [
        (recipe(), BP4D, 1, "1 fold, published: the mean of 3"),
        (recipe(), BP4D[:-1], 3, "other AUs: without AU24"),
        (recipe(), (*BP4D, 25), 3, "other AUs: also trained on AU25"),
        (recipe(selection={"rule": "best_on_test"}), BP4D, 3, "CHOSEN ON THE TEST SUBJECTS"),
        (recipe(epochs=3), BP4D, 3, "other settings than renet_bp4d: epochs"),
        (
            recipe(data="disfa", threshold=2),
            aus.DISFA8.numbers,
            3,
            "from intensity 2 on, published: 1",
        ),
        (recipe("sacl", "disfa"), aus.DISFA8.numbers, 3, "other settings than sacl_disfa: init"),
        (recipe("sacl", "disfa"), aus.DISFA8.numbers, 3, "from random weights, published: from Im"),
        (recipe("gtlenet", params={"freeze": True}), BP4D, 3, "row contradicts itself: prints"),
    ],
)
def test_what_is_not_alike_is_said(
    of: Recipe, numbers: Sequence[int], folds: int, reason: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    if folds == 3:
        write_crossval(folder, of, numbers)
    else:
        write_run(folder, of, report(1, numbers))
    (pair,) = compare([folder]).papers
    assert pair.reference is not None
    assert any(reason in text for text in pair.unlike), pair.unlike
    assert f"not like for like: {pair.unlike[0]}" in shown([folder], 400)


def test_how_faces_were_prepared_is_said(tmp_path: Path) -> None:
    of = recipe()
    for fold in (1, 2, 3):
        prepared = {"lost": fold - 1, "found": 400 * fold}
        done = report(fold, template="canonical").model_copy(update=prepared)
        write_run(tmp_path / "ours" / f"fold{fold}", of, done)
    (pair,) = compare([tmp_path / "ours"]).papers
    frames = sum(report(fold).frames for fold in (1, 2, 3))
    assert "faces placed by the template canonical, published: affine49" in pair.unlike
    assert f"3 of {frames + 3:,} frames were lost in preparation" in pair.unlike
    assert f"landmarks of 2,400 of {frames:,} faces are what our own model found" in pair.unlike
    assert all(
        f"not like for like: {why}" in shown([tmp_path / "ours"], 400) for why in pair.unlike
    )
    (facts,) = compare([tmp_path / "ours"]).to_dict()["runs"]
    assert (facts["template"], facts["lost"], facts["found"]) == ("canonical", 3, 2400)

    whole = write_crossval(tmp_path / "whole", of)
    unlike = compare([whole, tmp_path / "ours"]).together[1].unlike
    assert "faces placed by the template canonical, the first: affine49" in unlike
    assert (
        f"3 of {frames + 3:,} frames were lost in preparation, the first: 0 of {frames:,}" in unlike
    )
    unpublished = write_run(tmp_path / "own", recipe(data="csv"), done)
    text = shown([unpublished], 400)
    assert "nothing published on csv" in text
    assert f"2 of {done.frames + 2:,} frames were lost in preparation" in text


def test_means_are_of_the_aus_in_common(tmp_path: Path) -> None:
    folder = write_crossval(tmp_path / "run", recipe(), BP4D[:2])
    frame = compare([folder]).papers[0].frame
    assert list(frame.index) == ["AU01", "AU02", "mean"]
    assert frame.loc["mean", "reference"] == pytest.approx((57.7 + 59.0) / 2)
    assert frame.loc["mean", "value"] == pytest.approx(frame["value"].iloc[:2].mean())


def test_embedded_corpus_has_no_counterpart(tmp_path: Path) -> None:
    of = recipe(data="synfacs")
    one = write_crossval(tmp_path / "one", of)
    (pair,) = compare([one]).papers
    assert pair.reference is None
    assert pair.unlike == ("nothing published on synfacs",)
    text = shown([one])
    assert "nothing published on synfacs" in text
    assert "published " not in text.splitlines()[2]  # no empty columns


def test_runs_stand_beside_the_first(tmp_path: Path) -> None:
    of = recipe(data="synfacs")
    first = write_crossval(tmp_path / "first", of)
    second = write_crossval(tmp_path / "second", of, seed=1)
    comparison = compare([first, second])
    zero, pair = comparison.together
    assert (zero.reference, pair.reference) == (None, "first")
    assert pair.unlike == ()
    np.testing.assert_allclose(
        pair.frame["difference"], pair.frame["value"] - zero.frame["value"], atol=1e-9
    )
    frame = pair.frame
    assert (frame["difference_low"] < frame["difference"]).all()
    assert (frame["difference"] < frame["difference_high"]).all()
    same = compare([first, write_crossval(tmp_path / "again", of)]).together[1].frame
    assert (same[["difference", "difference_low", "difference_high"]] == 0).all(axis=None)


def test_all_scores_of_runs_are_averaged_over_their_common_aus(tmp_path: Path) -> None:
    auc = Score(per_au=[0.5, 0.75, math.nan, 0.25], mean=0.5)
    write_run(tmp_path / "one", recipe(), report(1, (1, 2, 4, 6), auc=auc))
    write_run(tmp_path / "two", recipe(), report(1, (2, 4, 6, 12)))
    comparison = compare([tmp_path / "one", tmp_path / "two"])
    means = comparison.means()
    assert means.loc["one", "auc"] == 0.5  # of AUs 2 and 6; AU 4 has none
    expected = np.mean(report(1, (1, 2, 4, 6)).scores["f1"].per_au[1:])
    assert means.loc["one", "f1"] == pytest.approx(expected)
    assert math.isnan(means.loc["two", "auc"])
    assert means["icc"].isna().all()
    assert comparison.to_dict()["means"][1].keys() == {"f1"}
    text = shown([tmp_path / "one", tmp_path / "two"])
    lines = [line for line in text.splitlines() if line.startswith((" 1 one", " 2 two"))]
    assert "Means over 3 AUs" in text
    assert "ICC" not in text
    assert [line.split()[-1] for line in lines] == [".500", "-"]


def test_runs_on_other_subjects_have_no_paired_interval(tmp_path: Path) -> None:
    of = recipe(data="synfacs")
    first = write_crossval(tmp_path / "first", of)
    pair = compare([first, first / "fold2"]).together[1]
    assert pair.frame["difference_low"].isna().all()
    assert pair.unlike == ("other test subjects (1 and 3 folds)",)
    assert pair.run == "first/fold2"


def test_runs_with_other_aus_and_settings(tmp_path: Path) -> None:
    first = write_crossval(tmp_path / "first", recipe(data="synfacs"))
    other = recipe("sacl", data="synfacs", threshold=1, epochs=9)
    second = write_crossval(tmp_path / "second", other, (25, 12, 1))
    zero, pair = compare([first, second]).together
    assert list(pair.frame.index) == ["AU01", "AU12", "mean"] == list(zero.frame.index)
    expected = 100 * np.mean([report(fold).scores["f1"].per_au for fold in (1, 2, 3)], 0)
    assert zero.frame.loc["AU12", "value"] == pytest.approx(expected[BP4D.index(12)])
    assert pair.unlike == (
        "also trained on AUs 25, which others lack and means leave out",
        "threshold 1.0, the first: None",
        "9 epochs, the first: 2",
    )


def test_intensities_use_the_intervals_of_the_report(tmp_path: Path) -> None:
    numbers = aus.BP4D_INTENSITY5.numbers
    icc = Score(
        per_au=[0.5] * 5,
        mean=0.5,
        intervals=[[0.4, 0.6]] * 5,
        mean_interval=[0.45, 0.55],
    )
    folder = write_run(
        tmp_path / "run", recipe(params={"task": "intensity"}), report(1, numbers, icc=icc)
    )
    assert compare([folder]).papers[0].reference is None  # F1 is published of occurrence only
    (pair,) = compare([folder], "icc").papers
    assert pair.reference == "renet Table 4, Ours"
    assert pair.frame.loc["AU10", ["value", "low", "high", "reference"]].tolist() == [
        0.5,
        0.4,
        0.6,
        0.88,
    ]
    assert pair.frame.loc["mean", "low"] == 0.45
    assert "0.50 [0.40 0.60]" in shown([folder], metric="icc")


@pytest.mark.parametrize("count", [1, 2, 3, 6, 8])
def test_tables_fit_a_terminal(count: int, tmp_path: Path) -> None:
    numbers = aus.ALL.numbers
    of = recipe("mgrrnet", data="synfacs")
    folders = [
        write_crossval(tmp_path / f"a_long_name_of_a_run-{i}", of, numbers, seed=i)
        for i in range(count)
    ]
    text = shown(folders, 80 if count == 1 else 100)
    assert "…" not in text
    for number in range(2, count + 1):
        assert f"{number} - 1" in text
    tables = [grid.to_table() for grid in grids(compare(folders))]
    for table in tables:
        assert Console(width=200).measure(table).maximum <= (80 if count == 1 else 100)


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
    assert compare([other]).papers[0].unlike == ("no AU in common with renet Table 1",)
    with pytest.raises(RecipeError, match=r"expected icc, found f1"):
        compare([one], "icc")
    with pytest.raises(RecipeError, match=r"expected one of the metrics f1.*'speed'"):
        compare([one], "speed")


def test_errors_of_landmarks_stand_beside_the_papers(tmp_path: Path) -> None:
    of = recipe("mgrrnet")
    for fold, error in ((1, 4.0), (2, 5.0), (3, 6.0)):
        write_run(tmp_path / f"fold{fold}", of, located(fold, error))
    assert "mean error 5.00 % of the inter-ocular distance" in shown([tmp_path], 200)
    assert "published: 4.01 % (Table VIII, Ours)" in shown([tmp_path], 200)
    (facts,) = compare([tmp_path]).to_dict()["runs"]
    assert facts["landmark_error"] == 5
    assert "mean error" not in shown([write_crossval(tmp_path / "renet", recipe())])
