"""What a user can do wrong, in one sentence; the command line prints it without a traceback."""


def number_of(count: int, unit: str) -> str:
    """A number with its unit, for messages.

    >>> number_of(1, "frame"), number_of(2, "frame")
    ('1 frame', '2 frames')
    """
    return f"{count} {unit}{'s' * (count != 1)}"


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
