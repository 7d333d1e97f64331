"""Codings: tables of frames, sheets, and files of coding programs, alike."""

from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.errors import DataError
from actionunits.files.names import listed
from actionunits.findings.codes.coded import Coded, coded
from actionunits.findings.codes.names import Name
from actionunits.findings.codes.read import PROGRAMS
from actionunits.findings.codes.read import read as read_program
from actionunits.findings.codes.stretches import stem
from actionunits.findings.frames import Frames, joined, one_kind
from actionunits.findings.sheets import read_sheet

UNSAID = -1
"""For the number of a face, where a coding does not tell it."""

Key = tuple[str, int]
"""Video without folders and suffix, empty where it is not said; and face, or `UNSAID`."""


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

    def faces(self) -> dict[Key, "Coding"]:
        """What it says of each face; of a video in which nothing occurs, that too."""
        if self.frames is not None:
            somebody = self.frames.take(np.flatnonzero(self.frames.rows["success"]))
            places = _places(somebody.rows)
            return {key: self._replace(frames=somebody.take(at)) for key, at in places.items()}
        assert self.coded is not None
        shown, hidden = _places(self.coded.rows), _places(self.coded.hidden)
        keys = dict.fromkeys([*shown, *hidden])
        seen = {name for name, _ in keys}
        keys |= {(key, UNSAID): None for v in self.coded.videos if (key := stem(v)) not in seen}
        return {
            key: self._replace(
                coded=self.coded._replace(
                    rows=self.coded.rows.iloc[shown.get(key, [])],
                    hidden=self.coded.hidden.iloc[hidden.get(key, [])],
                )
            )
            for key in keys
        }

    def size(self) -> int:
        """How many frames show the face, or how many stretches there are."""
        if self.frames is not None:
            return int(self.frames.rows["success"].sum())
        assert self.coded is not None
        return len(self.coded.rows)


def _places(rows: pd.DataFrame) -> dict[Key, NDArray[np.intp]]:
    stems = rows["input"].map(stem)
    faces = rows["face_id"].astype(float).fillna(UNSAID).astype(int)
    groups = rows.groupby([stems.to_numpy(), faces.to_numpy()], sort=False).indices
    keys = cast(dict[tuple[str, int], NDArray[np.intp]], groups)
    return {(str(name), int(face)): places for (name, face), places in keys.items()}


def read_coding(
    path: Path,
    known_as: dict[str, list[Name]] | None = None,
    *,
    occurs: float = 1.0,
    fps: float | None = None,
) -> Coding:
    """Read a table, a sheet, or a file of a coding program; or a folder of them.

    Args:
        path: of the file; of a folder, all files are read that are not hidden, and a note says
            which of them are neither.
        known_as: see `coded`.
        occurs: see `read_sheet`.
        fps: see `read_sheet`.

    Raises:
        DataError: it is none of these, or no file of the folder is.
    """
    if path.is_dir():
        files = [f for f in sorted(path.iterdir()) if f.is_file() and not f.name.startswith(".")]
        if not files:
            raise DataError(f"{path}: expected a folder of tables or codes, it has no files")
        codings, problems = [], []
        for file in files:
            try:
                codings.append(read_coding(file, known_as, occurs=occurs, fps=fps))
            except DataError as error:
                problems.append(error)
        if not codings:
            raise problems[0]
        return _together(path, codings, tuple(f"left out: {problem}" for problem in problems))
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


def _together(path: Path, codings: list[Coding], notes: tuple[str, ...]) -> Coding:
    """Several files as one, with notes on others."""
    notes = (*notes, *(note for one in codings for note in one.notes))
    frames = [one.frames for one in codings if one.frames is not None]
    said = [one.coded for one in codings if one.coded is not None]
    if frames and said:
        raise DataError(
            f"{path}: has tables and files of coding programs; give a folder of one kind"
        )
    if not one_kind(frames):
        raise DataError(
            f"{path}: has tables with intensities and without; give a folder of one kind"
        )
    if frames:
        return Coding(str(path), joined(frames), None, notes)
    rows = pd.concat([one.rows for one in said], ignore_index=True)
    hidden = pd.concat([one.hidden for one in said], ignore_index=True)
    aus = tuple(sorted({au for one in said for au in one.aus}))
    videos = tuple(video for one in said for video in one.videos)
    return Coding(str(path), None, Coded(rows, hidden, aus, (), videos), notes)
