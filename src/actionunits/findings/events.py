"""Events: the times from the onset of an Action Unit to its offset.

An AU's event is a run of frames in which it occurs. Runs with less than `gap` seconds between them
are one; events that last less than `shortest` are left out. The apex is the strongest frame.
"""

import numpy as np
import pandas as pd

from actionunits.findings.frames import KEY, Frames, frame_time

_SLACK = 0.1
"""Of a frame, by which times may be too short: tables round them, OpenFace's to milliseconds."""

COLUMNS = [*KEY, "AU", "onset", "apex", "offset", "duration", "peak", "mean", "frames"]


def events(frames: Frames, *, gap: float = 0.2, shortest: float = 0.1) -> pd.DataFrame:
    """Events of all AUs.

    Args:
        frames: of any faces.
        gap: seconds; what is apart by less, or was not seen for less, is one event.
        shortest: seconds.

    Returns:
        A row an event, by face, AU and time: ``onset`` (seconds, its first frame), ``apex`` (its
        strongest), ``offset`` (the end of its last frame), ``duration``; ``peak`` and ``mean`` of
        the strength, intensity 0 to 5 or probability; ``frames`` in which the AU occurs.
    """
    lasts = frame_time(frames.rows)
    long = pd.concat(
        {
            "present": frames.present.stack(future_stack=True),
            "strength": frames.strength.stack(future_stack=True),
        },
        axis=1,
    )
    long = long[long["present"] == 1].reset_index(names=["row", "AU"])
    if long.empty:
        types = {**dict.fromkeys(COLUMNS, float), **frames.rows[KEY].dtypes, "AU": str}
        return pd.DataFrame(columns=COLUMNS).astype({**types, "frames": int})
    long = long.join(frames.rows[[*KEY, "timestamp"]].assign(lasts=lasts), on="row")
    by = [*KEY, "AU"]
    long = long.sort_values([*by, "timestamp"], kind="stable", ignore_index=True)
    long["end"] = long["timestamp"] + long["lasts"]
    since = long["timestamp"] - long.groupby(by)["end"].shift()
    goes_on = since < gap - _SLACK * long["lasts"]  # the first of a face and AU has none before it
    long["event"] = (~goes_on).cumsum()
    strongest = long["strength"].fillna(-np.inf).groupby(long["event"]).idxmax()
    groups = long.groupby("event")
    found = groups.agg(
        **{key: (key, "first") for key in by},
        onset=("timestamp", "first"),
        offset=("end", "last"),
        peak=("strength", "max"),
        mean=("strength", "mean"),
        frames=("row", "size"),
        lasts=("lasts", "first"),
    )
    found["apex"] = long.loc[strongest, "timestamp"].to_numpy()
    found["duration"] = found["offset"] - found["onset"]
    long_enough = found["duration"] >= shortest - _SLACK * found["lasts"]
    return found.loc[long_enough, COLUMNS].reset_index(drop=True)
