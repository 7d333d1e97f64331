"""Shards that were damaged after they were written: noticed when read, made anew when prepared."""

from pathlib import Path

import numpy as np
import pytest
from preparing import contents, rewritten, run, times

from actionunits.data.prepared import read
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError
from rawtables import raw_table

SHARD = "S2_T1.parquet"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> RawTable:
    return raw_table(tmp_path_factory.mktemp("raw"))


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 0x10
    file.write_bytes(content)


def test_a_flipped_byte_of_a_picture_is_named_and_made_good(tree: RawTable, tmp_path) -> None:
    run(tree, tmp_path)
    whole, before = contents(tmp_path), times(tmp_path)
    start = whole[SHARD].find(b"\xff\xd8\xff")  # the first JPEG of it
    flip(tmp_path / SHARD, start + 1000)
    table = read("bp4d", tmp_path)
    with pytest.raises(DataError, match=rf"{SHARD}: damaged .*make it anew"):
        table.images.read(3)
    table.images.read(0)  # of another file
    run(tree, tmp_path)
    assert rewritten(tmp_path, before) == {SHARD}
    assert contents(tmp_path) == whole
    assert not rewritten(tmp_path, (before := times(tmp_path)))


def test_a_flipped_byte_anywhere_is_made_good_or_harmless(tree: RawTable, tmp_path: Path) -> None:
    run(tree, tmp_path)
    whole, clean = contents(tmp_path)[SHARD], read("bp4d", tmp_path)
    places = np.random.default_rng(0).integers(0, len(whole), 40)
    for place in [*places.tolist(), *range(len(whole) - 1200, len(whole), 60)]:
        flip(tmp_path / SHARD, place)
        run(tree, tmp_path)
        if (tmp_path / SHARD).read_bytes() != whole:
            table = read("bp4d", tmp_path)
            assert table.rows.equals(clean.rows)
            assert np.array_equal(table.landmarks, clean.landmarks, equal_nan=True)
            assert [table.images.read(n) for n in range(9)] == [
                clean.images.read(n) for n in range(9)
            ]
            (tmp_path / SHARD).write_bytes(whole)


def test_a_flipped_byte_of_a_label_is_named_or_harmless(tree: RawTable, tmp_path: Path) -> None:
    run(tree, tmp_path)
    whole, clean, said = contents(tmp_path)[SHARD], read("bp4d", tmp_path), []
    start = whole.find(b"\xff\xd8\xff")  # labels come before the pictures
    for place in range(20, start - 40, 7):
        flip(tmp_path / SHARD, place)
        try:
            assert read("bp4d", tmp_path).rows.equals(clean.rows)
        except DataError as error:
            said.append(str(error))
        (tmp_path / SHARD).write_bytes(whole)
    assert len(said) > (start - 60) / 7 / 4
    assert all(SHARD in each for each in said)
