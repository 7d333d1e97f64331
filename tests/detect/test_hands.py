"""Pictures that several processes decode: as many as pay and have room, all in their order."""

from concurrent.futures import Future

import numpy as np
import pytest
from PIL import Image

from actionunits.detect import chunks
from actionunits.detect.ahead import Room
from actionunits.detect.faults import Faults
from actionunits.types import Frame


@pytest.fixture
def four(monkeypatch):
    """Four cores, of which each takes part as soon as anything was waited for."""
    monkeypatch.setattr(chunks, "cores", lambda: 4)
    monkeypatch.setattr(chunks, "_WORTH_A_HAND", 1e-9)


def a_picture(width=8, height=6):
    image = np.zeros((height, width, 3), np.uint8)
    begun = Future()
    begun.set_result(chunks._Begun([Frame(image, "a.png", 0, 0.0)], (f for f in ())))
    return begun


def test_a_second_process_decodes_when_it_was_waited_for_long_enough(monkeypatch):
    clock = iter(np.arange(0, 100, 0.4))
    monkeypatch.setattr(chunks, "monotonic", lambda: next(clock))
    monkeypatch.setattr(chunks, "cores", lambda: 3)
    hands = chunks._Hands()
    counts = []
    for _ in range(10):  # each is waited for .4 s
        counts.append(hands.count)
        hands.take(a_picture())
    assert counts == [1, 1, 1, 2, 2, 3, 3, 3, 3, 3]


def test_large_pictures_are_decoded_one_at_a_time(four, monkeypatch):
    monkeypatch.setattr(chunks, "_AHEAD_PIXELS", 100)
    hands = chunks._Hands()
    for size, count in (((5, 5), 4), ((10, 5), 2), ((10, 10), 1), ((20, 10), 1), ((5, 5), 4)):
        hands.take(a_picture(*size))
        assert hands.count == count


def test_a_broken_picture_does_not_make_room_for_large_ones(four, monkeypatch):
    monkeypatch.setattr(chunks, "_AHEAD_PIXELS", 100)
    hands = chunks._Hands()
    hands.take(a_picture(10, 10))
    broken = Future()
    broken.set_result(chunks._Begun([], (f for f in ())))
    hands.take(broken)
    assert hands.count == 1


def read(folder, stop=None):
    """Names, first pixels and problems of the pictures in a folder, or of some of them."""
    problems, shown, room = [], [], Room(1 << 24)
    coming = chunks.chunks([str(folder)], Faults(problems.append), room)
    for chunk in coming:
        room.give(chunk.pixels)
        shown += [(frame.source, int(frame.image[0, 0, 0])) for frame in chunk.frames]
        if stop and len(shown) >= stop:
            coming.close()
            break
    return shown, [str(problem).partition(": ")[0] for problem in problems]


def test_pictures_come_in_their_order_and_broken_ones_cost_themselves(four, tmp_path):
    for number in range(30):
        size = (3000, 2000) if number % 5 == 0 else (9, 7)  # which is last to be decoded
        Image.new("RGB", size, (8 * number,) * 3).save(tmp_path / f"{number:02d}.png")
    broken = [tmp_path / f"{number:02d}.png" for number in (3, 4, 17)]
    for path in broken:
        path.write_bytes(path.read_bytes()[:40])
    shown, problems = read(tmp_path)
    whole = [number for number in range(30) if number not in {3, 4, 17}]
    assert shown == [(str(tmp_path / f"{number:02d}.png"), 8 * number) for number in whole]
    assert sorted(problems) == [*map(str, broken)]
    begun, _ = read(tmp_path, stop=8)  # the others are on their way
    assert begun == shown[: len(begun)]
