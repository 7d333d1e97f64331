"""Merge a rendered corpus into one Parquet file of limited size, as the package ships it."""

import io
from bisect import bisect_right
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from actionunits.aus import RENDERED
from actionunits.errors import DataError, counted
from actionunits.files import atomic, seals, writing
from actionunits.files.stored import read_columns
from actionunits.media import encode_jpeg
from actionunits.synth.script import schema_of
from actionunits.synth.store import (
    encode,
    group_file,
    groups,
    is_complete,
    read_description,
)

_WORST = 40  # JPEG quality below which the picture loses what AUs are read from
_SAMPLE = 200  # images that the quality is chosen on
_MARGIN = 0.99  # of the size, kept free for what the sample does not show


def pack(out: Path, parquet: Path, max_bytes: int = 30_000_000) -> int:
    """Merge the files of a corpus into one, with the best JPEG quality that fits.

    Args:
        out: Folder that `render_corpus` filled.
        parquet: File to write.
        max_bytes: Its greatest size.

    Returns:
        JPEG quality of the images; that of the folder where they fit as they are.

    Raises:
        DataError: the corpus is not complete or does not fit at an acceptable quality.
    """
    settings = read_description(out)
    files = [group_file(out, group) for group in groups(settings)]
    missing = [
        group_file(out, g).name for g in groups(settings) if not is_complete(out, settings, g)
    ]
    if missing:
        raise DataError(
            f"the corpus in {out} lacks {len(missing)} of {counted(len(files), 'file')}, first "
            f"{missing[0]}, or they are damaged; run `au synth render` with the same settings "
            "again: it resumes"
        )
    columns = {field.name: field.type for field in schema_of(settings)}
    labels = tuple(RENDERED.columns())
    table = pa.concat_tables(
        [
            read_columns(file, columns, "delete it and render again", optional=labels)
            for file in files
        ]
    )
    table = table.replace_schema_metadata(schema_of(settings).metadata)
    originals = table["image"].to_pylist()
    budget = int((max_bytes - (table.nbytes - table["image"].nbytes)) * _MARGIN)
    quality = _best_quality(originals, budget, settings.quality)
    while quality >= min(_WORST, settings.quality):
        data = _parquet(table, originals, quality, settings.quality)
        if len(data) <= max_bytes:
            with writing(parquet), atomic(parquet) as temporary:
                temporary.write_bytes(data)
                seals.seal(temporary)
            return quality
        quality -= 1  # the sample was kinder than the whole
    raise DataError(
        f"{table.num_rows} frames do not fit {max_bytes / 1e6:g} MB at a JPEG quality of "
        f"{_WORST} or more; allow more bytes or render fewer or smaller frames"
    )


def _parquet(table: pa.Table, images: list[bytes], quality: int, highest: int) -> bytes:
    """Parquet file in memory, its images re-encoded below the highest quality."""
    if quality < highest:
        images = [_recode(image, quality) for image in images]
    place = table.schema.get_field_index("image")
    column = pa.array(images, pa.binary())
    data = io.BytesIO()
    encode(table.set_column(place, table.schema.field(place), column), data)
    return data.getvalue()


def _best_quality(images: list[bytes], budget: int, highest: int) -> int:
    """Greatest JPEG quality at which a sample of the images takes its share of the budget."""
    if sum(map(len, images)) <= budget:
        return highest
    sample = images[:: max(1, len(images) // _SAMPLE)]
    share = budget * len(sample) / len(images)
    lower = range(_WORST, highest)  # sizes grow with quality
    fitting = bisect_right(lower, share, key=lambda q: sum(len(_recode(i, q)) for i in sample))
    return _WORST - 1 + fitting


def _recode(image: bytes, quality: int) -> bytes:
    with Image.open(io.BytesIO(image)) as decoded:
        return encode_jpeg(np.asarray(decoded), quality, optimize=True)
