"""Figures to zoom into and point at: curves and events, a heat map, how sure the reading is."""

from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.layouts import gridplot
from bokeh.models import (
    ColumnDataSource,
    CrosshairTool,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    Range1d,
    WheelZoomTool,
)
from bokeh.models.annotations import ColorBar, Span
from bokeh.plotting import figure
from numpy.typing import NDArray

from actionunits.report import lanes, marks
from actionunits.report.data import File, Track

_LANE, _CELL, _STRIP = 24, 17, 60  # pixels of a curve's lane, a heat map's row, the quality strip
_AROUND = 70  # pixels of title and axis
_COLUMNS = 500  # of a heat map
_SPACE = 0.86  # of a lane, that its curve takes
_ABOVE = 1.05  # end of the strip's scale, so that a confidence of 1 is seen


def figures(
    file: File, track: Track, cuts: NDArray[np.float64], columns: int, target: str
) -> dict[str, Any]:
    """Linked figures of one face, as JSON for Bokeh's ``embed_item``.

    Args:
        file: whose face it is.
        track: the face.
        cuts: seconds at which the picture cuts.
        columns: of the curves, see `lanes.curve`.
        target: id of the element of the page that takes them.
    """
    start, end = float(file.times[0]), float(file.times[-1] + file.step)
    closest = min(4 * file.step, end - start)
    shared = Range1d(start=start, end=end, bounds=(start, end), min_interval=closest)
    upright = Span(dimension="height", line_color=marks.FAINT, line_dash="dotted")
    parts = [
        _curves(file, track, shared, columns),
        _heat(file, track, shared),
        _quality(file, track, shared, cuts, columns),
    ]
    for part in parts:
        part.add_tools(CrosshairTool(overlay=upright, dimensions="height"))
        part.add_tools(WheelZoomTool(dimensions="width"))
    grid = gridplot([[part] for part in parts], merge_tools=True, sizing_mode="stretch_width")
    grid.toolbar.logo = None  # it is a link to the network
    return {**json_item(grid), "target_id": target}


def _plot(title: str, shared: Range1d, height: int, top: float) -> Any:
    """An empty figure over the shared axis of time; from 0 to `top`."""
    plot: Any = figure(
        title=title,
        height=height + _AROUND,
        x_range=shared,
        y_range=Range1d(start=0, end=top),
        tools="xpan,xbox_zoom,reset,save",
        sizing_mode="stretch_width",
        min_border_right=12,
    )
    plot.xaxis.axis_label = "seconds"
    plot.grid.grid_line_color = None
    plot.outline_line_color = marks.LINE
    plot.title.text_font_size = "13px"
    plot.title.text_color = marks.INK
    plot.axis.major_label_text_color = marks.INK
    plot.axis.axis_line_color = marks.LINE
    plot.axis.minor_tick_line_color = None
    return plot


def _name_lanes(plot: Any, file: File, centre: float) -> None:
    """Names of AUs from the top down; where it is narrow the page takes those of the tags."""
    places = [place + centre for place in reversed(range(len(file.aus)))]
    titles = [marks.title(au, file.weights) for au in file.aus]
    numbers = [marks.number(au, file.weights) for au in file.aus]
    plot.yaxis.ticker = FixedTicker(ticks=places)
    plot.yaxis.major_label_overrides = dict(zip(places, titles, strict=True))
    plot.yaxis.tags = [list(zip(places, numbers, strict=True))]
    plot.yaxis.name = "lanes"
    plot.yaxis.major_tick_line_color = None


def _curves(file: File, track: Track, shared: Range1d, columns: int) -> Any:
    """A lane an AU: its strength as a line, its events as spans."""
    count = len(file.aus)
    title = f"Strength ({marks.unit(file)}) and events (shaded)"
    plot = _plot(title, shared, _LANE * count, count)
    _name_lanes(plot, file, _SPACE / 2)
    events = _events(plot, file, track)
    times, values = lanes.curve(file.times, track.strength, columns, file.step)
    known = dict(zip(file.aus, values.T.astype(np.float32).round(3), strict=True))
    source = ColumnDataSource({"seconds": times.astype(np.float32), **known})
    for place, au in zip(reversed(range(count)), file.aus, strict=True):
        lane: Any = plot.subplot(
            x_source=shared,
            y_source=Range1d(start=0, end=marks.top(file)),
            x_target=shared,
            y_target=Range1d(start=place, end=place + _SPACE),
        )
        line = lane.line("seconds", au, source=source, line_color=marks.BLUE, line_width=1.2)
        rule = Span(location=place, dimension="width", line_color=marks.LINE, level="underlay")
        plot.add_layout(rule)
        hover = [("", f"{marks.title(au, file.weights)} @{au}{{0.00}}, @seconds{{0.00}} s")]
        plot.add_tools(HoverTool(renderers=[line], tooltips=hover, visible=False))
    told = [
        ("", "@AU"),
        ("from, to", "@left{0.00} to @right{0.00} s (@duration{0.00} s)"),
        ("apex", "@apex{0.00} s"),
        ("peak, mean", "@peak{0.00}, @mean{0.00}"),
    ]
    plot.add_tools(HoverTool(renderers=[events], tooltips=told, description="events"))
    return plot


def _events(plot: Any, file: File, track: Track) -> Any:
    own = file.events[file.events["face_id"] == track.face]
    own = own.rename(columns={"onset": "left", "offset": "right"})
    lanes_of = {au: place for place, au in enumerate(reversed(file.aus))}
    bottom = own["AU"].map(lanes_of).to_numpy(float)
    names = ["left", "right", "apex", "duration", "peak", "mean"]
    source = ColumnDataSource(
        {
            **{name: own[name].to_numpy(np.float32) for name in names},
            "bottom": bottom,
            "top": bottom + _SPACE,
            "AU": [marks.title(au, file.weights) for au in own["AU"]],
        }
    )
    return plot.quad(
        left="left",
        right="right",
        top="top",
        bottom="bottom",
        source=source,
        fill_color=marks.SKY,
        fill_alpha=0.35,
        line_color=None,
        hover_fill_color=marks.ORANGE,
        hover_fill_alpha=0.7,
    )


def _heat(file: File, track: Track, shared: Range1d) -> Any:
    """All AUs over time as colours: the highest value in each column."""
    count, columns = len(file.aus), min(_COLUMNS, len(file.times))
    edges, _, high = lanes.columns(file.times, track.strength, columns, file.step)
    plot = _plot(f"Heat map: strength ({marks.unit(file)})", shared, _CELL * count, count)
    _name_lanes(plot, file, 0.5)
    colours = marks.ramp(np.linspace(0, 1, 64)).tolist()
    mapper = LinearColorMapper(
        palette=[f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours],
        low=0,
        high=marks.top(file),
        nan_color=marks.LINE,
    )
    image = plot.image(
        image=[np.ascontiguousarray(high.T[::-1], np.float32).round(2)],
        x=edges[0],
        y=0,
        dw=edges[-1] - edges[0],
        dh=count,
        color_mapper=mapper,
    )
    plot.add_layout(ColorBar(color_mapper=mapper, width=10, padding=2), "right")
    value = [("", "@image{0.00}, $x{0.00} s")]
    plot.add_tools(HoverTool(renderers=[image], tooltips=value, description="strength"))
    return plot


def _quality(
    file: File, track: Track, shared: Range1d, cuts: NDArray[np.float64], columns: int
) -> Any:
    """Confidence, gaps, doubtful times and cuts."""
    plot = _plot(marks.QUALITY, shared, _STRIP, _ABOVE)
    plot.yaxis.ticker = FixedTicker(ticks=[0, 0.5, 1])
    found = marks.spans(file, track)
    for pairs, colour, hatch in (
        (found.away, marks.ABSENT, "/"),
        (found.doubtful, marks.ORANGE, " "),
    ):
        plot.quad(
            left=pairs[:, 0],
            right=pairs[:, 1],
            bottom=0,
            top=_ABOVE,
            fill_color=colour,
            fill_alpha=0.45,
            line_color=None,
            hatch_pattern=hatch,
            hatch_alpha=0.5,
        )
    times, values = lanes.curve(file.times, track.confidence[:, None], columns, file.step)
    at, confidence = times.astype(np.float32), values[:, 0].astype(np.float32)
    source = ColumnDataSource({"seconds": at, "confidence": confidence})
    line = plot.line("seconds", "confidence", source=source, line_color=marks.INK, line_width=1)
    plot.segment(
        x0=cuts,
        x1=cuts,
        y0=0,
        y1=_ABOVE,
        line_color=marks.VERMILION,
        line_dash="dashed",
        line_width=1.5,
    )
    told = [("", "@seconds{0.00} s: confidence @confidence{0.00}")]
    plot.add_tools(
        HoverTool(renderers=[line], tooltips=told, mode="vline", description="confidence")
    )
    return plot
