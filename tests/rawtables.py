"""Tiny data sets as their owners would hand them out, with 49 landmarks a picture."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from actionunits.aus import AUSet
from actionunits.datasets.raw import RawTable
from actionunits.faces.templates import MEAN49

SIDE = 64
AUS = AUSet.of((1, 2, 6, 12))
INTENSITIES = AUSet.of((6, 12))


def picture(seed: int) -> np.ndarray:
    """A smooth picture, (64, 64, 3) RGB uint8: JPEG keeps it almost as it is."""
    low = np.random.default_rng(seed).integers(40, 220, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(low).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def landmarks(seed: int) -> np.ndarray:
    """Landmarks of that picture, (49, 2) float32."""
    rng = np.random.default_rng(seed)
    points = (MEAN49 + rng.normal(0, 0.005, (49, 2))) * 40 + rng.uniform(8, 16, 2)
    return points.astype(np.float32)


def own_landmarks(rows: pd.DataFrame) -> np.ndarray:
    """The `Landmarks` of these data sets: those of the row's own seed."""
    return np.stack([landmarks(seed) for seed in rows["seed"]])


def raw_table(root: Path, subjects: int = 3, tasks: int = 1, frames: int = 3) -> RawTable:
    """Write pictures ``S1/T1/1.png`` and so on below `root`, and list them with their labels."""
    rows = []
    for number in range(subjects * tasks * frames):
        subject, task = number // (tasks * frames) + 1, number // frames % tasks + 1
        frame = number % frames + 1
        file = root / f"S{subject}" / f"T{task}" / f"{frame}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number)).save(file)
        rows.append((f"S{subject}", f"T{task}", frame, str(file), 0, (subject - 1) % 3 + 1, number))
    names = ["subject", "task", "frame", "file", "position", "part", "seed"]
    return RawTable(
        name="bp4d",
        root=root,
        rows=with_labels(pd.DataFrame(rows, columns=names)),
        occurrence=AUS,
        intensity=INTENSITIES,
        threshold=2.0,
        landmarks=own_landmarks,
    )


def with_labels(rows: pd.DataFrame) -> pd.DataFrame:
    """Random occurrences, a tenth of them not coded, and intensities."""
    rng = np.random.default_rng(len(rows))
    occurs = (rng.random((len(rows), len(AUS))) < 0.5).astype(np.float32)
    occurs[rng.random(occurs.shape) < 0.1] = np.nan
    rows[AUS.columns()] = occurs
    rows[[f"{column}_intensity" for column in INTENSITIES.columns()]] = rng.integers(
        0, 6, (len(rows), len(INTENSITIES))
    ).astype(np.float32)
    return rows
