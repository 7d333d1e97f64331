"""Names of files as text: they come back, harm nothing, and fit."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionunits.errors import printable
from actionunits.files.names import LONGEST, escaped, fitted, listed, plain, unescaped

WICKED = [
    "caf\udce9.jpg",  # Latin-1 bytes in a name
    "a\rb\nc\td.jpg",
    "a\x1b[31mred\x1b[0m.jpg",
    "\u202egpj.exe",  # reads backwards
    "\x85\u2028.jpg",
    "=cmd|' /C calc'!A0.jpg",
    "+1.jpg",
    "-x.jpg",
    "@a.jpg",
    r"C:\xab\udce9\x.jpg",  # looks escaped, and is not
    r"\\server\share\x41.jpg",
]


@pytest.mark.parametrize("name", WICKED)
def test_escaped_names_are_one_harmless_line_and_lead_back(name: str) -> None:
    text = escaped(name)
    assert text.splitlines() == [text]
    assert not text.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert "\x1b" not in text
    text.encode("utf-8")
    assert Path(unescaped(text)) == Path(name)


@given(st.text(st.characters(), min_size=1))
def test_every_name_leads_back(name: str) -> None:
    assert unescaped(escaped(name)).removeprefix("./") == name.removeprefix("./")


@pytest.mark.parametrize(
    "name", ["photo 1.jpg", "Füße/é.png", "日本.mp4", "a\u200db.jpg", "x=1.jpg"]
)
def test_usual_names_stay_as_they_are(name: str) -> None:
    assert escaped(name) == name


def test_printable_text_is_printable_again() -> None:
    once = printable("a\x1b\udce9\\x41")
    assert printable(once) == once == "a\\x1b\\udce9\\x41"


def test_names_that_are_too_long_are_cut_and_stay_apart() -> None:
    long = "é" * 150
    names = {fitted(long + end, ".part") for end in ("a", "b")}
    assert len(names) == 2
    assert all(len(os.fsencode(name)) <= LONGEST for name in names)
    assert all(name.endswith(".part") for name in names)
    assert fitted("a", ".part") == "a.part"


def test_plain_names_have_no_colon_backslash_or_control_character() -> None:
    assert plain("10:30\\a\x1b\udce9.jpg") == "10_30_a__.jpg"


def test_a_list_of_names_ends() -> None:
    assert listed(["a"]) == "a"
    assert listed([*"abcde"]) == "a, b, c and 2 more"
