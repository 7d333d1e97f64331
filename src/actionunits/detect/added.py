"""What tables tell besides the AUs, where it is asked for: its columns, and their values.

| what | columns | unit |
|---|---|---|
| landmarks | ``x_0`` .. ``x_48``, ``y_0`` .. ``y_48`` | pixels of the upright picture |
| pose | ``pose_yaw``, ``pose_pitch``, ``pose_roll`` | degrees |
| gaze | ``gaze_yaw``, ``gaze_pitch`` | degrees within the head |
| sides | ``AU12_right``, ``AU12_left``, ... | intensity 0 to 5 of AUs that have sides |
| hidden | ``hidden_right_brow``, ... | share 0 to 1 that is not seen |
| quality | ``quality`` | 0 to 1 |
| embedding | ``e0``, ``e1``, ... | |
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from actionunits.aus import SIDED, AUSet
from actionunits.errors import UserError
from actionunits.types import REGIONS, Reading

ADDABLE = ("landmarks", "pose", "gaze", "sides", "hidden", "quality", "embedding")
"""What can be read beside the AUs, in the order of the columns."""

ALL = "all"
"""Stands for everything that the model tells."""

_POINTS = 49
_EMBEDDED = re.compile(r"e\d+")
_DECIMALS: Mapping[str, int] = {"x": 2, "y": 2, "pose": 2, "gaze": 2, "hidden": 3, "quality": 4}


class Added(NamedTuple):
    """What is added to the rows of tables.

    Attributes:
        kinds: of `ADDABLE`, in that order.
        columns: their columns, K of them.
    """

    kinds: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def values(self, reading: Reading, aus: AUSet) -> NDArray[np.floating]:
        """What a reading says in these columns, (F, K).

        Args:
            reading: of one frame.
            aus: its label axis.
        """
        if not reading.faces or not self.kinds:
            return np.zeros((len(reading.faces), len(self.columns)))
        parts = []
        for kind in self.kinds:
            told = getattr(reading, kind)
            if kind == "sides":
                told = told[:, [place for place, au in enumerate(aus) if au.number in SIDED]]
            if kind == "landmarks":
                told = told.swapaxes(1, 2)  # all x before all y
            parts.append(told.reshape(len(reading.faces), -1))
        return np.concatenate(parts, axis=1)

    def kept(self, reading: Reading) -> Reading:
        """The reading without what was not asked for."""
        others: dict[str, Any] = dict.fromkeys(set(ADDABLE) - set(self.kinds))
        return reading._replace(**others)


NOTHING = Added()


def added(wanted: Sequence[str], told: Mapping[str, int], aus: AUSet) -> Added:
    """What is added to tables.

    Args:
        wanted: of `ADDABLE`, or ``all``.
        told: of all that the model tells besides AUs, how many numbers a face has.
        aus: label axis.

    Raises:
        UserError: there is no such thing to add, or the model does not tell it.
    """
    if unknown := sorted(set(wanted) - {*ADDABLE, ALL}):
        raise UserError(f"add: expected {', '.join((*ADDABLE, ALL))}, found {', '.join(unknown)}")
    kinds = tuple(kind for kind in ADDABLE if kind in wanted or (ALL in wanted and kind in told))
    if missing := [kind for kind in kinds if kind not in told]:
        tells = ", ".join(kind for kind in ADDABLE if kind in told) or "nothing besides AUs"
        raise UserError(f"add: the model does not tell {', '.join(missing)}; it tells {tells}")
    columns = [column for kind in kinds for column in _COLUMNS[kind](aus, told[kind])]
    return Added(kinds, tuple(columns))


def decimals(column: str) -> int | None:
    """Digits after the point that mean something in a column; None: it is no column of these."""
    if _EMBEDDED.fullmatch(column):
        return 6
    first, _, last = column.partition("_")
    if first.startswith("AU") and last in {"right", "left"}:
        return 3
    return _DECIMALS.get(first)


def _of_sides(aus: AUSet, _: int) -> list[str]:
    names = [au.column for au in aus if au.number in SIDED]
    return [f"{name}_{side}" for name in names for side in ("right", "left")]


_COLUMNS: Mapping[str, Callable[[AUSet, int], list[str]]] = {
    "landmarks": lambda aus, n: [f"{axis}_{i}" for axis in "xy" for i in range(_POINTS)],
    "pose": lambda aus, n: ["pose_yaw", "pose_pitch", "pose_roll"],
    "gaze": lambda aus, n: ["gaze_yaw", "gaze_pitch"],
    "sides": _of_sides,
    "hidden": lambda aus, n: [f"hidden_{region}" for region in REGIONS],
    "quality": lambda aus, n: ["quality"],
    "embedding": lambda aus, n: [f"e{i}" for i in range(n)],
}
