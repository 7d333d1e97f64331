"""The network is used only when the user asks for it: whoever asks for it in a test is told no."""

import sys

_HERE = ("127.", "::1", "localhost", "0.0.0.0")


class ForbiddenError(OSError):
    """Something asked for the network."""


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # None: a file's socket
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if host and not str(host).startswith(_HERE):
        ASKED.append(str(host))
        raise ForbiddenError(f"no network in tests: {host}")


ASKED: list[str] = []
"""Whom this process has asked for since this module was imported."""

sys.addaudithook(_hook)
