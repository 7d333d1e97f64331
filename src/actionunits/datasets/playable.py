"""What can be shown at all: videos and pictures are opened, though not read, before they count."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from actionunits import media
from actionunits.data.prepared import Excluded
from actionunits.datasets.raw import RawTable
from actionunits.errors import MediaError, counted


def playable(table: RawTable) -> RawTable:
    """Leave out and list labels whose picture is empty or whose video does not reach so far.

    A video's first frame is decoded; how many it has is what its file says, so that damage farther
    in is found by ``au data prepare`` only. Of pictures it is looked whether they are empty.

    Raises:
        DataError: nothing is left.
    """
    lost = list(_lost(table.rows))
    excluded = [
        Excluded("/".join(map(str, key)), len(part), reason)
        for rows, reason in lost
        for key, part in rows.groupby(["subject", "task"])
    ]
    gone = [row for rows, _ in lost for row in rows.index]
    kept = table.rows.drop(index=gone).reset_index(drop=True) if gone else table.rows
    return replace(table, rows=kept, excluded=(*table.excluded, *excluded))


def _lost(rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str]]:
    """Rows that cannot be shown, and why."""
    suffix = rows["file"].map({file: Path(file).suffix.lower() for file in rows["file"].unique()})
    is_video = suffix.isin(media.VIDEOS)
    pictures = rows[~is_video]
    empty = {file for file in pictures["file"].unique() if _size(file) == 0}
    yield pictures[pictures["file"].isin(empty)], "the picture is an empty file"
    for file, part in rows[is_video].groupby("file"):
        name = str(file)
        if _size(name) is None:  # readers say so, where it matters
            continue
        try:
            count = media.count_frames(name)
        except MediaError as error:
            yield part, str(error)
        else:
            reason = f"{name}: the video ends before these labels, it has {counted(count, 'frame')}"
            yield part[part["position"] >= count], reason


def _size(file: str) -> int | None:
    try:
        return os.stat(file).st_size
    except OSError:
        return None
