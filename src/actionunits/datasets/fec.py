"""FEC: triplets of faces from the web, and which of the three people found the odd one.

Google's Facial Expression Comparison set (Vemulapalli and Agarwala, *A Compact Embedding for Facial
Expression Similarity*, CVPR 2019) is two tables of addresses of pictures, boxes of faces in them
and votes. `annotations` reads these; `fec_faces` gets and aligns the faces; `read`
reads what came of that.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from actionunits.data.stores import ParquetStore
from actionunits.data.triplets import TripletTable
from actionunits.errors import DataError
from actionunits.files import seals
from actionunits.files.stored import NOT_PARQUET, json_object, read_columns
from actionunits.system.together import share

PARTS = ("train", "test")
FACE = ["url", "left", "right", "top", "bottom"]
"""What makes a face: the address of its picture, and its box in shares of the picture's sides."""
TRIPLETS, SHARDS = "triplets.parquet", "faces-*.parquet"
VERSION = 2
VOTES = 4  # of the usual six, for the odd face
_MARGINS = {"ONE_CLASS_TRIPLET": 0.1, "TWO_CLASS_TRIPLET": 0.2, "THREE_CLASS_TRIPLET": 0.2}
_TRIPLET = {
    **dict.fromkeys(("part", "kind"), pa.string()),
    **dict.fromkeys(("first", "second", "odd"), pa.int64()),
    "margin": pa.float64(),
}
_STARTS = (0, 5, 10)  # of the three faces among the cells of a row
_TYPE, _VOTES = 15, 17  # each vote follows the number of its annotator


class Annotations(NamedTuple):
    """What the tables of FEC say."""

    faces: pd.DataFrame
    """One row a face: `FACE`."""
    triplets: pd.DataFrame
    """One row a triplet: ``part``, the rows ``first``, ``second`` and ``odd`` of its faces, its
    ``margin`` and ``kind``, and how many of its ``votes`` are ``for`` the odd one."""
    malformed: pd.DataFrame
    """One row a line that could not be read: ``file``, ``line`` and ``reason``."""

    def agreed(self, votes: int) -> pd.DataFrame:
        """Triplets whose odd face has so many votes, and more than half of them."""
        rows = self.triplets
        agree = (rows["for"] >= votes) & (2 * rows["for"] > rows["votes"])
        return rows[agree].reset_index(drop=True)


def count(root: Path) -> pd.DataFrame:
    """Count what the tables hold, before any picture is fetched.

    Returns:
        One row a ``part`` and ``kind`` of triplet, or a last kind ``malformed`` of lines: how many
        are ``listed``, and of how many the annotators are ``agreed``.

    Raises:
        DataError: as `annotations`.
    """
    found = annotations(root)
    key = ["part", "kind"]
    triplets = found.triplets.groupby(key, sort=False).size()
    agreed = found.agreed(VOTES).groupby(key, sort=False).size()
    parts = found.malformed["file"].str.extract(f"({'|'.join(PARTS)})-public", expand=False)
    malformed = found.malformed.assign(part=parts, kind="malformed").groupby(key).size()
    counts = pd.DataFrame({"listed": pd.concat([triplets, malformed]), "agreed": agreed})
    return counts.fillna(0).astype(int).reset_index()


class _Row(NamedTuple):
    faces: tuple[tuple[str | float, ...], ...]  # three of `FACE`, the odd one last
    kind: str
    supporting: int  # votes for the odd one
    votes: int


def annotations(root: Path) -> Annotations:
    """Read the two tables as they are handed out; a malformed line is listed, the others are read.

    Args:
        root: folder of ``faceexp-comparison-data-train-public.csv`` and of the one with ``test``.

    Raises:
        DataError: a table is missing, or has no line that can be read.
    """
    numbers: dict[tuple[str | float, ...], int] = {}
    triplets: list[tuple[object, ...]] = []
    malformed: list[tuple[str, int, str]] = []
    for part in PARTS:
        file, found = _table(root, part), len(triplets)
        for line, row in _rows(file):
            if isinstance(row, str):
                malformed.append((file.name, line, row))
                continue
            first, second, odd = (numbers.setdefault(face, len(numbers)) for face in row.faces)
            kind = row.kind.removesuffix("_TRIPLET").lower()
            margin = _MARGINS[row.kind]
            triplets.append((part, first, second, odd, margin, kind, row.supporting, row.votes))
        if len(triplets) == found:
            raise DataError(f"{file}: expected triplets of FEC, found none: {_first(malformed)}")
    columns = ["part", "first", "second", "odd", "margin", "kind", "for", "votes"]
    return Annotations(
        pd.DataFrame(list(numbers), columns=FACE),
        pd.DataFrame(triplets, columns=columns),
        pd.DataFrame(malformed, columns=["file", "line", "reason"]),
    )


def read(root: Path | None) -> tuple[TripletTable, TripletTable]:
    """Read the training and the test triplets of a prepared folder.

    Args:
        root: the folder that ``au data prepare fec`` wrote.

    Returns:
        Triplets of the kinds ``one_class``, ``two_class`` and ``three_class``: those whose faces
        all three are there.

    Raises:
        DataError: the folder is none, or is not finished.
    """
    if root is None:
        raise DataError(
            "fec does not come with the package: get its tables from their owners, run "
            "`au data prepare fec ROOT OUT` and give OUT as data.root"
        )
    file = root / TRIPLETS
    try:
        if not file.is_file():
            raise DataError(
                f"{root}: expected prepared triplets of FEC, found no {TRIPLETS}; run "
                f"`au data prepare fec ROOT {root}` to its end"
            )
        again = f"run `au data prepare fec ROOT {root}` again"
        table = read_columns(file, _TRIPLET, again)
        files = sorted(root.glob(SHARDS))
        images = ParquetStore(files, share(len(files)))
        card = json_object((table.schema.metadata or {}).get(b"actionunits", b"{}"))
    except (*NOT_PARQUET, ValueError) as error:
        raise DataError(
            f"{root}: {TRIPLETS} or a file of faces is damaged ({error}); {again}"
        ) from error
    template = card.pop("template", None)
    if card != {"kind": "fec", "version": VERSION, "faces": len(images)}:
        raise DataError(
            f"{file}: expected triplets of the {len(images)} faces beside it in version {VERSION}, "
            f"found {card.get('faces')} in version {card.get('version')}; run "
            f"`au data prepare fec ROOT {root}` again"
        )
    if not seals.is_whole_parquet(file):
        raise DataError(
            f"{file}: damaged: it is not what its checksum says; run "
            f"`au data prepare fec ROOT {root}` again"
        )
    rows = table.to_pandas()
    if not (rows["part"] == "train").any():
        raise DataError(f"{root}: no training triplet has all of its faces; see lost.csv")
    train, test = (
        TripletTable(images, rows[rows["part"] == part].reset_index(drop=True), template)
        for part in PARTS
    )
    return train, test


def _table(root: Path, part: str) -> Path:
    """The table of a part, wherever in the folder the archive was unpacked."""
    name = f"faceexp-comparison-data-{part}-public.csv"
    found = sorted(root.rglob(name))
    if len(found) != 1:
        there = ", ".join(map(str, found)) or "none"
        raise DataError(f"{root}: expected one {name} in this folder, found {there}")
    return found[0]


def _rows(file: Path) -> Iterator[tuple[int, _Row | str]]:
    """Line number and row, or the reason why it cannot be read."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        lines = csv.reader(text)
        while True:
            try:
                cells = next(lines)
                yield lines.line_num, _row(cells)
            except StopIteration:
                return
            except (csv.Error, ValueError) as error:
                yield lines.line_num, str(error)


def _row(cells: list[str]) -> _Row:
    """Read a row; its length depends on how many people voted.

    Raises:
        ValueError: with the reason.
    """
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    if len(cells) <= _VOTES:
        raise ValueError(f"expected {_VOTES + 1} cells or more, found {len(cells)}")
    kind, votes = cells[_TYPE], cells[_VOTES::2]
    if kind not in _MARGINS:
        raise ValueError(f"expected one of {', '.join(_MARGINS)}, found {kind!r}")
    if len(cells) % 2 or not set(votes) <= {"1", "2", "3"}:
        raise ValueError(f"expected a vote of 1, 2 or 3 an annotator, found {cells[_VOTES - 1 :]}")
    faces = [_face(cells[start : start + len(FACE)]) for start in _STARTS]
    if len(set(faces)) < len(faces):
        raise ValueError("a face is in it twice")
    counts = [votes.count(vote) for vote in ("1", "2", "3")]
    faces.append(faces.pop(counts.index(max(counts))))
    return _Row(tuple(faces), kind, max(counts), len(votes))


def _face(cells: list[str]) -> tuple[str | float, ...]:
    url, *ends = cells
    if not url:
        raise ValueError("a picture has no address")
    try:
        left, right, top, bottom = map(float, ends)
    except ValueError:
        raise ValueError(f"expected four numbers for a box, found {ends}") from None
    # they may lie a little outside the picture, as faces do
    if not (-1 < left < right < 2 and -1 < top < bottom < 2):
        raise ValueError(f"expected a box (left, right, top, bottom) in shares, found {ends}")
    return url, left, right, top, bottom


def _first(malformed: list[tuple[str, int, str]]) -> str:
    if not malformed:
        return "it is empty"
    _, line, reason = malformed[-1]
    return f"line {line}: {reason}"
