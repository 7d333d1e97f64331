"""What a user can do wrong, in one sentence; the command line prints it without a traceback."""

import reprlib

from pydantic import ValidationError


def counted(number: int, noun: str) -> str:
    """A number of things, for messages.

    >>> counted(1, "frame"), counted(1200, "frame")
    ('1 frame', '1,200 frames')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


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


class MediaError(UserError):
    """A picture, video or camera cannot be read."""


class DataError(UserError):
    """A data set, corpus or table is not what it should be."""


class RecipeError(UserError):
    """A recipe has an unknown key, a wrong type or settings that contradict each other."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged or belongs to another model."""
