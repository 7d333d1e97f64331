"""What a user can do wrong, in one sentence; the command line prints it without a traceback."""

import re
import reprlib

from pydantic import ValidationError

# Control characters, line separators, marks that turn the direction of text, and what stands for
# bytes of a file name that is not UTF-8.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def counted(number: int, noun: str) -> str:
    """A number of things, for messages.

    >>> counted(1, "frame"), counted(1200, "frame")
    ('1 frame', '1,200 frames')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    r"""Text in one line that does nothing to a terminal, a table or a log.

    Characters that would are written as ``\xHH`` or ``\uHHHH``, as Python writes them.

    >>> print(printable("a\x1b[31m\r\udce9.jpg"))
    a\x1b[31m\x0d\udce9.jpg
    """
    return _UNPRINTABLE.sub(lambda found: _code(found[0]), text)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def brief(value: object) -> str:
    """A value that somebody gave, for messages, however large it is.

    >>> brief("x" * 1000)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    return _BRIEF.repr(value)


def first_fault(error: ValidationError) -> str:
    """The first of what pydantic found wrong with a value, and where in it."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}{': ' if where else ''}{first['msg']}"


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 62


class UserError(Exception):
    """Base of all errors that the user can put right.

    The message says what was expected, what was found and what to do, and names the file.
    """

    code = 2
    """With which the command ends."""
    source: str | None = None
    """The picture, video or camera that could not be read, where it is of one."""


class MediaError(UserError):
    """A picture, video or camera cannot be read."""


class DataError(UserError):
    """A data set, corpus or table is not what it should be."""


class RecipeError(UserError):
    """A recipe has an unknown key, a wrong type or settings that contradict each other."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged or belongs to another model."""
