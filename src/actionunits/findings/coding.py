"""Codings: tables of frames, sheets, and files of coding programs, alike."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from actionunits.errors import DataError
from actionunits.files.names import listed
from actionunits.findings.codes.coded import Coded, coded
from actionunits.findings.codes.names import Name
from actionunits.findings.codes.read import PROGRAMS
from actionunits.findings.codes.read import read as read_program
from actionunits.findings.codes.stretches import media
from actionunits.findings.frames import Frames
from actionunits.findings.sheets import read_sheet

Key = tuple[str | None, float]
"""Input without folders and suffix, and face; what is not said is None and NaN."""


class Coding(NamedTuple):
    """One coding: rows of frames, or stretches of a coder.

    Attributes:
        name: of its file or folder, for messages.
        frames: of a table or a sheet, else None.
        coded: of a coding program, else None.
        notes: what was not understood, in sentences.
    """

    name: str
    frames: Frames | None
    coded: Coded | None
    notes: tuple[str, ...] = ()

    def keys(self) -> dict[Key, int]:
        """Whose it is, and how many rows each has."""
        rows = self.coded.rows if self.frames is None else self.frames.rows
        rows = rows if self.coded is not None else rows[rows["success"]]
        stems = rows["input"].map(_stem)
        counts: dict[Key, int] = {}
        for stem, face in zip(stems, rows["face_id"].astype(float), strict=True):
            key = (stem, face if face == face else np.nan)
            counts[key] = counts.get(key, 0) + 1
        seen = {stem for stem, _ in counts}
        quiet = set() if self.coded is None else set(map(_stem, self.coded.videos)) - seen
        return counts | {(stem, np.nan): 0 for stem in sorted(filter(None, quiet))}

    def of(self, key: Key) -> "Coding":
        """What it says of one face."""

        def own(rows: pd.DataFrame) -> np.ndarray:
            stems = rows["input"].map(_stem)
            same = stems.isna() if key[0] is None else stems.eq(key[0])
            face = rows["face_id"].astype(float)
            return (same & (face.isna() if key[1] != key[1] else face.eq(key[1]))).to_numpy(bool)

        if self.coded is not None:
            rows, hidden = (t[own(t)] for t in (self.coded.rows, self.coded.hidden))
            return self._replace(coded=self.coded._replace(rows=rows, hidden=hidden))
        assert self.frames is not None
        chosen = own(self.frames.rows)
        parts = (t[chosen].reset_index(drop=True) for t in self.frames[:3])
        return self._replace(frames=Frames(*parts, self.frames.graded))


def _stem(name: object) -> str | None:
    return None if name is None or name != name else Path(media(str(name))).stem


def read_coding(
    path: Path,
    known_as: dict[str, list[Name]] | None = None,
    *,
    occurs: float = 1.0,
    fps: float | None = None,
) -> Coding:
    """Read a table, a sheet, or a file of a coding program; or a folder of them.

    Args:
        path: of the file; of a folder, all files are read that are not hidden.
        known_as: see `coded`.
        occurs: see `read_sheet`.
        fps: see `read_sheet`.

    Raises:
        DataError: it is none of these.
    """
    if path.is_dir():
        files = [f for f in sorted(path.iterdir()) if f.is_file() and not f.name.startswith(".")]
        if not files:
            raise DataError(f"{path}: expected a folder of tables or codes, it has no files")
        return _together(path, [read_coding(f, known_as, occurs=occurs, fps=fps) for f in files])
    found = read_program(path)
    if found is None:
        try:
            return Coding(str(path), read_sheet(path, occurs=occurs, fps=fps), None)
        except DataError as error:
            if "expected columns of Action Units" not in str(error):
                raise
            raise DataError(f"{error}; codes are read of {PROGRAMS}") from error
    said = coded(found, known_as)
    notes = [f"{path}: {note}" for note in found.notes]
    if said.strange:
        notes.append(
            f"{path}: names no AU: {listed(said.strange, 8)}; --map FILE says what it means"
        )
    if not said.aus:
        raise DataError(
            f"{path}: expected labels that name AUs such as AU12 or 12C, found "
            f"{listed(said.strange, 8) or 'none'}; give --map FILE with the columns label and au"
        )
    if not said.videos:  # the file is called as the video
        rows, hidden = (t.assign(input=path.stem) for t in (said.rows, said.hidden))
        said = said._replace(rows=rows, hidden=hidden, videos=(path.stem,))
    return Coding(str(path), None, said, tuple(notes))


def _together(path: Path, codings: list[Coding]) -> Coding:
    """Several files as one."""
    notes = tuple(note for one in codings for note in one.notes)
    frames = [one.frames for one in codings if one.frames is not None]
    said = [one.coded for one in codings if one.coded is not None]
    if frames and said:
        raise DataError(
            f"{path}: has tables and files of coding programs; give a folder of one kind"
        )
    if len({one.graded for one in frames}) > 1:
        raise DataError(
            f"{path}: has tables with intensities and without; give a folder of one kind"
        )
    if frames:
        parts = (pd.concat(part, ignore_index=True) for part in list(zip(*frames, strict=True))[:3])
        return Coding(str(path), Frames(*parts, frames[0].graded), None, notes)
    rows = pd.concat([one.rows for one in said], ignore_index=True)
    hidden = pd.concat([one.hidden for one in said], ignore_index=True)
    aus = tuple(sorted({au for one in said for au in one.aus}))
    videos = tuple(video for one in said for video in one.videos)
    return Coding(str(path), None, Coded(rows, hidden, aus, (), videos), notes)
