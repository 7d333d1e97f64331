"""Whether the parts of a file follow each other to its end: decoders pass over what does not.

Flash video, Windows Media, Matroska and MPEG program streams are chains, each part of which says
how long it is. Where bytes are missing, or a length or a mark has changed, the chain does not go
on; what lies between is lost without a word, as a demuxer looks for the next part that it can read.
JPEG 2000 is one too, and is decoded however little of it there is. MP4 is none, but has lists
(`mp4`).
"""

import mmap
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from actionunits.media import mp4

Bytes = mmap.mmap | bytes

_FLV_TAG = 11  # bytes before what a tag holds
_FLV_SOUND, _FLV_PICTURES = 8, 9
_FLV_KINDS = frozenset({_FLV_SOUND, _FLV_PICTURES, 18})  # and script
_FLV_FRAMES = range(1, 6)  # that need others, that do not, and what is no frame
_ENHANCED = range(8)  # kinds of packets
_AVC = 7

_ASF_HEADER, _ASF_OBJECT = 30, 24  # bytes before the objects in the header, and of the head of each
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")

_SEGMENT, _CLUSTER, _TRACKS = 0x18538067, 0x1F43B675, 0x1654AE6B
_ENTRY, _NUMBER = 0xAE, 0xD7  # of a track
_BLOCK, _SIMPLE_BLOCK, _GROUP, _ENCRYPTED = 0xA1, 0xA3, 0xA0, 0xAF
_ANYWHERE = frozenset({0xEC, 0xBF})  # room that is left, checksums
_OF_SEGMENT = _ANYWHERE | {
    *(_CLUSTER, _TRACKS, 0x114D9B74, 0x1549A966),  # and where what is, what it is,
    *(0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367),  # cues, attachments, chapters, tags
}
_NUMBERS = {0xE7, 0xA7, 0xAB}  # time, place and size of the one before, of a cluster
_OF_CLUSTER = _ANYWHERE | _NUMBERS | {_SIMPLE_BLOCK, _GROUP, _ENCRYPTED, 0x5854}
_LONGEST = 8  # bytes of a number
_OF_GROUP = _ANYWHERE | {
    *(_BLOCK, 0xFB, 0x9B, 0xA4, 0xA2),  # and references, duration, state of the codec, virtual,
    *(0x75A1, 0x75A2, 0xFA, 0xFD, 0x8E, 0xC8),  # additions, padding, priority, slices, frames
}

_PACK, _END = 0xBA, 0xB9  # of a program stream
_LEAST_STREAM = 0xBB
_VIDEO_CD = b"RIFF"

_GIF_PICTURE, _GIF_EXTENSION, _GIF_TRAILER = 0x2C, 0x21, 0x3B
_CODESTREAM, _TILE_PART, _END_OF_CODESTREAM = b"\xff\x4f", b"\xff\x90", b"\xff\xd9"


def is_torn(name: str, kind: str) -> bool:
    """Whether a video's container, or a picture, is not whole.

    Args:
        name: of the file, which is read part by part to its end.
        kind: of a container as FFmpeg calls it, of a picture as Pillow does; False for those that
            are no such chain.
    """
    walk = _CHAINS.get(kind)
    if walk is None or not Path(name).stat().st_size:
        return False
    with (
        Path(name).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return not walk(data)


def _is_whole_flv(data: Bytes) -> bool:
    """*Video File Format Specification*, version 10: tags, each followed by its own length."""
    place = int.from_bytes(data[5:9]) + 4
    tells = None  # some programs write other lengths behind all tags
    codecs: set[int | None] = set()
    sounds: Counter[int] = Counter()  # what they are: a picture, taken for sound, is another or one
    while place < len(data):
        size = int.from_bytes(data[place + 1 : place + 4])
        if data[place] & 0x1F not in _FLV_KINDS or any(data[place + 8 : place + _FLV_TAG]):
            return False
        if data[place] & 0x1F == _FLV_SOUND and size:
            sounds.update(data[place + _FLV_TAG : place + _FLV_TAG + 1])
        if data[place] & 0x1F == _FLV_PICTURES and size:
            codecs.add(_flv_codec(data[place + _FLV_TAG : place + _FLV_TAG + 1]))
            if not _is_picture(data, place + _FLV_TAG, size):
                return False
        place += _FLV_TAG + size
        is_right = int.from_bytes(data[place : place + 4]) == _FLV_TAG + size
        tells = is_right if tells is None else tells
        if tells and not is_right:
            return False
        place += 4
    is_one = None not in codecs and len(codecs) <= 1 and len(sounds) <= 1
    return place == len(data) and is_one and 1 not in sounds.values()


def _is_whole_gif(data: Bytes) -> bool:
    """*GIF89a Specification*: blocks, each a chain of its own, up to the trailer."""

    def after_chain(place: int) -> int:
        while data[place]:  # lengths, each followed by so many bytes, up to a 0
            place += 1 + data[place]
        return place + 1

    def after_colours(place: int, flags: int) -> int:
        return place + (3 << (flags & 7) + 1 if flags & 0x80 else 0)

    try:
        place = after_colours(13, data[10])
        while data[place] != _GIF_TRAILER:
            if data[place] == _GIF_PICTURE:
                place = after_chain(after_colours(place + 10, data[place + 9]) + 1)
            elif data[place] == _GIF_EXTENSION:
                place = after_chain(place + 2)
            else:
                return False
    except IndexError:
        return False
    return True


def _flv_codec(head: bytes) -> int | None:
    """Number of the codec of a tag of pictures, by its first byte; None where there is no such tag.

    One of the *Enhanced RTMP* specification has a name instead, further on: all those are one here.
    """
    if not head:
        return None
    is_enhanced, kind, codec = head[0] & 0x80, head[0] >> 4 & 7, head[0] & 0x0F
    if kind not in _FLV_FRAMES or is_enhanced and codec not in _ENHANCED:
        return None
    return -1 if is_enhanced else codec


def _is_picture(data: Bytes, place: int, size: int) -> bool:
    """Whether a tag of H.264 may be what it says: settings of version 1, pictures, or the end."""
    if size < 6 or place + 6 > len(data) or data[place] & 0x0F != _AVC:
        return True
    kind = data[place + 1]
    return kind in (1, 2) or (kind == 0 and data[place + 5 : place + 6] == b"\x01")


def _is_whole_asf(data: Bytes) -> bool:
    """*Advanced Systems Format Specification*, sections 2 to 6: a header, data, and lists."""
    end = _asf_size(data, 0)
    if _after_objects(data, _ASF_HEADER, end) != end or data[end : end + 16] != _ASF_DATA:
        return False
    if not _asf_size(data, end):  # a live stream goes on to its end
        return True
    return _after_objects(data, end, len(data)) == len(data)


def _after_objects(data: Bytes, place: int, end: int) -> int:
    while place < end and _asf_size(data, place) >= _ASF_OBJECT:
        place += _asf_size(data, place)
    return place


def _asf_size(data: Bytes, place: int) -> int:
    return int.from_bytes(data[place + 16 : place + 24], "little")


class _TornError(ValueError):
    """An element is not what may stand there."""


def _is_whole_matroska(data: Bytes) -> bool:
    """RFC 8794 and 9559: elements in elements, most with their lengths.

    Within clusters, which hold all pictures, an element that nobody knows is a damaged one.
    """
    try:
        place = 0
        while place < len(data):
            kind, start, size = _element(data, place)
            end = len(data) if size is None else start + size
            if kind == _SEGMENT:
                _walk_segment(data, start, end)
            elif place == 0 and end > len(data):
                return False
            place = end
    except _TornError:
        return False
    return True


def _walk_segment(data: Bytes, place: int, end: int) -> None:
    tracks: set[int] = set()
    if end > len(data):
        raise _TornError
    while place < end:
        kind, start, size = _element(data, place)
        stop = end if size is None else start + size
        if kind not in _OF_SEGMENT or stop > end:
            raise _TornError
        if kind == _TRACKS:
            tracks |= _track_numbers(data, start, stop)
        place = _walk_cluster(data, start, stop, size is None, tracks) if kind == _CLUSTER else stop


def _walk_cluster(data: Bytes, place: int, end: int, is_open: bool, tracks: set[int]) -> int:
    """Walk through a cluster and return its end, which another one marks where it `is_open`."""
    while place < end:
        kind, start, size = _element(data, place)
        if is_open and kind in _OF_SEGMENT - _ANYWHERE:
            return place
        if kind not in _OF_CLUSTER or size is None or start + size > end:
            raise _TornError
        if kind in _NUMBERS and size > _LONGEST:
            raise _TornError
        if kind == _SIMPLE_BLOCK:
            _check_block(data, start, tracks)
        elif kind == _GROUP:
            _walk_group(data, start, start + size, tracks)
        place = start + size
    return place


def _walk_group(data: Bytes, place: int, end: int, tracks: set[int]) -> None:
    while place < end:
        kind, start, size = _element(data, place)
        if kind not in _OF_GROUP or size is None or start + size > end:
            raise _TornError
        if kind == _BLOCK:
            _check_block(data, start, tracks)
        place = start + size


def _check_block(data: Bytes, place: int, tracks: set[int]) -> None:
    number, _ = _integer(data, place, keep_mark=False)
    if tracks and number not in tracks:
        raise _TornError


def _track_numbers(data: Bytes, place: int, end: int) -> set[int]:
    numbers = set()
    while place < end:
        kind, start, size = _element(data, place)
        if size is None:
            raise _TornError
        if kind == _ENTRY:
            numbers |= _track_numbers(data, start, start + size)
        elif kind == _NUMBER:
            numbers.add(int.from_bytes(data[start : start + size]))
        place = start + size
    return numbers


def _element(data: Bytes, place: int) -> tuple[int, int, int | None]:
    """Kind of the element at a place, where what it holds begins, and how long that is."""
    kind, place = _integer(data, place, keep_mark=True)
    begin = place
    size, place = _integer(data, place, keep_mark=False)
    is_open = size == (1 << 7 * (place - begin)) - 1  # all ones: up to what comes next
    return kind, place, None if is_open else size


def _integer(data: Bytes, place: int, *, keep_mark: bool) -> tuple[int, int]:
    """A number of variable length, whose first one tells how many bytes it has; and its end."""
    if place >= len(data) or not data[place]:
        raise _TornError
    length = 9 - data[place].bit_length()
    value = int.from_bytes(data[place : place + length])
    return value if keep_mark else value & (1 << 7 * length) - 1, place + length


def _is_whole_program_stream(data: Bytes) -> bool:
    """ISO/IEC 11172-1 and 13818-1, section 2.5.3: packs of packets that say how long they are."""
    if data[:4] == _VIDEO_CD:  # whose sectors have marks of their own in between
        return True
    place = 0
    while place + 4 <= len(data):
        if data[place : place + 3] != b"\0\0\1":
            if data[place]:
                return False
            place += 1  # zeros may fill up
            continue
        kind = data[place + 3]
        if kind == _END:
            place += 4
        elif kind == _PACK:
            place += _pack(data, place)
        elif kind >= _LEAST_STREAM:
            length = int.from_bytes(data[place + 4 : place + 6])
            if not length:  # such a packet goes on to the next one: nobody can tell
                return True
            place += 6 + length
        else:
            return False
    return place <= len(data)


def _pack(data: Bytes, place: int) -> int:
    """Bytes of the head of a pack, of MPEG-2 or MPEG-1."""
    if data[place + 4 : place + 5] and data[place + 4] >> 6 == 1:
        return 14 + (data[place + 13 : place + 14] or b"\0")[0] % 8
    return 12


def _is_whole_jpeg_2000(data: Bytes) -> bool:
    """ISO/IEC 15444-1, annexes A and I: boxes, one of which holds tile-parts up to a mark."""
    if data[:2] == _CODESTREAM:
        return _is_whole_codestream(data, 0, len(data))
    place = 0
    while place + 8 <= len(data):
        size, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        head = 16 if size == 1 else 8
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16])
        end = place + size if size else len(data)
        if size and size < head or end > len(data):
            return False
        if kind == b"jp2c":
            return _is_whole_codestream(data, place + head, end)
        place = end
    return False


def _is_whole_codestream(data: Bytes, place: int, end: int) -> bool:
    place += 2
    while place + 4 <= end:  # segments of the main head, and tile-parts
        mark, length = data[place : place + 2], int.from_bytes(data[place + 2 : place + 4])
        if mark == _TILE_PART:
            whole = int.from_bytes(data[place + 6 : place + 10])
            if not whole:  # the last one, up to the end
                break
            place += max(whole, 12)
        elif mark[0] == 0xFF:
            place += 2 + length
        else:
            return False
    return data[end - 2 : end] == _END_OF_CODESTREAM and place <= end - 2


_CHAINS: dict[str, Callable[[Bytes], bool]] = {
    "asf": _is_whole_asf,
    "flv": _is_whole_flv,
    "matroska,webm": _is_whole_matroska,
    "mpeg": _is_whole_program_stream,
    mp4.KIND: mp4.is_whole,
    "JPEG2000": _is_whole_jpeg_2000,
    "GIF": _is_whole_gif,
}
