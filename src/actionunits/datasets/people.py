"""Which people a data set is of, and which data sets are of the same."""

import hashlib

import pandas as pd

from actionunits.data.table import FrameTable
from actionunits.datasets.listed import NOBODY

_SAME = {
    "disfa_right": "disfa",  # the other camera
    "fera2017": "bp4d",  # faces rendered from its 3D models, under its numbers
}


def share_people(one: str, other: str) -> bool:
    """Whether two data sets, by name, may be of the same people."""
    return _SAME.get(one, one) == _SAME.get(other, other)


def population(name: str, table: FrameTable) -> str:
    """Population of a prepared data set, see `actionunits.data.people`.

    Data sets under licence number their people, each its own (BP4D+ none of BP4D's). Own lists are
    taken to be of one population: whoever has the same name in two of them is one person, so that a
    list cut in two is noticed, and people of other lists need other names. A list that names nobody
    is a population of its own, known by its frames and their codes.

    Args:
        name: of the data set.
        table: as it was prepared.
    """
    if name == "csv" and table.subjects() == [NOBODY]:
        frames = table.rows[["task", "frame", *table.aus.columns()]]
        content = pd.util.hash_pandas_object(frames, index=False).to_numpy().tobytes()
        return f"csv/{hashlib.sha256(content).hexdigest()[:12]}"
    return _SAME.get(name, name)
