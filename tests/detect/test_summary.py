"""The counts that the terminal shows after a video."""

import io

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from actionunits.aus import AUSet
from actionunits.detect.summary import Summary
from actionunits.detect.tables import bars
from actionunits.types import Face, Frame, Reading


def reading(number: int, tracks: list[int], strength: float, source: str = "a.mp4") -> Reading:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), source, number, number / 10)
    faces = tuple(Face(frame, t, np.zeros(4), np.zeros((5, 2)), 1.0) for t in tracks)
    values = np.full((len(tracks), 1), strength)
    return Reading(frame, faces, values / 5, values >= 2, values)


@pytest.fixture
def summary() -> Summary:
    found = Summary(AUSet.of([12]))
    for number, strength in enumerate([0.0, 1.0, 4.5, 2.0]):
        found.add(reading(number, [0], strength))
    found.add(reading(4, [], 0.0))
    found.add(reading(0, [0, 1], 3.0, source="b.jpg"))
    return found


def text(summary: Summary, sources: list[str]) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    for table in summary.tables(sources):
        console.print(table)
    return console.export_text()


def test_share_peak_and_time(summary: Summary) -> None:
    shown = text(summary, ["a.mp4"])
    assert "4 frames" in shown
    assert "50%" in shown  # two of four frames
    assert "4.5" in shown
    assert "0.20 s" in shown


def test_frames_that_are_not_sure_enough_are_left_out(summary: Summary) -> None:
    before = text(summary, ["a.mp4"])
    for number in range(4):
        doubtful = reading(9, [0], 5.0)._replace(sure=np.array([False]))
        summary.add(doubtful)
        assert "too little" not in title(reading(number, [0], 5.0))
        assert "too little" in title(doubtful)
    after = text(summary, ["a.mp4"])
    assert "face 0: 4 frames, 4 more not sure enough" in after
    assert after.splitlines()[1:] == before.splitlines()[1:]
    only = Summary(AUSet.of([12]))
    only.add(reading(0, [0], 5.0)._replace(sure=np.array([False])))
    assert "0 frames, 1 more not sure enough" in text(only, ["a.mp4"])


def title(one: Reading) -> str:
    return str(bars(one, AUSet.of([12]), 0).title)


def test_sources_are_kept_apart(summary: Summary) -> None:
    assert "b.jpg" not in text(summary, ["a.mp4"])
    assert len(summary.tables(["a.mp4", "b.jpg"])) == 3
    assert summary.line() == "frames: 6, without a face: 1; faces: 3"


def test_what_is_experimental_is_starred_and_said_so() -> None:
    sure, doubtful = AUSet.of([12]), AUSet(AUSet.of([12]).aus, experimental=(12,))
    assert sure == doubtful  # the label axis is the same
    tables = []
    for aus in (sure, doubtful):
        found = Summary(aus)
        found.add(reading(0, [0], 1.0))
        tables.append(text(found, ["a.mp4"]) + shown(bars(reading(0, [0], 1.0), aus, 0)))
    assert "*" not in tables[0]
    assert tables[1].count("12*") == 2
    assert tables[1].count("* experimental") == 2


def shown(table: Table) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()
