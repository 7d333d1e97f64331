"""What the tests of prepared data sets share."""

from pathlib import Path

import pytest

from actionunits.datasets.raw import RawTable
from rawtables import raw_table


@pytest.fixture
def raw(tmp_path: Path) -> RawTable:
    return raw_table(tmp_path / "raw")
