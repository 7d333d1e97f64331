"""Parquet files that are damaged where nobody expects it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actionunits.data.prepared import read_shard
from actionunits.errors import DataError
from actionunits.files.seals import is_whole_parquet
from actionunits.files.stored import read_columns


def test_names_of_columns_that_are_no_text_are_damage(tmp_path: Path) -> None:
    """Of some of them PyArrow says so itself, of others only when it lists them."""
    file = tmp_path / "frames.parquet"
    pq.write_table(pa.table({"picture": [1, 2]}), file)
    file.write_bytes(file.read_bytes().replace(b"picture", b"\xe5icture"))
    with pytest.raises(DataError, match=r"frames.parquet: not a whole Parquet file .*; do this"):
        read_columns(file, {"picture": pa.int64()}, "do this")
    assert not is_whole_parquet(file)
    assert read_shard(file) is None
