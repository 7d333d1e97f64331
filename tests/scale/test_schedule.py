import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import COLUMNS, Here, Reader, all_rows

from actionunits.scale import engine, manifest, parts, tasks
from actionunits.scale.manifest import Item
from actionunits.scale.parts import Output
from actionunits.scale.schedule import Clock, Count, Schedule
from actionunits.scale.tasks import Answer, Range, Task


def items(*names):
    return [Item(f"/in/{name}", size=1, modified=1.0) for name in names]


def run(output, names, *, pictures=4, **pool_of):
    """Have a reader of rows read these, and return it with what was counted."""
    reader, marked = Reader(output.place), []

    def mark(item, why):
        marked.append(item.path)
        engine._mark(output, COLUMNS, item, why)

    table = manifest._table(items(*names))
    left = manifest.left(table, output.settle())
    schedule = Schedule(tasks.tasks(left, pictures), len(left), mark)
    pool = Here(reader, **pool_of)
    engine.work(schedule, pool, lambda *_: None)
    output.settle()
    assert pool.most <= pool.workers
    return reader, schedule.count, marked


@pytest.fixture
def output(tmp_path):
    return Output(str(tmp_path))


def test_pictures_in_a_row_are_a_task_and_videos_each():
    names = [*(f"{i}.jpg" for i in range(5)), "v.mp4", "a.png", "w.mkv"]
    found = list(tasks.tasks(manifest._table(items(*names)), 4))
    assert [len(task.items) for task in found] == [4, 1, 1, 1, 1]
    assert [item.path[4:] for task in found for item in task.items] == names


NAMES = st.lists(
    st.sampled_from(["{}.jpg", "{}.mp4", "poison{}.jpg", "large{}.jpg", "poison{}.mp4"]),
    max_size=24,
)


@settings(deadline=None, max_examples=25)
@given(NAMES, st.sampled_from([0.0, 0.3]), st.integers(0, 99))
def test_whatever_happens_every_input_is_there_once(tmp_path_factory, kinds, lose, seed):
    output = Output(str(tmp_path_factory.mktemp("out")))
    names = [kind.format(number) for number, kind in enumerate(kinds)]
    _, count, marked = run(output, names, lose=lose, seed=seed)
    poison = sorted(f"/in/{name}" for name in names if "poison" in name)
    assert all_rows(output) == sorted(f"/in/{n}" for n in names if "poison" not in n)
    assert sorted(marked) == poison == sorted(count.quarantined)
    assert count.settled == len(names)
    states = output.settle().set_index("path")["state"]
    assert set(states[states == parts.QUARANTINED].index) == set(poison)


def test_a_poison_picture_is_found_among_many_and_gets_two_tries(output):
    names = [f"{i}.jpg" for i in range(63)] + ["poison.jpg"]
    _, count, _ = run(output, names, pictures=64)
    assert count.quarantined == ["/in/poison.jpg"]
    assert count.crashes == 6 + 1 + 1  # halved six times, then alone twice, the last of them
    assert count.done == 63


def test_a_rerun_reads_what_is_left(output):
    run(output, ["1.jpg", "2.mp4", "poison.mp4"])
    reader, count, _ = run(output, ["1.jpg", "2.mp4", "poison.mp4", "3.mp4"])
    assert reader.read == ["/in/3.mp4"]
    assert count.inputs == 1


def ranges(count):
    return tuple(Range(i, count, float(i), float(i + 1)) for i in range(count))


def drive(schedule, answers):
    """Answer each task, and return them in order."""
    seen = []
    while (task := schedule.next()) is not None:
        seen.append(task)
        schedule.take(task, answers(task))
    return seen


def test_a_long_video_is_split_and_joined_when_all_is_there():
    (item,) = items("long.mp4")
    schedule = Schedule(iter([Task((item,))]), 1, pytest.fail)

    def answers(task):
        if task.join:
            return Answer(done=1, rows=30)
        return Answer() if task.range else Answer(ranges=ranges(3))

    seen = drive(schedule, answers)
    assert [task.range.number if task.range else None for task in seen] == [None, 0, 1, 2, None]
    assert seen[-1].join == 3
    assert (schedule.count.done, schedule.count.rows) == (1, 30)


def test_a_part_that_crashes_twice_takes_its_video_with_it():
    from actionunits.scale.tasks import Crash

    (item,) = items("long.mp4")
    marked = []
    schedule = Schedule(iter([Task((item,))]), 1, lambda each, why: marked.append((each, why)))

    def answers(task):
        if task.range is None:
            return Answer(ranges=ranges(3))
        return Crash("crashed") if task.range.number == 1 else Answer()

    seen = drive(schedule, answers)
    assert not any(task.join for task in seen)
    assert [each for each, _ in marked] == [item]
    assert schedule.count.settled == 1


def test_a_part_without_memory_is_tried_once_more():
    (item,) = items("long.mp4")
    schedule = Schedule(iter([Task((item,))]), 1, pytest.fail)

    def answers(task):
        if task.join:
            return Answer(done=1)
        if task.range is None:
            return Answer(ranges=ranges(2))
        starved = task.range.number == 1 and not task.tries
        return Answer(starved=(item,) if starved else ())

    seen = drive(schedule, answers)
    assert [(t.range.number, t.tries) for t in seen if t.range] == [(0, 0), (1, 0), (1, 1)]
    assert schedule.count.done == 1


def test_rate_time_left_and_cost_are_told():
    clock = Clock(price=2.0, begun=0.0)
    clock.begun -= 0
    clock.hours = 1.5
    line = clock.line(Count(inputs=10, done=5, frames=100))
    assert "core-hours" in line
    assert "cost 3.00" in line
    assert "left" in line
    assert "left" not in clock.line(Count(inputs=5, done=5))
