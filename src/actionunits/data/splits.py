"""Subject-exclusive splits: nobody is in two of them."""

import numpy as np
import pandas as pd

from actionunits.data.table import FrameTable
from actionunits.errors import DataError, counted
from actionunits.types import FOLDS


def parts(rows: pd.DataFrame) -> np.ndarray:
    """Return the part, 1 to 3, of every row: (N,) int.

    The rows' own ``part``, or where they have none their sorted subjects dealt out in turn.

    Raises:
        DataError: there are too few subjects, a part is none of 1 to 3 or a subject is in two.
    """
    subject = rows["subject"]
    subjects = sorted(subject.unique())
    if "part" not in rows.columns:
        numbers = subject.map({s: i % FOLDS + 1 for i, s in enumerate(subjects)})
    else:
        numbers = rows["part"]
        spread = numbers.groupby(subject).nunique()
        if (spread > 1).any():
            raise DataError(
                f"subject {spread.idxmax()!r} is in more than one part; give each subject one"
            )
    expected = list(range(1, FOLDS + 1))
    found = sorted(numbers.unique().tolist())
    if found != expected:
        raise DataError(
            f"three folds need subjects in parts {expected}, "
            f"found {counted(len(subjects), 'subject')} in parts {found}"
        )
    return numbers.to_numpy(np.int64)


def members(rows: pd.DataFrame) -> pd.DataFrame:
    """Return who is tested in which fold: ``subject``, ``fold`` and ``frames``, by fold and name.

    Raises:
        DataError: there can be no folds, as `parts` says.
    """
    fold = FOLDS + 1 - parts(rows)
    counts = rows.groupby([fold, rows["subject"].to_numpy()]).size()
    table = counts.rename_axis(["fold", "subject"]).reset_index(name="frames")
    return table[["subject", "fold", "frames"]]


def train_test(table: FrameTable, fold: int) -> tuple[FrameTable, FrameTable]:
    """Split a table for a fold; fold k tests part 4 - k, as the field numbers them.

    Raises:
        DataError: there is no such fold, or the table cannot be split.
    """
    if fold not in range(1, FOLDS + 1):
        raise DataError(f"expected fold 1 to {FOLDS}, got {fold}")
    test = parts(table.rows) == FOLDS + 1 - fold
    return table.subset(~test), table.subset(test)


def inner_split(table: FrameTable, share: float, seed: int) -> tuple[FrameTable, FrameTable]:
    """Set subjects of a training table aside, for early stopping and calibration.

    Args:
        table: training rows.
        share: of the subjects to set aside, above 0 and below 1; at least one is, and one stays.
        seed: same seed, same subjects.

    Returns:
        What stays and what is set aside.

    Raises:
        DataError: there are fewer than two subjects.
    """
    if not 0 < share < 1:
        raise ValueError(f"expected a share between 0 and 1, got {share}")
    subjects = np.array(table.subjects())
    if len(subjects) < 2:
        raise DataError(f"an inner split needs two subjects or more, found {len(subjects)}")
    count = min(max(1, round(share * len(subjects))), len(subjects) - 1)
    aside = np.random.default_rng(seed).permutation(subjects)[:count]
    mask = table.rows["subject"].isin(aside).to_numpy()
    return table.subset(~mask), table.subset(mask)
