"""AUs of a face over time as HTML: a lane an AU, its events, and peaks that can be clicked."""

from collections.abc import Sequence
from html import escape
from itertools import cycle

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.app.figures import COLOURS
from actionunits.app.reading import Said
from actionunits.aus import STAR
from actionunits.errors import counted, printable
from actionunits.findings.events import events

_COLUMNS = 500  # of a lane; frames that share one are drawn by their strongest
_TICKS = 6


def timeline(said: Sequence[Said], face: int, length: float) -> str:
    """Lanes of the AUs that have events, those of the others folded away, and a list of events.

    Whatever has a time carries it as ``data-seconds``; a track spans ``data-length`` seconds.

    Args:
        said: one a model, each drawn in its colour.
        face: identity number.
        length: seconds of the whole video.
    """
    length = max(length, 1e-3)
    found = [_of_face(events(each.frames), face) for each in said]
    busy, calm = list[str](), list[str]()
    for number in sorted({n for each in said for n in each.aus.numbers}):
        lane, peaks = _lane(said, found, face, number, length)
        (busy if peaks else calm).append(lane)
    step = _step(length)
    ticks = "".join(
        f'<span style="left:{100 * at / length:.2f}%">{at:g} s</span>'
        for at in np.arange(0, length + 1e-6, step).round(3)
    )
    nothing = "" if busy else '<p class="au-note">No AU occurs for a tenth of a second.</p>'
    folded = (
        f"<details><summary>{counted(len(calm), 'AU')} without events</summary>"
        f"{''.join(calm)}</details>"
        if calm
        else ""
    )
    return (
        f'<div class="au-timeline" data-length="{length:.6f}">{nothing}{"".join(busy)}'
        f'<div class="au-lane au-axis"><span></span><div class="au-ticks">{ticks}</div></div>'
        f"{folded}{_list(said, found)}</div>"
    )


def _of_face(found: pd.DataFrame, face: int) -> pd.DataFrame:
    return found[found["face_id"] == face]


def _lane(
    said: Sequence[Said], found: Sequence[pd.DataFrame], face: int, number: int, length: float
) -> tuple[str, int]:
    """One AU, and how many peaks it has."""
    column, parts, dots = f"AU{number:02d}", list[str](), list[str]()
    readers = [each.aus for each in said if number in each.aus.numbers]
    label = str(number) + (STAR if all(number in aus.experimental for aus in readers) else "")
    title = readers[0].aus[readers[0].index(number)].name
    for colour, each, peaks in zip(cycle(COLOURS), said, found, strict=False):
        if number not in each.aus.numbers:
            continue
        most = 5.0 if each.frames.graded else 1.0
        mine = (each.frames.rows["face_id"] == face).to_numpy()
        times = each.frames.rows["timestamp"].to_numpy(float)[mine] / length
        strength = each.frames.strength[column].to_numpy(float)[mine] / most
        parts.append(f'<path d="{path(times, strength)}" style="stroke:{colour}"/>')
        told = peaks.loc[peaks["AU"] == column, ["onset", "duration", "apex", "peak"]]
        for onset, duration, apex, peak in told.to_numpy(float):
            parts.append(
                f'<rect x="{1000 * onset / length:.1f}" width="{1000 * duration / length:.1f}" '
                f'y="0" height="100" style="fill:{colour}"/>'
            )
            text = f"AU {number} {title}, {each.model}: peak {peak:.1f} at {apex:.2f} s"
            dots.append(
                f'<button type="button" class="au-peak" data-seconds="{apex:.6f}" '
                f'style="left:{100 * apex / length:.2f}%;bottom:{100 * min(peak / most, 1):.1f}%;'
                f'background:{colour}" title="{escape(printable(text))}" '
                f'aria-label="{escape(printable(text))}"></button>'
            )
    return (
        f'<div class="au-lane" data-au="{number}"><span><b>{label}</b> <i>{title}</i></span>'
        '<div class="au-track"><svg viewBox="0 0 1000 100" preserveAspectRatio="none" '
        f'aria-hidden="true">{"".join(parts)}</svg>{"".join(dots)}</div></div>'
    ), len(dots)


def path(times: NDArray[np.float64], strength: NDArray[np.float64]) -> str:
    """Path of an SVG of 1000 x 100, broken where the face is away.

    Args:
        times: (N,) in order, as shares of the length.
        strength: (N,) shares of the most; NaN where it is not known.

    >>> path(np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 0.5]))
    'M0 100L500 0L1000 50'
    """
    known = np.isfinite(strength) & np.isfinite(times)
    columns = np.minimum((times[known] * _COLUMNS).astype(int), _COLUMNS - 1)
    run = np.cumsum(~known)[known]  # frames between two that are not known
    order = np.lexsort((-strength[known], columns, run))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(run[order]) > 0) | (np.diff(columns[order]) > 0)
    kept = np.sort(order[first])
    x, y, run = times[known][kept], strength[known][kept].clip(0, 1), run[kept]
    begins = np.concatenate([[True], np.diff(run) > 0]) if len(run) else np.zeros(0, bool)
    return "".join(
        f"{'M' if new else 'L'}{1000 * a:.4g} {100 * (1 - b):.3g}"
        for new, a, b in zip(begins, x, y, strict=True)
    )


def _step(length: float) -> float:
    """Seconds from tick to tick, a round number."""
    power = 10.0 ** np.floor(np.log10(length / _TICKS))
    return float(next(power * n for n in (1, 2, 5, 10) if power * n >= length / _TICKS))


def _list(said: Sequence[Said], found: Sequence[pd.DataFrame]) -> str:
    """Events as a table, whose times can be clicked."""
    rows = []
    for each, peaks in zip(said, found, strict=True):
        name = f"<td>{escape(printable(each.model))}</td>" if len(said) > 1 else ""
        rows += [
            f"<tr>{name}<td>{event.AU}</td><td>{event.onset:.2f}</td>"
            f'<td><button type="button" data-seconds="{event.apex:.6f}">{event.apex:.2f}</button>'
            f"</td><td>{event.offset:.2f}</td><td>{event.peak:.2f}</td></tr>"
            for event in peaks.itertuples()
        ]
    head = "<th>weights</th>" if len(said) > 1 else ""
    return (
        f"<details><summary>{counted(len(rows), 'event')}</summary>"
        f'<table class="au-events"><thead><tr>{head}<th>AU</th><th>onset (s)</th><th>apex</th>'
        f"<th>offset</th><th>peak</th></tr></thead><tbody>{''.join(rows)}</tbody></table></details>"
    )
