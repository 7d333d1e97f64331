"""The files of a corpus in a folder: a description and one Parquet file for a few subjects."""

import json
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from actionunits.errors import DataError
from actionunits.files import atomic, seals, writing
from actionunits.files.stored import NOT_PARQUET, json_object
from actionunits.synth.script import (
    PARTS,
    CorpusSettings,
    describe,
    settings_from,
    subject_name,
)

DESCRIPTION = "corpus.json"
PEOPLE = "people.csv"
_FRAMES = 512  # of a file, about: some twenty seconds of work that an interruption costs
_ROW_GROUP = 512  # frames read at a time


def groups(settings: CorpusSettings) -> list[range]:
    """0-based subjects of each file of a corpus, as many of each part."""
    count = settings.subjects
    step = PARTS * max(1, _FRAMES // (PARTS * settings.tasks * settings.frames))
    return [range(first, min(first + step, count)) for first in range(0, count, step)]


def group_file(out: Path, group: range) -> Path:
    """File of these subjects in the folder of a corpus."""
    return out / f"{subject_name(group[0])}-{subject_name(group[-1])}.parquet"


def read_description(out: Path) -> CorpusSettings:
    """Settings of the corpus in a folder.

    Raises:
        DataError: there is none, or another version of the library made it.
    """
    path = out / DESCRIPTION
    try:
        return settings_from(json_object(path.read_bytes()))
    except FileNotFoundError:
        raise DataError(f"no corpus in {out}: {DESCRIPTION} is missing") from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path} ({error}); render into a new folder") from error


def claim(out: Path, settings: CorpusSettings) -> None:
    """Make the folder this corpus' own, or find that it is."""
    if (out / DESCRIPTION).exists():
        there = read_description(out)
        if there != settings:
            ours, theirs = (vars(s) for s in (settings, there))
            differ = ", ".join(
                f"{name} {theirs[name]} there and {ours[name]} now"
                for name in ours
                if ours[name] != theirs[name]
            )
            raise DataError(
                f"{out} holds a corpus of other settings ({differ}); "
                "give the same settings to resume it, or another folder"
            )
        return
    if out.is_dir() and any(out.glob("*.parquet")):
        raise DataError(f"{out} holds Parquet files of something else; give an empty folder")
    with writing(out), atomic(out / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps(describe(settings), indent=2) + "\n", "utf-8")


def is_complete(out: Path, settings: CorpusSettings, group: range) -> bool:
    """Whether the file of a group is there, readable and whole."""
    path = group_file(out, group)
    try:
        found = pq.read_metadata(path)
    except NOT_PARQUET:  # not there, or damaged: render it again
        return False
    return bool(
        found.num_rows == len(group) * settings.tasks * settings.frames
        and (found.metadata or {}).get(b"actionunits") == json.dumps(describe(settings)).encode()
        and seals.is_whole_parquet(path)
    )


def write_table(table: pa.Table, file: Path) -> None:
    """Write frames of a corpus, and seal them."""
    encode(table, file)
    seals.seal(file)


def encode(table: pa.Table, file: Path | BinaryIO) -> None:
    """Write frames of a corpus with room for a seal; images are not compressed a second time."""
    lists = {field.name for field in table.schema if pa.types.is_list(field.type)}
    columns = [f"{n}.list.element" if n in lists else n for n in table.column_names]
    with pq.ParquetWriter(
        file,
        table.schema,
        compression={name: "NONE" if name == "image" else "ZSTD" for name in columns},
        use_dictionary=["subject", "task"],
        write_page_checksum=True,
    ) as writer:
        writer.write_table(table, _ROW_GROUP)
        writer.add_key_value_metadata({seals.KEY: seals.BLANK})
