"""Pictures of MPEG-1 and MPEG-2 carry numbers within their group: one that is not there was lost.

ISO/IEC 11172-2 and 13818-2, section 6.3.9: ``temporal_reference`` counts the pictures of a group in
the order in which they are shown. Containers of such video often tell times of few pictures only.
"""

import itertools

CODECS = frozenset({"mpeg1video", "mpeg2video"})

_SEQUENCE, _GROUP, _PICTURE = b"\0\0\1\xb3", b"\0\0\1\xb8", b"\0\0\1\0"
_LARGEST = 1000  # pictures: numbers start anew at 1024


class Groups:
    """Told of what is stored, one picture after the other, finds groups that lack one."""

    def __init__(self) -> None:
        self._numbers: list[int] | None = None  # as they are stored; none before the first group
        self._again = 0  # numbers that come again, as where the head of a group is missing
        self._all_begin = True  # groups do, wherever they may
        self._lacking = 0

    @property
    def lacking(self) -> int:
        """Pictures that are missing between others of their groups."""
        return self._lacking + self._again * self._all_begin

    def add(self, data: bytes) -> None:
        """The next picture, with the heads before it."""
        head, found, body = data.partition(_PICTURE)
        if _GROUP in head:
            self.end()
            self._numbers = []
        elif _SEQUENCE in head:
            self._all_begin = False
        if self._numbers is not None and found:
            self._numbers.append(int.from_bytes(body[:2]) >> 6)

    def end(self) -> None:
        """The group ends. Those that its first ones need may have been cut off before it."""
        if self._numbers and max(self._numbers) < _LARGEST:
            numbers = {*self._numbers}  # two halves of a picture have one
            self._lacking += max(numbers) - min(numbers) + 1 - len(numbers)
            self._again += sum(1 for _ in itertools.groupby(self._numbers)) - len(numbers)
        self._numbers = None
