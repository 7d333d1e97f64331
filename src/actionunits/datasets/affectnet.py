"""Pictures in folders named after their expression, as AffectNet is commonly unpacked."""

from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.data.classes import ClassTable
from actionunits.data.stores import FileStore
from actionunits.errors import DataError

EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
_SPELLINGS = {"happiness": "happy", "sadness": "sad", "angry": "anger", "fearful": "fear"}
_SPELLINGS |= {"surprised": "surprise", "disgusted": "disgust"}
_TRAIN, _TEST = ("train", "train_set"), ("val", "val_set", "test", "test_set")
_PICTURES = {".jpg", ".jpeg", ".png"}


def read(root: Path | None) -> tuple[ClassTable, ClassTable]:
    """Read the training pictures and those that are kept for testing.

    Folders of other classes, such as AffectNet's contempt, are left out.

    Args:
        root: holds ``train`` and ``val``, each with a folder of aligned faces for each of the seven
            expressions, by name or by AffectNet's number (0 neutral to 6 anger).

    Raises:
        DataError: a folder is missing or holds no pictures.
    """
    if root is None:
        raise DataError("affectnet does not come with the package: give its folder as data.root")
    return _read(root, _TRAIN), _read(root, _TEST)


def count(root: Path) -> pd.DataFrame:
    """Count the pictures: one row an ``expression``, how many are in ``train`` and in ``test``.

    Raises:
        DataError: a folder is missing or holds no pictures.
    """
    counts = {
        part: np.bincount(table.rows["label"], minlength=len(EXPRESSIONS))
        for part, table in zip(("train", "test"), read(root), strict=True)
    }
    return pd.DataFrame({"expression": EXPRESSIONS, **counts})


def _read(root: Path, spellings: tuple[str, ...]) -> ClassTable:
    folders = [root / name for name in spellings if (root / name).is_dir()]
    if not folders:
        raise DataError(f"{root}: expected a folder {' or '.join(spellings)}, found none of them")
    files, labels = [], []
    for folder in sorted(path for path in folders[0].iterdir() if path.is_dir()):
        label = _label(folder.name)
        if label is not None:
            found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _PICTURES)
            files += found
            labels += [label] * len(found)
    absent = [name for label, name in enumerate(EXPRESSIONS) if label not in labels]
    if absent:
        raise DataError(f"{folders[0]}: expected pictures of {', '.join(absent)}, found none")
    rows = pd.DataFrame({"image": range(len(files)), "label": labels})
    return ClassTable(FileStore(files), rows, EXPRESSIONS)


def _label(folder: str) -> int | None:
    name = _SPELLINGS.get(folder.lower(), folder.lower())
    if name.isdigit() and int(name) < len(EXPRESSIONS):
        return int(name)
    return EXPRESSIONS.index(name) if name in EXPRESSIONS else None
