"""A coding at given times: the nearest frame of a table, or the stretch that covers it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.findings.codes.coded import Coded
from actionunits.findings.coding import Coding
from actionunits.findings.frames import Frames

_RATE = 25.0  # frames a second on which two lists of events are compared

Times = NDArray[np.float64]


def grid(a: Coding, b: Coding, shift: float, fps: float | None) -> tuple[Times, float]:
    """Times of the frames on which two codings of a face are compared, and seconds of one."""
    tables = [
        (np.unique(one.frames.rows["timestamp"].dropna()) + late, one.frames)
        for one, late in ((a, 0.0), (b, shift))
        if one.frames is not None
    ]
    if tables:
        steps = [float(np.median(np.diff(times))) if len(times) > 1 else 0.0 for times, _ in tables]
        coarse = int(np.argmax(steps))
        return tables[coarse][0], steps[coarse]
    step = 1 / (fps or _RATE)
    last = max(
        (one.coded.rows["end"].max() + late)
        for one, late in ((a, 0.0), (b, shift))
        if one.coded is not None and len(one.coded.rows)
    )
    return np.arange(0.0, last + step, step), step


def at(
    one: Coding, times: Times, step: float, shift: float, aus: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a coding says at these times: of each AU whether it occurs, and how strongly."""
    if one.coded is not None:
        return _painted(one.coded, times, step, shift, aus)
    assert one.frames is not None
    return _nearest(one.frames, times, step, shift)


def _nearest(
    frames: Frames, times: Times, step: float, shift: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames of a face that are nearest, NaN where none is within half a step."""
    seen = frames.rows[frames.rows["timestamp"].notna() & frames.rows["success"]]
    seen = seen.sort_values("timestamp")
    own = np.concatenate([[-np.inf], seen["timestamp"].to_numpy() + shift, [np.inf]])
    after = np.searchsorted(own, times)
    nearest = np.where(own[after] - times < times - own[after - 1], after, after - 1)
    near = np.abs(own[nearest] - times) <= step / 2 + 1e-6
    places = seen.index.to_numpy()[nearest[near] - 1]

    def taken(table: pd.DataFrame) -> pd.DataFrame:
        values = np.full((len(times), table.shape[1]), np.nan)
        values[near] = table.to_numpy(float)[places]
        return pd.DataFrame(values, columns=table.columns)

    return taken(frames.present), taken(frames.strength)


def _painted(
    said: Coded, times: Times, step: float, shift: float, aus: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stretches of a face as frames."""
    columns = sorted({*said.aus, *aus})
    place = {au: number for number, au in enumerate(columns)}
    shown = np.zeros((len(times), len(columns)))
    grades = np.zeros_like(shown)
    middles = times + step / 2

    def within(start: float, end: float) -> slice:
        """Frames whose middle lies in a stretch; of a point in time, that in which it lies."""
        if end > start:
            first, last = np.searchsorted(middles, [start, end])
        else:
            first = int(np.searchsorted(times, start + 1e-9, side="right")) - 1
            last = first + int(first >= 0 and start < times[first] + step)
        return slice(max(first, 0), max(last, 0))

    told = said.rows.sort_values("intensity", na_position="first")
    for au, start, end, grade in told[["AU", "start", "end", "intensity"]].itertuples(index=False):
        frames = within(start + shift, end + shift)
        if grade == 0:
            continue
        shown[frames, place[au]] = 1
        grades[frames, place[au]] = grade  # of both sides of a face, the stronger
    for au, start, end in said.hidden[["AU", "start", "end"]].itertuples(index=False):
        chosen = place.get(au) if au else slice(None)
        if chosen is not None:
            shown[within(start + shift, end + shift), chosen] = np.nan
    present = pd.DataFrame(shown, columns=columns)
    return present, pd.DataFrame(grades, columns=columns).where(present.notna())
