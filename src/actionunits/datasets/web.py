"""What is at an address of the web, which others wrote down: asked for with care.

Only ``http:`` and ``https:``, no more than so much, no longer than so long, and nothing of a
private network that the user has not named, whatever an address is redirected to.
"""

import ipaddress
import socket
import time
from collections.abc import Collection
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    getproxies,
)

LARGEST = 50_000_000  # bytes of an answer
LONGEST = 120.0  # seconds of one
_SCHEMES = {"http", "https"}
_REMOVED = "photo_unavailable"  # Flickr shows a picture of this name for those that were removed
_HEADERS = {"User-Agent": "actionunits (pictures of a research data set)"}
_KINDS = {"application/octet-stream", "binary/octet-stream"}  # beside pictures, and no word of it
_PART = 1 << 16  # bytes read at once


class UnwelcomeError(Exception):
    """An answer that is not wanted, now or later."""


def get(url: str, timeout: float, hosts: Collection[str] = ()) -> bytes:
    """Get what is at an address.

    Args:
        url: ``http:`` or ``https:``.
        timeout: seconds without a word after which there is no answer.
        hosts: names of private networks that may be asked.

    Raises:
        UnwelcomeError: it is of another scheme, or too large.
        HTTPError: the answer is no.
        OSError: there is no answer, an empty one, one that is no picture, or it takes too long; or
            who answers is in a private network.
        HTTPException: it broke off.
        ValueError: this is no address.
    """
    _check_scheme(url)
    end = time.monotonic() + LONGEST
    with _opener(hosts).open(Request(url, headers=_HEADERS), timeout=timeout) as answer:
        if _REMOVED in answer.url:
            raise UnwelcomeError("removed by its owner")
        kind = answer.headers.get_content_type() if "content-type" in answer.headers else ""
        if kind and not kind.startswith("image/") and kind not in _KINDS:
            raise OSError(f"not a picture, but {kind}")
        content = _read(answer, end)
    if not content:
        raise OSError("an empty answer")
    return content


def _read(answer: HTTPResponse, end: float) -> bytes:
    size = answer.length  # as it says; None where it does not
    if size is not None and size > LARGEST:
        raise UnwelcomeError(_too_large())
    parts, known = [], 0
    while part := answer.read1(_PART):
        parts.append(part)
        known += len(part)
        if known > LARGEST:
            raise UnwelcomeError(_too_large())
        if time.monotonic() > end:
            raise OSError(f"it took longer than {LONGEST:g} seconds")
    if size is not None and known < size:
        raise IncompleteRead(b"", size - known)
    return b"".join(parts)


def _too_large() -> str:
    return f"larger than {LARGEST / 1e6:g} MB"


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in _SCHEMES:
        raise UnwelcomeError("not an address of the web")


def _opener(hosts: Collection[str]) -> OpenerDirector:
    """What knows http and https and nothing else, and asks through the user's proxy."""
    proxies = getproxies()
    named = {urlsplit(proxy).hostname for proxy in proxies.values()}
    trusted = {host.lower() for host in (*hosts, *named) if host}

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            _check_peer(self.sock, self.host, trusted)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            _check_peer(self.sock, self.host, trusted)

    class PlainHandler(HTTPHandler):
        def http_open(self, req: Request) -> HTTPResponse:
            return self.do_open(Plain, req)

    class SecureHandler(HTTPSHandler):
        def https_open(self, req: Request) -> HTTPResponse:
            return self.do_open(Secure, req)

    opener = OpenerDirector()
    for handler in (
        ProxyHandler(proxies),
        PlainHandler(),
        SecureHandler(),
        _Redirects(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _Redirects(HTTPRedirectHandler):
    """Follows to other addresses of the web alone."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        _check_scheme(newurl)
        fp.close()  # else all that comes with it would be read
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_peer(connection: socket.socket, host: str, trusted: Collection[str]) -> None:
    """Refuse who is in a private network, before anything is asked of him.

    The connection itself is looked at: a name may stand for one address now and for another later.
    """
    found = ipaddress.ip_address(connection.getpeername()[0].partition("%")[0])
    address = getattr(found, "ipv4_mapped", None) or found
    if host.lower() not in trusted and (not address.is_global or address.is_multicast):
        connection.close()
        raise OSError(f"{host} is in a private network, and not among the hosts that are allowed")
