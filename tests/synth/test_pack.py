import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actionunits.data import synfacs
from actionunits.errors import DataError
from actionunits.media import encode_jpeg
from actionunits.synth.pack import pack
from actionunits.synth.script import SCHEMA, CorpusSettings, corpus_labels, schema_of
from actionunits.synth.store import claim, group_file, groups, is_complete, write_table

SETTINGS = CorpusSettings(subjects=5, tasks=2, frames=4, size=64, quality=95, name="tiny")


@pytest.fixture
def corpus(tmp_path):
    """A complete corpus of two files whose pictures are noise."""
    out = tmp_path / "corpus"
    claim(out, SETTINGS)
    rng = np.random.default_rng(0)
    for group in groups(SETTINGS):
        labels = corpus_labels(SETTINGS, group)
        size = (SETTINGS.size, SETTINGS.size, 3)
        labels["image"] = [
            encode_jpeg(rng.integers(0, 256, size, np.uint8), 95) for _ in labels.index
        ]
        labels["landmarks"] = [rng.uniform(0, 64, 98).astype("float32") for _ in labels.index]
        labels["hidden"] = [np.zeros(6, "float32") for _ in labels.index]
        table = pa.Table.from_pandas(labels[SCHEMA.names], schema=schema_of(SETTINGS))
        write_table(
            table.replace_schema_metadata(schema_of(SETTINGS).metadata), group_file(out, group)
        )
    return out


def test_packs_all_frames_unchanged_where_they_fit(corpus, tmp_path):
    assert all(is_complete(corpus, SETTINGS, group) for group in groups(SETTINGS))
    assert pack(corpus, tmp_path / "all.parquet") == 95
    packed = pq.read_table(tmp_path / "all.parquet")
    parts = pa.concat_tables(pq.read_table(group_file(corpus, g)) for g in groups(SETTINGS))
    assert packed.equals(parts)
    assert packed.schema.equals(SCHEMA)
    about = json.loads(packed.schema.metadata[b"actionunits"])
    assert (about["name"], about["license"], about["coding"]) == ("tiny", "CC0-1.0", "intensity")


def test_lowers_the_jpeg_quality_until_the_file_fits(corpus, tmp_path):
    pack(corpus, tmp_path / "all.parquet")
    whole = (tmp_path / "all.parquet").stat().st_size
    limit = int(0.6 * whole)
    quality = pack(corpus, tmp_path / "small.parquet", max_bytes=limit)
    size = (tmp_path / "small.parquet").stat().st_size
    assert 40 <= quality < 95
    assert 0.75 * limit < size <= limit
    small, parts = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("small", "all"))
    assert small.drop_columns("image").equals(parts.drop_columns("image"))


def test_says_why_it_cannot_pack(corpus, tmp_path):
    with pytest.raises(DataError, match="40 frames do not fit"):
        pack(corpus, tmp_path / "x.parquet", max_bytes=20_000)
    group_file(corpus, groups(SETTINGS)[1]).unlink()
    with pytest.raises(DataError, match=r"lacks 1 of 2 files, first S004-S005\.parquet"):
        pack(corpus, tmp_path / "x.parquet")
    with pytest.raises(DataError, match="no corpus in"):
        pack(tmp_path, tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("share", [0.001, 0.3, 0.6, 0.95, 0.999])
def test_a_flipped_byte_is_noticed_by_all_who_read_it(corpus, tmp_path, share):
    group = groups(SETTINGS)[1]
    file = group_file(corpus, group)
    content = bytearray(file.read_bytes())
    content[int(share * len(content))] ^= 0x10
    file.write_bytes(content)
    assert not is_complete(corpus, SETTINGS, group)  # so it will be rendered again
    with pytest.raises(
        DataError, match=r"lacks 1 of 2 files, first S004-S005\.parquet, or they are"
    ):
        pack(corpus, tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"S004-S005\.parquet"):
        synfacs.read(corpus)
