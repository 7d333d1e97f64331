"""Opens streams: addresses, and pipes that were lent to this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from time import monotonic

import av

from actionunits.errors import MediaError
from actionunits.media import addresses
from actionunits.media.names import is_rtsp
from actionunits.media.opening import BROKEN, SEALED, TEXT, Opened, pictures_of
from actionunits.media.videos import BrokenOffError

_MULTIPART = "mpjpeg"  # pictures one after another, each with a head of its own
_RTSP = {
    "protocol_whitelist": "rtsp,tcp",
    "rtsp_transport": "tcp",  # pictures come by the connection that was asked for
}


@contextmanager
def address(name: str, where: str) -> Iterator[Opened]:
    """The stream at an address.

    Args:
        name: of the source, for messages.
        where: the address, with its password.

    Raises:
        MediaError: nobody answers, the answer is no, or it is no video.
        BrokenOffError: it ended before it was over.
    """
    try:
        if is_rtsp(where):
            addresses.check_rtsp(name, where)
            body = None
        else:
            body = _Body(addresses.ask(name, where))
    except addresses.NETWORK as error:
        raise addresses.unreachable(name, error) from error
    if body is None:
        with _opened(name, where, _RTSP) as video:
            yield video
            if video.container.duration is None:  # what is live does not end by itself
                raise BrokenOffError("the server closed the connection")
        return
    try:
        kind = _MULTIPART if body.is_multipart else None
        with body.answer, _opened(name, body, SEALED, kind) as video:
            yield video
    except BrokenOffError:
        if not body.is_over:  # at the mark of their end FFmpeg looks for one more picture
            raise


@contextmanager
def pipe(name: str, head: bytes, descriptor: int) -> Iterator[Opened]:
    """The stream in a pipe.

    Args:
        name: of the source, for messages.
        head: what was read from it already.
        descriptor: of the pipe, in this process.

    Raises:
        MediaError: it is no video.
    """
    with _opened(name, _Pipe(head, descriptor), SEALED) as video:
        yield video


class _Body:
    """What an HTTP server sends, for FFmpeg."""

    def __init__(self, answer: HTTPResponse) -> None:
        self.answer, self.name = answer, "stream"
        self.is_multipart = answer.headers.get_content_maintype() == "multipart"
        self._last = b""

    def read(self, most: int) -> bytes:
        try:
            part = self.answer.read1(most)
        except HTTPException as error:
            raise ConnectionError("the server broke off") from error
        if not part and self.is_multipart and not self.is_over:
            raise ConnectionError("the server closed the connection")
        self._last = part[-4:] or self._last
        return part

    @property
    def is_over(self) -> bool:
        """Whether the last part was marked as such, which RFC 2046 does by two hyphens."""
        return self._last.rstrip(b"\r\n").endswith(b"--")


class _Pipe:
    """A pipe, for FFmpeg."""

    def __init__(self, head: bytes, descriptor: int) -> None:
        self._head, self._descriptor, self.name = head, descriptor, "pipe"

    def read(self, most: int) -> bytes:
        part, self._head = self._head[:most], self._head[most:]
        return part or os.read(self._descriptor, most)


@contextmanager
def _opened(
    name: str, file: "str | _Body | _Pipe", options: dict[str, str], kind: str | None = None
) -> Iterator[Opened]:
    """What FFmpeg makes of it. An address is given up where it is silent for too long."""
    began = monotonic()
    patience = (addresses.PATIENCE, addresses.PATIENCE) if isinstance(file, str) else None
    try:
        container = av.open(file, "r", kind, options=options, timeout=patience, **TEXT)
    except BROKEN as error:
        if patience and monotonic() - began >= addresses.PATIENCE:
            raise addresses.unreachable(name, TimeoutError()) from error
        raise MediaError(
            f"{name}: no video that can be read comes from there ({addresses.why(error)}); look "
            "whether a player shows it"
        ) from error
    with container:
        yield Opened(container, pictures_of(name, container), [])
