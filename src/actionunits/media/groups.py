"""Pictures of MPEG-1 and MPEG-2 carry numbers within their group: one that is not there was lost.

ISO/IEC 11172-2 and 13818-2, section 6.3.9: ``temporal_reference`` counts the pictures of a group in
the order in which they are shown. Containers of such video often tell times of few pictures only.
"""

CODECS = frozenset({"mpeg1video", "mpeg2video"})

_GROUP, _PICTURE = b"\0\0\1\xb8", b"\0\0\1\0"
_LARGEST = 1000  # pictures: numbers start anew at 1024


class Groups:
    """Told of what is stored, one picture after the other, finds groups that lack one."""

    def __init__(self) -> None:
        self._numbers: set[int] | None = None  # none before the first group begins
        self.lacking = 0
        """Pictures that are missing between others of their groups."""

    def add(self, data: bytes) -> None:
        """The next picture, with the heads before it."""
        head, found, body = data.partition(_PICTURE)
        if _GROUP in head:
            self.end()
            self._numbers = set()
        if self._numbers is not None and found:
            self._numbers.add(int.from_bytes(body[:2]) >> 6)

    def end(self) -> None:
        """The group ends. Those that its first ones need may have been cut off before it."""
        if self._numbers and max(self._numbers) < _LARGEST:
            self.lacking += max(self._numbers) - min(self._numbers) + 1 - len(self._numbers)
        self._numbers = None
