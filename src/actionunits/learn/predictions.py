"""What a model said of every frame that it was scored on, beside the labels: one row a frame."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.aus import AUSet
from actionunits.errors import UserError
from actionunits.files import atomic, folder, writing
from actionunits.learn.group import by_first
from actionunits.system.together import everyone
from actionunits.types import Batch, Output

_KEY = ["subject", "task", "frame"]
_DECIMALS = 6  # in text
_FORMATS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, file: table.round(_DECIMALS).to_csv(file, index=False),
    ".parquet": lambda table, file: table.to_parquet(file, index=False),
}

Record = Callable[[Output, Batch], None]
"""Takes what a model said of a batch, both on the CPU."""


class Predictions:
    """Rows of one evaluation or of several, such as those of all folds, for one file.

    Columns: ``subject``, ``task``, ``frame``; ``fold``, for which the frame was kept for testing,
    empty where there is none; for each AU ``AU12_label`` (0 or 1, empty if it was not coded) and
    its probability ``AU12_p``; where the model tells intensities ``AU12_r``, and where the data
    have them too ``AU12_label_r`` (both 0 to 5).

    Args:
        path: of the file that `save` writes, ``.csv`` (rounded to six decimals) or ``.parquet``.

    Raises:
        UserError: the suffix is another, or its folder cannot be made.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        if self._path.suffix.lower() not in _FORMATS:
            raise UserError(f"{path}: expected a file .csv or .parquet")
        folder(self._path.parent)  # said before the work, not after it
        self._parts: list[pd.DataFrame] = []

    def recorder(self, aus: AUSet, fold: int | None) -> Record:
        """Return what is told of each batch of a fold, whose label axis is `aus`."""

        def record(out: Output, truth: Batch) -> None:
            values = {
                "label": _coded(truth.labels.numpy(), truth),
                "p": out.logits.double().sigmoid().numpy(),
            }
            if out.intensity is not None:
                values["r"] = out.intensity.double().numpy()
                if truth.intensity is not None:
                    values["label_r"] = _coded(truth.intensity.numpy(), truth)
            columns = [f"{column}_{kind}" for kind in values for column in aus.columns()]
            table = pd.DataFrame(
                np.concatenate([v.reshape(-1, len(aus)) for v in values.values()], 1),
                columns=columns,
            ).astype({f"{column}_label": "Int64" for column in aus.columns()})
            table.insert(0, "fold", pd.Series([fold] * len(table), dtype="Int64"))
            keys = pd.DataFrame(map(_split, truth.keys), columns=_KEY)
            # a frame that only fills up a clip comes after itself
            self._parts.append(pd.concat([keys, table], axis=1).drop_duplicates(_KEY))

        return record

    def table(self) -> pd.DataFrame:
        """All rows, of all processes, in the order of fold, subject, task and frame."""
        said: list[list[pd.DataFrame]] = everyone(self._parts)
        return pd.concat(itertools.chain.from_iterable(said)).sort_values(
            ["fold", *_KEY], ignore_index=True
        )

    def save(self) -> None:
        """Write the file: the first process of several, and whole or not at all.

        Raises:
            UserError: it cannot be written.
        """
        table = self.table()

        def write() -> None:
            with writing(self._path), atomic(self._path) as file:
                _FORMATS[self._path.suffix.lower()](table, file)

        by_first(write)


def _coded(labels: NDArray[np.floating], truth: Batch) -> NDArray[np.floating]:
    """Labels (B, [T,] A), NaN where an AU was not coded."""
    return np.where(truth.known.numpy(), labels.astype(np.float64), np.nan)


def _split(key: str) -> tuple[str, str, int]:
    """Subject, task and frame of a key of a `Batch`."""
    sequence, _, frame = key.rpartition("/")
    subject, _, task = sequence.partition("/")
    return subject, task, int(frame)
