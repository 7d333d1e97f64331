"""Datavyu's files: ``.opf``, a zip whose member ``db`` is text that Datavyu also saves as CSV.

The text begins ``#4``. A line ``name (MATRIX,true,)-code01|NOMINAL,...`` begins a column; a line
``00:00:01:500,00:00:02:000,(value,...)`` is a cell with its onset, offset and codes.
"""

import io
import re
import zipfile
from pathlib import Path

import pandas as pd

from actionunits.errors import DataError
from actionunits.files.lists import decoded
from actionunits.findings.codes.recording import Recording
from actionunits.findings.codes.stretches import Stretches, seconds, stretches

_COLUMN = re.compile(r"^(?P<name>.+?) \((?:MATRIX|TEXT|NOMINAL)[^)]*\)")
_CELL = re.compile(r"^(?P<start>[\d:]+),(?P<end>[\d:]+),\s*\(?(?P<codes>.*?)\)?$")
_LARGEST = 1 << 28  # bytes of text; a day of coding has some hundred thousand


def read(path: Path, content: bytes) -> Stretches:
    """Read an ``.opf`` file, or its text.

    Args:
        path: of the file, for errors.
        content: of the file.

    Raises:
        DataError: it is none.
    """
    text = decoded(_text(path, content) if content.startswith(b"PK") else content)
    lines = [line.strip() for line in text.splitlines()]
    if not lines or not re.fullmatch(r"#\d+", lines[0]):
        raise DataError(f"{path}: expected a Datavyu file (.opf), whose text begins #4")
    rows: list[tuple[str, ...]] = []
    labels: list[str] = []
    for line in lines[1:]:
        if cell := _CELL.match(line):
            codes = [code for code in _split(cell["codes"]) if code]
            label = labels[-1] if labels else ""
            rows.append((cell["start"], cell["end"], label, " ".join(codes)))
        elif column := _COLUMN.match(line):
            labels.append(column["name"].strip())
    found = pd.DataFrame(rows, columns=["start", "end", "label", "value"])
    for end in ("start", "end"):
        found[end] = seconds(found[end])
    return stretches(found, labels, tiers=True)


def _split(codes: str) -> list[str]:
    """Codes of a cell; commas within one have a backslash before them, or quotes around it."""
    parts = re.findall(r'"(?:[^"\\]|\\.)*"|(?:[^,\\]|\\.)+', codes)
    return [re.sub(r"\\(.)", r"\1", part.strip().strip('"')) for part in parts]


def _text(path: Path, content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.getinfo("db").file_size > _LARGEST:
                raise DataError(f"{path}: its text is too large for a Datavyu file")
            return archive.read("db")
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(
            f"{path}: expected a Datavyu file (.opf), a zip with db: {error}"
        ) from error


def write(recording: Recording, path: Path, beside: Path) -> None:
    """Write the events of one video: a column an AU and face, also without events.

    Args:
        recording: of one video; Datavyu asks for it when the file is opened.
        path: to write.
        beside: where the file will lie, whose name is in it.
    """
    lines = ["#4"]
    for track in recording.tracks:
        lines.append(f"{track.name.replace(' ', '_')} (MATRIX,true,)-peak|NOMINAL")
        lines += [
            f"{_clock(event.start)},{_clock(event.end)},({event.value})" for event in track.events
        ]
    project = (
        f"!project\ndbFile: {beside.name}\nname: {beside.stem}\nversion: 5\nviewerSettings: []\n"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("db", "\n".join(lines) + "\n")
        archive.writestr("project", project)


def _clock(time: int) -> str:
    seconds_, milliseconds = divmod(time, 1000)
    minutes, seconds_ = divmod(seconds_, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds_:02d}:{milliseconds:03d}"
