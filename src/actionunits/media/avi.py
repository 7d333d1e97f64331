"""The list at the end of an AVI file, of which FFmpeg hides the steps that show nothing new."""

import mmap
from pathlib import Path

import numpy as np

_ENTRY = 16  # bytes: whose it is, flags, place, size
_RIFF = 12  # bytes before the first part


def steps(name: str, stream: int) -> int:
    """Steps of time that the list of a file has for a stream, 0 where it has no whole list.

    Args:
        name: of the file.
        stream: its number.
    """
    with (
        Path(name).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        place = _RIFF
        while place + 8 <= len(data):
            kind = data[place : place + 4]
            size = int.from_bytes(data[place + 4 : place + 8], "little")
            if kind == b"idx1":
                found = data[place + 8 : place + 8 + size // _ENTRY * _ENTRY]
                if not size or len(found) != size:
                    return 0
                numbers = np.frombuffer(found, "S2")[:: _ENTRY // 2]
                return int(np.count_nonzero(numbers == b"%02d" % stream))
            place += 8 + size + size % 2
    return 0
