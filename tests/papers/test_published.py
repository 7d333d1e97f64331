"""The published numbers: all there, as printed, and their contradictions marked."""

import math
from pathlib import Path

import pytest

from actionunits.aus import AUSet
from actionunits.learn.grid import MEAN, UNITS
from actionunits.learn.recipe import list_ablations, list_recipes, load_recipe
from actionunits.papers import published
from actionunits.papers.compare.measured import Measured
from actionunits.papers.published import WHOLE, PublishedTable, find, of_run, tables

# paper, table, data, metric: rows, columns with the average
SHAPES = {
    ("renet", "Table 1", "bp4d", "f1"): (11, 13),
    ("renet", "Table 2", "disfa", "f1"): (10, 9),
    ("renet", "Table 3", "bp4d_plus", "f1"): (2, 13),
    ("renet", "Table 4", "bp4d", "icc"): (7, 6),
    ("renet", "Table 4", "bp4d", "mae"): (7, 6),
    ("renet", "Table 5", "disfa", "icc"): (9, 13),
    ("renet", "Table 5", "disfa", "mae"): (9, 13),
    ("renet", "Table 6", "bp4d", "f1"): (2, 13),
    ("renet", "Table 7", "bp4d", "f1"): (7, 1),
    ("renet", "Table 8", "bp4d", "f1"): (2, 13),
    ("renet", "section 4.6", "bp4d", "f1_gain"): (3, 1),
    ("renet", "section 4.7", "any", "ms_per_image"): (1, 1),
    ("renet", "section 4.7", "any", "images_per_second"): (1, 1),
    ("mgrrnet", "Table II", "disfa", "f1"): (11, 9),
    ("mgrrnet", "Table III", "disfa", "accuracy"): (5, 9),
    ("mgrrnet", "Table III", "disfa", "auc"): (4, 9),
    ("mgrrnet", "Table IV", "bp4d", "f1"): (13, 13),
    ("mgrrnet", "Table V", "bp4d", "accuracy"): (5, 13),
    ("mgrrnet", "Table V", "bp4d", "auc"): (4, 13),
    ("mgrrnet", "Table VI", "disfa", "f1"): (7, 9),
    ("mgrrnet", "Table VII", "disfa", "f1"): (3, 9),
    ("mgrrnet", "Table VIII", "disfa", "landmark_error"): (4, 1),
    ("mgrrnet", "Table VIII", "bp4d", "landmark_error"): (4, 1),
    ("mgrrnet", "section IV-A", "any", "ms_per_image"): (2, 1),
    ("mgrrnet", "section IV-B", "bp4d", "f1_gain"): (1, 1),
    ("mgrrnet", "section IV-C", "disfa", "f1"): (1, 1),
    ("mgrrnet", "section IV-C", "bp4d", "f1"): (3, 1),
    ("gtlenet", "Table 2", "bp4d", "f1"): (19, 13),
    ("gtlenet", "Table 3", "disfa", "f1"): (18, 9),
    ("gtlenet", "Table 4", "bp4d_plus", "f1"): (5, 13),
    ("gtlenet", "Table 5", "bp4d_plus", "f1"): (4, 13),
    ("gtlenet", "Table 6", "bp4d", "f1"): (8, 13),
    ("gtlenet", "section 4.3", "bp4d", "f1_gain"): (3, 1),
    ("gtlenet", "section 4.4", "bp4d", "f1_gain"): (1, 1),
    ("gtlenet", "section 4.4", "any", "parameters"): (1, 1),
    ("sacl", "Table 5", "bp4d", "f1"): (17, 13),
    ("sacl", "Table 5", "bp4d", "accuracy"): (5, 13),
    ("sacl", "Table 6", "disfa", "f1"): (16, 9),
    ("sacl", "Table 6", "disfa", "accuracy"): (5, 9),
    ("sacl", "Table 7", "bp4d", "f1"): (7, 13),
    ("sacl", "section 4.3.1", "bp4d", "f1_gain"): (1, 1),
    ("sacl", "Table 8", "bp4d", "parameters"): (5, 1),
    ("sacl", "Table 8", "bp4d", "multiply_adds"): (5, 1),
    ("sacl", "Table 9", "bp4d", "f1"): (11, 13),
    ("sacl", "section 4.3.3", "bp4d", "parameters"): (1, 1),
    ("sacl", "section 4.3.3", "bp4d", "multiply_adds"): (1, 1),
    ("sacl", "section 4.3.3", "bp4d", "parameters_gain"): (1, 1),
    ("sacl", "section 4.3.3", "bp4d", "multiply_adds_gain"): (1, 1),
    ("sacl", "abstract", "bp4d", "parameters_share"): (1, 1),
    ("sacl", "abstract", "bp4d", "multiply_adds_share"): (1, 1),
    ("sacl", "section 4.2.1", "bp4d", "accuracy_gain"): (1, 1),
    ("mdhr", "Table 1", "bp4d", "f1"): (14, 13),
    ("mdhr", "Table 2", "disfa", "f1"): (14, 9),
    ("mdhr", "Table 3", "bp4d", "f1"): (9, 1),
    ("mdhr", "Table 4", "bp4d", "f1"): (9, 1),
    ("mdhr", "Table 5", "bp4d", "f1"): (5, 1),
}

# typed from the papers, not from the data: paper, table, metric, data, method, column, value
SPOTS = [
    ("renet", "Table 1", "f1", "bp4d", "OF-Net", 12, 88.4),
    ("renet", "Table 1", "f1", "bp4d", "Ours", 4, 66.9),
    ("renet", "Table 1", "f1", "bp4d", "Ours", None, 65.5),
    ("renet", "Table 2", "f1", "disfa", "EAC-net", 9, 80.5),
    ("renet", "Table 2", "f1", "disfa", "LP-Net*", None, 56.9),
    ("renet", "Table 2", "f1", "disfa", "Ours", 25, 86.6),
    ("renet", "Table 3", "f1", "bp4d_plus", "ResNet18", 24, 13.4),
    ("renet", "Table 3", "f1", "bp4d_plus", "Ours", None, 61.8),
    ("renet", "Table 4", "icc", "bp4d", "Joint", 10, 0.80),
    ("renet", "Table 4", "mae", "bp4d", "CCNN-IT", 14, 2.72),
    ("renet", "Table 5", "icc", "disfa", "Ours", 5, 0.82),
    ("renet", "Table 5", "mae", "disfa", "KJRE", 4, 1.86),
    ("renet", "Table 5", "mae", "disfa", "Ours", None, 0.22),
    ("renet", "Table 6", "f1", "bp4d", "row 2", 1, 89.9),
    ("renet", "Table 7", "f1", "bp4d", "Ours+ learnable", None, 63.7),
    ("renet", "Table 8", "f1", "bp4d", "(label lost)", 15, 42.0),
    ("renet", "section 4.7", "images_per_second", "any", "Ours", None, 183),
    ("mgrrnet", "Table II", "f1", "disfa", "HMP-PS*", 1, 21.8),
    ("mgrrnet", "Table II", "f1", "disfa", "Ours", 26, 73.1),
    ("mgrrnet", "Table III", "accuracy", "disfa", "ARL", 25, 97.3),
    ("mgrrnet", "Table III", "auc", "disfa", "Ours", 4, 93.6),
    ("mgrrnet", "Table III", "auc", "disfa", "DRML", None, 52.3),
    ("mgrrnet", "Table IV", "f1", "bp4d", "MLCR", 24, 55.6),
    ("mgrrnet", "Table IV", "f1", "bp4d", "DML*", 7, 80.4),
    ("mgrrnet", "Table IV", "f1", "bp4d", "Ours", None, 63.7),
    ("mgrrnet", "Table V", "accuracy", "bp4d", "JAA", 2, 80.8),
    ("mgrrnet", "Table V", "auc", "bp4d", "SRERL", 14, 64.4),
    ("mgrrnet", "Table VI", "f1", "disfa", "5: D_G O_G C_G", None, 67.4),
    ("mgrrnet", "Table VI", "f1", "disfa", "1", 1, 47.1),
    ("mgrrnet", "Table VII", "f1", "disfa", "K=3", 9, 44.9),
    ("mgrrnet", "Table VIII", "landmark_error", "bp4d", "JAA-Net", None, 3.80),
    ("mgrrnet", "Table VIII", "landmark_error", "disfa", "Ours", None, 3.95),
    ("mgrrnet", "section IV-A", "ms_per_image", "any", "Ours", None, 16.5),
    ("mgrrnet", "section IV-C", "f1", "disfa", "random prior", None, 64.7),
    ("mgrrnet", "section IV-C", "f1", "bp4d", "K=3", None, 63.1),
    ("gtlenet", "Table 2", "f1", "bp4d", "AU-RCNN", 4, 57),
    ("gtlenet", "Table 2", "f1", "bp4d", "CaFNet", 24, 56.2),
    ("gtlenet", "Table 2", "f1", "bp4d", "GTLE-Net", 15, 56.7),
    ("gtlenet", "Table 3", "f1", "disfa", "EAC-Net", 9, 8.5),
    ("gtlenet", "Table 3", "f1", "disfa", "GTLE-Net", None, 66.6),
    ("gtlenet", "Table 4", "f1", "bp4d_plus", "MS-CAM", 4, 25.0),
    ("gtlenet", "Table 5", "f1", "bp4d_plus", "GTLE-Net", 14, 72.3),
    ("gtlenet", "Table 6", "f1", "bp4d", "w/o E_m & E_a", 12, 92.9),
    ("gtlenet", "Table 6", "f1", "bp4d", "w/o pretrain", None, 50.5),
    ("sacl", "Table 5", "f1", "bp4d", "AUFM", 7, 81.5),
    ("sacl", "Table 5", "f1", "bp4d", "Ours", None, 65.6),
    ("sacl", "Table 5", "accuracy", "bp4d", "Ours", 24, 84.6),
    ("sacl", "Table 6", "f1", "disfa", "ME-GraphAU", 4, 76.1),
    ("sacl", "Table 6", "accuracy", "disfa", "UGN-B", None, 93.4),
    ("sacl", "Table 7", "f1", "bp4d", "Baseline", 1, 44.9),
    ("sacl", "Table 7", "f1", "bp4d", "Baseline+DA", 1, 51.4),
    ("sacl", "Table 7", "f1", "bp4d", "Baseline*+MSFL+SBG", 17, 64.5),
    ("sacl", "section 4.3.1", "f1_gain", "bp4d", "Baseline*+SACL over Baseline*", None, 1.3),
    ("sacl", "Table 8", "parameters", "bp4d", "Baseline*+SACL", None, 24.2),
    ("sacl", "Table 8", "multiply_adds", "bp4d", "ME-GraphAU", None, 21.33),
    ("sacl", "Table 9", "f1", "bp4d", "Cosine similarity", 4, 59.4),
    ("sacl", "Table 9", "f1", "bp4d", "GIN", 14, 68.3),
    ("sacl", "Table 9", "f1", "bp4d", "GraphSAGE", None, 64.8),
    ("sacl", "section 4.3.3", "parameters", "bp4d", "Transformer", None, 74.0),
    ("mdhr", "Table 1", "f1", "bp4d", "KS", 7, 81.8),
    ("mdhr", "Table 1", "f1", "bp4d", "Ours (ResNet-50)", 24, 59.3),
    ("mdhr", "Table 1", "f1", "bp4d", "Ours (Swin-B)", None, 66.1),
    ("mdhr", "Table 2", "f1", "disfa", "HSTR-Net", 25, 97.9),
    ("mdhr", "Table 2", "f1", "disfa", "Ours (Swin-B)", 1, 65.4),
    ("mdhr", "Table 3", "f1", "bp4d", "AFE Aux CRM", None, 65.1),
    ("mdhr", "Table 4", "f1", "bp4d", "Cat", None, 64.9),
    ("mdhr", "Table 5", "f1", "bp4d", "Aux + Locally connected", None, 64.2),
]


def key(table: PublishedTable) -> tuple[str, str, str, str]:
    return table.system, table.source, table.data, table.metric


def test_every_table_is_there_in_full() -> None:
    shapes = {key(table): (len(table.rows), len(table.columns)) for table in tables()}
    assert len(shapes) == len(tables())
    assert shapes == SHAPES


@pytest.mark.parametrize("table", tables(), ids=lambda table: " ".join(key(table)))
def test_a_table_is_well_formed(table: PublishedTable) -> None:
    assert table.metric in UNITS
    assert table.columns == (WHOLE,) or table.columns[-1] == MEAN
    assert len({row.method for row in table.rows}) == len(table.rows)
    for row in table.rows:
        assert len(row.values) == len(table.columns)
        top = {"icc": 1.0, "mae": 5.0, "images_per_second": 1e3, "parameters_gain": 1e3}
        for value in row.values:
            assert math.isnan(value) or 0 <= value <= top.get(table.metric, 100.0)


@pytest.mark.parametrize("table", tables(), ids=lambda table: " ".join(key(table)))
def test_printed_averages_are_those_of_their_aus_or_noted(table: PublishedTable) -> None:
    for row in table.rows:
        contradicts = False
        if len(table.columns) > 1 and not any(map(math.isnan, row.values)):
            average = sum(row.values[:-1]) / (len(row.values) - 1)
            contradicts = abs(row.values[-1] - average) > 1.5 * 10**-row.decimals
            if contradicts:
                assert f"its AUs average {average:.{row.decimals}f}" in row.note
                assert f"prints {row.values[-1]:.{row.decimals}f}" in row.note
        assert contradicts == bool(row.note), (row.method, row.note)


@pytest.mark.parametrize("spot", SPOTS, ids=lambda spot: f"{spot[0]} {spot[1]} {spot[4]}")
def test_numbers_are_those_of_the_paper(
    spot: tuple[str, str, str, str, str, int | None, float],
) -> None:
    system, source, metric, data, method, au, value = spot
    (table,) = [t for t in tables() if key(t) == (system, source, data, metric)]
    (row,) = [row for row in table.rows if row.method == method]
    position = -1 if au is None else table.columns.index(AUSet.of([au]).columns()[0])
    assert row.values[position] == value


def test_every_table_has_a_spot() -> None:
    seen = {(system, source) for system, source, *_ in SPOTS}
    assert {(t.system, t.source) for t in tables() if t.source.startswith("Table")} <= seen


def test_keys_of_the_files_name_rows() -> None:
    for file in published.files():
        for entry in published.content(file)["tables"]:
            names = {line.rpartition("|")[0].strip() for line in entry["rows"].splitlines()}
            names = set(entry.get("methods", names))
            assert entry.get("ours", {}).keys() <= names
            assert entry.get("notes", {}).keys() <= names
            assert entry.get("pretraining", {}).keys() <= entry.get("ours", {}).keys()


def test_find_is_tidy() -> None:
    frame = find("bp4d", "f1")
    assert {"paper", "table", "method", "data", "metric", "au", "value", "note"} <= set(frame)
    quoted = find("bp4d", "f1", "jâa net")
    assert set(quoted["paper"]) == {"gtlenet", "mdhr", "mgrrnet", "sacl"}
    assert set(quoted["method"]) == {"JAA-Net", "JÂA-Net"}
    noted = find("disfa", "f1", "HMP-PS*").query("paper == 'mgrrnet'")
    assert noted["note"].str.contains("average 51.1").all()
    assert find("synfacs", "f1").empty
    assert find("bp4d", "f1", "nobody").empty


def test_rows_that_recipes_repeat() -> None:
    found = of_run("mdhr_disfa", "f1")
    assert found is not None
    assert (found[0].source, found[1].values[-1]) == ("Table 2", 64.9)
    found = of_run("mgrrnet_disfa --ablation D_G,prior=random", "f1")
    assert found is not None
    assert (found[0].source, found[1].values[-1]) == ("section IV-C", 64.7)
    assert of_run("mdhr_disfa", "auc") is None
    assert of_run("renet_synfacs", "f1") is None


def test_recipes_of_rows_exist_and_are_of_the_table() -> None:
    for table in tables():
        for row in table.rows:
            if row.run is None:
                continue
            name, _, ablation = row.run.partition(" --ablation ")
            assert name in list_recipes()
            assert not ablation or ablation in list_ablations(name), row.run
            recipe = load_recipe(name, ablation=ablation or None)
            assert (
                str(Measured(Path(), recipe, ()).variant) == row.run
            )  # a run of it is known again
            assert recipe.model.name == table.system
            assert table.data in {recipe.data.name, "any"}


def test_prose_that_has_numbers_of_its_own() -> None:
    ours = {
        (t.source, row.method): row.values
        for t in tables()
        for row in t.rows
        if t.system in {"renet", "gtlenet"} and not t.source.startswith("Table")
    }
    assert ours["section 4.6", "ResNet18 + DA over w/o DA"] == (1.3,)
    assert ours["section 4.4", "CNN block of w/o E_m & w. CNN"] == (16.6,)
