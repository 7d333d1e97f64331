"""Corpora that are not what they should be: the file and what is wrong with it are named."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actionunits import datasets
from actionunits.data.dataset import FrameDataset
from actionunits.data.synfacs import VERSIONS
from actionunits.errors import DataError, UserError
from actionunits.synth.card import read_labels
from actionunits.synth.pack import pack
from actionunits.synth.script import VERSION, CorpusSettings, describe
from actionunits.types import InputSpec
from builders import write_synfacs


@pytest.fixture(scope="module", params=VERSIONS)
def table(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> pa.Table:
    """A corpus of nine frames, of each version of the renderer."""
    file = tmp_path_factory.mktemp("corpus") / "x.parquet"
    return pq.read_table(write_synfacs(file, 3, 1, 3, version=request.param))


@pytest.mark.parametrize(
    "said",
    [b"", b"{x", b"\xff\xfe", b"[]", b"3", b'"x"', b"{}", b'{"version": [1]}', b"[" * 100_000],
    ids=lambda said: repr(said[:9]),
)
def test_what_a_corpus_says_of_itself_is_checked(
    table: pa.Table, tmp_path: Path, said: bytes
) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(table.replace_schema_metadata({"actionunits": said}), file)
    with pytest.raises(DataError, match=r"x\.parquet: "):
        datasets.load("synfacs", file)


@pytest.mark.parametrize("column", ["subject", "frame", "part", "image", "AU01", "landmarks"])
@pytest.mark.parametrize(
    "cell",
    [None, "x", "", b"x", [[1]], {"a": 1}, float("nan"), float("inf"), 1e300, -5, 2**62, True, 9],
    ids=repr,
)
def test_cells_of_any_kind_are_read_or_refused(
    table: pa.Table, tmp_path: Path, column: str, cell: Any
) -> None:
    file, place = tmp_path / "x.parquet", table.schema.get_field_index(column)
    for cells in ([cell] * len(table), [cell, *table[column].to_pylist()[1:]]):
        try:
            changed = table.set_column(place, column, pa.array(cells))
        except (pa.ArrowException, OverflowError):  # there is no such column
            continue
        pq.write_table(changed, file)
        for read in (_use, read_labels):
            try:
                read(file)
            except UserError as error:
                lines = str(error).splitlines()
                said = f"{lines[0]} "
            else:
                lines, said = [""], ""
            assert len(lines) == 1
            assert len(said) < 500


def _use(file: Path) -> None:
    frames = datasets.load("synfacs", file)
    frames.stats()
    FrameDataset(frames, InputSpec(32, 36, (0.5,) * 3, (0.5,) * 3)).__getitems__([0, 1])


@pytest.mark.parametrize("column", ["subject", "image", "AU01", "landmarks"])
def test_a_column_that_is_missing_or_there_twice_is_named(
    table: pa.Table, tmp_path: Path, column: str
) -> None:
    for changed in (table.drop_columns([column]), table.append_column(column, table[column])):
        pq.write_table(changed, tmp_path / "x.parquet")
        with pytest.raises(DataError, match=rf"x\.parquet: .*{column}"):
            datasets.load("synfacs", tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([5.0] * 98, "coincide"),
        ([1e38] * 98, "coincide"),
        ([np.inf] * 98, "coincide"),
        ([5.0] * 96, "expected 49 landmarks a frame"),
    ],
)
def test_landmarks_that_are_no_face_are_refused(
    table: pa.Table, tmp_path: Path, points: list[float], says: str
) -> None:
    place = table.schema.get_field_index("landmarks")
    cells = pa.array([points] * len(table), pa.list_(pa.float32()))
    pq.write_table(table.set_column(place, "landmarks", cells), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=says):
        datasets.load("synfacs", tmp_path / "x.parquet")


_SETTINGS = CorpusSettings(subjects=3, tasks=1, frames=3)


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"\xff",
            b"[]",
            b"3",
            b"{}",
            b"[" * 100_000,
            json.dumps({"version": VERSION, "settings": 3}).encode(),
        ),
        *(
            json.dumps({"version": VERSION, "settings": asdict(_SETTINGS) | changed}).encode()
            for changed in (
                {"subjects": "x"},
                {"subjects": 1.5},
                {"frames": None},
                {"fps": float("nan")},
                {"name": 3},
                {"programme": 3},
                {"programme": "x"},
            )
        ),
    ],
    ids=lambda content: repr(content[-24:]),
)
def test_a_damaged_description_of_a_corpus_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "corpus.json").write_bytes(content)
    with pytest.raises(DataError):
        pack(tmp_path, tmp_path / "out.parquet")


@pytest.mark.parametrize("content", [b"", b"x", None])
def test_damaged_files_of_a_corpus_are_not_packed(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "corpus.json").write_text(json.dumps(describe(_SETTINGS)))
    file = tmp_path / "S001-S003.parquet"
    if content is None:
        pq.write_table(pa.table({"a": [1]}), file)
    else:
        file.write_bytes(content)
    with pytest.raises(DataError, match=r"S001-S003\.parquet"):
        pack(tmp_path, tmp_path / "out.parquet")
