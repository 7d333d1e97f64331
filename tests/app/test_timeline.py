"""AUs over time, as what is drawn."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionunits.app.reading import Said
from actionunits.app.timeline import path, timeline
from actionunits.aus import AUSet
from actionunits.findings import frames

AUS = AUSet.of([4, 12])


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """Ten frames a second; AU12 occurs from .2 to .6 s and is strongest at .4 s."""
    smile = np.interp(np.arange(10), [0, 4, 8], [0, 4, 0])
    table = pd.DataFrame({"frame": np.arange(1, 11), "face_id": 0})
    table["timestamp"] = np.arange(10) / 10
    table["success"] = 1
    table = table.assign(AU04_p=0.1, AU12_p=smile / 5, AU04_c=0, AU12_c=(smile >= 2).astype(int))
    table = table.assign(AU04_r=0.0, AU12_r=smile, input="talk.mp4")
    table.to_csv(tmp_path / "talk.csv", index=False)
    file = tmp_path / "talk.csv"
    return Said("default", AUS, [], file, frames.read(file), [])


def test_a_peak_is_where_the_event_is_strongest(said: Said) -> None:
    drawn = timeline([said], 0, 1.0)
    dot = re.search(r'class="au-peak" data-seconds="([\d.]+)" style="left:([\d.]+)%', drawn)
    assert dot is not None
    assert float(dot[1]) == pytest.approx(0.4)
    assert float(dot[2]) == pytest.approx(40)
    assert "1 AU without events" in drawn
    assert "1 event<" in drawn
    assert drawn.index('data-au="12"') < drawn.index('data-au="4"')  # the other is folded away


def test_another_face_has_no_events(said: Said) -> None:
    drawn = timeline([said], 1, 1.0)
    assert "au-peak" not in drawn
    assert "No AU occurs" in drawn


def test_names_of_models_do_nothing_in_the_page(said: Said) -> None:
    drawn = timeline([said._replace(model="<script>"), said], 0, 1.0)
    assert "<script" not in drawn


@given(
    st.lists(st.one_of(st.floats(0, 1, width=32), st.just(float("nan"))), min_size=1, max_size=1200)
)
def test_a_path_is_short_and_keeps_the_peak(strength: list[float]) -> None:
    values = np.array(strength)
    drawn = path(np.linspace(0, 1, len(values)), values)
    heights = [float(y) for y in re.findall(r"[ML][-\d.e]+ ([-\d.e]+)", drawn)]
    known = values[np.isfinite(values)]
    runs = np.diff(np.isfinite(values).astype(int), prepend=0) == 1
    assert drawn.count("M") == runs.sum()
    assert len(heights) <= 500 + runs.sum()
    if len(known):
        assert min(heights) == pytest.approx(100 * (1 - known.max()), abs=0.2)
