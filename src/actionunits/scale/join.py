"""Parts of a long video become the rows that one process would have written.

Where parts meet is chosen so that nothing but identities goes over: all faces are searched for
anew there, in one process too (`chunks.BLOCK`). The identities of a video depend on where faces
were and when, and where the picture cut; parts say so of each row, and here the tracker goes
through them once more, from the first frame to the last.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from actionunits.faces.detections import Detections
from actionunits.faces.track import Tracker

_POINTS = [f"point_{i}{axis}" for i in range(5) for axis in "xy"]
BESIDES = [*_POINTS, "cut"]
"""Columns that parts have more: five landmarks, and 1 where another shot begins."""
_BOX = ["face_x", "face_y", "face_w", "face_h"]


def joined(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Rows of a video, a part at a time, with the identities of one process.

    Args:
        parts: in the order of their frames; rows of a frame are together.
    """
    tracker = Tracker()
    for part in parts:
        table = part.drop_columns(BESIDES)
        if not len(part):
            yield table
            continue
        numbers = _numbered(part, tracker)
        frames = part["frame"].to_numpy()
        faces = pa.array(numbers, mask=numbers < 0)
        at = table.schema.get_field_index("face_id")
        table = table.set_column(at, table.schema.field(at), faces)
        yield table.take(pa.array(np.lexsort([numbers, frames])))


def _numbered(part: pa.Table, tracker: Tracker) -> NDArray[np.int64]:
    """(R,) identities of the rows; -1 of a frame without a face."""
    frames, cut, seconds = (part[n].to_numpy() for n in ("frame", "cut", "timestamp"))
    boxes = np.stack([part[name].to_numpy() for name in _BOX], axis=1)
    points = np.stack([part[name].to_numpy() for name in _POINTS], axis=1).reshape(-1, 5, 2)
    scores = part["confidence"].to_numpy()
    seen = part["face_id"].is_valid().to_numpy()
    numbers = np.full(len(frames), -1, np.int64)
    starts = np.flatnonzero(np.diff(frames, prepend=frames[0] - 1))
    for start, end in zip(starts, [*starts[1:], len(frames)], strict=True):
        if cut[start]:
            tracker.forget()
        mine = slice(start, end) if seen[start] else slice(start, start)
        found = Detections(boxes[mine], scores[mine], points[mine])
        numbers[mine] = tracker.update(found, float(seconds[start]))
    return numbers
