"""What is worked on ahead: in order, bounded, closed, one thread an operation."""

import threading
import time
from collections.abc import Generator
from itertools import islice
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import actionunits
from actionunits.cli import demo
from actionunits.detect.ahead import Room, UnwantedError, crew, one_thread
from actionunits.detect.found import Cropper, looked
from actionunits.detect.reader import reader
from actionunits.detect.seek import Found
from actionunits.faces.given import Aligned
from actionunits.faces.synface import SynFace
from actionunits.faces.templates import target
from actionunits.types import Face, Frame

MANY = 4


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(32)]  # four chunks
    for path in paths:
        Image.new("RGB", (64, 64), "gray").save(path)
    return paths


def numbers(count: int, seen: list[int]) -> Generator[int, None, None]:
    for number in range(count):
        seen.append(number)
        yield number


def test_results_come_in_order_whichever_is_done_first() -> None:
    def work(number: int) -> int:
        time.sleep(0.01 * (number % 3 == 0))
        return number * number

    with crew(1) as hands:
        assert list(hands.ahead(numbers(30, []), work)) == [n * n for n in range(30)]


def test_several_are_worked_on_at_a_time_each_by_one_thread() -> None:
    together = threading.Barrier(MANY, timeout=60)

    def work(_: int) -> int:
        together.wait()  # would fail if they came one after the other
        return torch.get_num_threads()

    with crew(1) as hands:
        assert list(hands.ahead(numbers(2 * MANY, []), work)) == [1] * 2 * MANY
    assert torch.get_num_threads() == MANY
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [MANY]


def test_only_a_few_are_taken_before_they_are_wanted() -> None:
    seen: list[int] = []
    with crew(1) as hands:
        results = hands.ahead(numbers(1000, seen), lambda number: number)
        for wanted in range(50):
            assert next(results) == wanted
            assert len(seen) <= wanted + MANY + 2
        results.close()
    assert len(seen) < 1000


def test_a_single_core_works_on_nothing_ahead(pictures: list[Path]) -> None:
    """Nor does it wait for room that only its own next step would give back."""
    torch.set_num_threads(1)
    seen: list[int] = []
    here = threading.get_ident()
    with crew(1) as hands:
        results = hands.ahead(numbers(9, seen), lambda number: (number, threading.get_ident()))
        for wanted in range(4):
            assert next(results) == (wanted, here)
            assert seen == list(range(wanted + 1))
        results.close()
    asked: list[int] = []

    def names() -> Generator[Path, None, None]:
        for number, path in enumerate(pictures):
            asked.append(number)
            yield path

    predictor = actionunits.load("default-fast", detector=Aligned())
    for number, _ in enumerate(predictor.read(names())):
        assert len(asked) <= number + 2


@pytest.mark.parametrize("threads", [1, MANY])
@pytest.mark.parametrize("fails", ["item", "work"])
def test_what_fails_is_raised_in_its_place(fails: str, threads: int) -> None:
    torch.set_num_threads(threads)

    def items() -> Generator[int, None, None]:
        yield from range(5)
        if fails == "item":
            raise ValueError("the fifth")
        yield 5

    def work(number: int) -> int:
        if number == 5:
            raise ValueError("the fifth")
        return number

    with crew(1) as hands:
        results = hands.ahead(items(), work)
        assert list(islice(results, 5)) == list(range(5))
        with pytest.raises(ValueError, match="the fifth"):
            next(results)


@pytest.mark.parametrize("threads", [1, MANY])
def test_items_are_closed_where_nobody_reads_on(threads: int) -> None:
    torch.set_num_threads(threads)
    closed = Event()

    def items() -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with crew(1) as hands:
        results = hands.ahead(hands.ahead(items(), lambda each: each), lambda each: each)
        next(results)
        results.close()
        assert closed.is_set()


def test_long_work_ends_soon_after_nobody_waits_for_it() -> None:
    begun = Event()

    def work(number: int) -> int:
        while number:  # the first is done at once, the others never by themselves
            begun.set()
            hands.go_on()
            time.sleep(0.001)
        return number

    with crew(1) as hands:
        results = hands.ahead(numbers(MANY, []), work)
        assert next(results) == 0
        assert begun.wait(60)
        hands.go_on()
        results.close()
        with pytest.raises(UnwantedError):
            hands.go_on()


def test_a_crowd_is_looked_at_in_steps_between_which_it_can_be_stopped() -> None:
    frame = Frame(np.zeros((64, 64, 3), np.uint8), "x", 0, 0.0)
    corners = np.array([[20.0, 20], [40, 20], [30, 30], [22, 42], [38, 42]])
    crowd = tuple(Face(frame, track, np.zeros(4), corners, 1.0) for track in range(40))
    predictor = actionunits.load("default-fast", detector=Aligned(), runtime="onnx")
    cropper = Cropper(predictor.network.spec, target("canonical"))
    look = reader(predictor.network, len(predictor.aus))
    steps: list[int] = []

    def go_on() -> None:
        steps.append(1)
        if len(steps) == 5:
            raise UnwantedError

    part = Found([frame], [crowd], 0)
    _, (seen,) = looked(look, cropper, go_on, part)
    assert len(steps) == 3
    whole = look.look(np.concatenate([cropper(part, [0])[0].crops]))
    found = [each.probability for each in seen]
    assert np.allclose(found, [each.probability for each in whole], atol=1e-5)
    with pytest.raises(UnwantedError):  # and is not tried again, frame by frame
        looked(look, cropper, go_on, Found([frame, frame], [crowd, crowd], 0))
    assert len(steps) == 5


def test_there_is_room_for_so_much() -> None:
    room, taken = Room(10), Event()
    room.take(6)

    def more(share: int) -> None:
        room.take(share)
        taken.set()

    for share in (5, 100):  # the one waits for room, the other, too large for it, until it is empty
        taken.clear()
        thread = threading.Thread(target=more, args=(share,), daemon=True)
        thread.start()
        assert not taken.wait(0.05)
        room.give(6)
        assert taken.wait(60)
        room.give(share)
        room.take(6)


def test_one_thread_for_a_while() -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == MANY


def test_rows_are_the_same_with_one_thread_and_with_several(tmp_path: Path) -> None:
    sources = [demo.clip(tmp_path), demo.photograph(tmp_path), demo.clip(tmp_path)]
    tables = []
    for threads in (1, MANY):
        torch.set_num_threads(threads)
        tables.append(actionunits.load("default-fast").predict(*sources))
    pd.testing.assert_frame_equal(*tables)


def test_a_detector_is_asked_by_one_thread_at_a_time(pictures: list[Path]) -> None:
    free = threading.Lock()

    class Alone(Aligned):
        def __call__(self, frames, side):
            assert free.acquire(blocking=False)
            time.sleep(0.01)
            free.release()
            return super().__call__(frames, side)

    table = actionunits.load("default-fast", detector=Alone()).predict(*pictures)
    assert table["success"].tolist() == [1] * len(pictures)


def test_one_that_serves_several_is_asked_by_several(pictures: list[Path]) -> None:
    together = threading.Barrier(2, timeout=60)

    class Together(Aligned):
        serves_several = True

        def __call__(self, frames, side):
            together.wait()
            return super().__call__(frames, side)

    table = actionunits.load("default-fast", detector=Together()).predict(*pictures)
    assert table["success"].tolist() == [1] * len(pictures)
    assert SynFace.serves_several
