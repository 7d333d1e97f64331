"""The terminal, or whatever stands in its place: it may break, which costs nothing else."""

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from rich.console import Console


class Stream:
    """A standard stream that takes text as long as it can.

    Attributes:
        broken: why it takes no more, None while it does.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """Wrap a stream; Python has None in place of one that was closed from the start."""
        self.broken: OSError | None = BrokenPipeError() if stream is None else None
        self._stream = io.StringIO() if stream is None else stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or do nothing where the stream is broken; return the number of characters."""
        if self.broken is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._break(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        if self.broken is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._break(error)

    def _break(self, error: OSError) -> None:
        """Send what is left in the stream nowhere, where Python flushes it at its end."""
        self.broken = error
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def terminal(*, error: bool = False) -> Console:
    """Standard output, or standard error, for tables and notes.

    Names of files and people are printed as they are, whatever brackets and colons they have.
    """
    stream = cast(TextIO, Stream(sys.stderr if error else sys.stdout))
    return Console(file=stream, markup=False, emoji=False, highlight=False)


def check(console: Console) -> None:
    """Say whether all that was printed has gone where it should.

    A reader of a pipe, such as head, that has seen enough is no fault.

    Raises:
        OSError: the stream is broken, for another reason.
    """
    error = getattr(console.file, "broken", None)
    if error is not None and not isinstance(error, BrokenPipeError):
        raise error
