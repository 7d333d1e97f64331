"""A pair of glasses fitted to a head: rims, bridge and temples as ribbons, lenses as fans."""

import numpy as np

from actionunits.synth.picture.looks import Glasses

_STEPS = 32  # points round a lens
_EAR = np.array([0.74, 0.06, 0.10])  # where a temple ends: |x|, height above the eyes, z
_WRAP = 0.30  # how the front bends round the face: z falls by this times x squared
_AHEAD = 0.03  # of the front before what it must not touch
_TOUCHED = [*range(11), *range(19, 31)]  # landmarks: brows, root of the nose, lids
_BELOW = 0.03  # of the lenses' middle below the eyes

# Per lens: rim (inner, crest, outer) and pane (rim of the pane, middle); then bridge; then temples.
_RIM, _PANE, _BAR = 3 * _STEPS, _STEPS + 1, 6
VERTICES = 2 * (_RIM + _PANE) + 3 * _BAR


def indices() -> np.ndarray:
    """(T, 3) int32 triangles over the vertices of `fit`."""
    step = np.arange(_STEPS)
    after = (step + 1) % _STEPS
    rings = [[step + a, after + a, step + b] for a, b in ((0, _STEPS), (_STEPS, 2 * _STEPS))]
    rings += [[after + a, after + b, step + b] for a, b in ((0, _STEPS), (_STEPS, 2 * _STEPS))]
    rim = np.concatenate([np.stack(ring, axis=1) for ring in rings])
    pane = np.stack([step, after, np.full(_STEPS, _STEPS)], axis=1) + _RIM
    lens = np.concatenate([rim, pane])
    bar = np.array([[0, 1, 3], [1, 4, 3], [1, 2, 4], [2, 5, 4]])
    bars = [bar + 2 * (_RIM + _PANE) + i * _BAR for i in range(3)]
    return np.concatenate([lens, lens + _RIM + _PANE, *bars]).astype(np.int32)


def fit(glasses: Glasses, eyes: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Glasses on a head.

    Args:
        glasses: shape.
        eyes: (2, 3) centres of the eyeballs, subject's right and left.
        landmarks: (49, 3); the front stays clear of brows, root of the nose and lids.

    Returns:
        (VERTICES, 7) float32: position, normal, 1 on panes and 0 on the frame.
    """
    middle, half = eyes.mean(axis=0), abs(eyes[1, 0] - eyes[0, 0]) / 2
    near = landmarks[_TOUCHED]
    reach = (near[:, 2] + _WRAP * (near[:, 0] - middle[0]) ** 2).max()
    front = np.array([middle[0], middle[1] - _BELOW, reach + _AHEAD])
    parts = []
    for side in (-1.0, 1.0):
        parts += [_lens(glasses, side * half, front)]
    inner, outer = half - glasses.width, half + glasses.width
    height = 0.35 * glasses.height
    parts.append(_bar(glasses, _at(front, -inner, height), _at(front, inner, height)))
    for side in (-1.0, 1.0):
        ear = np.array([middle[0] + side * _EAR[0], middle[1] + _EAR[1], _EAR[2]])
        parts.append(_bar(glasses, _at(front, side * outer, height), ear))
    return np.concatenate(parts).astype(np.float32)


def _at(front: np.ndarray, x: float | np.ndarray, y: float | np.ndarray) -> np.ndarray:
    """Points of the bent front at offsets from its middle."""
    x, y = np.broadcast_arrays(x, y)
    return np.stack([front[0] + x, front[1] + y, front[2] - _WRAP * x**2], axis=-1)


def _lens(glasses: Glasses, x: float, front: np.ndarray) -> np.ndarray:
    turn = 2 * np.pi * np.arange(_STEPS) / _STEPS
    cos, sin = np.cos(turn), np.sin(turn)
    round_ = np.sign(cos) * np.abs(cos) ** (2 / glasses.power)
    rise = np.sign(sin) * np.abs(sin) ** (2 / glasses.power)
    rows = []
    for grow, forward, out in ((-1, 0.0, -0.8), (0, 1.0, 0.0), (1, 0.0, 0.8)):
        wide, high = glasses.width + grow * glasses.rim, glasses.height + grow * glasses.rim
        points = _at(front, x + wide * round_, high * rise)
        points[:, 2] += forward * glasses.rim
        normal = np.stack([out * cos, out * sin, np.full(_STEPS, 0.6)], axis=1)
        rows.append(np.hstack([points, normal, np.zeros((_STEPS, 1))]))
    edge = _at(front, x + glasses.width * round_, glasses.height * rise)
    pane = np.vstack([edge, _at(front, x, 0.0)[None]])
    facing = np.column_stack([(pane[:, 0] - front[0]) * 0.6, (pane[:, 1] - front[1]) * 0.4])
    facing = np.column_stack([facing, np.ones(len(pane))])
    return np.vstack([*rows, np.hstack([pane, facing, np.ones((len(pane), 1))])])


def _bar(glasses: Glasses, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """A flat strip between two points, thick as the rim; lit as if it were round."""
    rows = []
    for point in (start, end):
        for up in (-1.0, 0.0, 1.0):
            position = point + [0.0, up * glasses.rim, 0.0]
            rows.append([*position, 0.3 * np.sign(end[0] + start[0]), 0.8 * up, 0.6, 0.0])
    return np.array(rows)
