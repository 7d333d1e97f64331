"""Faces are followed from look to look, and searched for where they are lost."""

import numpy as np
import pytest

from actionunits.faces.align import TEMPLATE
from actionunits.faces.detections import Detections, overlap
from actionunits.faces.follow import Follower
from actionunits.types import Frame


def faces(*centres, size=40.0, score=0.9):
    boxes = np.array([[x - size / 2, y - size / 2, size, size] for x, y in centres])
    boxes = boxes.reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), score), boxes[:, None, :2] + TEMPLATE * size)


class World:
    """Faces at known places in each frame; a look finds one that is near enough."""

    def __init__(self, places, vague=()):
        self.places, self.vague, self.searches, self.looks = places, set(vague), [], 0

    def search(self, frames, side):
        self.searches += [(frame.number, side) for frame in frames]
        return [faces(*self.places[frame.number], score=0.6) for frame in frames]

    def look(self, images, owners, landmarks):
        self.looks += len(landmarks)
        assert set(owners.tolist()) <= {0}
        here = self.places[int(images[0][0, 0, 0])]
        found, sure = [], []
        for points in landmarks:
            middle = points.mean(axis=0)
            away = [np.linalg.norm(faces(place).landmarks[0].mean(0) - middle) for place in here]
            near = int(np.argmin(away)) if here else -1
            sure.append(bool(here) and away[near] < 10 and here[near] not in self.vague)
            found.append(here[near] if here else (0, 0))
        return faces(*found), np.array(sure, bool)


def frame(number):
    return Frame(np.full((4, 4, 3), number, np.uint8), "a.mp4", number, number / 25)


def centres(found):
    return sorted(map(tuple, (found.boxes[:, :2] + found.boxes[:, 2:] / 2).tolist()))


def test_a_moving_face_is_searched_for_once():
    world = World([[(100 + 5 * i, 80)] for i in range(30)])
    follow = Follower(world, 320, 640)
    for number in range(30):
        found = follow(frame(number), None)
        assert centres(found) == [(100 + 5 * number, 80)]
        assert found.scores.tolist() == [0.6]  # of the search
    assert world.searches == [(0, 640)]


def test_a_lost_face_is_searched_for_at_once_and_then_no_more():
    places = [[(100, 80)], [(100, 80)], [(160, 80)], [(160, 80)], [], [], []]
    world = World(places)
    follow = Follower(world, 320, 640)
    found = [centres(follow(frame(number), None)) for number in range(7)]
    assert found == [[(float(x), float(y)) for x, y in each] for each in places]
    assert world.searches == [(0, 640), (2, 320), (4, 320)]


def test_a_face_that_a_look_does_not_see_is_searched_for_in_every_frame():
    world = World([[(100, 80), (300, 80)]] * 5, vague=[(300, 80)])
    follow = Follower(world, 320, 640)
    for number in range(5):
        assert centres(follow(frame(number), None)) == [(100, 80), (300, 80)]
    assert [number for number, _ in world.searches] == [0, 1, 2, 3, 4]


def test_a_search_adds_new_faces_and_gives_its_scores():
    world = World([[(100, 80)], [(100, 80)], [(100, 80), (300, 80)], [(100, 80), (300, 80)]])
    follow = Follower(world, 320, 640)
    follow(frame(0), None)
    searched = faces((102, 81), (300, 80), score=0.7)
    assert centres(follow(frame(1), None)) == [(100, 80)]
    found = follow(frame(2), searched)
    assert centres(found) == [(100, 80), (300, 80)]
    assert found.scores.tolist() == [0.7, 0.7]
    assert centres(follow(frame(3), None)) == [(100, 80), (300, 80)]
    assert len(world.searches) == 1


def test_after_a_cut_all_is_searched_for():
    world = World([[(100, 80)], [(101, 80)]])
    follow = Follower(world, 320, 640)
    follow(frame(0), None)
    follow.forget()
    follow(frame(1), None)
    assert [number for number, _ in world.searches] == [0, 1]


def test_two_that_come_to_one_place_are_one():
    world = World([[(100, 80), (150, 80)], [(107, 80), (143, 80)], [(114, 80)], [(114, 80)]])
    follow = Follower(world, 320, 640)
    counts = [len(follow(frame(number), None).scores) for number in range(4)]
    assert counts[-2:] == [1, 1]


def test_what_no_search_finds_is_not_believed_for_ever():
    world = World([[(100, 80)]] * 200)
    follow = Follower(world, 320, 640)
    follow(frame(0), None)
    nobody = faces()
    shown = [len(follow(frame(number), nobody).scores) for number in range(1, 200)]
    assert 40 < sum(shown) < 100
    assert shown == sorted(shown, reverse=True)


def test_nobody():
    follow = Follower(World([[]] * 3), 320, 640)
    for number in range(3):
        assert follow(frame(number), None).boxes.shape == (0, 4)


@pytest.mark.parametrize("count", [0, 3])
def test_overlap_of_boxes(count):
    rng = np.random.default_rng(0)
    boxes = rng.uniform(1, 20, (count, 4))
    ratio = overlap(boxes, boxes)
    assert ratio.shape == (count, count)
    assert np.allclose(np.diag(ratio), 1)
    assert np.allclose(ratio, ratio.T)
