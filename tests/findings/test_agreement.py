"""Agreement of codings, against scikit-learn, the library's own metrics, and counts by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_codes import RATE, frames, together
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from sklearn.metrics import cohen_kappa_score, f1_score

from actionunits.errors import UserError
from actionunits.findings.agreement import agreement
from actionunits.findings.coding import Coding, read_coding
from actionunits.findings.frames import Frames
from actionunits.findings.matching import matches
from actionunits.findings.measures import f1, icc, kappa, pabak
from actionunits.findings.pairing import Aligned, aligned
from actionunits.learn.metrics import ICC31

both = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def counts(pairs: list[tuple[bool, bool]]) -> np.ndarray:
    return np.array([pairs.count(p) for p in [(1, 1), (1, 0), (0, 1), (0, 0)]], float)


def against(first: Frames, second: Frames, **options: object) -> Aligned:
    """Two tables of frames as codings."""
    one, two = Coding("first", first, None), Coding("second", second, None)
    return aligned(one, two, **options)  # type: ignore[arg-type]


def scores(both: Aligned, **options: object) -> dict[str, object]:
    table = agreement(both, resamples=50, **options).table  # type: ignore[arg-type]
    return dict(table.iloc[0])


@settings(deadline=None)
@given(both)
def test_measures_of_frames_are_those_of_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    first, second = (np.array(one) for one in zip(*pairs, strict=True))
    table = counts(pairs)
    assert pabak(table) == pytest.approx(2 * (first == second).mean() - 1)
    theirs = f1_score(second, first, zero_division=np.nan)
    assert f1(table) == pytest.approx(theirs, nan_ok=True)
    if len({*first, *second}) > 1:
        assert kappa(table) == pytest.approx(cohen_kappa_score(first, second))
        assert kappa(table[[0, 2, 1, 3]]) == pytest.approx(float(kappa(table)))
    else:
        assert np.isnan(kappa(table))


def test_kappa_is_cohens_formula_and_0_where_one_coder_never_varies() -> None:
    shares = np.array([0.25, 0.13, 0.12, 0.5]) * 200
    chance = 0.38 * 0.37 + 0.62 * 0.63
    assert kappa(shares) == pytest.approx((0.75 - chance) / (1 - chance))
    assert kappa(np.array([0.0, 0, 7, 93])) == 0
    assert f1(np.array([0.0, 0, 7, 93])) == f1(np.array([0.0, 7, 0, 93])) == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=40))
def test_icc_is_that_of_shrout_and_fleiss(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, float).T
    found = icc(np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y]))
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        assert np.isnan(found)
        return
    ratings = np.stack([x, y], 1)
    grand = ratings.mean()
    between = 2 * ((ratings.mean(1) - grand) ** 2).sum() / (len(x) - 1)
    residual = ratings - ratings.mean(1, keepdims=True) - ratings.mean(0) + grand
    error = (residual**2).sum() / (len(x) - 1)
    assert found == pytest.approx((between - error) / (between + error), abs=1e-9)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert found == pytest.approx(0, abs=1e-9)
        return
    metric = ICC31(1)
    known = torch.ones(len(x), 1, dtype=torch.bool)
    metric.update(torch.tensor(x)[:, None], torch.tensor(y)[:, None], known)
    assert found == pytest.approx(float(metric.compute()), abs=1e-9)


def spans(draw: list[tuple[int, int]]) -> np.ndarray:
    """Events without overlaps, of gaps and durations in tenths of a second."""
    ends, at = [], 0
    for gap, duration in draw:
        ends.append((at + gap, at + gap + duration))
        at += gap + duration
    return np.array(ends, float).reshape(-1, 2) / 10


events_of = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 15)), max_size=8).map(spans)


@settings(max_examples=300, deadline=None)
@given(events_of, events_of, st.sampled_from([0.0, 0.25, 0.5, 2.0]))
def test_as_many_events_are_matched_as_can_be(
    first: np.ndarray, second: np.ndarray, tolerance: float
) -> None:
    pairs = matches(first, second, tolerance)
    same = np.zeros((len(first), len(second)), bool)
    for i, (a, b) in enumerate(first):
        for j, (c, d) in enumerate(second):
            same[i, j] = max(a, c) < min(b, d) or abs(a - c) <= tolerance + 1e-9
    assert all(same[pair] for pair in pairs)
    for side in (0, 1):
        assert len({pair[side] for pair in pairs}) == len(pairs)
    best = maximum_bipartite_matching(csr_array(same)) if same.size else np.array([])
    assert len(pairs) == (best >= 0).sum()


def test_a_coding_agrees_with_itself() -> None:
    shown = {"AU12": [0, 0, 1, 1, 1, 0, 0, 1, 1, 1]}
    table = frames(shown, {"AU12": [0, 0, 2, 3, 1, 0, 0, 4, 4, 5]})
    found = scores(against(table, table))
    for measure in ("kappa", "pabak", "f1", "icc", "precision", "recall", "event_f1", "agree"):
        assert found[measure] == pytest.approx(1)
    assert found["why"] == ""


def test_what_cannot_be_told_is_said() -> None:
    never, some = {"AU12": [0.0] * 6}, {"AU12": [0.0, 0, 0, 1, 1, 1]}
    found = scores(against(frames(some), frames(never)))
    assert np.isnan([found["icc"], found["recall"]]).all()
    assert found["kappa"] == found["f1"] == found["precision"] == found["event_f1"] == 0
    assert found["why"] == "the second shows it never"
    found = scores(against(frames(never), frames(some)))
    assert np.isnan(found["precision"])
    assert found["kappa"] == found["f1"] == found["recall"] == found["event_f1"] == 0
    found = scores(against(frames(never), frames(never)))
    assert np.isnan([found[name] for name in ("kappa", "f1", "precision", "event_f1")]).all()
    assert found["pabak"] == 1
    found = scores(against(frames(never), frames({"AU12": [1.0] * 6})))
    assert found["why"] == "the first shows it never; the second shows it always"
    uncoded = frames({"AU12": [np.nan] * 6})
    found = scores(against(frames(some), uncoded))
    assert found["frames"] == 0
    assert found["why"] == "no frame that both coded"


def test_frames_that_one_has_not_coded_do_not_count() -> None:
    first = frames({"AU12": [0, 1, 1, 0, 1, 1, 0, 0]})
    second = frames({"AU12": [0, 1, 1, np.nan, np.nan, np.nan, 0, 0]})
    found = scores(against(first, second))
    assert found["frames"] == 5
    assert found["agree"] == 1
    assert found["first"] == pytest.approx(2 / 5)


def test_rates_may_differ() -> None:
    wave = (np.arange(100) // 20 % 2).astype(float)
    first = frames({"AU12": list(wave)})
    fewer = frames({"AU12": list(wave)}).take(np.arange(0, 100, 2))
    rows = agreement(against(first, fewer)).table
    assert rows["frames"][0] == 50
    assert rows["agree"][0] == 1
    late = fewer._replace(rows=fewer.rows.assign(timestamp=fewer.rows["timestamp"] - 0.4))
    assert scores(against(first, late))["agree"] < 1
    assert scores(against(first, late, shift=0.4))["agree"] == 1


def test_intervals_hold_the_value_and_are_those_of_a_bootstrap() -> None:
    generator = np.random.default_rng(0)
    tables = []
    for person in range(6):
        truth = generator.integers(0, 2, 50).astype(float)
        wrong = generator.random(50) < 0.1 + person / 20
        pair = (
            frames({"AU12": list(v)}, name=f"{person}.mp4") for v in (truth, np.abs(truth - wrong))
        )
        tables.append(list(pair))
    both = against(*(together(*side) for side in zip(*tables, strict=True)))
    found = agreement(both)
    assert found.units == "6 videos"
    row = found.table.iloc[0]
    by_person = np.array(
        [
            counts(
                [tuple(map(bool, p)) for p in zip(*(t.present["AU12"] for t in pair), strict=True)]
            )
            for pair in tables
        ]
    )
    draws = np.random.default_rng(1).integers(0, 6, (3000, 6))
    expected = np.quantile(kappa(by_person[draws].sum(1)), [0.025, 0.975])
    assert [row["kappa_low"], row["kappa_high"]] == pytest.approx(expected, abs=0.03)
    assert row["kappa_low"] < row["kappa"] < row["kappa_high"]
    people = {f"{n}": str(n % 2) for n in range(6)}
    assert agreement(both, people=people).units.endswith("pieces of 10 seconds")


def test_what_a_program_never_finds_counts_in_the_mean() -> None:
    shown = {"AU04": [0.0] * 6, "AU12": [0.0, 0, 0, 1, 1, 1]}
    found = agreement(against(frames(shown), frames({**shown, "AU04": [1.0, 0, 0, 0, 0, 0]})))
    assert found.table["kappa"].tolist() == [0, 1, 0.5]
    assert found.table["f1"].tolist() == [0, 1, 0.5]


def test_few_pieces_have_no_interval() -> None:
    wave = list(np.arange(60 * RATE) // 40 % 2)
    for seconds, tells in ((10, False), (40, False), (50, True)):
        table = frames({"AU12": wave[: seconds * RATE]})
        both = against(table, frames({"AU12": wave[5 : 5 + seconds * RATE]}))
        found = agreement(both, resamples=50)
        assert bool(np.isfinite(found.table["kappa_low"]).any()) == tells
        assert found.caution == "it tells nothing of other people"


def test_faces_of_one_video_are_one_unit_and_everybody_must_be_known() -> None:
    tables = [
        frames({"AU12": [0.0, 1, 1, 0]}, name=f"{video}.mp4", face=face)
        for video in range(5)
        for face in (0, 1)
    ]
    both = against(together(*tables), together(*tables))
    found = agreement(both, resamples=50)
    assert found.units == "5 videos"
    assert "of fewer than 20 it is too narrow" in found.caution
    assert found.table["frames"][0] == 40
    people = {str(video): "Ann" for video in range(4)}
    with pytest.raises(UserError, match="people: expected a line for each video, found none for 4"):
        agreement(both, people=people)


LIST = "start,end,code\n0.2,0.4,12C\n0.6,0.6,45\n"


def test_stretches_cover_the_frames_whose_middle_they_hold(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(LIST)
    table = frames({"AU12": [0.0] * RATE, "AU45": [0.0] * RATE})
    both = aligned(Coding("t", table, None), read_coding(tmp_path / "a.csv"))
    shown = both.second.present
    assert shown.index[shown["AU12"] == 1].tolist() == [5, 6, 7, 8, 9]
    assert shown.index[shown["AU45"] == 1].tolist() == [15]  # a point lies in one frame
    assert both.second.strength["AU12"].max() == 3
    assert both.second.graded


def test_hidden_faces_and_what_is_outside_was_not_coded(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(LIST + "0.4,0.6,73\n0.8,1,70\n")
    table = frames({"AU01": [0.0] * RATE, "AU12": [0.0] * RATE})
    codes = read_coding(tmp_path / "a.csv")
    both = aligned(Coding("t", table, None), codes, start=0.2, end=0.9, aus=("AU01",))
    assert len(both.second.rows) == 18
    gone = both.second.present.isna().sum()
    assert gone["AU12"] == 5
    assert gone["AU01"] == 5 + 3


def test_a_video_without_events_was_coded_all_the_same(tmp_path: Path) -> None:
    text = "input,start,end,code\na,0.2,0.4,12\nb,0,0,4\n"
    (tmp_path / "codes.csv").write_text(text)
    shown = {"AU04": [0.0] * RATE, "AU12": [0.0] * RATE}
    table = together(frames(shown), frames(shown, name="b.mp4"))
    both = aligned(Coding("t", table, None), read_coding(tmp_path / "codes.csv"))
    assert both.second.present.loc[both.second.rows["input"] == "b", "AU12"].eq(0).all()


def test_the_face_that_is_seen_most_is_the_one_that_was_coded(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(LIST)
    codes = read_coding(tmp_path / "a.csv")
    table = together(frames({"AU12": [0.0] * 5}), frames({"AU12": [1.0] * RATE}, face=1))
    one = Coding("t", table, None)
    both = aligned(one, codes)
    assert len(both.first.rows) == RATE
    assert "a: of several faces, the one that is seen most; --face says another" in both.notes
    assert len(aligned(one, codes, face=0).first.rows) == 5
    with pytest.raises(UserError, match="face 7 is in none of t"):
        aligned(one, codes, face=7)


def test_frames_without_a_face_are_not_what_was_coded(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(LIST)
    table = frames({"AU12": [0.0] * RATE})
    nobody = frames({"AU12": [np.nan] * 5}, face=0)
    gone = nobody.rows.assign(face_id=np.nan, success=False, timestamp=np.arange(5) / RATE + 1)
    both = aligned(
        Coding("t", together(table, nobody._replace(rows=gone)), None),
        read_coding(tmp_path / "a.csv"),
    )
    assert both.first.present["AU12"].notna().sum() == RATE
    assert both.second.present["AU12"].sum() == 5
    assert not any("several faces" in note for note in both.notes)


def test_two_programs_agree_video_by_video(tmp_path: Path) -> None:
    names = {
        "ours": "timestamp,input,face_id,success,AU12_r,AU12_c",
        "openface": "frame, face_id, timestamp, confidence, success, AU12_r, AU12_c",
        "feat": "frame,input,AU12",
    }
    lines = {
        "ours": lambda video, n: f"{n / 25},{video}.mp4,0,1,{n % 5},{int(n % 5 > 1)}",
        "openface": lambda _, n: f"{n + 1}, 0, {n / 25}, .98, 1, {n % 5}, {int(n % 5 > 1)}",
        "feat": lambda video, n: f"{n},/in/{video}.mp4,{n % 5 / 4}",
    }
    nobody = {"ours": "0,c.mp4,,0,,", "openface": "1, 0, 0, 0, 0, 0, 0", "feat": "0,c.mp4,"}
    for program, head in names.items():
        (tmp_path / program).mkdir()
        for video in "ab":
            rows = [lines[program](video, n) for n in range(50)]
            (tmp_path / program / f"{video}.csv").write_text("\n".join([head, *rows]))
        (tmp_path / program / "c.csv").write_text(f"{head}\n{nobody[program]}\n")
    for other in ("openface", "feat"):
        both = aligned(*(read_coding(tmp_path / name, fps=25) for name in ("ours", other)))
        assert both.notes == ()
        assert both.first.rows["input"].value_counts().to_dict() == {"a": 50, "b": 50}
        assert np.array_equal(both.first.present, both.second.present)


def test_codings_without_a_video_or_an_au_in_common_are_named(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text("input,start,end,code\nx,0,1,12\ny,0,1,12\n")
    one = Coding("t", frames({"AU12": [0.0, 1]}), None)
    with pytest.raises(UserError, match="no video is in both: t has a, .* has x, y; name files"):
        aligned(one, read_coding(tmp_path / "codes.csv"))
    other = Coding("u", frames({"AU04": [0.0, 1]}), None)
    with pytest.raises(UserError, match="no AU is in both t and u"):
        aligned(one, other)


def sheet(folder: Path, text: str) -> Coding:
    (folder / "a.csv").write_text(text)
    return read_coding(folder / "a.csv")


def test_sheets_of_coders(tmp_path: Path) -> None:
    table = Coding("t", frames({"AU12": [0, 1, 1, 0]}), None)
    for text in (
        "frame,AU12\n1,0\n2,1\n3,1\n4,9\n",
        "frame;12\n0;0\n1;3\n2;5\n3;\n",  # from 0, with intensities, and an empty cell
        "time,AU 12 (lip corner puller)\n0,0\n0.04,1\n0.08,1\n",
    ):
        both = aligned(table, sheet(tmp_path, text))
        assert both.second.present["AU12"].fillna(-1).tolist()[:3] == [0, 1, 1]
        found = agreement(both).table.iloc[0]
        assert (found["frames"], found["agree"]) == (3, 1)
    with pytest.raises(UserError, match="has numbers of frames and no times"):
        aligned(sheet(tmp_path, "frame,AU12\n1,0\n"), sheet(tmp_path, "frame,AU12\n1,0\n"))


def test_intensity_from_which_an_au_occurs(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frame,AU12\n1,0\n2,1\n3,2\n4,5\n")
    for occurs, expected in ((1, [0, 1, 1, 1]), (2, [0, 0, 1, 1])):
        read = read_coding(tmp_path / "a.csv", occurs=occurs)
        assert read.frames is not None
        assert read.frames.present["AU12"].tolist() == expected


def test_photographs_are_paired_by_name(tmp_path: Path) -> None:
    found = sheet(tmp_path, "file,AU12\nx.jpg,1\ny.jpg,0\n")
    stills = [frames({"AU12": [1.0]}, name=f"faces/{name}.jpg") for name in "xy"]
    both = aligned(Coding("t", together(*stills), None), found)
    assert both.second.present["AU12"].tolist() == [1, 0]


def test_two_lists_of_events_are_compared(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("start,end,code\n0,1,12\n2,3,12\n")
    (tmp_path / "two.csv").write_text("start,end,code\n0.1,1,12\n3.2,4,12\n")
    codings = (read_coding(tmp_path / name) for name in ("one.csv", "two.csv"))
    row = agreement(aligned(*codings), tolerance=0.5).table.iloc[0]
    assert (row["events_first"], row["events_second"], row["matched"]) == (2, 2, 1)
    assert row["frames"] == 4 * RATE + 1
    assert pd.isna(row["icc"])
