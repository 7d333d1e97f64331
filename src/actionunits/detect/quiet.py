"""Thresholds at which faces that do nothing are seldom said to act."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actionunits.detect.chunks import PathLike
from actionunits.detect.faults import Report
from actionunits.detect.predict import Predictor
from actionunits.errors import DataError, UserError, counted

_LOWEST = (
    0.25  # of a threshold, below which none falls: what no face here shows at all tells little
)


class Quieted(NamedTuple):
    """What `quieted` found."""

    thresholds: NDArray[np.floating]  # (A,)
    before: NDArray[np.floating]  # (A,) share of the faces on which the AU was said before
    after: NDArray[np.floating]  # (A,) and is now
    faces: int


def quieted(
    predictor: Predictor,
    paths: Iterable[PathLike] | PathLike,
    alarms: float,
    report: Report,
    *,
    aus: Sequence[int] | None = None,
    lower: bool = False,
    highest: float = 1.0,
) -> Quieted:
    """Raise thresholds until an AU is said on few faces that do not show it.

    A threshold that is high enough stays, or, with `lower`, comes down to where it is just high
    enough, to a quarter of what it was at least. What this costs in AUs that are missed or said
    wrongly only labelled faces tell: score the new weights on some.

    Args:
        predictor: reads the faces.
        paths: pictures of faces at rest; of each the largest face counts.
        alarms: largest share of them, 0 to below 1, on which an AU may be said.
        report: is told of pictures that cannot be read.
        aus: FACS numbers of those that the faces do not show; None: they show none at all. The
            thresholds of others stay.
        lower: lower thresholds too.
        highest: probability above which none is raised, 0 to 1: what the model holds for likelier
            than .5 some of the faces may well show.

    Raises:
        UserError: such a share there is not, or the model does not read such an AU.
        DataError: the faces are too few to tell such a share.
    """
    if not 0 <= alarms < 1:
        raise UserError(f"alarms: expected a share of 0 to below 1, got {alarms:g}")
    if not 0 < highest <= 1:
        raise UserError(f"highest: expected a probability above 0, to 1, got {highest:g}")
    if unknown := set(aus or ()) - set(predictor.aus.numbers):
        raise UserError(f"aus: {sorted(unknown)} are not among those that the model reads")
    read = [r.probability[0] for r in predictor.readings(paths, report) if r.faces]
    least = math.ceil(1 / alarms) if alarms else 1
    if len(read) < least:
        raise DataError(
            f"{counted(len(read), 'face')} found: expected {least} or more, of which a share of "
            f"{alarms:g} is one; give more pictures of faces at rest"
        )
    probability = np.sort(np.array(read), axis=0)[::-1]  # (N, A), falling
    allowed = math.floor(alarms * len(read))
    just_over = np.nextafter(probability[allowed], 2).clip(max=1)
    before = (probability >= predictor.thresholds).mean(0)
    chosen = np.isin(predictor.aus.numbers, predictor.aus.numbers if aus is None else aus)
    changed = chosen & ((before > alarms) | lower)
    just_enough = np.maximum(just_over.clip(max=highest), _LOWEST * predictor.thresholds)
    if not lower:  # one that was above the highest before stays
        just_enough = np.maximum(just_enough, predictor.thresholds)
    thresholds = np.where(changed, just_enough, predictor.thresholds)
    after = (probability >= thresholds).mean(0)
    return Quieted(thresholds, before, after, len(read))
