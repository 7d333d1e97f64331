"""OpenFace 2's tables (Baltrusaitis et al., FG 2018): all columns that 2.2 writes, in its order.

Of pictures there is a row a face, as its FaceLandmarkImg writes them, and of videos one for each
frame without a face too, all 0, as its FeatureExtraction does. What no model here tells is 0, as
where that tool knows nothing; what a model does not tell that others do is empty. Names have no
space before them, as those of OpenFace built from source have none.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits import media
from actionunits.aus import AUSet
from actionunits.detect.formats.values import KNOWN_POINTS, POINTS, indexed, numbers, points, pose
from actionunits.detect.tables import Layout
from actionunits.faces.pose import euler, gaze, rotation

_IN_VIDEOS = {n: n for n in ("frame", "face_id", "timestamp", "confidence", "success")}
_IN_PICTURES = {"face": "face_id", "confidence": "confidence"}
_WHOLE = {"frame", "face_id", "face", "success"}
_GRADED = [f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
_OCCURS = sorted([*(f"{name[:4]}_c" for name in _GRADED), "AU28_c"])
_VECTORS = [f"gaze_{eye}_{axis}" for eye in "01" for axis in "xyz"]
_GAZE = ["gaze_angle_x", "gaze_angle_y"]
_ROTATION = ["pose_Rx", "pose_Ry", "pose_Rz"]
_MEASURED = [
    *(*_VECTORS, *_GAZE, *indexed([f"eye_lmk_{axis}" for axis in "xyXYZ"], 2 * 28)),
    *("pose_Tx", "pose_Ty", "pose_Tz", *_ROTATION, *indexed("xyXYZ", POINTS)),
    *("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *indexed("p", 34)),
    *(*_GRADED, *_OCCURS),
]
_PLACES = {name: place for place, name in enumerate(_MEASURED)}
_DECIMALS = {
    **{"timestamp": 6, "confidence": 4, **dict.fromkeys(_VECTORS, 6)},
    **dict.fromkeys([*_GAZE, *_ROTATION], 4),
    **{**dict.fromkeys(KNOWN_POINTS, 2), **dict.fromkeys(_GRADED, 3)},
}


def layout(aus: AUSet, sources: Sequence[str]) -> Layout:
    """Layout of a table; ``input`` is the last column where it is of several sources.

    Args:
        aus: label axis of the rows.
        sources: of the table.
    """
    stills = all(map(media.is_still, sources))
    return Layout(partial(_table, stills=stills, several=len(sources) > 1), _DECIMALS.get)


def _table(ours: pd.DataFrame, *, stills: bool, several: bool) -> pd.DataFrame:
    if stills:
        ours = ours[ours["face_id"].notna()]
    ours = ours.reset_index(drop=True)
    first = _IN_PICTURES if stills else _IN_VIDEOS
    named = {
        name: ours[column].fillna(0).astype("int64" if name in _WHOLE else "float64")
        for name, column in first.items()
    }
    measured = pd.DataFrame(_measured(ours), columns=_MEASURED)
    parts = [pd.DataFrame(named), measured, *([ours[["input"]]] if several else [])]
    return pd.concat(parts, axis=1)


def _measured(ours: pd.DataFrame) -> NDArray[np.float64]:
    """(N, K) values of `_MEASURED`."""
    heads = pose(ours)
    looking = gaze(heads, numbers(ours, ["gaze_yaw", "gaze_pitch"]))
    values = np.zeros((len(ours), len(_MEASURED)))

    def fill(names: Sequence[str], told: NDArray[np.float64]) -> None:
        values[:, [_PLACES[name] for name in names]] = told

    fill(_VECTORS, np.tile(looking, 2))
    fill(_GAZE, np.arctan2(looking[:, :2], -looking[:, 2:]))
    fill(_ROTATION, euler(rotation(heads)))
    fill(KNOWN_POINTS, points(ours))
    fill(_GRADED, numbers(ours, _GRADED))
    fill(_OCCURS, numbers(ours, _OCCURS))
    for kind in "rc":  # lids that are closed, which single frames do not tell from a blink
        fill([f"AU45_{kind}"], _closed(ours, kind))
    values[ours["face_id"].isna()] = 0
    return values


def _closed(ours: pd.DataFrame, kind: str) -> NDArray[np.float64]:
    """(N, 1) the larger of closed eyes and blinks, of those that are known."""
    return np.fmax(*np.hsplit(numbers(ours, [f"AU43_{kind}", f"AU45_{kind}"]), 2))
