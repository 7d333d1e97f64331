"""The main face: the largest at first, then the nearest, and nobody where nobody is."""

import numpy as np

from actionunits.faces.detections import Detections
from actionunits.faces.main_face import MainFace
from actionunits.types import Frame

NEAR, WHOLE, FINER = 128, 320, 1280  # sides of the searches


def frame(number: int, side: int = 9) -> Frame:
    return Frame(np.zeros((side, side, 3), np.uint8), "x.mp4", number, 0.0)


class Scripted:
    """Finds the boxes of a script, frame by frame; those of the other searches separately."""

    def __init__(self, *boxes: list[tuple[float, float, float]], near=None, finer=None) -> None:
        self.scripts = {WHOLE: dict(enumerate(boxes)), NEAR: near or {}, FINER: finer or {}}
        self.asked, self.shapes = [], []

    def __call__(self, frames, side):
        self.asked.append((side, [frame.number for frame in frames]))
        self.shapes.append([frame.image.shape[:2] for frame in frames])
        return [self.faces(self.scripts[side].get(frame.number, [])) for frame in frames]

    @staticmethod
    def faces(boxes) -> Detections:
        corners = np.array([[x, y, s, s] for x, y, s in boxes], float).reshape(-1, 4)
        points = np.repeat((corners[:, :2] + corners[:, 2:] / 2)[:, None], 5, axis=1)
        return Detections(corners, np.ones(len(corners)), points)


def centres(detector: Scripted, count: int) -> list:
    return MainFace(detector)([frame(i) for i in range(count)])[:, 0].tolist()


def test_largest_first_then_the_nearest_to_it() -> None:
    script = [
        [(0, 0, 20), (100, 0, 40)],
        [(0, 0, 60), (108, 0, 30)],  # somebody comes closer to the camera than the subject
        [(0, 0, 60), (110, 4, 30)],
    ]
    assert centres(Scripted(*script), 3) == [[120, 20], [123, 15], [125, 19]]


def test_frames_without_a_face_are_nan_and_the_face_is_found_again() -> None:
    found = centres(Scripted([(0, 0, 20)], [], [(300, 0, 50), (4, 0, 20)]), 3)
    assert found[0] == [10, 10]
    assert np.isnan(found[1]).all()
    assert found[2] == [14, 10]


def test_one_that_is_too_far_off_is_somebody_else() -> None:
    assert centres(Scripted([(0, 0, 20)], [(100, 0, 20), (300, 0, 50)]), 2)[1] == [325, 25]


def test_only_frames_without_a_face_are_searched_more_finely() -> None:
    detector = Scripted([(0, 0, 20)], [], finer={1: [(2, 0, 8)]})
    assert centres(detector, 2) == [[10, 10], [6, 4]]
    assert detector.asked == [(WHOLE, [0, 1]), (FINER, [1])]


def test_it_goes_on_from_the_frames_before() -> None:
    follow = MainFace(Scripted([(0, 0, 20)], [(2, 0, 20), (90, 0, 50)]))
    follow([frame(0)])
    assert follow([frame(1)])[0, 0].tolist() == [12, 10]


def test_once_known_it_is_looked_for_around_its_last_place() -> None:
    detector = Scripted([(80, 80, 40)], near={1: [(32, 34, 40), (0, 34, 60)]})
    follow = MainFace(detector)
    follow([frame(0, 200)])
    assert follow([frame(1, 200)])[0, 0].tolist() == [102, 104]  # the window begins at 50, 50
    assert detector.asked == [(WHOLE, [0]), (NEAR, [1])]
    assert detector.shapes[1] == [(100, 100)]


def test_where_it_left_that_place_the_whole_picture_is_searched() -> None:
    far = [(0, 0, 40)]  # half in the window
    detector = Scripted([(80, 80, 40)], [(42, 40, 40)], [], near={1: far})
    follow = MainFace(detector)
    follow([frame(0, 200)])
    assert follow([frame(1, 200), frame(2, 200)])[:, 0].tolist()[0] == [62, 60]
    assert detector.asked[1:] == [(NEAR, [1, 2]), (WHOLE, [1, 2]), (FINER, [2])]


def test_a_window_lies_within_a_picture_of_any_size() -> None:
    detector = Scripted([(150, 160, 40)], near={1: [(5, 5, 30)]})
    follow = MainFace(detector)
    follow([frame(0, 200)])
    follow([frame(1, 200), frame(2, 30)])
    assert detector.shapes[1] == [(70, 80), (1, 1)]
