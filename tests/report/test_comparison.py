"""Two groups: the effect sizes against SciPy's distributions, and what is refused."""

from math import gamma, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import nobody, table
from scipy import stats

from actionunits.errors import DataError, UserError
from actionunits.report.data import files
from actionunits.report.groups import assigned, compare, hedges, read_groups

scores = st.lists(st.floats(0, 5), min_size=2, max_size=12)


def read(*tables):
    return files(list(tables), report=pytest.fail)


def members(tables, **columns):
    return assigned(read(*tables), pd.DataFrame(columns))[0]


@settings(max_examples=150, deadline=None)
@given(scores, scores)
def test_effects_are_those_of_the_textbook(first, second):
    n1, n2 = len(first), len(second)
    pooled = sqrt(
        ((n1 - 1) * np.var(first, ddof=1) + (n2 - 1) * np.var(second, ddof=1)) / (n1 + n2 - 2)
    )
    found = hedges(np.array(first)[:, None], np.array(second)[:, None])
    if pooled < 1e-3:
        return  # whether it varies at all is a matter of rounding
    freedom = n1 + n2 - 2
    correction = gamma(freedom / 2) / (sqrt(freedom / 2) * gamma((freedom - 1) / 2))
    d = (np.mean(first) - np.mean(second)) / pooled
    assert found.g[0] == pytest.approx(correction * d, rel=1e-6, abs=1e-9)
    width = sqrt(1 / n1 + 1 / n2)
    if abs(d / width) > 20:
        return  # SciPy's own distribution loses its digits out there
    for end, share in ((found.low[0], 0.975), (found.high[0], 0.025)):
        shift = end / correction / width
        assert stats.nct.cdf(d / width, freedom, shift) == pytest.approx(share, abs=1e-4)


def test_an_interval_that_leaves_out_nothing_is_that_of_the_t_test():
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, 1, (8, 40)), rng.normal(0.7, 1, (6, 40))
    found = hedges(first, second)
    differ = stats.ttest_ind(first, second).pvalue < 0.05
    assert ((found.low > 0) | (found.high < 0)).tolist() == differ.tolist()
    assert differ.any()
    assert not differ.all()


def test_groups_the_other_way_round_change_the_sign():
    rng = np.random.default_rng(2)
    first, second = rng.uniform(0, 5, (5, 3)), rng.uniform(0, 5, (4, 3))
    there, back = hedges(first, second), hedges(second, first)
    assert np.allclose(there.g, -back.g)
    assert np.allclose(there.low, -back.high)


@pytest.mark.parametrize(
    ("first", "second"), [([1.0], [2.0, 3]), ([2.0, 2, 2], [2.0, 2]), ([0.1] * 3, [0.3] * 3)]
)
def test_what_does_not_vary_has_no_effect_size(first, second):
    found = hedges(np.array(first)[:, None], np.array(second)[:, None])
    assert np.isnan([found.g, found.low, found.high]).all()


def test_a_value_that_is_missing_leaves_the_others():
    first = np.array([[1.0, 1], [2, 2], [4, np.nan], [5, 5]])
    second = np.array([[2.0, 2], [3, 3]])
    both, fewer = hedges(first, second), hedges(first[[0, 1, 3]], second)
    assert both.g[1] == pytest.approx(fewer.g[1])


def test_the_unit_is_the_person_never_the_frame():
    tables = [
        table(30, source="a1.mp4", AU12=4.0),
        table(90, source="a2.mp4", AU12=2.0),
        table(60, source="b.mp4", AU12=1.0),
        table(60, source="c.mp4", AU12=1.5),
        table(60, source="d.mp4", AU12=1.1),
    ]
    names = ["a1.mp4", "a2.mp4", "b.mp4", "c.mp4", "d.mp4"]
    chosen = members(tables, input=names, group=list("xxxyy"), person=["a", "a", "b", "c", "d"])
    found = compare(read(*tables), chosen)
    row = found.table.set_index(["measure", "AU"]).loc[("mean", "AU12")]
    assert (row["n_1"], row["n_2"]) == (2, 2)
    assert row["mean_1"] == pytest.approx((2.5 + 1.0) / 2, abs=0.02)  # a: of 120 frames
    assert found.units == (["a", "b"], ["c", "d"])
    assert found.graded


def test_the_face_seen_longest_counts_unless_another_is_named():
    two = pd.concat([table(40, AU12=1.0), table(20, face=1, AU12=4.0)])
    tables = [two, table(source="b.mp4"), table(source="c.mp4"), table(source="d.mp4")]
    names, groups = ["a", "b", "c", "d"], list("xxyy")
    first = compare(read(*tables), members(tables, input=names, group=groups))
    assert "several faces" in first.warnings[0]
    other = members(tables, input=names, group=groups, face_id=["1", "0", "0", "0"])
    second = compare(read(*tables), other)
    means = [
        found.table.set_index(["measure", "AU"]).loc[("mean", "AU12"), "mean_1"]
        for found in (first, second)
    ]
    assert means[1] - means[0] == pytest.approx(1.5, abs=0.05)
    with pytest.raises(UserError, match="b.mp4 has no face 7; it has 0"):
        compare(
            read(*tables),
            members(tables, input=names, group=groups, face_id=["1", "7", "0", "0"]),
        )


def test_files_without_faces_are_left_out_and_named():
    tables = [table(source=f"{name}.mp4", seed=ord(name)) for name in "abcd"]
    tables.append(nobody(source="e.mp4"))
    found = compare(read(*tables), members(tables, input=list("abcde"), group=list("xxyyy")))
    assert "No face was read in e.mp4" in found.warnings[0]
    assert found.units == (["a.mp4", "b.mp4"], ["c.mp4", "d.mp4"])


def test_what_cannot_be_compared_is_refused():
    likely = table(source="b.mp4").drop(columns=[n for n in table() if n.endswith("_r")])
    tables = [table(), likely]
    chosen = members(tables, input=["a", "b"], group=["x", "y"])
    with pytest.raises(UserError, match="some tables have intensities"):
        compare(read(*tables), chosen)
    tables = [table(), table(source="b.mp4")]
    torn = members(tables, input=["a", "b"], group=["x", "y"], person=["p", "p"])
    with pytest.raises(UserError, match="p in both groups"):
        compare(read(*tables), torn)
    with pytest.raises(UserError, match="y has none of the files"):
        members([table()], input=["a", "b"], group=["x", "y"])


def test_files_and_lines_that_fit_nowhere_are_named():
    tables = [table(source=f"clips/{name}.mp4") for name in "abc"]
    found, warnings = assigned(
        read(*tables), pd.DataFrame({"input": ["a.mov", "b", "z"], "group": ["x", "y", "y"]})
    )
    assert found["file"].tolist() == [0, 1]
    assert warnings[0].startswith("1 file in no group, and in no comparison: c.mp4")
    assert warnings[1].startswith("1 line of the table of groups without a file: z")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,group\na,x\n", "input is missing; found file, group"),
        ("input,group\na,x\nb,\n", ":3: a cell is empty"),
        ("input,group\na,x\na,y\n", ":3: a is there twice"),
        ("input,group\na,x\nb,x\n", "expected two groups, found 1"),
        ("input,group\na,x\nb,y\nc,z\n", "expected two groups, found 3"),
        ("input,group,face_id\na,x,0\nb,y,one\n", ":3: expected the number of a face"),
        ("", "expected a table"),
    ],
)
def test_wrong_tables_of_groups_are_named(tmp_path: Path, text: str, said: str):
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_groups(tmp_path / "groups.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_groups(tmp_path / "none.csv")


def test_groups_may_be_written_by_any_spreadsheet(tmp_path: Path):
    text = "Input;Group;Person\r\né.mp4; before ;P1\r\nb;after;P2\r\n"
    (tmp_path / "groups.csv").write_bytes(text.encode("cp1252"))
    found = read_groups(tmp_path / "groups.csv")
    assert found["input"].tolist() == ["é.mp4", "b"]
    assert found["group"].tolist() == ["before", "after"]
