"""Files that carry the checksum of all their content, so that no damage to them goes unnoticed.

A writer puts `BLANK` where its format keeps words of its own, and seals the finished file: its
SHA-256 takes the place of the blank one. Nothing else is needed to check it, and no second file.
"""

import hashlib
import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from actionunits.files.stored import NOT_PARQUET, json_object

KEY = "seal"
"""Under which a format keeps it."""
_MARK = b"au-sha256:"
_DIGITS = 64
BLANK = _MARK.decode() + "0" * _DIGITS


def seal(file: Path) -> None:
    """Put the checksum of a file in the place of the blank one in it.

    Raises:
        ValueError: there is no blank one in it.
    """
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as content:
        place = content.find(BLANK.encode())
        if place < 0:
            raise ValueError(f"{file} has no room for a checksum")
        content[place : place + len(BLANK)] = _checksum(content, place)


def is_whole(file: Path, said: object) -> bool:
    """Whether a file is as it was sealed.

    Args:
        file: that was read already, so it is not empty.
        said: the seal, as the reader of its format finds it; None if there is none, as in what
            earlier versions wrote, which is believed.
    """
    with (
        file.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        place = content.find(_MARK)
        if place < 0:
            return said is None
        return content[place : place + len(BLANK)] == _checksum(content, place)


def write_json(file: Path, values: Mapping[str, Any]) -> None:
    """Write values as JSON with a seal."""
    file.write_text(json.dumps({**values, KEY: BLANK}, indent=1) + "\n", encoding="utf-8")
    seal(file)


def read_json(file: Path) -> dict[str, Any]:
    """Read an object of JSON, without its seal if it has one.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no object of JSON, or not as it was sealed.
    """
    values = json_object(file.read_bytes())
    said = values.pop(KEY, None)
    if not is_whole(file, said):
        raise ValueError(
            "it is not what its checksum says; if you have changed it yourself, take out its "
            f"{KEY!r}"
        )
    return values


def is_whole_parquet(file: Path) -> bool:
    """Whether a Parquet file is as it was sealed, see `is_whole`; False where it is none."""
    try:
        said = (pq.read_metadata(file).metadata or {}).get(KEY.encode())
    except NOT_PARQUET:
        return False
    return is_whole(file, said)


def _checksum(content: mmap.mmap, place: int) -> bytes:
    """Mark and checksum of a file whose own is taken as blank."""
    digest = hashlib.sha256()
    with memoryview(content) as view:
        digest.update(view[:place])
        digest.update(BLANK.encode())
        digest.update(view[place + len(BLANK) :])
    return _MARK + digest.hexdigest().encode()
