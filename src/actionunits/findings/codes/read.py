"""Files of codes, whoever wrote them."""

from pathlib import Path

from actionunits.errors import DataError
from actionunits.files.lists import WORKBOOKS, decoded
from actionunits.findings.codes import boris, datavyu, elan, praat, tables
from actionunits.findings.codes.stretches import Stretches

PROGRAMS = (
    "ELAN (.eaf, tab-delimited text), BORIS (.boris, aggregated or tabular events), Datavyu "
    "(.opf, .csv), Praat (.TextGrid), The Observer XT (event list as text), or a list with start, "
    "end and code"
)

_READERS = {".eaf": elan.read, ".boris": boris.read, ".opf": datavyu.read, ".textgrid": praat.read}
_ELSEWHERE = {
    **dict.fromkeys(WORKBOOKS, "save the sheet as CSV"),
    **dict.fromkeys((".odx", ".vop", ".otb"), "export the event list from The Observer as text"),
}


def read(path: Path) -> Stretches | None:
    """Read a file of a coding program; None if it is a table of something else.

    Args:
        path: its kind is known by its suffix, or by how its content begins.

    Raises:
        DataError: it cannot be read, or is not what its suffix or its columns say.
    """
    suffix = path.suffix.lower()
    if suffix in _ELSEWHERE:
        raise DataError(f"{path}: files {suffix} are not read; {_ELSEWHERE[suffix]}")
    if suffix == ".parquet":
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if reader := _READERS.get(suffix):
        return reader(path, content)
    text = decoded(content)
    start = text.lstrip()[:200]
    if start.startswith("#") and start[1:2].isdigit() and "MATRIX" in text:
        return datavyu.read(path, content)
    if start.startswith("<?xml"):
        return elan.read(path, content)
    if "ooTextFile" in start:
        return praat.read(path, content)
    return tables.read(path, text)
