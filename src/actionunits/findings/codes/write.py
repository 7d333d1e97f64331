"""Events written for coding programs."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from actionunits.errors import UserError, counted
from actionunits.files import atomic, writing
from actionunits.files.names import fitted, plain
from actionunits.findings.codes import boris, datavyu, elan, praat
from actionunits.findings.codes.recording import Recording, recordings
from actionunits.findings.frames import Frames

_ONE: dict[str, Callable[[Recording, Path, Path], None]] = {
    ".eaf": elan.write,
    ".TextGrid": lambda one, path, beside: praat.write(one, path),
    ".opf": datavyu.write,
}
PROGRAMS = {"elan": ".eaf", "praat": ".TextGrid", "datavyu": ".opf", "boris": ".boris"}
"""Suffix of the files of each program. A project of BORIS has any number of videos, others one."""


def program(out: Path) -> str | None:
    """The program whose suffix a file has."""
    by_suffix = {suffix.lower(): name for name, suffix in PROGRAMS.items()}
    return by_suffix.get(out.suffix.lower())


def write(events: pd.DataFrame, frames: Frames, out: Path, to: str) -> list[Path]:
    """Write events for a coding program.

    Args:
        events: of `findings.events`.
        frames: of which they are: which faces and AUs were looked for, and for how long.
        out: a file, or a folder, into which a file a video is written.
        to: name in `PROGRAMS`.

    Returns:
        Files that were written.

    Raises:
        UserError: there are several videos, and one file that can have one; or no video at all.
    """
    found = recordings(events, frames)
    suffix = PROGRAMS[to]
    if not found:
        raise UserError("the table has no rows: there is no video to write events of")
    single = out.suffix.lower() == suffix.lower()
    if to == "boris":
        place = out if single else out / f"events{suffix}"
        with writing(place), atomic(place) as file:
            boris.write(found, file, place)
        return [place]
    if single and len(found) > 1:
        raise UserError(
            f"{out}: the table has {counted(len(found), 'video')}, and this file can be of one; "
            f"give a folder, and --to {to}"
        )
    written: list[Path] = []
    for one in found:
        stem = plain(Path(one.name).stem)
        place = out if single else _free(out, stem, suffix, written)
        with writing(place), atomic(place) as file:
            _ONE[suffix](one, file, place)
        written.append(place)
    return written


def _free(folder: Path, stem: str, suffix: str, taken: list[Path]) -> Path:
    """A name of its own for each video, also where two folders have one of the same name."""
    number = 1
    while (place := folder / fitted(stem if number == 1 else f"{stem}-{number}", suffix)) in taken:
        number += 1
    return place
