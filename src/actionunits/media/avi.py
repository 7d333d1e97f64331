"""The list at the end of an AVI file, in part of which FFmpeg believes, and part of which it hides.

*AVI RIFF File Reference*, Microsoft: ``idx1``, an entry for each part of the ``movi`` list.
"""

import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_RIFF = 12  # bytes before the first part
_HEAD = 8  # bytes before what a part holds, its name and size
_LOOKED_AT = 1000  # entries
_ENTRY = np.dtype([("whose", "S4"), ("flags", "<u4"), ("place", "<u4"), ("size", "<u4")])


def pictures(name: str, stream: int, least: int) -> int:
    """Pictures in the list of a file for a stream, without steps of time that show nothing new.

    Args:
        name: of the file.
        stream: its number.
        least: steps that it has. A list of fewer, or that is not whole, tells nothing: 0.
    """
    with (
        Path(name).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        entries, _ = _list(data)
        mine = entries[entries["whose"].astype("S2") == b"%02d" % stream]
        return int(np.count_nonzero(mine["size"])) if len(mine) >= least else 0


def misleads(name: str) -> bool:
    """Whether the list of a file points at parts that are not there, by some of its entries.

    By the first one FFmpeg reckons where all others point: if it is wrong, it finds none. Of others
    a tenth must be: what a few do wrong costs nothing. Where all are wrong, places are counted in
    another way.

    Args:
        name: of any file.
    """
    with Path(name).open("rb") as file:
        head = file.read(_RIFF)
        if head[:4] != b"RIFF" or head[8:] != b"AVI ":
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            entries, movi = _list(data)
            first = entries[:2]
            some = np.concatenate([first, entries[2 :: max(len(entries) // _LOOKED_AT, 1)]])
            fits = [
                any(data[at + place : at + place + 4] in (whose, b"LIST") for at in (0, movi))
                for whose, _, place, _ in some.tolist()
            ]
            wrong = fits.count(False)
            return any(fits) and (fits[0] is False or wrong > len(fits) / 10)


def _list(data: mmap.mmap) -> tuple[NDArray[np.void], int]:
    """Entries of the list, none where it is not whole, and where the name of ``movi`` is."""
    place, movi = _RIFF, 0
    while place + _HEAD <= len(data):
        kind = data[place : place + 4]
        size = int.from_bytes(data[place + 4 : place + _HEAD], "little")
        if kind == b"LIST" and data[place + _HEAD : place + _HEAD + 4] == b"movi":
            movi = place + _HEAD
        if kind == b"idx1":
            whole = size // _ENTRY.itemsize * _ENTRY.itemsize
            found = data[place + _HEAD : place + _HEAD + whole]
            if len(found) == size:
                return np.frombuffer(found, _ENTRY), movi
            break
        place += _HEAD + size + size % 2
    return np.empty(0, _ENTRY), movi
