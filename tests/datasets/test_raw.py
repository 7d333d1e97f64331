"""RawTable: what it refuses."""

from pathlib import Path

import pandas as pd
import pytest

from actionunits import datasets, plugins
from actionunits.aus import AUSet
from actionunits.data.prepared import Excluded
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError

ROWS = pd.DataFrame(
    {
        "subject": ["S1", "S1", "S2"],
        "task": "T1",
        "frame": [1, 2, 1],
        "file": "x.jpg",
        "position": 0,
        "AU04": [0.0, 1.0, float("nan")],
        "AU12_intensity": [0.0, 2.5, 5.0],
    }
)


def table(rows: pd.DataFrame, excluded: tuple[Excluded, ...] = ()) -> RawTable:
    return RawTable("x", Path("root"), rows, AUSet.of([4]), AUSet.of([12]), excluded=excluded)


def test_sequences_come_in_order() -> None:
    good = table(ROWS)
    assert good.label_columns() == ["AU04", "AU12_intensity"]
    assert [(s, t, list(rows.index)) for s, t, rows in good.sequences()] == [
        ("S1", "T1", [0, 1]),
        ("S2", "T1", [2]),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS.drop(columns="AU12_intensity"), "lack AU12_intensity"),
        (ROWS.assign(subject="S1"), "listed more than once: 1 frame, the first is S1/T1/1"),
        (ROWS.assign(AU04=[0, 0.5, 1]), "expected AU04 from 0 to 1.*found 0.5 at S1/T1/2"),
        (ROWS.assign(AU12_intensity=[0, 1, 6]), "from 0 to 5.*found 6 at S2/T1/1"),
    ],
)
def test_broken_promises_are_named(rows: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table(rows)


def test_an_empty_table_says_why() -> None:
    with pytest.raises(DataError, match="no frame of x can be used: S1/T1: no video"):
        table(ROWS[:0], (Excluded("S1/T1", 3, "no video"),))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"subject": ["S1", None, "S2"]}, "none of 1 frame"),
        ({"frame": [1, None, 1]}, "none of 1 frame"),
        ({"AU04": ["0", "x", ""]}, "expected numbers in AU04"),
        ({"AU12_intensity": [[1], {}, None]}, "expected numbers in AU12_intensity"),
    ],
)
def test_cells_of_another_kind_are_refused(changed: dict[str, list[object]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        table(ROWS.assign(**changed))


def test_rows_without_any_code_are_refused() -> None:
    with pytest.raises(DataError, match="no AU is coded"):
        RawTable("x", Path("root"), ROWS, None, None)


def test_a_reader_of_another_package_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(root: Path) -> RawTable:
        raise KeyError(root)

    monkeypatch.setattr(plugins, "names", lambda group: ["smiles"])
    monkeypatch.setattr(plugins, "load", lambda group, name: read)
    with pytest.raises(plugins.PluginError, match=r"smiles: .*failed \(KeyError: "):
        datasets.read_raw("smiles", "x")
