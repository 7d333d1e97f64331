"""MPEG transport streams, whose packets say whether any are missing: FFmpeg passes over those.

ISO/IEC 13818-1, section 2.4.3: packets begin with a mark, say if they were received with an error,
and those of a stream count from 0 to 15 and so on.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_FORMS = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet, and of the time before its mark: bare, with a time, with a checksum."""
_MARK, _TORN, _START = 0x47, 0x80, 0x40
_EXTENDED, _RANDOM_ACCESS = (
    0x20,
    0x40,
)  # has an adaptation field, which says that one may begin here
_PROBED = 5  # packets by which a form is known
_READ = 1 << 15  # packets at once


def breaks(name: str, stream: int) -> int:
    """Places where a transport stream does not go on: two streams that were joined have one.

    Args:
        name: of the file, which is read to its end.
        stream: number of the stream whose packets matter ("PID").
    """
    with Path(name).open("rb") as file:
        beginning = file.read((_PROBED + 1) * _FORMS[-1][0])
        start, length, mark = _form(beginning)
        file.seek(start)
        # What was received from some moment on begins anywhere; with a mark begins a packet.
        found, count = int(start > 0 and beginning[mark] == _MARK), None
        while data := file.read(length * _READ):
            whole = len(data) // length
            packets = np.frombuffer(data, np.uint8, whole * length).reshape(whole, length)
            head = packets[:, mark : mark + 6].astype(np.int64)
            bad = head[:, 0] != _MARK
            found += int(np.count_nonzero(bad[1:] & ~bad[:-1])) + int(bad[:1].any())
            mine = head[~bad & (((head[:, 1] & 0x1F) << 8 | head[:, 2]) == stream)]
            found += int(np.count_nonzero(mine[:, 1] & _TORN))
            counts, announced = _counts(mine)
            if count is not None:
                counts, announced = np.r_[count, counts], np.r_[False, announced]
            steps = np.diff(counts) & 15
            found += int(np.count_nonzero((steps > 1) & ~announced[1:]))  # one that repeats is fine
            count = counts[-1] if len(counts) else None
            found += len(data) % length > 0
    return found


def begins_whole(name: str, stream: int) -> bool:
    """Whether the first picture of a transport stream says that it needs none before it.

    Args:
        name: of the file, of which the first packets are read.
        stream: number of the stream ("PID").
    """
    with Path(name).open("rb") as file:
        start, length, mark = _form(file.read((_PROBED + 1) * _FORMS[-1][0]))
        file.seek(start)
        data = file.read(length * _READ)
    packets = np.frombuffer(data, np.uint8, len(data) // length * length).reshape(-1, length)
    head = packets[:, mark : mark + 6].astype(np.int64)
    mine = head[((head[:, 1] & 0x1F) << 8 | head[:, 2]) == stream]
    first = mine[mine[:, 1] & _START > 0][:1]
    return bool(
        (
            (first[:, 3] & _EXTENDED > 0) & (first[:, 4] > 0) & (first[:, 5] & _RANDOM_ACCESS > 0)
        ).any()
    )


def _counts(packets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Counters of those that carry something, and which of them announce that they jump."""
    control, room, flags = packets[:, 3], packets[:, 4], packets[:, 5]
    announced = (control & _EXTENDED > 0) & (room > 0) & (flags & 0x80 > 0)
    carries = control & 0x10 > 0
    return control[carries] & 15, announced[carries]


def _form(beginning: bytes) -> tuple[int, int, int]:
    """Where the first packet begins, bytes of each, and where the mark is in it."""
    for length, mark in _FORMS:
        for start in range(length):
            if set(beginning[start + mark :: length][:_PROBED]) == {_MARK}:
                return start, length, mark
    return 0, *_FORMS[0]
