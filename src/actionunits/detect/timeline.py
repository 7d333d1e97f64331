"""AUs over time, as a picture."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from actionunits.aus import AUSet
from actionunits.errors import UserError
from actionunits.files import atomic, writing


def timeline(table: pd.DataFrame, aus: AUSet, path: Path | str, face: int = 0) -> None:
    """Plot the AUs of one face over time into a picture file, a lane an AU.

    Args:
        table: rows of one video, as `Predictor.predict` gives them.
        aus: AUs to plot.
        path: ``.png``, ``.svg`` or ``.pdf``.
        face: identity number.

    Raises:
        UserError: the face is not in the table, or the file cannot be written.
    """
    rows = table[table["face_id"] == face].sort_values("timestamp")
    if rows.empty:
        known = sorted(table["face_id"].dropna().unique())
        raise UserError(f"no face {face} in the table; it has {known or 'none'}")
    path = Path(path)
    figure = Figure(figsize=(10, 0.42 * len(aus) + 1), layout="constrained")
    lanes = figure.subplots(len(aus), sharex=True, squeeze=False)[:, 0]
    # A line must not bridge the time in which the face was away or read too badly.
    rows = rows[rows["success"] == 1]
    away = np.flatnonzero(np.diff(rows["frame"]) > 1) + 1
    times = np.insert(rows["timestamp"].to_numpy(), away, np.nan)
    intensity = bool(rows[f"{aus.columns()[0]}_r"].notna().any())
    for lane, au in zip(lanes, aus, strict=True):
        values = rows[f"{au.column}_{'r' if intensity else 'p'}"].to_numpy(dtype=float)
        values = np.insert(values, away, np.nan)
        occurs = np.insert(rows[f"{au.column}_c"].to_numpy(dtype=float), away, 0) == 1
        lane.fill_between(times, 0, values, where=occurs, color="#1f77b4", alpha=0.35, lw=0)
        lane.plot(times, values, color="#1f77b4", lw=1)
        lane.set(ylim=(0, 5 if intensity else 1), yticks=[])
        lane.set_ylabel(
            f"{aus.label(au)} {au.name}", rotation=0, ha="right", va="center", fontsize=8
        )
        lane.spines[["top", "right", "left"]].set_visible(False)
        lane.tick_params(bottom=au == aus.aus[-1])
    lanes[0].set_xlim(table["timestamp"].min(), max(table["timestamp"].max(), 1e-3))
    scale = "intensity, 0 to 5" if intensity else "probability, 0 to 1"
    starred = "; * experimental" if aus.experimental else ""
    title = f"face {face}: {scale}; shaded where the AU occurs{starred}"
    lanes[0].set_title(title, fontsize=9, loc="left")
    lanes[-1].set_xlabel("seconds")
    with writing(path), atomic(path) as temporary:
        figure.savefig(temporary, dpi=150)
