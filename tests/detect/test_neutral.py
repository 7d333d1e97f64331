"""Rest of a face, and what it shows beyond: off a film or a picture, in memory and on the disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits.aus import AUSet
from actionunits.detect import neutral, outputs, tables
from actionunits.detect.neutral import LEAST, MOST, Neutral, above, corrected, rest_of
from actionunits.detect.outputs import Job
from actionunits.types import Face, Frame, Reading

AUS = AUSet.of((4, 12))
NAMES = ["AU04_n", "AU12_n"]


def reading(source: str, number: int, faces: list[tuple[float, float]], **given) -> Reading:
    frame = Frame(np.zeros((8, 8, 3), np.uint8), source, number, number / 30)
    shown = tuple(
        Face(frame, i, np.array([1.0, 1, 4, 4]), np.zeros((5, 2)), 0.9) for i in range(len(faces))
    )
    intensity = np.array(faces, float).reshape(-1, 2)
    return Reading(frame, shown, intensity / 5, intensity > 2, intensity, **given)


def film(source: str, *tracks: np.ndarray) -> list[Reading]:
    """Readings of a film; each track is (T, 2)."""
    return [
        reading(source, t, [tuple(track[t]) for track in tracks]) for t in range(len(tracks[0]))
    ]


def rows(readings: list[Reading]) -> pd.DataFrame:
    collected = tables.Rows(AUS, rest=True)
    for one in readings:
        collected.add(one)
    return collected.table()


def moving(frames: int, rest: tuple[float, float], peak: float = 4.0) -> np.ndarray:
    """A face that frowns by itself and smiles once, in the middle third."""
    track = np.tile(np.array(rest), (frames, 1))
    track[frames // 3 : 2 * frames // 3, 1] = peak
    return track


def test_rest_is_what_the_face_shows_when_it_does_nothing() -> None:
    np.testing.assert_allclose(rest_of(moving(60, (1.2, 0.4))), [1.2, 0.4], atol=0.011)
    assert rest_of(moving(LEAST - 1, (1.0, 1.0))) is None


@pytest.mark.parametrize("level", [0.0, 1.0, 3.0, 5.0])
def test_one_expression_all_through_is_neither_lost_nor_made_to_move(level: float) -> None:
    steady = np.full((50, 2), level)
    values = corrected(rows(film("a.mp4", steady)), AUS, Neutral())[NAMES].to_numpy()
    assert np.ptp(values) == 0
    if level <= MOST:
        assert values.max() <= 0.02
    else:
        assert values.min() >= level - MOST


@given(
    st.lists(st.floats(0, 5), min_size=LEAST, max_size=60), st.floats(0, 4.9), st.integers(0, 99)
)
@settings(max_examples=60, deadline=None)
def test_what_is_above_rest_keeps_its_order_and_its_scale(
    levels: list[float], rest: float, seed: int
) -> None:
    intensity = np.array(levels)
    found = above(intensity, np.array(rest))
    assert ((found >= 0) & (found <= 5)).all()
    order = np.argsort(intensity)
    assert (np.diff(found[order]) >= 0).all()
    assert (found[intensity <= rest] == 0).all()
    assert above(np.array(5.0), np.array(rest)) == pytest.approx(5)
    mixed = np.random.default_rng(seed).permutation(intensity)
    np.testing.assert_array_equal(
        rest_of(np.stack([intensity, intensity], 1)), rest_of(np.stack([mixed, mixed], 1))
    )


def test_noise_about_rest_stays_small() -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(np.array([0.8, 0.3]) + rng.normal(0, 0.1, (300, 2)), 0, 5)
    values = corrected(rows(film("a.mp4", noisy)), AUS, Neutral())[NAMES].to_numpy()
    assert values.mean() < 0.2


def test_each_face_of_each_film_has_its_own_rest() -> None:
    first, second, third = moving(30, (1.2, 0.2)), moving(30, (0.2, 1.0)), moving(30, (0.6, 0.6))
    table = corrected(rows([*film("a.mp4", first, second), *film("b.mp4", third)]), AUS, Neutral())
    quiet = table[table["frame"] == 1]
    assert (quiet[NAMES] <= 0.02).all(axis=None)
    smiling = table[(table["frame"] == 15)]
    expected = [(4 - rest) / (5 - rest) * 5 for rest in (0.2, 1.0, 0.6)]
    np.testing.assert_allclose(smiling["AU12_n"], expected, atol=0.02)


def test_pictures_have_no_rest_of_their_own_and_frames_without_a_face_none() -> None:
    table = corrected(
        rows([reading("a.jpg", 0, [(2, 2)]), reading("b.jpg", 0, [])]), AUS, Neutral()
    )
    assert table[NAMES].isna().all(axis=None)
    given = corrected(table, AUS, Neutral(np.array([1.0, 2.0])))
    np.testing.assert_allclose(given[NAMES].iloc[0], [1.25, 0])
    assert given[NAMES].iloc[1].isna().all()


def test_frames_of_little_confidence_say_nothing_of_rest() -> None:
    unsure = [reading("a.mp4", t, [(0, 0)], sure=np.array([False])) for t in range(20)]
    sure = [reading("a.mp4", t, [(1, 1)]) for t in range(20, 40)]
    table = corrected(rows([*unsure, *sure]), AUS, Neutral())
    assert (table[NAMES].iloc[20:] <= 0.02).all(axis=None)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("rest", [None, np.array([0.5, 1.0])])
def test_files_hold_what_memory_does_however_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, rest: np.ndarray | None
) -> None:
    monkeypatch.setattr(neutral, "_CHUNK", 7)
    readings = [
        *film("a.mp4", moving(30, (1.2, 0.2)), moving(30, (0.2, 1.0))),
        reading("c.jpg", 0, [(1, 1)]),
        *film('b, "x".mp4', moving(25, (0.6, 0.6))),
        reading('b, "x".mp4', 25, []),
    ]
    whose = Neutral(rest)
    job = Job(["a.mp4", "c.jpg", 'b, "x".mp4'], AUS, neutral=whose)
    with outputs.table(tmp_path / f"o{suffix}", job) as file:
        for one in readings:
            file.add(one)
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    found = read(tmp_path / f"o{suffix}")
    expected = corrected(rows(readings), AUS, whose)
    assert list(found.columns) == tables.columns(AUS, rest=True)
    np.testing.assert_allclose(
        found[NAMES].astype(float), expected[NAMES].astype(float), atol=1.1e-3
    )
    np.testing.assert_array_equal(found["input"], expected["input"])
    assert not [*tmp_path.glob("*.part*")]


def above_rest(track: np.ndarray) -> np.ndarray:
    smile = np.stack([np.zeros_like(track), track], 1)
    table = corrected(rows(film("a.mp4", smile)), AUS, Neutral())
    return table["AU12_n"].to_numpy()


@given(st.integers(12, 40), st.integers(2, 20), st.floats(1.0, 5.0))
@settings(max_examples=40, deadline=None)
def test_no_onset_and_no_offset_moves(onset: int, length: int, peak: float) -> None:
    track = np.zeros(80)
    track[onset : onset + length] = peak
    found = above_rest(track)
    assert np.flatnonzero(found > 0.5).tolist() == list(range(onset, onset + length))


def test_single_frames_are_taken_out_and_gaps_are_not_bridged() -> None:
    track = np.zeros(40)
    track[20] = 4
    assert above_rest(track).max() == 0
    readings = film("a.mp4", np.stack([np.zeros(20), np.linspace(0, 3, 20)], 1))
    cut = [r._replace(frame=r.frame._replace(number=2 * r.frame.number)) for r in readings]
    table = corrected(rows(cut), AUS, Neutral())
    np.testing.assert_allclose(
        table["AU12_n"], above(table["AU12_r"].to_numpy(), np.array(0.16)), atol=0.02
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_without_rows_stays_one(tmp_path: Path, suffix: str) -> None:
    with outputs.table(tmp_path / f"o{suffix}", Job(["a.mp4"], AUS, neutral=Neutral())):
        pass
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    found = read(tmp_path / f"o{suffix}")
    assert list(found.columns) == tables.columns(AUS, rest=True)
    assert len(found) == len(corrected(rows([]), AUS, Neutral())) == 0
