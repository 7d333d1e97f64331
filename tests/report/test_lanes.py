"""Curves with so many points as can be seen, against a slow transcription."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits.report.lanes import HOLE, columns, curve, holes

values_of_frames = st.lists(st.one_of(st.floats(0, 5), st.just(np.nan)), min_size=1, max_size=60)


def by_hand(times, values, count, step):
    """Lowest and highest of each column, frame by frame."""
    start, width = times[0], (times[-1] + step - times[0]) / count
    found = []
    for column in range(count):
        left, right = start + column * width, start + (column + 1) * width
        inside = [v for t, v in zip(times, values, strict=True) if left <= t < right]
        if not inside:
            last = max(i for i, t in enumerate(times) if t <= left)
            inside = [values[last]] if left - times[last] < HOLE * step else []
        known = [v for v in inside if v == v]
        found.append((min(known), max(known)) if known else (np.nan, np.nan))
    return np.array(found)


@settings(max_examples=150, deadline=None)
@given(values_of_frames, st.sampled_from([1, 3, 7, 16]))
def test_columns_have_the_extremes_that_one_finds_by_hand(frames, count):
    step = 0.25  # a power of two: edges fall where they fall without rounding
    times = np.arange(len(frames)) * step * count  # every edge is a sum of such
    edges, low, high = columns(times, np.array(frames)[:, None], count, step * count)
    assert len(edges) == count + 1
    expected = by_hand(times, frames, count, step * count)
    assert np.array_equal(np.stack([low[:, 0], high[:, 0]], 1), expected, equal_nan=True)


def test_a_peak_of_one_frame_in_ten_minutes_is_drawn():
    times = np.arange(18000) / 30
    values = np.zeros((18000, 2))
    values[12345, 1] = 5
    at, drawn = curve(times, values, 500, 1 / 30)
    assert drawn.shape == (1000, 2)
    assert drawn[:, 1].max() == 5
    assert abs(at[drawn[:, 1].argmax()] - times[12345]) < 600 / 500
    assert (np.diff(at) > 0).all()


def test_few_frames_are_drawn_as_they_are_and_break_where_frames_are_missing():
    times = np.array([0.0, 0.1, 0.2, 0.9, 1.0])
    assert holes(times, 0.1).tolist() == [False, False, True, False]
    at, drawn = curve(times, np.arange(5.0)[:, None], 10, 0.1)
    assert np.array_equal(drawn[:, 0], [0, 1, 2, np.nan, 3, 4], equal_nan=True)
    assert at[3] == 0.55


def test_no_frame_lies_in_a_column_between_two_and_it_shows_the_earlier():
    _, low, high = columns(np.array([0.0, 0.25, 0.5]), np.array([[1.0], [2], [3]]), 6, 0.25)
    assert high[:, 0].tolist() == low[:, 0].tolist() == [1, 1, 2, 2, 3, 3]
    _, _, high = columns(np.array([0.0, 0.25, 1.75]), np.array([[1.0], [2], [3]]), 8, 0.25)
    assert high[:, 0].tolist()[:4] == [1, 2, 2, 2]
    assert np.isnan(high[4:7, 0]).all()
