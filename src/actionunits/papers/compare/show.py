"""Comparisons as grids of text."""

import math
from collections.abc import Iterator, Sequence

from actionunits.errors import counted
from actionunits.learn.grid import (
    AU_NAMES,
    DASH,
    MEAN,
    UNITS,
    Grid,
    decimals,
    ends,
    printed,
    rounded,
)
from actionunits.learn.report import (
    HEADINGS,
    LANDMARK_ERROR,
    SELECTION,
    TRAINED_ON,
    cell,
    landmark_line,
    people_lines,
)
from actionunits.papers import published
from actionunits.papers.compare import Comparison
from actionunits.papers.compare.beside import Beside
from actionunits.papers.compare.measured import Measured

_ALWAYS = "yes: F1 (%) of always saying present"
_ROOMY = 2  # as many runs leave room for an interval an AU
TERMINAL = 5
"""Runs side by side in a table of 80 columns."""


def grids(comparison: Comparison, most: int = TERMINAL) -> Iterator[Grid]:
    """Means of several runs, their AUs side by side, then each run beside its paper.

    Args:
        comparison: to lay out.
        most: runs in a table, 2 or more; the first is in each.
    """
    runs = comparison.runs
    if len(runs) > 1:
        yield _means(comparison)
    for start in range(1, len(runs), most - 1):
        yield _side_by_side(comparison, range(start, min(start + most - 1, len(runs))))
    for run, pair in zip(runs, comparison.papers, strict=True):
        if pair.reference is not None or len(runs) == 1:
            yield _beside_paper(run, pair)


def _beside_paper(run: Measured, pair: Beside) -> Grid:
    metric = _heading(pair.metric)
    always = "always" in pair.frame
    headings = ["AU", f"ours {metric} [95 %]", *(["yes"] * always)]
    if pair.reference is not None:
        headings += ["published", "difference"]
    rows = []
    for au in map(str, pair.frame.index):
        line = _line(pair, au)
        cells = [AU_NAMES.get(au, au), _measured(line, pair.metric)]
        cells += [printed(line["always"], pair.metric)] if always else []
        if pair.reference is not None:
            outside = line["reference"] < line["low"] or line["reference"] > line["high"]
            cells += [
                printed(line["reference"], pair.metric),
                _signed(line["difference"], pair.metric, outside),
            ]
        rows.append(tuple(cells))
    lines = [_about(run), *_landmarks(run), *_lone(run), *([_ALWAYS] * always)]
    if pair.reference is None:
        lines += pair.unlike
    else:
        if not run.lone:
            lines.append("* the published value lies outside our 95 % interval over subjects")
        lines += [f"not like for like: {reason}" for reason in pair.unlike]
        lines += [f"{pair.reference}: {remark}" for remark in pair.remarks]
    title = f"{run.name} beside {pair.reference}" if pair.reference else run.name
    return Grid(_shout(title, [run]), tuple(headings), tuple(rows), tuple(lines))


def _means(comparison: Comparison) -> Grid:
    """A line a run: the metric with its interval and its difference to the first, other scores."""
    means = comparison.means().dropna(axis=1, how="all")
    metric = comparison.metric
    others = [name for name in means.columns if name != metric]
    always = "always" in comparison.together[0].frame
    headings = ["run", f"{_heading(metric)} [95 %]", "- 1 [95 %]", *(["yes"] * always)]
    headings += [HEADINGS[other] for other in others]
    rows = []
    for number, (pair, scores) in enumerate(
        zip(comparison.together, means[others].to_numpy(), strict=True), start=1
    ):
        line = _line(pair, MEAN)
        difference = f"{_difference(line, metric)} " * (number > 1)
        difference += _ends(line, "difference_low", "difference_high", metric)
        cells = [f"{number} {pair.run}", _measured(line, metric), difference]
        cells += [rounded(line["always"])] if always else []
        rows.append((*cells, *map(cell, scores)))
    aus = len(comparison.together[0].frame) - 1
    title = _shout(f"Means over {counted(aus, 'AU')}", comparison.runs)
    return Grid(title, tuple(headings), tuple(rows), (_ALWAYS,) * always)


def _side_by_side(comparison: Comparison, others: range) -> Grid:
    """The first run and these others, with the differences."""
    metric, runs = comparison.metric, comparison.runs
    shown = [(i + 1, comparison.together[i]) for i in (0, *others)]
    roomy = len(shown) <= _ROOMY
    headings = ["AU"]
    for number, _ in shown:
        headings.append(f"{number}\n{_short(runs[number - 1].name, 16 if roomy else 8)}")
        headings += [f"{number} - 1\n"] * (number > 1)
    rows = []
    for au in map(str, shown[0][1].frame.index):
        cells = [AU_NAMES.get(au, au) if roomy else au]
        for number, pair in shown:
            line = _line(pair, au)
            cells.append(_measured(line, metric, roomy))
            cells += [_difference(line, metric)] * (number > 1)
        rows.append(tuple(cells))
    cells = ["95 %"]
    for number, pair in shown:
        line = _line(pair, MEAN)
        cells.append("" if roomy else _ends(line, "low", "high", metric))
        cells += [_ends(line, "difference_low", "difference_high", metric, int(roomy))] * (
            number > 1
        )
    rows.append(tuple(cells))
    lines = [f"{number}: {_about(runs[number - 1])}" for number, _ in shown]
    lines += dict.fromkeys(line for number, _ in shown for line in _lone(runs[number - 1]))
    lines.append("* the 95 % interval of the difference, over the same subjects, leaves 0 out")
    apart = [(n, f"not like for like: {why}") for n, pair in shown for why in pair.unlike]
    papers = [(n, comparison.papers[n - 1]) for n, _ in shown]
    apart += [(n, why) for n, paper in papers if paper.reference is None for why in paper.unlike]
    for reason in dict.fromkeys(why for _, why in apart):
        numbers = [str(number) for number, why in apart if why == reason]
        lines.append(f"{', '.join(numbers)}: {reason}")
    title = _shout(f"{_heading(metric)} side by side", [runs[number - 1] for number, _ in shown])
    return Grid(title, tuple(headings), tuple(rows), tuple(lines))


def _short(name: str, most: int) -> str:
    """Name of a run for the head of a column; recipes have the system before the data set."""
    return name if len(name) <= most else name.partition("_")[0][:most]


def _line(pair: Beside, au: str) -> dict[str, float]:
    """Numbers of one row."""
    frame = pair.frame
    return dict(zip(frame.columns, frame.loc[[au]].to_numpy()[0].tolist(), strict=True))


def _about(run: Measured) -> str:
    facts = run.facts()
    settings = f", changed: {', '.join(facts['changed'])}" if facts["changed"] else ""
    folds = counted(facts["folds"], "fold")
    more = [SELECTION[facts["selection"]], *people_lines(run.folds)]
    more += [run.labels] * bool(run.labels)
    named = f"{run.variant}{settings}" if run.variant else f"{facts['model']} on {facts['data']}"
    return (
        f"{run.folder}: {named}; {folds}, {counted(facts['frames'], 'frame')} of "
        f"{counted(facts['subjects'], 'subject')}; {'; '.join(more)}"
    )


def _lone(run: Measured) -> Iterator[str]:
    """Why there are no intervals."""
    if run.lone:
        yield (
            f"no interval and no star for {run.name}: one subject tells nothing of others, and "
            f"a fold has {' and another '.join(run.lone)} alone"
        )


def _shout(title: str, runs: Sequence[Measured]) -> str:
    """A title that says if somebody was trained on who is tested on."""
    return f"{title}, {TRAINED_ON}" if any(run.trained_on for run in runs) else title


def _landmarks(run: Measured) -> Iterator[str]:
    """The error of the landmarks beside the paper's."""
    if not run.landmarks:
        return
    found = published.of_run(str(run.variant), LANDMARK_ERROR)
    theirs = ""
    if found is not None:
        table, row = found
        theirs = f"; published: {row.values[0]:.{row.decimals}f} % ({table.source}, {row.method})"
    yield landmark_line(run.landmarks, run.found) + theirs


def _heading(metric: str) -> str:
    unit = UNITS[metric]
    return HEADINGS[metric] + (f" ({unit})" if unit else "")


def _signed(value: float, metric: str, marked: bool) -> str:
    sign = "*" * marked
    return DASH if math.isnan(value) else f"{sign}{value:+.{decimals(metric)}f}"


def _ends(line: dict[str, float], low: str, high: str, metric: str, places: int = 0) -> str:
    """``[61 69]``, rounded to what fits and means something."""
    places = max(places, 2 * (UNITS[metric] != "%"))
    return ends(line[low], line[high], places)


def _measured(line: dict[str, float], metric: str, roomy: bool = True) -> str:
    value = printed(line["value"], metric)
    interval = _ends(line, "low", "high", metric) if roomy else ""
    return f"{value} {interval}".rstrip() if interval else value


def _difference(line: dict[str, float], metric: str) -> str:
    apart = line["difference_low"] > 0 or line["difference_high"] < 0
    return _signed(line["difference"], metric, apart)
