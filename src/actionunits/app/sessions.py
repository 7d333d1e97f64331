"""What one open page has: its upload and results, in a folder that goes when the page is closed."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Lock

from actionunits.app.reading import Result
from actionunits.errors import UserError


class Session:
    """One open page.

    Attributes:
        folder: of its own.
        upload: what it reads; None before there is something.
        result: what was read of it; None before it was.
        stop: ends the reading of which the user has thought better.
    """

    def __init__(self, folder: Path) -> None:
        """Start with an empty folder of its own."""
        self.folder = folder
        self.upload: Path | None = None
        self.result: Result | None = None
        self.stop = Event()

    def take(self, file: Path) -> Path:
        """Take a file over from where it was uploaded to; an upload before it is deleted.

        Raises:
            UserError: it is gone, as where two pages uploaded the same at once.
        """
        self.forget()
        taken = Path(mkdtemp(dir=self.folder)) / file.name
        try:
            os.replace(file, taken)
        except FileNotFoundError:
            raise UserError(f"{file.name}: was not uploaded whole; upload it again") from None
        with suppress(OSError):  # Gradio's folder, whose name tells the file's checksum
            file.parent.rmdir()
        self.upload = taken
        return taken

    def begin(self) -> None:
        """A reading begins; one that still runs ends."""
        self.stop.set()
        self.stop = Event()

    def forget(self) -> None:
        """Delete the upload and what was made of it."""
        self.begin()
        self.upload = self.result = None
        for left in self.folder.iterdir():
            shutil.rmtree(left, ignore_errors=True)  # Windows keeps what is open; see `serve`


class Sessions:
    """The pages that are open."""

    def __init__(self, folder: Path) -> None:
        """Start without any.

        Args:
            folder: in which each has its own.
        """
        self._folder = folder
        self._open: dict[str, Session] = {}
        self._turn = Lock()

    def of(self, key: str) -> Session:
        """The page of this key, a new one where it is not open."""
        with self._turn:
            if key not in self._open:
                self._open[key] = Session(Path(mkdtemp(prefix="page-", dir=self._folder)))
            return self._open[key]

    def end(self, key: str) -> None:
        """The page was closed: what works for it ends, and nothing of it is kept."""
        with self._turn:
            session = self._open.pop(key, None)
        if session is not None:
            session.forget()
            shutil.rmtree(session.folder, ignore_errors=True)
