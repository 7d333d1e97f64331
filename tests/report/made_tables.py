"""Tables as `au detect` writes them, without having read anything."""

import numpy as np
import pandas as pd

from actionunits import weights
from actionunits.learn.card import read_card

CARD = read_card(weights.locate("default"))
COLUMNS = CARD.au_set().columns()


def table(
    frames: int = 90,
    *,
    face: int = 0,
    rate: float = 30,
    source: str = "a.mp4",
    seed: int = 0,
    **strengths: float,
) -> pd.DataFrame:
    """One face; an AU named by its column has this mean intensity, the others wander."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.3, (frames, len(COLUMNS))).cumsum(axis=0)
    probability = 1 / (1 + np.exp(2 - steps))
    for name, strength in strengths.items():
        noise = rng.normal(0, 0.02, frames)
        probability[:, COLUMNS.index(name)] = np.clip(strength / 5 + noise, 0, 1)
    probability = probability.round(4)
    present = (probability >= np.array(CARD.thresholds)).astype(int)
    said = {
        "frame": np.arange(1, frames + 1),
        "face_id": face,
        "timestamp": (np.arange(frames) / rate).round(6),
        "confidence": rng.uniform(0.6, 0.99, frames).round(4),
        "success": 1,
        **dict(zip(("face_x", "face_y", "face_w", "face_h"), (20.0, 20, 60, 60), strict=True)),
        **dict(zip([f"{c}_p" for c in COLUMNS], probability.T, strict=True)),
        **dict(zip([f"{c}_c" for c in COLUMNS], present.T, strict=True)),
        **dict(zip([f"{c}_r" for c in COLUMNS], (5 * probability.T).round(3), strict=True)),
    }
    return pd.DataFrame({**said, "input": source})


def nobody(frames: int = 30, source: str = "empty.mp4") -> pd.DataFrame:
    """A video without faces."""
    rows = table(frames, source=source)
    rows["success"], rows["confidence"] = 0, 0.0
    empty = [name for name in rows if name[:2] == "AU" or name in {"face_id", "face_x"}]
    rows[empty] = np.nan
    return rows
