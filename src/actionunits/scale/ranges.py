"""Long videos in parts: where these begin, and which frames are whose."""

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from actionunits import media
from actionunits.detect.chunks import BLOCK
from actionunits.errors import UserError
from actionunits.faces.cuts import Cuts, thumbnail
from actionunits.scale.manifest import Item, is_picture
from actionunits.scale.tasks import Range
from actionunits.types import InputSpec, Reading

_LONGER = 1.5  # times as long as a part is a video that is worth to be split
_LEAD = 2.0  # seconds that are read before a part, so that cuts are judged as in one process
_LEAD_FRAMES = 16  # as many at least


def of(item: Item, file: Path, split: float) -> tuple[Range, ...]:
    """Parts of a video that is long; none of one that is not.

    They begin just before a block of frames does, as far as the rate of the first frames goes on;
    where it does not, more is read than needed, and the rows are the same.

    Args:
        item: an input.
        file: on this machine.
        split: seconds of a part.
    """
    if is_picture(item.path):
        return ()
    end = min(media.duration(str(file)), math.inf if item.end is None else item.end)
    step = apart(str(file)) if end - item.start > _LONGER * split else 0.0
    if not step:
        return ()
    block = BLOCK * step
    count = math.ceil((end - item.start) / split)
    wanted = (item.start + number * split for number in range(1, count))
    seams = sorted({round(each / block) * block - step / 2 for each in wanted})
    seams = [each for each in seams if item.start + _LEAD < each < end]
    if not seams:
        return ()
    edges = [item.start, *seams, math.inf]
    return tuple(
        Range(number, len(edges) - 1, *edge)
        for number, edge in enumerate(zip(edges, edges[1:], strict=False))
    )


def own(readings: Iterator[Reading], part: Range) -> Generator[tuple[Reading, bool], None, None]:
    """Readings of the blocks of frames that begin in a part, and whether each begins a shot."""
    cuts, block, mine = Cuts(), -1, part.number == 0
    for reading in readings:
        is_cut = cuts(thumbnail(reading.frame.image))
        number, seconds = reading.frame.number // BLOCK, reading.frame.seconds
        if number != block:
            if block >= 0:
                if seconds >= part.end:
                    return
                mine = part.number == 0 or seconds >= part.start
            block = number
        if mine:
            yield reading, is_cut


def before(start: float, span: media.Span, path: str, spec: InputSpec) -> float:
    """Where to begin to read for a part, so that its first frames have their neighbours.

    What a model of clips sees of these is, to the last digit, where faces were found and followed
    since the beginning of their block, so that it is read from there. Where a rate chooses frames,
    it chooses those of one process.

    Args:
        start: of the part, seconds.
        span: of the input.
        path: its file on this machine.
        spec: of the model.
    """
    one = apart(path)
    step = max(one * span.every, 1 / span.fps if span.fps else 0.0)
    lead = max(_LEAD, _LEAD_FRAMES * step)
    if spec.context:
        lead += BLOCK * one + 2 * spec.context * max(step, 1 / spec.fps if spec.fps else 0.0)
    begin = max(span.start, start - lead)
    if span.fps is None:
        return begin
    return span.start + math.floor((begin - span.start) * span.fps) / span.fps


def apart(path: str) -> float:
    """Seconds from one of the first frames of a video to the next; 0 where nobody knows."""
    try:
        with closing(media.frames(path)) as frames:
            times = [frame.seconds for frame in islice(frames, 9)]
    except UserError:  # which reading it will say
        return 0.0
    return float(np.diff(times).mean()) if len(times) > 1 else 0.0
