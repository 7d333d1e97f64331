"""The tables of FEC as they are handed out."""

import io
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from actionunits import datasets
from actionunits.datasets.fec import annotations
from actionunits.datasets.fec_faces import prepare_fec
from actionunits.errors import DataError
from trees import fec, fec_line

ONE, TWO, THREE = (f"{number}_CLASS_TRIPLET" for number in ("ONE", "TWO", "THREE"))
QUIET = Console(file=io.StringIO())


def test_lines_of_any_length_are_read_and_malformed_ones_listed(tmp_path: Path) -> None:
    abc = ("u://a", "u://b", "u://c")
    lines = [
        fec_line(abc, ONE, "111233"),
        fec_line(abc, TWO, "2222222"),
        fec_line(abc, THREE, "3333"),
        fec_line(abc, TWO, "111222"),
        fec_line(abc, TWO, "11x222"),
        fec_line(abc, "FOUR_CLASS_TRIPLET", "111111"),
        fec_line(abc, ONE, ""),
        fec_line(("u://a", "u://b", "u://a"), ONE, "111111"),
        fec_line(abc, ONE, "111111", (0.6, 0.5, 0.1, 0.2)),
        fec_line(abc, ONE, "111111", (0.1, 0.5, float("nan"), 0.2)),
        fec_line(("u://a", "", "u://c"), ONE, "111111"),
        [*fec_line(abc, ONE, "333333"), "", ""],
        [*fec_line(abc, ONE, "333333"), "77"],
        [],
        fec_line(abc, ONE, "111133", (0.1, 0.2, 0.3, 0.4)),
    ]
    found = annotations(fec(tmp_path / "unpacked" / "FEC", lines, lines[:1]).parent)
    rows = found.triplets[found.triplets["part"] == "train"]
    urls = found.faces["url"].to_numpy()[rows[["first", "second", "odd"]].to_numpy()]
    assert ["".join(url[-1] for url in three) for three in urls] == [
        "bca",
        "acb",
        "abc",
        "bca",
        "abc",
        "bca",
    ]
    assert rows["margin"].tolist() == [0.1, 0.2, 0.2, 0.2, 0.1, 0.1]
    assert rows["kind"].tolist() == [
        "one_class",
        "two_class",
        "three_class",
        "two_class",
        "one_class",
        "one_class",
    ]
    assert rows["for"].tolist() == [3, 7, 4, 3, 6, 4]
    assert rows["votes"].tolist() == [6, 7, 4, 6, 6, 6]
    assert len(found.faces) == 6  # another box in the same picture is another face
    assert (found.triplets["part"] == "test").sum() == 1
    assert found.malformed["line"].tolist() == [5, 6, 7, 8, 9, 10, 11, 13, 14]
    assert set(found.malformed["file"]) == {"faceexp-comparison-data-train-public.csv"}
    for text, reason in zip(
        (
            "a vote of 1, 2 or 3",
            "FOUR_CLASS",
            "found 16",
            "twice",
            "a box",
            "a box",
            "no address",
            "a vote",
            "found 0",
        ),
        found.malformed["reason"],
        strict=True,
    ):
        assert text in reason
    counts = datasets.count("fec", tmp_path).set_index(["part", "kind"])
    assert counts.loc[("train", "two_class")].tolist() == [2, 1]
    assert counts.loc[("train", "malformed")].tolist() == [9, 0]
    assert counts.loc["test"].to_dict("index") == {"one_class": {"listed": 1, "agreed": 0}}
    assert len(found.agreed(4)) == 4
    assert len(found.agreed(3)) == 4  # three of six are no majority
    assert len(found.agreed(6)) == 2


@given(st.lists(st.sampled_from("123"), min_size=1, max_size=9))
def test_the_odd_face_has_most_votes(
    tmp_path_factory: pytest.TempPathFactory, votes: list[str]
) -> None:
    line = fec_line(("a", "b", "c"), ONE, "".join(votes))
    found = annotations(fec(tmp_path_factory.mktemp("fec"), [line], [line]))
    odd = found.faces["url"][found.triplets["odd"][0]]
    counts = Counter(votes)
    assert counts[str("abc".index(odd) + 1)] == max(counts.values())
    agreed = found.agreed(1)
    assert len(agreed) == 2 * (max(counts.values()) > len(votes) / 2)


def test_a_wrong_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected one faceexp-comparison-data-train-public\.csv"):
        annotations(tmp_path)
    fec(tmp_path, [["a", "table", "of", "something", "else"]], [])
    with pytest.raises(DataError, match="found none: line 1: expected 18 cells or more, found 5"):
        annotations(tmp_path)
    line = fec_line(("a", "b", "c"), ONE, "111222")
    with pytest.raises(DataError, match="odd face has 4 votes, found at most 3"):
        prepare_fec(fec(tmp_path, [line], [line]), tmp_path / "out", console=QUIET)
    with pytest.raises(DataError, match="does not come with the package"):
        datasets.load_triplets("fec")
    with pytest.raises(DataError, match=r"found no triplets\.parquet"):
        datasets.load_triplets("fec", tmp_path)
    with pytest.raises(DataError, match="known: fec"):
        datasets.load_triplets("affectnet")
