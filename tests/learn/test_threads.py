"""Threads give way to other programs, come back, and stay as they are where nobody disturbs."""

import torch

from actionunits.learn.threads import Threads, threads


class Machine:
    """Cores of which some are used by others; threads that share one hold all of them up."""

    def __init__(self, cores, others=0):
        self.cores, self.others, self.time, self.had, self.changes = cores, others, 0.0, 0.0, []
        self.threads = Threads(
            cores, self.changes.append, lambda: self.time, lambda: self.had, self.idle
        )

    def idle(self):
        return max(self.cores - self.others - self.threads.count, 0)

    def work(self, seconds):
        for _ in range(int(seconds * 10)):
            with self.threads.working():
                count = self.threads.count
                share = 1.0 if count + self.others <= self.cores or count == 1 else 0.57
                self.time += 0.1
                self.had += 0.1 * share * count
            self.time += 0.01  # between steps


def test_nothing_changes_where_nobody_disturbs():
    machine = Machine(8)
    machine.work(600)
    assert machine.changes == []


def test_one_program_on_two_cores_leaves_one_thread_until_it_ends():
    machine = Machine(2)
    machine.work(10)
    machine.others = 1
    machine.work(5)
    assert machine.changes == [1]
    machine.work(300)
    assert machine.changes == [1]  # no core is free, so that none is tried
    machine.others = 0
    machine.work(60)
    assert machine.changes == [1, 2]


def test_many_cores_give_way_in_few_steps():
    machine = Machine(32, others=9)
    machine.work(6)
    assert machine.threads.count <= 23
    assert len(machine.changes) <= 5
    machine.work(200)
    assert machine.threads.count == 23
    machine.others = 1
    machine.work(200)
    assert machine.threads.count == 31


def test_cores_that_seem_free_and_are_not_are_tried_ever_more_rarely():
    machine = Machine(2, others=1)
    machine.threads._idle = lambda: 1.0  # as in a container that sees its host
    machine.work(60 * 60)
    assert len(machine.changes) < 20


def test_what_the_user_set_stays(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", str(before))
    with threads(torch.device("cpu")) as hands:
        assert hands.count == 1  # that is judged: none is taken from one
    monkeypatch.delenv("OMP_NUM_THREADS")
    with threads(torch.device("cpu")) as hands:
        assert hands.count == before
        torch.set_num_threads(1)
    assert torch.get_num_threads() == before
