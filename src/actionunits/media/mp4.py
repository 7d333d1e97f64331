"""What the lists of an MP4 or QuickTime file say of each other, in which they must agree."""

import math
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

KIND = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name for it and its like."""

Bytes = mmap.mmap | bytes

_HOLDING = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"})
_PARTS = {b"trak": {b"tkhd", b"mdia"}, b"mdia": {b"mdhd", b"minf"}, b"minf": {b"stbl"}}
_ANYWHERE = frozenset({b"meta", b"uuid", b"free", b"skip", b"udta"})
_OF_FRAGMENT = _ANYWHERE | {b"mfhd", b"traf", b"pssh"}
_OF_TRACK = _ANYWHERE | {
    b"tfhd",
    b"tfdt",
    b"trun",
    b"subs",
    b"sbgp",
    b"sgpd",
    b"saiz",
    b"saio",
    b"senc",
}
_SLACK = 0.05  # of its length, by which the times of a media may add up to another
_TICKS = (600, 25, 512, 2997, 23976)
"""Clocks of films have so many ticks a second at most, or a multiple of one of the others."""
_OF_SAMPLES = frozenset({b"stsz", b"stts", b"ctts"})


def is_whole(data: Bytes) -> bool:
    """ISO/IEC 14496-12, section 8.6: every list of a track's times is of as many samples as it has.

    Frames whose times are wrong may be taken for such as are not to be shown. Section 8.7.4: all of
    them are in a chunk, whose description is there. Sections 8.3 and 8.4: a track and its media
    each have a header, without which its times mean nothing, and a track has media.
    """
    for track in _tracks(data):
        lists = _OF_SAMPLES & track.keys()
        if b"stsz" in lists and len({_samples(name, track[name]) for name in lists}) > 1:
            return False
        if {b"stsz", b"stsc", b"stsd"} <= track.keys() and not _holds_all(track):
            return False
    return _has_parts(data, 0, len(data), b"") and _has_known_fragments(data)


def is_cut_wrongly(name: str) -> bool:
    """Whether the list of edits of a film's pictures (section 8.6.6) cannot be meant.

    It may leave out pictures as somebody wished. One that begins later than the first picture, and
    yet lasts as long as all of them, or longer than there are any, was changed by damage. So was
    the time of a picture behind its end, if it lasts as long as all. So were times that add up to
    another length than the media says it has, or of which there are none to a second. So was the
    clock of a film by whose ticks an edit is shorter than a picture, or leaves out the last ones
    though no maker's clock has so many a second.

    Args:
        name: of the file.
    """
    with (
        Path(name).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return any(_contradicts(track, len(data)) for track in _tracks(data))


def _contradicts(track: dict[bytes, bytes], most: int) -> bool:
    steps, late = _runs(track.get(b"stts", b"")), _runs(track.get(b"ctts", b""))
    ticks, film_ticks = _rate(track.get(b"mdhd", b"")), _rate(track[b"mvhd"])
    samples = int(steps[:, 0].sum())
    if track.get(b"hdlr", b"")[8:12] != b"vide" or not samples:
        return False
    if not ticks * film_ticks:
        return True
    if samples > most or len(late) and late[:, 0].sum() != samples:
        return False  # which the lists tell, and that no sample is smaller than a byte
    durations = np.repeat(steps[:, 1], steps[:, 0])
    begin = np.cumsum(durations) - durations
    if len(late):  # stored before they are shown, or after, as a whole number that may be negative
        begin += np.repeat(late[:, 1].astype(np.int32), late[:, 0])
    said = _length(track[b"mdhd"])
    if said and abs(durations.sum() - said) > _SLACK * said:
        return True
    first, end = int(begin.min()), int((begin + durations).max())
    tick = math.ceil(ticks / film_ticks)
    for length, start in _edits(track.get(b"elst", b"")):
        stop = start + length * ticks / film_ticks
        lasts = stop - start + tick
        if start > first and (lasts >= end - first or stop > end + tick + durations.max()):
            return True
        if lasts >= durations.sum() and (begin > stop + tick).any():
            return True
        is_odd = film_ticks > _TICKS[0] and all(film_ticks % usual for usual in _TICKS[1:])
        if samples > 1 and lasts < durations.min() or is_odd and stop + durations.max() < end:
            return True
    return False


def _holds_all(track: dict[bytes, bytes]) -> bool:
    """Whether the chunks of a track are of descriptions that it has, and hold all its samples."""
    body, places = track[b"stsc"], track.get(b"stco", track.get(b"co64", b""))
    count = max(min(int.from_bytes(body[4:8]), (len(body) - 8) // 12), 0)
    runs = np.frombuffer(body, ">u4", 3 * count, offset=8 if count else 0).reshape(-1, 3)
    first, each, description = runs.astype(int).T
    chunks = np.diff(first, append=int.from_bytes(places[4:8]) + 1)
    return bool(
        (chunks > 0).all()
        and (np.clip(description, 1, int.from_bytes(track[b"stsd"][4:8])) == description).all()
        and (chunks * each).sum() >= _samples(b"stsz", track[b"stsz"])
    )


def _runs(body: bytes) -> NDArray[np.int64]:
    """Numbers and values of a list of runs of samples."""
    runs = max(min(int.from_bytes(body[4:8]), (len(body) - 8) // 8), 0)
    return np.frombuffer(body, ">u4", 2 * runs, offset=8 if runs else 0).reshape(-1, 2).astype(int)


def _rate(header: bytes) -> int:
    """Ticks of a second, by the header of a film or of its media."""
    place = 20 if header[:1] == b"\1" else 12
    return int.from_bytes(header[place : place + 4])


def _length(header: bytes) -> int:
    """Ticks that a media lasts by its header, 0 where that does not say."""
    place, wide = (24, 8) if header[:1] == b"\1" else (16, 4)
    length = int.from_bytes(header[place : place + wide])
    return 0 if length == (1 << 8 * wide) - 1 else length


def _edits(body: bytes) -> list[tuple[int, int]]:
    """How long each edit is, by the clock of the film, and where it begins by that of its media."""
    wide = 8 if body[:1] == b"\1" else 4
    size = 2 * wide + 4
    edits = [
        (int.from_bytes(body[i : i + wide]), int.from_bytes(body[i + wide : i + 2 * wide]))
        for i in range(8, len(body) - size + 1, size)
    ]
    return [(length, start) for length, start in edits if start < 1 << 8 * wide - 1]  # no pauses


def _boxes(data: Bytes, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each box, and where its body starts and ends; none that goes beyond the end."""
    while place + 8 <= end:
        size, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        head = 16 if size == 1 else 8
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16])
        stop = place + size if size else end
        if stop > end or stop < place + head:
            return  # which the lists of the samples tell
        yield kind, place + head, stop
        place = stop


def _has_parts(data: Bytes, place: int, end: int, inside: bytes) -> bool:
    boxes = list(_boxes(data, place, end))
    if not _PARTS.get(inside, set()) <= {kind for kind, *_ in boxes}:
        return False
    return all(
        _has_parts(data, start, stop, kind) for kind, start, stop in boxes if kind in _HOLDING
    )


def _has_known_fragments(data: Bytes) -> bool:
    """Whether fragments are full of parts that are known, of which players pass over all others."""
    return all(
        _is_full(data, start, stop, _OF_FRAGMENT)
        and all(
            _is_full(data, begin, end, _OF_TRACK)
            for inner, begin, end in _boxes(data, start, stop)
            if inner == b"traf"
        )
        for kind, start, stop in _boxes(data, 0, len(data))
        if kind == b"moof"
    )


def _is_full(data: Bytes, place: int, end: int, known: frozenset[bytes]) -> bool:
    for kind, _, stop in _boxes(data, place, end):
        if kind not in known:
            return False
        place = stop
    return place == end


def _tracks(data: Bytes) -> Iterator[dict[bytes, bytes]]:
    """Boxes of each track that hold no others; beside them ``mvhd``, which is of all."""
    for kind, start, stop in _boxes(data, 0, len(data)):
        if kind == b"moov":
            film = dict(_leaves(data, start, stop))
            for inner, begin, end in _boxes(data, start, stop):
                if inner == b"trak":
                    yield dict(_leaves(data, begin, end)) | {b"mvhd": film.get(b"mvhd", b"")}


def _leaves(data: Bytes, place: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    for kind, start, stop in _boxes(data, place, end):
        if kind in _HOLDING:
            yield from _leaves(data, start, stop)
        else:
            yield kind, data[start:stop]


def _samples(kind: bytes, body: bytes) -> int:
    """Samples that a list is of: ``stsz`` says so, the others count runs of them."""
    if kind == b"stsz":
        return int.from_bytes(body[8:12])
    return int(_runs(body)[:, 0].sum())
