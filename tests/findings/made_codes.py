"""Tables of frames, made on the spot."""

import numpy as np
import pandas as pd

from actionunits.findings.frames import Frames

RATE = 25


def frames(
    present: dict[str, list[float]],
    strength: dict[str, list[float]] | None = None,
    name: str = "a.mp4",
    face: int = 0,
) -> Frames:
    """One face at 25 frames a second, with intensities where they are given."""
    shown = pd.DataFrame(present, dtype=float)
    count = len(shown)
    rows = pd.DataFrame({"input": name, "face_id": face, "timestamp": np.arange(count) / RATE})
    rows = rows.assign(frame=np.arange(1, count + 1), success=True)
    values = shown if strength is None else pd.DataFrame(strength, dtype=float)
    return Frames(rows, shown, values, strength is not None)


def together(*tables: Frames) -> Frames:
    """Several as one."""
    parts = (pd.concat(part, ignore_index=True) for part in list(zip(*tables, strict=True))[:3])
    return Frames(*parts, tables[0].graded)
