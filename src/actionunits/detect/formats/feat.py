"""py-feat's tables (Cheong et al., Affective Science 2023): the columns of its 0.6 that are known.

Emotions are not read off faces here and have no columns; neither has what tells identities. Empty
is what is not known, as there. The face's number and the true time come last, which it has not.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from actionunits import media
from actionunits.aus import AUSet
from actionunits.detect.formats.values import KNOWN_POINTS, POINTS, indexed, numbers, points, pose
from actionunits.detect.tables import Layout
from actionunits.faces.pose import euler, rotation
from actionunits.files.names import escaped

_BOX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]
_POSE = ["Pitch", "Roll", "Yaw"]
_AUS = [f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)]
_DECIMALS = {
    **{"FaceScore": 4, "timestamp": 6, **dict.fromkeys(_AUS, 4)},
    **dict.fromkeys([*_BOX, *_POSE, *KNOWN_POINTS], 2),
}


def layout(aus: AUSet, sources: Sequence[str]) -> Layout:
    """Layout of a table; of pictures alone ``frame`` counts them, and there is no ``approx_time``.

    Args:
        aus: label axis of the rows.
        sources: of the table.
    """
    stills = all(map(media.is_still, sources))
    places = {escaped(source): place for place, source in enumerate(sources)} if stills else None
    known = [name for name in _AUS if name in aus.columns()]
    return Layout(partial(_table, aus=known, places=places), _DECIMALS.get)


def _table(
    ours: pd.DataFrame, *, aus: Sequence[str], places: Mapping[str, int] | None
) -> pd.DataFrame:
    x, y, z = np.degrees(euler(rotation(pose(ours)))).T
    landmarks = pd.DataFrame(np.nan, ours.index, indexed("xy", POINTS))
    landmarks[KNOWN_POINTS] = points(ours)
    values = {
        **dict(zip(_BOX, numbers(ours, ["face_x", "face_y", "face_w", "face_h"]).T, strict=True)),
        "FaceScore": ours["confidence"].where(ours["face_id"].notna()),
        **landmarks,
        **{"Pitch": -x, "Roll": z, "Yaw": y},
        **{name: ours[f"{name}_p"] for name in aus},
        "input": ours["input"],
        "frame": ours["frame"] - 1 if places is None else ours["input"].map(places).astype("int64"),
        **({"approx_time": _clock(ours)} if places is None else {}),
        **{"face_id": ours["face_id"], "timestamp": ours["timestamp"]},
    }
    return pd.DataFrame(values, ours.index)


def _clock(ours: pd.DataFrame) -> pd.Series:
    """Whole minutes and seconds, ``01:05``."""
    minutes, seconds = divmod(ours["timestamp"].astype("int64"), 60)
    return minutes.astype("str").str.zfill(2) + ":" + seconds.astype("str").str.zfill(2)
