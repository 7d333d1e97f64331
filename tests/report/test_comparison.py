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
from actionunits.report.effects import hedges, hedges_paired
from actionunits.report.groups import assigned, compare, conditions, read_groups

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
        shift = end / width
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


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=3, max_size=12))
def test_effects_within_people_are_those_of_the_textbook(pairs):
    first, second = np.array(pairs).T
    between = first - second
    found = hedges_paired(first[:, None], second[:, None])
    if (spread := between.std(ddof=1)) < 1e-3:
        return  # whether it varies at all is a matter of rounding
    n = len(pairs)
    correction = gamma((n - 1) / 2) / (sqrt((n - 1) / 2) * gamma((n - 2) / 2))
    assert found.g[0] == pytest.approx(correction * between.mean() / spread, rel=1e-6, abs=1e-9)
    t = between.mean() / spread * sqrt(n)
    if abs(t) > 20:
        return  # SciPy's own distribution loses its digits out there
    for end, share in ((found.low[0], 0.975), (found.high[0], 0.025)):
        assert stats.nct.cdf(t, n - 1, end * sqrt(n)) == pytest.approx(share, abs=1e-4)


def test_an_interval_within_people_that_leaves_out_nothing_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(1)
    people = rng.normal(0, 2, (9, 1))  # who differ more than the conditions do
    first, second = people + rng.normal(0, 1, (9, 40)), people + rng.normal(0.8, 1, (9, 40))
    found = hedges_paired(first, second)
    differ = stats.ttest_rel(first, second).pvalue < 0.05
    assert ((found.low > 0) | (found.high < 0)).tolist() == differ.tolist()
    assert differ.any()
    assert not differ.all()
    assert np.abs(found.g).mean() > np.abs(hedges(first, second).g).mean()


def test_intervals_hold_the_true_effect_as_often_as_they_say():
    rng = np.random.default_rng(3)
    for found in (
        hedges(rng.normal(0.8, 1, (4, 4000)), rng.normal(0, 1, (7, 4000))),
        hedges_paired(rng.normal(0.8, 1, (5, 4000)), np.zeros((5, 4000))),
    ):
        held = (found.low < 0.8) & (found.high > 0.8)
        assert held.mean() == pytest.approx(0.95, abs=0.012)
        assert found.g.mean() == pytest.approx(0.8, abs=0.05)  # no bias of small samples


@pytest.mark.parametrize("paired", [False, True])
def test_wider_intervals_hold_all_effects_together(paired: bool):
    rng = np.random.default_rng(4)
    tries, aus = 400, 12
    measured = hedges_paired if paired else hedges
    first, second = rng.normal(0.8, 1, (8, tries * aus)), rng.normal(0, 1, (8, tries * aus))
    of_all = measured(first, np.zeros_like(first) if paired else second, 1 - 0.05 / aus)
    held = ((of_all.low < 0.8) & (of_all.high > 0.8)).reshape(tries, aus).all(axis=1)
    assert held.mean() == pytest.approx(0.95, abs=0.035)


def test_a_comparison_has_the_intervals_of_one_and_of_all():
    rng = np.random.default_rng(5)
    tables = [
        table(20, source=f"{name}{i}.mp4", AU04=rng.uniform(0, 2), AU12=rng.uniform(0, 2) + shift)
        for name, shift in (("a", 0.0), ("b", 2.0))
        for i in range(5)
    ]
    groups = {"input": [f"{n}{i}" for n in "ab" for i in range(5)], "group": ["x"] * 5 + ["y"] * 5}
    found = compare(read(*tables), members(tables, **groups)).table
    told = found["g"].notna()
    assert 0 < told.sum() <= len(found)
    one, two = found["mean_1"][told], found["mean_2"][told]
    assert (np.sign(found["g"][told]) == np.sign(one - two)).all()
    assert (found["low_all"] < found["low"])[told].all()
    assert (found["high_all"] > found["high"])[told].all()
    smile = found.query("AU == 'AU12' and measure == 'mean'").iloc[0]
    d = smile["g"] / (gamma(4) / (2 * gamma(3.5)))
    pooled = sqrt((smile["sd_1"] ** 2 + smile["sd_2"] ** 2) / 2)
    assert d == pytest.approx((smile["mean_1"] - smile["mean_2"]) / pooled)
    share = 0.025 / told.sum()
    for end, expected in ((smile["low_all"], 1 - share), (smile["high_all"], share)):
        shift = end / sqrt(2 / 5)
        assert stats.nct.cdf(d / sqrt(2 / 5), 8, shift) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("first", "second"), [([1.0, 2], [2.0, 5]), ([1.0, 2, 3], [2.0, 3, 4])])
def test_two_people_or_the_same_difference_have_no_effect_size(first, second):
    found = hedges_paired(np.array(first)[:, None], np.array(second)[:, None])
    assert np.isnan([found.g, found.low, found.high]).all()


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
    tables += [table(source=f"{name}.mp4", seed=ord(name)) for name in "cd"]
    torn = members(tables, input=list("abcd"), group=list("xyxy"), person=list("ppqr"))
    with pytest.raises(UserError, match="p in both groups, and 2 others in one; put everybody"):
        compare(read(*tables), torn)
    with pytest.raises(UserError, match=r"nothing was read of y, which is b; the files are a\.mp4"):
        members([table()], input=["a", "b"], group=["x", "y"])
    with pytest.raises(UserError, match=r"a and a\.mp4 are both a\.mp4, which counts once"):
        members([table(), table(source="b.mp4")], input=["a", "a.mp4", "b"], group=["x", "y", "y"])


def test_names_are_the_same_however_accents_and_folders_are_written():
    tables = [table(source="films/Mu\u0308ller.mp4"), table(source="p.before.mp4"), table()]
    found = members(tables, input=["M\u00fcller", "p.before", "a.mov"], group=["x", "y", "y"])
    assert found["group"].tolist() == ["x", "y", "y"]


def test_a_photograph_among_videos_is_named():
    tables = [table(source=f"{name}.mp4", seed=ord(name)) for name in "abc"]
    tables.append(table(1, source="d.jpg"))
    found = compare(read(*tables), members(tables, input=list("abcd"), group=list("xxyy")))
    assert "Photographs count like videos" in found.warnings[0]
    assert "d.jpg" in found.warnings[0]


def test_people_in_both_groups_are_compared_with_themselves():
    rest, film = ([1.0, 3.0, 2.0, 4.0], [1.5, 3.4, 2.7, 4.5])
    tables = [
        table(60, source=f"{when}{i}.mp4", seed=i, AU12=value)
        for when, values in (("rest", rest), ("film", film))
        for i, value in enumerate(values)
    ]
    names = [f"{when}{i}" for when in ("rest", "film") for i in range(4)]
    chosen = members(
        tables, input=names, group=["rest"] * 4 + ["film"] * 4, person=list("abcd") * 2
    )
    found = compare(read(*tables), chosen)
    assert found.paired
    assert found.units == (list("abcd"), list("abcd"))
    row = found.table.set_index(["measure", "AU"]).loc[("mean", "AU12")]
    assert (row["n_1"], row["n_2"]) == (4, 4)
    assert row["mean_1"] - row["mean_2"] == pytest.approx(-0.525, abs=0.02)
    assert row["high"] < 0  # between people it would be lost among their differences
    fewer = compare(read(*tables), chosen[chosen["file"] != 7])
    assert fewer.units == (list("abc"), list("abc"))
    assert "Seen in one of the two alone, and left out: d." in fewer.warnings


def test_conditions_of_trials_are_compared_within_files():
    tables = [table(60, source=f"v/{name}.mp4", seed=ord(name), AU12=1.0) for name in "abcd"]
    for rows, strength in zip(tables, (2.0, 2.2, 2.4, 2.6), strict=True):
        rows.loc[30:, "AU12_r"] = strength
    trials = pd.DataFrame(
        {
            "input": [name for name in "abcz" for _ in range(2)],
            "start": [0.0, 1.0] * 4,
            "end": [1.0, 2.0] * 4,
            "condition": ["rest", "film"] * 4,
        }
    )
    parts, chosen, told = conditions(read(*tables), trials, gap=0.2, shortest=0.1)
    assert told == ["1 file without trials, left out: d.mp4.", "Trials without a file: z."]
    found = compare(parts, chosen)
    assert found.names == ("rest", "film")
    assert found.units == (["a.mp4", "b.mp4", "c.mp4"],) * 2
    row = found.table.set_index(["measure", "AU"]).loc[("mean", "AU12")]
    assert row["mean_1"] == pytest.approx(1, abs=0.02)
    assert row["mean_2"] == pytest.approx(2.2, abs=0.02)
    assert row["high"] < 0
    with pytest.raises(UserError, match="expected two conditions to compare, found 1: rest"):
        conditions(read(*tables), trials[trials["condition"] == "rest"], gap=0.2, shortest=0.1)
    with pytest.raises(UserError, match="trials: they are of q, which nothing was read of"):
        conditions(read(*tables), trials.assign(input="q"), gap=0.2, shortest=0.1)


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
        ("input,group\na,x\nb,x\n", "expected two groups, found 1: x; keep the lines of two"),
        ("input,group\na,x\nb,y\nc,z\n", "expected two groups, found 3: x, y"),
        ("input,group,face_id\na,x,0\nb,y,one\n", ":3: expected the number of a face"),
        ("", "expected a table as text, such as CSV: it is empty"),
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
