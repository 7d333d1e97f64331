"""Broken lists of labels, files of boxes, and tables inside corpora and data sets."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from broken_media import scene
from damage import WRONG, Random, damaged
from PIL import Image
from trials import Trial, judged_by_name

from builders import write_synfacs

Cells = list[list[str]]


def lists(rng: Random, folder: Path) -> Trial:
    """Break a user's own list of pictures with codes."""
    for number in range(3):
        Image.fromarray(scene(number)).save(folder / f"{number}.png")
    header = ["image", "subject", "part", "AU01", "AU12", "AU12_intensity"]
    rows = [[f"{n % 3}.png", f"S{n}", str(n % 3 + 1), "0", "1", f"{n % 5}"] for n in range(6)]
    name = "labels.csv"
    how = _spoil(folder / name, [header, *rows], rng)
    commands = [
        ["data", "check", "csv", name],
        ["data", "folds", "csv", name],
        ["data", "prepare", "csv", name, "out", "--workers", "1"],
    ]
    chosen = commands[rng.choice(3, p=(0.6, 0.3, 0.1))]
    return Trial(lambda _: chosen, [judged_by_name(name, f"{chosen[1]}: {how}")])


def boxes(rng: Random, folder: Path) -> Trial:
    """Break a file of known faces."""
    Image.fromarray(scene(0)).save(folder / "a.png")
    header = ["source", "frame", "x", "y", "width", "height"]
    rows = [["a.png", "1", "4", "4", "50", "50"], ["a.png", "1", "30", "10", "20", "20"]]
    name = "boxes.csv"
    how = _spoil(folder / name, [header, *rows], rng)
    arguments = ["detect", "a.png", "--boxes", name, "--out", "o.csv"]
    return Trial(lambda _: arguments, [judged_by_name(name, how)])


def corpora(rng: Random, folder: Path) -> Trial:
    """Break a corpus of rendered faces: its bytes, its columns, its card."""
    name = "corpus.parquet"
    version = int(rng.integers(1, 3))
    file = write_synfacs(folder / name, subjects=6, tasks=1, frames=2, version=version)
    how = int(rng.integers(3))
    if how == 0:
        broken = damaged(file.read_bytes(), rng)
        file.write_bytes(broken.data)
        said = broken.how
    else:
        table = pq.read_table(file)
        if how == 1:
            column = str(rng.choice(table.column_names))
            wrong = _WRONG_COLUMNS[rng.integers(len(_WRONG_COLUMNS))]
            place = table.column_names.index(column)
            said = f"{column} {wrong}"
            table = table.remove_column(place)
            if wrong == "twice":
                table = pq.read_table(file).append_column(column, pa.array([1] * len(table)))
            elif wrong != "missing":
                table = table.append_column(column, _column(wrong, len(table)))
        else:
            card = [b"", b"{", b"[]", b"null", b'{"name": 3}', json.dumps({"a": [1]}).encode()]
            chosen = card[rng.integers(len(card))]
            table = table.replace_schema_metadata({"actionunits": chosen})
            said = f"card {chosen!r}"
        pq.write_table(table, file)
    commands = [
        ["evaluate", "default", "--data", "synfacs", "--root", name],
        ["data", "folds", "synfacs", name],
        ["synth", "card", name],
    ]
    chosen_command = commands[rng.choice(3, p=(0.2, 0.4, 0.4))]
    return Trial(lambda _: chosen_command, [judged_by_name(name, f"{chosen_command[0]}: {said}")])


_WRONG_COLUMNS = ["missing", "twice", "null", "text", "numbers", "lists", "nan", "bytes"]


def _column(wrong: str, rows: int) -> pa.Array:
    return {
        "null": pa.nulls(rows),
        "text": pa.array(["caf\u00e9"] * rows),
        "numbers": pa.array(np.arange(rows) * 1e300),
        "lists": pa.array([[1.0, 2.0]] * rows),
        "nan": pa.array([float("nan")] * rows),
        "bytes": pa.array([b"\xff\x00"] * rows),
    }[wrong]


def _spoil(file: Path, cells: Cells, rng: Random) -> str:
    """Write a CSV file with something wrong in its cells, its shape or its bytes; say what."""
    how = int(rng.integers(6))
    said = ""
    row, column = int(rng.integers(len(cells))), int(rng.integers(len(cells[0])))
    if how <= 1:
        wrong = str(WRONG[rng.integers(len(WRONG))])
        cells[row][column] = wrong
        said = f"cell {row}, {column} is {wrong!r}"
    elif how == 2:
        wrong = str(WRONG[rng.integers(len(WRONG))])
        for line in cells[1:]:
            line[column] = wrong
        said = f"column {column} is {wrong!r}"
    elif how == 3:
        for line in cells:
            line.insert(column, line[column]) if row % 2 else line.pop(column)
        said = f"column {column} {'twice' if row % 2 else 'left out'}"
    elif how == 4:
        cells[row] = cells[row][:column]
        said = f"row {row} is short"
    text = io.StringIO()
    csv.writer(text, delimiter=str(rng.choice([",", ",", ";", "\t"]))).writerows(cells)
    encoding = str(rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    data = text.getvalue().encode(encoding, "replace")
    if how == 5:
        broken = damaged(data, rng)
        data, said = broken.data, broken.how
    file.write_bytes(data)
    return f"{said}, in {encoding}"
