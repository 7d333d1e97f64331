"""Who does which Action Units when: simulated performances, without a picture.

A performance is a set of events. Each event raises some AUs along a smooth ramp (onset), holds them
(apex) and lets them go (offset); events of several layers overlap: expressions of the task, habits
beside them, speech and blinks. Layers meet by the stronger contraction, then AUs that exclude each
other anatomically compete.

The same generator state gives the same labels on every machine: chance enters only through
uniform numbers, and everything after them is plain IEEE arithmetic, no transcendental function.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from actionunits.aus import RENDERED
from actionunits.synth.prototypes import (
    ASYMMETRY,
    EXPRESSIONS,
    HABITS,
    SYLLABLES,
    Expression,
    Task,
)

_LEAD_IN = 6.0  # seconds simulated before the first frame, so that it may fall into any phase
_HABIT_PAUSE = (0.8, 6.0)  # seconds between habits
_BLINK_PAUSE = (0.8, 6.0)  # seconds between blinks: about 16 a minute
_BLINK = (0.06, 0.10), (0.04, 0.10), (0.12, 0.20)  # seconds closing, closed, opening
_UTTERANCE = (0.8, 4.0)  # seconds of talking at a stretch
_SYLLABLE_PAUSE = (0.02, 0.14)
_ONSET, _OFFSET = (0.15, 0.80), (0.25, 1.20)  # seconds of an expression's ramps
_SYLLABLE_RAMP = (0.06, 0.14)
_LAG = 0.2  # seconds by which the AUs of one expression may follow each other
_COMBINATION_RATES = (0.06, 0.15, 0.28)  # of each AU in a random combination: alone, few, many
_EYES_WIN = 4.0  # a closing lid overcomes the lid raiser: weight of AU43 against AU5
_JAW_OPENS_LIPS = 0.8  # AU26 parts the lips to this share of its own intensity
_SMILE_DAMPS = 0.4  # how far AU12 lifts the corners against AU15

_A = {number: RENDERED.index(number) for number in RENDERED.numbers}
_SPREAD = np.array([ASYMMETRY[number] for number in RENDERED.numbers])


class Performance(NamedTuple):
    """One subject doing one task."""

    au: np.ndarray  # (T, 24, 2) intensity 0..5 on the subject's right and left side
    pose: np.ndarray  # (T, 3) yaw, pitch, roll of the head in degrees
    gaze: np.ndarray  # (T, 2) yaw, pitch of the eyes relative to the head in degrees
    seconds: np.ndarray  # (T,) from 0


class _Event(NamedTuple):
    start: float
    onset: float
    hold: float
    offset: float
    level: np.ndarray  # (24, 2)
    lag: np.ndarray  # (24,) seconds behind `start`


def stream(seed: int, *key: int) -> np.random.Generator:
    """Random generator of one purpose (a subject, a task, a role), independent of all others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def intensity(au: np.ndarray) -> np.ndarray:
    """Label of each AU (..., 24): that of the stronger side of (..., 24, 2), as FACS scores it."""
    return np.asarray(au.max(axis=-1))


def draw_performance(
    rng: np.random.Generator,
    task: Task,
    frames: int,
    fps: float,
    *,
    independence: float = 0.2,
    expressivity: float = 1.0,
) -> Performance:
    """Simulate one subject during one task.

    Args:
        rng: Source of all chance.
        task: What calls for expressions, and for which.
        frames: Length T.
        fps: Frames per second.
        independence: Share of the expressions replaced by random combinations in which every AU
            is drawn by itself, so that no AU can be read off its usual company alone.
        expressivity: Factor on the intensity of expressions, a trait of the subject.

    Raises:
        ValueError: a length, rate or share out of range.
    """
    if frames < 1 or not fps > 0 or not 0 <= independence <= 1:
        raise ValueError(
            "need frames >= 1, fps > 0 and 0 <= independence <= 1, "
            f"got {frames}, {fps} and {independence}"
        )
    seconds = np.arange(frames) / fps
    end = frames / fps
    events = [
        *_expressions(rng, task.weights, task.pause, end, independence, expressivity),
        *_blinks(rng, end),
    ]
    if task.habits:
        pause = _HABIT_PAUSE[0] / task.habits, _HABIT_PAUSE[1] / task.habits
        events += _expressions(rng, HABITS, pause, end, 0.0, expressivity)
    if task.speech:
        events += _speech(rng, task.speech, end)
    pose = _head(rng, seconds, task.aside)
    return Performance(
        au=_compete(_curves(events, seconds)),
        pose=pose,
        gaze=_eyes(rng, seconds, pose, task.gaze_down),
        seconds=seconds,
    )


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    # not rng.uniform: its C code may fuse the multiplication and the addition on some processors
    return low + (high - low) * float(rng.random())


def _bell(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Bell-shaped numbers of mean 0 and variance 1 in -3..3, exact on every machine."""
    return np.asarray(2.0 * rng.random((3, *shape)).sum(axis=0) - 3.0)


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> Expression:
    ends = np.cumsum(list(weights.values()))
    chosen = int(np.searchsorted(ends, float(rng.random()) * ends[-1], side="right"))
    return EXPRESSIONS[list(weights)[min(chosen, len(ends) - 1)]]


def _levels(rng: np.random.Generator, expression: Expression, expressivity: float) -> np.ndarray:
    """Draw who takes part and how strongly: (24, 2)."""
    parts = np.zeros((3, len(RENDERED)))
    for number, part in expression.aus.items():
        parts[:, _A[number]] = part
    probability, low, high = parts
    strength = float(rng.random())
    mix = 0.5 * strength + 0.5 * rng.random(len(RENDERED))  # parts of one expression grow together
    level = (low + (high - low) * mix) * expressivity * (rng.random(len(RENDERED)) < probability)
    return np.asarray(np.minimum(level, 5.0)[:, None] * _sides(rng, expression.one_sided))


def _combination(rng: np.random.Generator) -> np.ndarray:
    """Draw AUs independently of each other: (24, 2)."""
    rate = _COMBINATION_RATES[int(rng.integers(len(_COMBINATION_RATES)))]
    taking_part = rng.random(len(RENDERED)) < rate
    taking_part[_A[45]] = False  # blinks have a time course of their own
    level = (1.0 + 4.0 * rng.random(len(RENDERED))) * taking_part
    return np.asarray(level[:, None] * _sides(rng, 0.05))


def _sides(rng: np.random.Generator, one_sided: float) -> np.ndarray:
    """Draw the share of an intensity that each half of the face shows: (24, 2), the greater 1."""
    weaker = 1.0 - _SPREAD * rng.random(len(RENDERED))
    if float(rng.random()) < one_sided:
        weaker = np.where(_SPREAD >= 0.25, 0.25 * weaker, weaker)
    sides = np.stack([np.ones(len(RENDERED)), weaker], axis=1)
    return sides[:, ::-1] if float(rng.random()) < 0.5 else sides


def _expressions(
    rng: np.random.Generator,
    weights: Mapping[str, float],
    pause: tuple[float, float],
    end: float,
    independence: float,
    expressivity: float,
) -> Iterator[_Event]:
    """Draw expression after expression until the end of the performance."""
    clock = -_LEAD_IN + _between(rng, *pause)
    while clock < end:
        expression = _pick(rng, weights)
        at_random = bool(expression.aus) and float(rng.random()) < independence
        level = _combination(rng) if at_random else _levels(rng, expression, expressivity)
        onset, hold = _between(rng, *_ONSET), _between(rng, *expression.hold)
        offset = _between(rng, *_OFFSET)
        yield _Event(clock, onset, hold, offset, level, _LAG * rng.random(len(RENDERED)))
        clock += onset + hold + offset + _between(rng, *pause)


def _speech(rng: np.random.Generator, share: float, end: float) -> Iterator[_Event]:
    """Draw stretches of talking: trains of syllables that take `share` of the time."""
    mean = sum(_UTTERANCE) / 2
    silence = 0.0, 2.0 * mean * (1.0 - share) / share
    still = np.zeros(len(RENDERED))
    clock = -_LEAD_IN + _between(rng, *silence)
    while clock < end:
        stop = clock + _between(rng, *_UTTERANCE)
        while clock < stop:
            syllable = SYLLABLES[int(rng.integers(len(SYLLABLES)))]
            onset, hold = _between(rng, *_SYLLABLE_RAMP), _between(rng, *syllable.hold)
            offset = _between(rng, *_SYLLABLE_RAMP)
            yield _Event(clock, onset, hold, offset, _levels(rng, syllable, 1.0), still)
            clock += onset + hold + offset / 2 + _between(rng, *_SYLLABLE_PAUSE)
        clock += _between(rng, *silence)


def _blinks(rng: np.random.Generator, end: float) -> Iterator[_Event]:
    """Draw spontaneous blinks: brief full closures of both eyes, AU45 and for their time AU43."""
    level = np.zeros((len(RENDERED), 2))
    level[[_A[43], _A[45]]] = 5.0
    still = np.zeros(len(RENDERED))
    clock = -_LEAD_IN + _between(rng, *_BLINK_PAUSE)
    while clock < end:
        onset, hold, offset = (_between(rng, *phase) for phase in _BLINK)
        yield _Event(clock, onset, hold, offset, level, still)
        clock += onset + hold + offset + _between(rng, *_BLINK_PAUSE)


def _smooth(x: np.ndarray) -> np.ndarray:
    """Ramp from 0 at x <= 0 to 1 at x >= 1 with a continuous slope."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x))


def _curves(events: list[_Event], seconds: np.ndarray) -> np.ndarray:
    """Intensities (T, 24, 2) over time; of simultaneous events the stronger one shows."""
    au_of, event_of = np.nonzero(
        np.array([event.level[:, 0] + event.level[:, 1] for event in events]).T
    )
    phases = np.array([event[:4] for event in events], dtype=np.float64)[event_of]
    start, onset, hold, offset = phases.T  # each (N,), one for each AU of each event, by AU
    lag = np.array([event.lag for event in events])[event_of, au_of]
    level = np.array([event.level for event in events])[event_of, au_of]  # (N, 2)
    since = seconds[:, None] - start - lag  # (T, N)
    rise = _smooth(since / onset)
    fall = _smooth((since - (onset + hold)) / offset)
    curves = (rise - rise * fall)[..., None] * level
    au = np.zeros((len(seconds), len(RENDERED), 2))
    present, first = np.unique(au_of, return_index=True)
    au[:, present] = np.maximum.reduceat(curves, first, axis=1)
    return au


def _compete(au: np.ndarray) -> np.ndarray:
    """Settle what one face cannot do at once, continuously in all intensities (T, 24, 2).

    Closed lids exclude raised ones (43 against 5) and lips that part exclude lips that tighten,
    press or roll in (25, 26 and 27 against 23, 24 and 28), as lips that are pushed out exclude lips
    that roll in (18 and 22 against 28): the weaker of a pair vanishes, the stronger is reduced. A
    falling jaw parts the lips, a stretched mouth (27) is no jaw drop (26), and a smile lifts
    corners that are pulled down (12 against 15).
    """
    out = au.copy()
    closing, raising = au[:, _A[43]], au[:, _A[5]]
    out[:, _A[43]] = np.maximum(closing - raising / _EYES_WIN, 0.0)
    out[:, _A[5]] = np.maximum(raising - closing * _EYES_WIN, 0.0)
    out[:, _A[45]] = np.minimum(au[:, _A[45]], out[:, _A[43]])

    jaw = np.maximum(au[:, _A[26]], au[:, _A[27]])
    parted = np.maximum(au[:, _A[25]], _JAW_OPENS_LIPS * jaw)
    pushed = np.maximum(au[:, _A[18]], au[:, _A[22]])
    rolled = np.maximum(au[:, _A[28]] - pushed, 0.0)
    for number in (18, 22):
        out[:, _A[number]] = np.maximum(au[:, _A[number]] - au[:, _A[28]], 0.0)
    shut = np.maximum(np.maximum(au[:, _A[23]], au[:, _A[24]]), rolled)
    for number, level in ((25, parted), (26, au[:, _A[26]]), (27, au[:, _A[27]])):
        out[:, _A[number]] = np.maximum(level - shut, 0.0)
    out[:, _A[26]] = np.maximum(out[:, _A[26]] - 2.0 * out[:, _A[27]], 0.0)
    for number, level in ((23, au[:, _A[23]]), (24, au[:, _A[24]]), (28, rolled)):
        out[:, _A[number]] = np.maximum(level - parted, 0.0)

    out[:, _A[15]] = np.maximum(au[:, _A[15]] - _SMILE_DAMPS * au[:, _A[12]], 0.0)
    return out


def _moves(
    rng: np.random.Generator,
    seconds: np.ndarray,
    dwell: tuple[float, float],
    ramp: tuple[float, float],
) -> tuple[int, np.ndarray]:
    """Draw when something that dwells moves on: the number of places P, and (T, P) weights.

    Row t of the weights sums to 1 and mixes the places that are left and reached at that time.
    """
    starts: list[float] = []
    lengths: list[float] = []
    clock = -_between(rng, *dwell)
    while clock < seconds[-1]:
        starts.append(clock)
        lengths.append(_between(rng, *ramp))
        clock += lengths[-1] + _between(rng, *dwell)
    reached = _smooth((seconds[:, None] - np.array(starts)) / np.array(lengths))  # (T, P)
    reached[:, 0] = 1.0
    return len(starts), np.diff(-reached, axis=1, append=0.0)


def _head(rng: np.random.Generator, seconds: np.ndarray, aside: float) -> np.ndarray:
    """Draw slow head motion about a resting direction: (T, 3) degrees yaw, pitch, roll."""
    wide = float(rng.random()) < aside
    rest = _bell(rng, 3) * np.array([18.0, 9.0, 4.5] if wide else [6.0, 5.0, 3.5])
    places, weights = _moves(rng, seconds, dwell=(0.2, 1.6), ramp=(0.4, 1.2))
    turns = _bell(rng, places, 3) * np.array([4.0, 3.0, 2.5])
    turns[rng.random(places) < 0.12] *= 2.5
    turned = rest + (weights[..., None] * turns).sum(axis=1)
    return np.asarray(turned.clip([-45.0, -25.0, -20.0], [45.0, 25.0, 20.0]))


def _eyes(
    rng: np.random.Generator, seconds: np.ndarray, pose: np.ndarray, gaze_down: float
) -> np.ndarray:
    """Draw fixations and saccades: (T, 2) degrees yaw, pitch relative to the head."""
    places, weights = _moves(rng, seconds, dwell=(0.3, 2.2), ramp=(0.04, 0.08))
    target = _bell(rng, places, 2) * np.array([6.0, 3.5])
    down = -(11.0 + 12.0 * rng.random(places))
    target[:, 1] = np.where(rng.random(places) < gaze_down, down, target[:, 1])
    held = -0.5 * pose[:, :2]  # the eyes stay partly on what the head turns away from
    looked = held + (weights[..., None] * target).sum(axis=1)
    # further the iris would hide behind a lid
    return np.asarray(looked.clip([-30.0, -24.0], [30.0, 18.0]))
