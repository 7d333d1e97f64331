"""Likeness to configurations: its properties, PSPI literally, and files of one's own."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_codes import frames

from actionunits.errors import DataError, UserError
from actionunits.findings.likeness import PSPI, compared, likeness, pspi
from actionunits.findings.prototypes import Configuration, published, read_prototypes

AUS = (1, 2, 4, 6, 7, 12, 25, 45)
faces = st.sets(st.sampled_from(AUS))


def alike(shown: set[int], *parts: tuple[int, ...]) -> float:
    """Likeness of a face that shows these AUs."""
    one = Configuration(parts, "", "")
    table = frames({f"AU{au:02d}": [float(au in shown)] for au in AUS})
    return float(likeness(table, [one]).frames.strength[one.notation].iloc[0])


@settings(deadline=None)
@given(faces, st.sets(st.sampled_from(AUS[:-1]), min_size=1))
def test_likeness_is_jaccards_index(shown: set[int], wanted: set[int]) -> None:
    value = alike(shown, *((au,) for au in sorted(wanted)))
    counted = shown - {45}
    assert value == pytest.approx(len(counted & wanted) / len(counted | wanted))


@settings(deadline=None)
@given(faces, st.sampled_from(AUS[:-1]))
def test_likeness_is_bounded_and_monotone(shown: set[int], more: int) -> None:
    parts = ((4,), (6, 7), (12,))
    value = alike(shown, *parts)
    assert 0 <= value <= 1
    own = {4, 6, 7, 12}
    assert (value == 0) == (not shown & own)
    complete = all(set(part) & shown for part in parts)
    assert (value == 1) == (complete and not shown - own - {45})
    after = alike(shown | {more}, *parts)
    assert after >= value if more in own else after <= value


@settings(deadline=None)
@given(st.lists(st.floats(0, 5), min_size=5, max_size=5), st.booleans())
def test_pspi_is_prkachin_and_solomons_sum(grades: list[float], closed: bool) -> None:
    au4, au6, au7, au9, au10 = grades
    names = ["AU04", "AU06", "AU07", "AU09", "AU10", "AU43"]
    table = frames(
        {name: [0.0] for name in names[:-1]} | {"AU43": [float(closed)]},
        {name: [value] for name, value in zip(names, [*grades, 5.0 * closed], strict=True)},
    )
    value = pspi(table).frames.strength[PSPI].iloc[0]
    assert value == pytest.approx(au4 + max(au6, au7) + max(au9, au10) + closed)
    assert 0 <= value <= 16


def test_what_the_table_lacks_is_said() -> None:
    shown = {"AU04": [1.0, 1], "AU06": [0.0, 1], "AU09": [0.0, np.nan], "AU12": [0.0, 1]}
    table = frames(shown, {au: [3 * v for v in values] for au, values in shown.items()})
    found = compared(table, published())
    told = set(found.summary["configuration"])
    assert told == {"6+12, the Duchenne configuration", "PSPI, 0 to 16"}
    assert found.notes[0].startswith("not told, since the table lacks AU 1, 2, 5, 7, 10, 11")
    assert "PSPI is without AU 7, 10, 43, which the table lacks" in found.notes
    assert found.frames[PSPI].fillna(-1).tolist() == [3, -1]  # AU9 is not known in the second
    assert found.frames["6+12"].tolist() == [0, 2 / 3]
    alternatives = [Configuration(((4,), (9, 10)), "", "")]
    assert (
        "told by the alternatives that the table has: 4+(9|10)"
        in compared(table, alternatives).notes
    )


def test_a_table_without_intensities_has_no_pspi() -> None:
    found = compared(
        frames({"AU06": [1.0] * 9, "AU12": [0.0, 1, 1, 1, 1, 1, 1, 1, 0]}), published()
    )
    assert PSPI not in found.frames
    (row,) = found.summary.to_dict("records")
    assert row["complete"] == pytest.approx(7 / 9)
    assert row["peak"] == 1
    assert row["events"] == 1
    assert row["source"].startswith("Ekman, P., Davidson")
    assert found.events[["configuration", "onset", "offset"]].to_numpy().tolist() == [
        ["6+12", pytest.approx(0.04), pytest.approx(0.32)]
    ]


def test_a_table_of_other_aus_is_named() -> None:
    with pytest.raises(UserError, match="lacks an AU of each of the configurations"):
        compared(frames({"AU28": [1.0]}), published())


def test_published_configurations_have_sources_and_name_no_feelings() -> None:
    every = published()
    assert len(every) > 30
    assert all("(" in one.source and one.source[-1].isalnum() for one in every)
    notations = [one.notation for one in every]
    assert len(set(notations)) == len(notations)
    assert {"6+12", "4+(6|7)+(9|10)+43", "1+2+12+25"} <= set(notations)
    feelings = ("happ", "sad", "ang", "fear", "disgust", "surpris", "joy", "pain")
    assert not [one.name for one in every if any(word in one.name.lower() for word in feelings)]


def test_configurations_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("configurations:\n- {aus: [1, [2, 4]], name: mine, source: me}\n- aus: [12]\n")
    assert read_prototypes(file) == [
        Configuration(((1,), (2, 4)), "mine", "me"),
        Configuration(((12,),), "", ""),
    ]
    file.write_text('{"configurations": [{"aus": [6, 12]}]}')
    assert [one.notation for one in read_prototypes(file)] == ["6+12"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected configurations, a list"),
        ("configurations: []", "expected configurations, a list"),
        ("configurations: [{aus: []}]", "configuration 1: expected aus"),
        ("configurations: [{aus: [12, 12]}]", "configuration 1: expected aus"),
        ("configurations: [{aus: [AU12]}]", "configuration 1: expected aus"),
        ("configurations: [{aus: [[6], []]}]", "configuration 1: expected aus"),
        ("configurations: [{aus: 12}]", "configuration 1: expected aus"),
        ("configurations: [{aus: [1]}, {aus: [1]}]", "has the configuration 1 twice"),
        ("configurations: [", "expected YAML"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(DataError, match=said):
        read_prototypes(tmp_path / "own.yaml")
    with pytest.raises(DataError, match="cannot be read"):
        read_prototypes(tmp_path / "none.yaml")
