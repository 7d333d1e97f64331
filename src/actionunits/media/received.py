"""What comes as bytes, from standard input or a web server: stored first, or a stream.

What goes on without an end (transport streams, Matroska, pictures one after another, ...) is read
as it comes. All else is stored in a folder of this process before it is read, since its decoder
must look here and there, as in MP4; then it is read like any file, and as exactly.
"""

import atexit
import itertools
import logging
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from threading import Lock
from time import sleep
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

from actionunits.errors import MediaError
from actionunits.media import addresses
from actionunits.media.names import STDIN, is_address, is_rtsp, is_stored

_PART = 1 << 16  # bytes
_TELLING = 1 << 12  # bytes by which a container is known
_LARGE = 50_000_000  # bytes of which it is said that they are fetched first
_LONGEST_PICTURE = 1 << 26  # bytes
_NEXT_PICTURE = b"\xff\xd9\xff\xd8\xff"  # the end of a JPEG picture, and the beginning of another
_PARTIAL = 206  # an answer that goes on where it was asked to
_PACKET = 188  # bytes of a transport stream
_STREAMS = (
    *(b"\x1a\x45\xdf\xa3", b"FLV\x01", b"YUV4MPEG2 ", b"OggS", b"nut/multimedia container"),
    *(b"\x00\x00\x01", b"\x00\x00\x00\x01"),  # MPEG, H.264 and H.265 without a container
)
"""How containers begin that need no looking back."""

_log = logging.getLogger(__name__)


class Received(NamedTuple):
    """What became of a source of bytes."""

    path: Path | None  # where it is stored; None: it is a stream
    head: bytes = b""  # of a stream on standard input, what has been read of it


_known: dict[str, Received] = {}
_turn = Lock()


def receive(source: str) -> str:
    """Store what is no stream; return the source.

    Args:
        source: an address without its password, or `STDIN`.

    Raises:
        MediaError: nobody answers, it is empty, or cannot be stored.
    """
    if not is_rtsp(source):
        with _turn:
            if source not in _known:
                _known[source] = _piped() if source == STDIN else _fetched(source)
    return source


def stored(source: str) -> Path | None:
    """Where a source is on the disk, None if it is a stream or a camera.

    Args:
        source: as `sources` gives it.
    """
    if is_stored(source):
        return Path(source)
    known = _known.get(source)
    return known.path if known else None


def is_received(source: str) -> bool:
    """Whether this source has been asked for already."""
    return source in _known


def head(source: str) -> bytes:
    """What has been read already of a stream."""
    return _known[source].head


def _piped() -> Received:
    """Standard input."""
    try:
        if stat.S_ISCHR(os.fstat(0).st_mode):
            raise MediaError(
                "stdin: a picture or a video was expected on standard input, and nothing is sent "
                "there; send one, as in cat talk.mp4 | au detect -"
            )
        # elsewhere the process that decodes cannot be lent it
        return _taken(STDIN, lambda: os.read(0, _PART), may_stream=os.name == "posix")
    except OSError as error:
        raise MediaError(f"stdin: cannot be read ({addresses.why(error)}); send it anew") from error


def _fetched(source: str) -> Received:
    address = addresses.full(source)
    try:
        with addresses.ask(source, address) as answer:
            if answer.headers.get_content_maintype() == "multipart":
                return Received(None)
            if answer.length is None:
                return _taken(source, lambda: answer.read1(_PART), may_stream=True)
            if answer.length > _LARGE:
                _log.warning("%s: its %d MB are fetched first", source, answer.length // 10**6)
            with _stored(source) as file:
                _fetch(source, address, answer, file)
                return Received(Path(file.name))
    except addresses.NETWORK as error:
        raise addresses.unreachable(source, error) from error


def _fetch(source: str, address: str, answer: HTTPResponse, file: BinaryIO) -> None:
    """Write all of an answer; where it breaks off, ask for the rest."""
    size, waits = answer.length or 0, iter(addresses.WAITS)
    while (broke := _copy(answer, file)) and file.tell() < size:
        wait = next(waits, None)
        if wait is None:
            raise ConnectionError(f"it broke off after {file.tell():,} of {size:,} bytes: {broke}")
        _log.warning("%s: broke off (%s); asking for the rest", source, broke)
        sleep(wait)
        with suppress(*addresses.NETWORK):  # then the next try
            answer = addresses.ask(source, address, file.tell())
            if answer.status != _PARTIAL:  # it begins anew
                file.seek(0)
                file.truncate()


def _copy(answer: HTTPResponse, file: BinaryIO) -> str:
    """Write what comes; return why no more does."""
    while True:
        try:
            part = answer.read1(_PART)
        except addresses.NETWORK as error:
            return addresses.why(error)
        if not part:
            return "the server closed the connection"
        file.write(part)


def _taken(source: str, read: Callable[[], bytes], *, may_stream: bool) -> Received:
    """Bytes of which nobody says how many there are."""
    beginning = b""
    parts = iter(read, b"")
    for part in parts:
        beginning += part
        if len(beginning) >= _TELLING:
            break
    if not beginning:
        raise MediaError(f"{source}: nothing came; a picture or a video was expected")
    if may_stream and beginning.startswith(b"\xff\xd8\xff"):
        beginning = _first_picture(beginning, parts)
    if may_stream and _goes_on(beginning):
        return Received(None, beginning)
    with _stored(source) as file:
        for part in itertools.chain([beginning], parts):
            file.write(part)
        return Received(Path(file.name))


def _first_picture(beginning: bytes, parts: Iterator[bytes]) -> bytes:
    """The beginning up to where a second JPEG picture follows the first, or to the end."""
    known = bytearray(beginning)
    searched = 0
    while known.find(_NEXT_PICTURE, searched) < 0 and len(known) < _LONGEST_PICTURE:
        searched = max(len(known) - len(_NEXT_PICTURE), 0)
        part = next(parts, b"")
        if not part:
            break
        known += part
    return bytes(known)


def _goes_on(beginning: bytes) -> bool:
    """Whether it begins like something that can be read from its front on."""
    marks = beginning[: 3 * _PACKET : _PACKET]
    return (
        beginning.startswith(_STREAMS)
        or marks == b"GGG"
        or _NEXT_PICTURE in beginning
        or (beginning[4:8] == b"ftyp" and b"mvex" in beginning)  # an MP4 of fragments
    )


def _stored(source: str) -> BinaryIO:
    """A new file, called as the source, in a folder of this process."""
    name = Path(unquote(urlsplit(source).path)).name if is_address(source) else "standard input"
    name = name if name and is_stored(name) else "file"
    folder = tempfile.TemporaryDirectory(prefix="au-received-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return open(Path(folder.name, name), "w+b")
