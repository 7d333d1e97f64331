"""Names of files: as text in tables, and for files that are named after others."""

import hashlib
import os
import re
from collections.abc import Collection

from actionunits.errors import printable

LONGEST = 255
"""Bytes that a name has at most on the usual file systems."""

_LIKE_CODE = re.compile(r"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})")
_CODE = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})")
_FORMULA = ("=", "+", "-", "@")  # what spreadsheets take for a formula begins with one
_UNWANTED = re.compile(rf'{_CODE.pattern}|[<>:"|?*\\]')


def escaped(name: str) -> str:
    r"""Path as it stands in a table: one line of Unicode that no spreadsheet takes for a formula.

    Most paths stand there as they are. Control characters, and bytes that are not UTF-8, are
    ``\xHH`` and ``\uHHHH``, and so is a backslash that would look like one of these. A path that
    begins with ``=``, ``+``, ``-`` or ``@`` has ``./`` before it, which leads to the same file.

    >>> print(escaped("caf\udce9\r.jpg"), escaped("=1.jpg"), escaped("a/b.jpg"))
    caf\udce9\x0d.jpg ./=1.jpg a/b.jpg
    """
    text = printable(_LIKE_CODE.sub(r"\\x5c", name))
    return f"./{text}" if text.startswith(_FORMULA) else text


def unescaped(text: str) -> str:
    r"""Path of what `escaped` wrote: it leads to the same file.

    >>> unescaped(r"caf\udce9\x0d.jpg") == "caf\udce9\r.jpg"
    True
    """
    return _CODE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def plain(name: str) -> str:
    r"""Name of a file without what Windows, or a terminal, would choke on.

    >>> plain("10:30 caf\udce9")
    '10_30 caf_'
    """
    return _UNWANTED.sub("_", printable(name))


def fitted(stem: str, ending: str, spare: int = 0) -> str:
    """Name of at most `LONGEST` bytes, less `spare`; a digest stands for the end of a long stem."""
    room = LONGEST - spare - len(os.fsencode(ending))
    if len(os.fsencode(stem)) > room:
        kept = os.fsencode(stem)[: room - 9].decode("utf-8", "ignore")
        stem = f"{kept}-{digest(stem)}"
    return stem + ending


def digest(text: str) -> str:
    """Eight characters that differ with the text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def listed(names: Collection[str], most: int = 3) -> str:
    """Some of the names for a sentence, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = ", ".join(list(names)[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
