"""Identity numbers hold through motion, gaps and crossings."""

import numpy as np

from actionunits.faces.align import TEMPLATE
from actionunits.faces.detections import Detections
from actionunits.faces.track import Tracker


def faces(*centres, size=100.0):
    sizes = np.broadcast_to(size, len(centres))
    boxes = np.array(
        [[x - s / 2, y - s / 2, s, s] for (x, y), s in zip(centres, sizes, strict=True)]
    ).reshape(-1, 4)
    landmarks = boxes[:, None, :2] + TEMPLATE * boxes[:, None, 2:]
    return Detections(boxes, np.ones(len(boxes)), landmarks)


def test_largest_first_face_is_zero_and_numbers_do_not_depend_on_order():
    tracker = Tracker()
    assert tracker.update(faces((0, 0), (500, 0), size=[50, 90]), 0.0).tolist() == [1, 0]
    assert tracker.update(faces((500, 0), (0, 0), size=[90, 50]), 0.1).tolist() == [0, 1]


def test_frames_without_faces_do_not_use_up_numbers():
    tracker = Tracker()
    assert tracker.update(faces(), 0.0).tolist() == []
    assert tracker.update(faces((0, 0)), 0.1).tolist() == [0]


def test_identity_survives_a_short_gap_but_not_a_long_one():
    tracker = Tracker(memory=1.0)
    tracker.update(faces((100, 100)), 0.0)
    tracker.update(faces(), 0.5)
    assert tracker.update(faces((130, 100)), 0.9).tolist() == [0]
    assert tracker.update(faces((130, 100)), 3.0).tolist() == [1]


def test_a_face_elsewhere_is_somebody_else():
    tracker = Tracker()
    tracker.update(faces((100, 100)), 0.0)
    assert tracker.update(faces((600, 100)), 0.04).tolist() == [1]
    # As is one of another size in the same place.
    assert tracker.update(faces((600, 100), size=30), 0.08).tolist() == [2]


def test_identities_survive_a_crossing():
    tracker = Tracker()
    numbers = []
    for step in range(41):
        left, right = (100 + 10 * step, 200), (500 - 10 * step, 225)
        order = [left, right] if step % 2 else [right, left]
        found = tracker.update(faces(*order), step / 30).tolist()
        numbers.append(found if step % 2 else found[::-1])
    assert all(pair == numbers[0] for pair in numbers)


def test_identities_survive_a_crossing_in_which_one_is_hidden():
    tracker = Tracker()
    last = []
    for step in range(41):
        left, right = (100 + 10 * step, 200), (500 - 10 * step, 215)
        hidden = abs(left[0] - right[0]) < 60
        last = tracker.update(faces(*([left] if hidden else [left, right])), step / 30).tolist()
        assert last[0] == 0
    assert last == [0, 1]


def test_a_moving_camera_moves_everybody():
    tracker = Tracker()
    for step in range(30):
        found = tracker.update(faces((100 + 25 * step, 0), (260 + 25 * step, 0)), step / 30)
        assert found.tolist() == [0, 1]


def test_two_hundred_faces_keep_their_numbers():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(20) * 60.0, np.arange(10) * 60.0), -1).reshape(-1, 2)
    tracker = Tracker()
    first = tracker.update(faces(*grid, size=40), 0.0)
    second = tracker.update(faces(*(grid + rng.normal(0, 3, grid.shape)), size=40), 0.04)
    assert sorted(first) == list(range(200))
    assert np.array_equal(first, second)
