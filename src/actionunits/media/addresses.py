"""Addresses of streams and files on the network: only those that the user has typed are asked.

An answer that leads to another address is refused, and says which. Names and passwords in an
address are kept here, apart from the source's name: they reach neither tables nor messages.
"""

import socket
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from actionunits.errors import MediaError

PATIENCE = 10.0
"""Seconds without a word after which a connection is taken to be broken."""

WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each try to connect again; then it is given up."""

NETWORK = (OSError, HTTPException, ValueError)
"""What a network, and what answers on it, leads to."""

_RTSP = 554  # the port of those that name none
_REFUSED = {
    401: "it wants a name and a password; write them into the address, as in rtsp://name:word@host",
    403: "it does not let you in; look whether name and password in the address are right",
    404: "there is nothing at this address; check its path",
}
_SPEAKS = 1 << 12  # bytes of an answer that say what it is

_secrets: dict[str, str] = {}  # names and passwords, by the address without them


def public(address: str) -> str:
    """The address without name and password, which are kept for `full`; by it the source goes.

    Raises:
        MediaError: there is no such address.
    """
    parts = _split(address)
    who, mark, host = parts.netloc.rpartition("@")
    shown = parts._replace(netloc=host).geturl()
    if mark:
        _secrets[shown] = who
    return shown


def full(source: str) -> str:
    """The address that is asked: with the name and the password that were typed."""
    who = _secrets.get(source)
    if who is None:
        return source
    parts = urlsplit(source)
    return parts._replace(netloc=f"{who}@{parts.netloc}").geturl()


def ask(name: str, address: str, start: int = 0) -> HTTPResponse:
    """The answer of an HTTP server, whose body is still to be read.

    Args:
        name: of the source, for messages.
        address: ``http:`` or ``https:``.
        start: bytes that are known already.

    Raises:
        MediaError: the answer is no, or leads elsewhere.
        OSError, HTTPException, ValueError: there is no answer.
    """
    from urllib import request  # takes as long to load as the rest of this room

    class Stays(request.HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, *others: Any) -> None:
            raise elsewhere(name, others[-1])

    parts = urlsplit(address)
    who, _, host = parts.netloc.rpartition("@")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    asked = request.Request(parts._replace(netloc=host, path=path, fragment="").geturl())
    opener = request.build_opener(Stays)
    if who:
        user, _, word = who.partition(":")
        known = request.HTTPPasswordMgrWithDefaultRealm()
        known.add_password(None, asked.full_url, unquote(user), unquote(word))
        opener.add_handler(request.HTTPBasicAuthHandler(known))
        opener.add_handler(request.HTTPDigestAuthHandler(known))
    if start:
        asked.add_header("Range", f"bytes={start}-")
    try:
        answer: HTTPResponse = opener.open(asked, timeout=PATIENCE)
    except request.HTTPError as error:
        error.close()
        raise refused(name, error.code, str(error.reason)) from None
    return answer


def check_rtsp(name: str, address: str) -> None:
    """Ask an RTSP server for what it has at an address, since FFmpeg would follow where it leads.

    Raises:
        MediaError: it says no, or names another address.
        OSError: there is no answer.
    """
    parts = urlsplit(address)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    place = parts.hostname or "", parts.port or _RTSP
    with closing(socket.create_connection(place, PATIENCE)) as line:
        line.sendall(f"DESCRIBE {bare} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        answer = line.recv(_SPEAKS).decode("latin-1")
    status, *fields = answer.partition("\r\n\r\n")[0].split("\r\n")
    protocol, _, rest = status.partition(" ")
    if not protocol.startswith("RTSP/") or not rest[:3].isdecimal():
        raise MediaError(f"{name}: what answers there does not speak RTSP; check the address")
    code = int(rest[:3])
    if 300 <= code < 400:
        to = [value for key, _, value in (f.partition(":") for f in fields) if key == "Location"]
        raise elsewhere(name, "".join(to).strip())
    if code >= 400 and not (code == 401 and "@" in parts.netloc):
        raise refused(name, code, rest[4:])


def elsewhere(name: str, address: str) -> MediaError:
    """What to say of an answer that names another address."""
    return MediaError(
        f"{name}: leads to another address, {address}, which was not asked, since only what you "
        "name is; name that one if you trust it"
    )


def refused(name: str, code: int, reason: str) -> MediaError:
    """What to say of a server that says no."""
    advice = _REFUSED.get(code, "check the address, or try again later")
    return MediaError(f"{name}: the server answers {code} {reason}: {advice}")


def unreachable(name: str, error: Exception) -> MediaError:
    """What to say where nobody answers."""
    return MediaError(
        f"{name}: cannot be read ({why(error)}); check the address, and that what should answer "
        "there is on"
    )


def why(error: BaseException) -> str:
    """Why a connection failed, in a few words."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):  # what urllib has wrapped
        return why(reason)
    if isinstance(error, TimeoutError):
        return f"no answer for {PATIENCE:g} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        if parts.hostname and (parts.port is None or parts.port):
            return parts
        reason = "it names no host"
    except ValueError as error:
        reason = str(error)
    shown = address.partition("@")[2] or address
    raise MediaError(f"{shown}: this is no address ({reason}); write it as in rtsp://host:554/path")
