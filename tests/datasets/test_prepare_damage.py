"""Shards that were damaged after they were written: noticed when read, made anew when prepared."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from preparing import contents, rewritten, run, times

from actionunits.data import prepared
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
    with pytest.raises(DataError, match=rf"{SHARD}: damaged: .*make it anew"):
        read("bp4d", tmp_path)
    run(tree, tmp_path)
    assert rewritten(tmp_path, before) == {SHARD}
    assert contents(tmp_path) == whole
    assert not rewritten(tmp_path, (before := times(tmp_path)))


def test_a_flipped_byte_anywhere_is_named_and_made_good(tree: RawTable, tmp_path: Path) -> None:
    run(tree, tmp_path)
    whole = contents(tmp_path)[SHARD]
    places = np.random.default_rng(0).integers(0, len(whole), 40)
    for place in [*places.tolist(), *range(len(whole) - 1200, len(whole), 60)]:
        flip(tmp_path / SHARD, place)
        with pytest.raises(DataError, match=SHARD):
            read("bp4d", tmp_path)
        run(tree, tmp_path)
        assert (tmp_path / SHARD).read_bytes() == whole


def test_a_page_that_is_damaged_later_is_named(tree: RawTable, tmp_path: Path) -> None:
    run(tree, tmp_path)
    table = read("bp4d", tmp_path)
    flip(tmp_path / SHARD, contents(tmp_path)[SHARD].find(b"\xff\xd8\xff") + 1000)
    with pytest.raises(DataError, match=rf"{SHARD}: damaged .*make it anew"):
        table.images.read(3)
    table.images.read(0)  # of another file


def test_a_shard_of_an_earlier_version_is_kept(tree: RawTable, tmp_path: Path) -> None:
    run(tree, tmp_path)
    table = pq.read_table(tmp_path / SHARD)
    shard = prepared.read_shard(tmp_path / SHARD).model_dump_json()
    unsealed = table.replace_schema_metadata({prepared.METADATA: shard})
    pq.write_table(unsealed, tmp_path / SHARD, write_page_checksum=True)
    before = times(tmp_path)
    run(tree, tmp_path)
    assert not rewritten(tmp_path, before)
    assert len(read("bp4d", tmp_path)) == 9
