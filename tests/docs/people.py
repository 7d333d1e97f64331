"""Pictures of people, for pages that train."""

from pathlib import Path

from PIL import Image

from actionunits import datasets
from actionunits.data.faces import decode


def pictures(folder: Path, count: int) -> list[tuple[str, str]]:
    """Write rendered faces of three people; their paths, from the folder, and whose they are."""
    table, written = datasets.load("synfacs"), []
    folder.mkdir()
    for person, subject in zip(("anna", "bert", "cleo"), table.subjects(), strict=False):
        rows = table.rows.index[table.rows["subject"] == subject][:count]
        for number, row in enumerate(rows, 1):
            image = decode(table.images.read(table.rows["image"][row]), 128, "")
            Image.fromarray(image).save(folder / f"{person}-{number}.jpg")
            written.append((f"{person}-{number}.jpg", person))
    return written
