"""Names of AUs as coders write them, and times as their programs do."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits.findings.codes.names import Name, intensity, parse, parse_sum
from actionunits.findings.codes.stretches import media, seconds, stem


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("AU12", Name(12)),
        ("au04", Name(4)),
        ("12", Name(12)),
        ("AU 12 (lip corner puller)", Name(12)),
        ("12_Lip_Corner_Puller", Name(12)),
        ("AU12: smile", Name(12)),
        ("Action Unit 6", Name(6)),
        ("AU12C", Name(12, 3)),
        ("12e", Name(12, 5)),
        ("AU12L", Name(12, None, "left")),
        ("AU14_right", Name(14, None, "right")),
        ("AU12C left", Name(12, 3, "left")),
        ("R14B", Name(14, 2, "right")),
        ("U10", Name(10)),
        ("73", Name(73)),
    ],
)
def test_names_are_understood(text: str, meant: Name) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    "text", ["", "smile", "trial 2", "AU", "AU0", "AU61", "120", "12 + 6", "1st"]
)
def test_what_names_no_au_is_not_taken_for_one(text: str) -> None:
    assert parse(text) is None


def test_faces_are_sums() -> None:
    assert parse_sum("1+2C+L12d") == [Name(1), Name(2, 3), Name(12, 4, "left")]
    assert parse_sum("6+smile") == []
    assert parse_sum("12", bare=False) == []
    assert [name.number for name in parse_sum("AU6+12", bare=False)] == [6, 12]


@settings(deadline=None)
@given(st.integers(1, 49), st.sampled_from(["", "A", "B", "C", "D", "E"]))
def test_what_facs_writes_comes_back(number: int, letter: str) -> None:
    name = parse(f"AU{number:02d}{letter}")
    assert name is not None
    assert (name.number, name.intensity) == (number, " ABCDE".index(letter) or None)


def test_intensities() -> None:
    assert [intensity(text) for text in ("a", "E", "0", "2.5", "2,5", "6", "x", "")] == [
        *(1, 5, 0, 2.5, 2.5),
        *(None, None, None),
    ]


@settings(deadline=None)
@given(st.integers(0, 35_999_999))
def test_clocks_of_all_programs_are_seconds(milliseconds: int) -> None:
    rest, thousandths = divmod(milliseconds, 1000)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    written = [
        f"{clock}.{thousandths:03d}",
        f"{clock},{thousandths:03d}",
        f"{clock}:{thousandths:03d}",
    ]
    written += [f"{milliseconds / 1000:.3f}", f"{milliseconds / 1000:.3f}".replace(".", ",")]
    assert seconds(pd.Series(written)).tolist() == pytest.approx([milliseconds / 1000] * 5)


def test_videos_are_known_by_their_names_on_all_systems() -> None:
    for path in (r"C:\films\p 1.mp4", "/films/p 1.mp4", "file:///films/p%201.mp4", "p 1.mp4"):
        assert media(path) == "p 1.mp4"
        assert stem(path) == "p 1"


def test_what_is_no_suffix_of_a_video_is_part_of_its_name() -> None:
    assert stem("p1.before") == stem("p1.before.MP4") == stem("p1.before.csv") == "p1.before"
    assert stem("Mu\u0308ller.mov") == stem("M\u00fcller")
    assert stem(None) == stem(float("nan")) == ""
