"""The same figures as drawings: for paper, and where no scripts run."""

import base64
import io
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image

from actionunits.report import lanes, marks
from actionunits.report.data import File, Track, runs

_WIDTH, _LEFT, _RIGHT = 1000, 200, 12  # of a drawing, and beside its time axis
_PLOT = _WIDTH - _LEFT - _RIGHT
_COLUMNS = 300  # of curves and heat map
_LANE, _SPACE = 22, 18  # height of a lane, and of the curve in it
_CELL, _STRIP, _AXIS, _HEAD = 16, 44, 26, 24
_TICKS = 8  # at the most

Floats = NDArray[np.float64]


class _Axis:
    """Time along a drawing."""

    def __init__(self, file: File) -> None:
        self.start, self.end = float(file.times[0]), float(file.times[-1] + file.step)
        self._scale = _PLOT / max(self.end - self.start, 1e-9)

    def x(self, seconds: Floats | float) -> Floats:
        return np.asarray(_LEFT + (np.asarray(seconds) - self.start) * self._scale)

    def ticks(self) -> list[float]:
        """Round times, 4 to 8 of them."""
        rough = max(self.end - self.start, 1e-9) / _TICKS
        power = 10.0 ** np.floor(np.log10(rough))
        step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
        ticks = np.arange(np.ceil(self.start / step), np.floor(self.end / step) + 1) * step
        return [float(tick) for tick in ticks.round(9)]


def drawings(file: File, track: Track, cuts: Floats) -> list[Markup]:
    """Curves with events, heat map and quality strip of one face: three drawings."""
    axis = _Axis(file)
    count = len(file.aus)
    figures = (
        (f"Strength ({marks.unit(file)}), and events (bars)", _LANE * count, _curves),
        ("Heat map: white is 0, dark blue the end of the scale", _CELL * count, _heat),
        (marks.QUALITY, _STRIP, partial(_quality, cuts=cuts)),
    )
    return [
        _drawing(title, track, axis, height, draw(file, track, axis, _HEAD))
        for title, height, draw in figures
    ]


def _drawing(title: str, track: Track, axis: _Axis, height: int, parts: Iterable[str]) -> Markup:
    """A figure under its title, over the axis of time."""
    label = escape(f"Face {track.face}. {title}, over time; the tables have the figures")
    inner = [_text(0, 12, title, "head"), *parts, *_ticks(axis, _HEAD + height)]
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEAD + height + _AXIS}" role="img" aria-label="{label}" '
        f'class="timeline">{"".join(inner)}</svg>'
    )


def forest(
    g: float, interval: tuple[float, float], wider: tuple[float, float], limit: float
) -> Markup:
    """One line of a forest plot: the effect as a square, its intervals as lines, 0 dotted.

    Args:
        g: effect.
        interval: both ends of its interval, a thick line.
        wider: those of a wider one, a thin line.
        limit: effect at either edge; a wider interval that goes on has an arrow there.
    """
    width, middle = 240, 9
    (low, high), x = wider, _within(np.array([*wider, *interval, g]), limit, width)
    arrows = [
        f'<path d="M{edge} {middle}l{-6 * side} -4v8z" fill="{marks.BLUE}"/>'
        for value, edge, side in ((low, 2, -1), (high, width - 2, 1))
        if value * side > limit
    ]
    zero = width / 2
    return Markup(
        f'<svg viewBox="0 0 {width} 18" class="forest" role="img" '
        f'aria-label="g {g:.2f}, interval {interval[0]:.2f} to {interval[1]:.2f}, together with '
        f'the others {low:.2f} to {high:.2f}">'
        f'<line x1="{zero}" x2="{zero}" y1="0" y2="18" stroke="{marks.FAINT}" '
        f'stroke-dasharray="2 2"/><line x1="{x[0]:.1f}" x2="{x[1]:.1f}" y1="{middle}" '
        f'y2="{middle}" stroke="{marks.BLUE}"/><line x1="{x[2]:.1f}" x2="{x[3]:.1f}" '
        f'y1="{middle}" y2="{middle}" stroke="{marks.BLUE}" stroke-width="3"/>{"".join(arrows)}'
        f'<rect x="{x[4] - 4:.1f}" y="{middle - 4}" width="8" height="8" '
        f'fill="{marks.BLUE}"/></svg>'
    )


def forest_scale(limit: float) -> Markup:
    """The scale above a forest plot."""
    values = np.array([-limit, -limit / 2, 0, limit / 2, limit])
    anchors = ("start", "middle", "middle", "middle", "end")
    places = _within(values, limit, 240)
    texts = [
        f'<text x="{x:.0f}" y="13" text-anchor="{anchor}">{value:g}</text>'
        for x, value, anchor in zip(places, values.tolist(), anchors, strict=True)
    ]
    return Markup(f'<svg viewBox="0 0 240 18" class="forest">{"".join(texts)}</svg>')


def data_uri(content: bytes, kind: str) -> str:
    """A file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _within(values: Floats, limit: float, width: float) -> Floats:
    return np.asarray((np.clip(values / limit, -1, 1) + 1) / 2 * (width - 8) + 4)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _rectangles(
    starts: Floats, ends: Floats, y: NDArray[Any] | float, height: float, style: str
) -> Iterable[str]:
    widths = np.maximum(ends - starts, 1)
    tops = np.broadcast_to(y, starts.shape)
    for x, top, width in zip(starts.tolist(), tops.tolist(), widths.tolist(), strict=True):
        yield f'<rect x="{x:.1f}" y="{top:g}" width="{width:.1f}" height="{height:g}" {style}/>'


def _ticks(axis: _Axis, y: float) -> list[str]:
    ticks = axis.ticks()
    places = axis.x(np.array(ticks)).tolist()
    lines = [f'<path d="M{x:.1f} {y}v5" stroke="{marks.FAINT}"/>' for x in places]
    texts = [
        _text(x, y + 18, f"{tick:g}", "", "middle") for tick, x in zip(ticks, places, strict=True)
    ]
    return [*lines, *texts, _text(_LEFT - 8, y + 18, "seconds", "", "end")]


def _area(x: Floats, height: Floats, base: float) -> str:
    """Path of what lies below a curve, in a piece a stretch in which it is known, in tenths."""
    points = np.stack([x, base - np.nan_to_num(height)], axis=1)
    tenths = np.round(10 * points).astype(int)
    pieces = []
    for first, last in runs(np.isfinite(height)).tolist():
        steps = np.diff(tenths[first:last], axis=0).tolist()
        line = "".join(f"l{right} {down}" for right, down in steps)
        left, top = tenths[first].tolist()
        pieces.append(f"M{left} {10 * base:g}V{top}{line}V{10 * base:g}z")
    return "".join(pieces)


def _curves(file: File, track: Track, axis: _Axis, y: int) -> list[str]:
    """Lanes: dark below what no frame of a column falls short of, light up to its highest."""
    if len(file.times) > 2 * _COLUMNS:
        edges, low, high = lanes.columns(file.times, track.strength, _COLUMNS, file.step)
        times = (edges[:-1] + edges[1:]) / 2
        curves = [(high, marks.SKY), (low, marks.BLUE)]
    else:
        times, values = lanes.curve(file.times, track.strength, _COLUMNS, file.step)
        curves = [(values, marks.SKY)]
    x = axis.x(times)
    parts = []
    for lane, au in enumerate(file.aus):
        base = y + _LANE * (lane + 1) - 2
        parts.append(_text(_LEFT - 8, base - 4, marks.title(au, file.weights), "", "end"))
        for values, colour in curves:
            path = _area(x, values[:, lane] / marks.top(file) * _SPACE, base)
            parts.append(f'<path d="{path}" fill="{colour}" transform="scale(.1)"/>')
        parts.append(f'<path d="M{_LEFT} {base}h{_PLOT}" stroke="{marks.LINE}"/>')
    own = file.events[file.events["face_id"] == track.face]
    lane_of = {au: y + _LANE * (lane + 1) - 3 for lane, au in enumerate(file.aus)}
    tops = own["AU"].map(lane_of).to_numpy(float)
    onset, offset = (axis.x(own[edge].to_numpy(float)) for edge in ("onset", "offset"))
    return [*parts, *_rectangles(onset, offset, tops, 3, f'fill="{marks.INK}"')]


def _heat(file: File, track: Track, axis: _Axis, y: int) -> list[str]:
    columns = min(_COLUMNS, len(file.times))
    _, _, high = lanes.columns(file.times, track.strength, columns, file.step)
    buffer = io.BytesIO()
    Image.fromarray(marks.ramp(high.T / marks.top(file))).save(buffer, "PNG", optimize=True)
    parts = [
        f'<image x="{_LEFT}" y="{y}" width="{_PLOT}" height="{_CELL * len(file.aus)}" '
        f'preserveAspectRatio="none" href="{data_uri(buffer.getvalue(), "image/png")}" '
        'style="image-rendering:pixelated"/>'
    ]
    for lane, au in enumerate(file.aus):
        at = y + _CELL * (lane + 1) - 4
        parts.append(_text(_LEFT - 8, at, marks.title(au, file.weights), "", "end"))
    return parts


def _quality(file: File, track: Track, axis: _Axis, y: int, cuts: Floats) -> list[str]:
    found = marks.spans(file, track)
    parts = [
        f'<rect x="{_LEFT}" y="{y}" width="{_PLOT}" height="{_STRIP}" fill="none" '
        f'stroke="{marks.LINE}"/>'
    ]
    for pairs, colour in ((found.away, marks.ABSENT), (found.doubtful, marks.ORANGE)):
        ends = axis.x(pairs)
        parts += _rectangles(ends[:, 0], ends[:, 1], y, _STRIP, f'fill="{colour}"')
    confidence = track.confidence[:, None]
    times, values = lanes.curve(file.times, confidence, _COLUMNS, file.step)
    known = np.isfinite(values[:, 0])
    places = zip(axis.x(times).tolist(), (y + _STRIP * (1 - values[:, 0])).tolist(), strict=True)
    starts = known & ~np.concatenate([[False], known[:-1]])
    line = "".join(
        f"{'M' if start else 'L'}{a:.1f} {b:.1f}"
        for (a, b), start, is_known in zip(places, starts.tolist(), known.tolist(), strict=True)
        if is_known
    )
    parts.append(f'<path d="{line}" fill="none" stroke="{marks.INK}"/>')
    for value in (0, 0.5, 1):
        parts.append(_text(_LEFT - 8, y + _STRIP * (1 - value) + 4, f"{value:g}", "", "end"))
    parts += [
        f'<path d="M{x:.1f} {y}v{_STRIP}" stroke="{marks.VERMILION}" stroke-dasharray="4 3" '
        'stroke-width="2"/>'
        for x in axis.x(cuts).tolist()
    ]
    return parts
