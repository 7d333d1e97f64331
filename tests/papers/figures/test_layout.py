"""What figures lay out by themselves: points apart, a mean face."""

import numpy as np
from stand_ins import Make

from actionunits.papers.figures import layout


def test_points_are_pushed_apart_and_stay_inside() -> None:
    points = np.array([[5.0, 5.0], [5.0, 5.0], [6.0, 5.0], [60.0, 60.0]])
    moved = layout.apart(points, 8, 64)
    distance = np.linalg.norm(moved[:, None] - moved, axis=-1)[np.triu_indices(4, 1)]
    assert distance.min() > 7.9
    assert moved.min() >= 4
    assert moved.max() <= 60
    np.testing.assert_allclose(moved[3], points[3], atol=0.01)


def test_mean_landmarks_are_a_face_in_the_crop(make: Make) -> None:
    points = layout.mean_landmarks(make("mdhr").spec)
    assert points.shape == (49, 2)
    assert points.min() > 0
    assert points.max() < 64
    assert points[19:25, 0].mean() < points[25:31, 0].mean()  # the subject's right eye is left
    assert points[:10, 1].max() < points[31:, 1].min()
