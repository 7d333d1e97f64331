from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pools import Here, write

from actionunits.bench.scene import clip, stills
from actionunits.scale import engine, manifest, parts, plan, probe, tasks, work
from actionunits.scale.manifest import Item
from actionunits.scale.parts import Output
from actionunits.scale.schedule import Schedule


def population(rng, count, kind, cost):
    """Inputs whose cost grows with their size, but for chance; and the costs."""
    sizes = rng.lognormal(15, 1, count).astype(int)
    costs = cost * sizes * rng.uniform(0.8, 1.2, count) + rng.uniform(0, 2, count)
    return [Item(f"/{i}.{kind}", size=int(size)) for i, size in enumerate(sizes)], costs


def probes(items, costs):
    return [
        probe.Probe(item, cost, 30 * cost, 60 * cost, 2.0, 1e3 * cost)
        for item, cost in zip(items, costs, strict=True)
    ]


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    held = 0
    for turn in range(200):
        videos, costs = population(rng, 300, "mp4", 1e-5)
        pictures, few = population(rng, 200, "jpg", 1e-7)
        known = dict(zip([*videos, *pictures], [*costs, *few], strict=True))
        inputs = manifest._table([*videos, *pictures])
        by_path = {item.path: (item, cost) for item, cost in known.items()}
        chosen = [by_path[item.path] for item in plan.sample(inputs, 20, seed=turn)]
        told = plan.estimate(inputs, probes(*zip(*chosen, strict=True)))["seconds"]
        held += told.low <= sum(known.values()) <= told.high
    assert held / 200 > 0.85  # it is .90: a line through 20 points of long tails


def test_a_sample_of_all_is_exact():
    rng = np.random.default_rng(0)
    videos, costs = population(rng, 8, "mp4", 1e-5)
    told = plan.estimate(manifest._table(videos), probes(videos, costs))
    for name, factor in (("seconds", 1), ("frames", 30), ("rows", 60), ("size", 1e3)):
        assert told[name].low == told[name].high == pytest.approx(factor * costs.sum())


def test_one_of_many_says_little_and_never_less_than_nothing():
    videos = [Item(f"/{i}.mp4", size=100) for i in range(50)]
    told = plan.estimate(manifest._table(videos), probes(videos[:1], [2.0]))["seconds"]
    assert told.mean == pytest.approx(100)
    assert told.low == 2.0  # what was seen
    assert told.high > 150


def test_a_sample_is_of_both_kinds_and_the_same_for_a_seed():
    table = manifest._table(
        [*(Item(f"/{i}.mp4", modified=1.0) for i in range(30)), Item("/a.jpg", modified=1.0)]
    )
    chosen = plan.sample(table, 5, seed=1)
    assert len(chosen) == 6
    assert chosen == plan.sample(table, 5, seed=1)


def test_an_estimate_is_what_a_run_then_takes(tmp_path):
    """Frames, rows and bytes; hours are those of the machine, and no test looks at them."""
    for number in range(4):
        clip(tmp_path / f"{number}.mp4", 60 + 20 * number, 1 + number % 2, 160, 120)
    stills(tmp_path / "pictures", 6, 1, 160, 120)
    inputs = manifest.read([str(tmp_path)], pytest.fail)
    how = work.Settings(str(tmp_path / "out"), device="cpu")
    chosen = plan.sample(inputs, 4)
    found = list(probe.probed(how.predictor(), chosen, pytest.fail))
    told = plan.estimate(inputs, found)
    schedule = Schedule(tasks.tasks(inputs), len(inputs), pytest.fail)
    engine.work(schedule, Here(work.Worker(how)), lambda *_: None)
    count = schedule.count
    assert told["frames"].mean == pytest.approx(count.frames, rel=0.02)
    assert told["rows"].mean == pytest.approx(count.rows, rel=0.1)
    output = Output(how.out)
    size = sum(Path(output.file(name)).stat().st_size for name in output.parts())
    assert told["size"].mean == pytest.approx(size, rel=0.2)  # the pictures make no whole part
    assert told["seconds"].mean > 0


def test_a_moment_of_a_video_stands_for_it(tmp_path):
    """Frames, rows and bytes of a video of which a third is read."""
    (item,) = manifest.items(
        manifest.read([str(clip(tmp_path / "a.mp4", 200, 2, 160, 120))], print)
    )
    how = work.Settings(str(tmp_path / "out"), device="cpu")
    (found,) = probe.probed(how.predictor(), [item], pytest.fail)
    answer = work.Worker(how)(tasks.Task((item,)))
    assert (found.width, found.height, found.faces) == (160, 120, 2)
    assert found.frames == pytest.approx(answer.frames, rel=0.02)
    assert found.rows == pytest.approx(answer.rows, rel=0.02)
    assert found.size == pytest.approx(answer.size, rel=0.1)


def test_inputs_that_cannot_be_read_are_told(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"x")
    inputs = manifest.read([str(tmp_path)], pytest.fail)
    told = []
    how = work.Settings("", device="cpu").predictor()
    assert not list(probe.probed(how, plan.sample(inputs, 3), told.append))
    assert "bad.mp4" in str(told[0])


def test_the_command_says_what_a_run_will_take(au, tmp_path):
    clip(tmp_path / "a.mp4", 60, 1, 160, 120)
    answer = au("plan", tmp_path, "--cores", 4, "--price-per-core-hour", 0.1, "--sample", 2)
    assert answer.code == 0
    for word in ("core-hours", "hours on 4 cores", "price", "160 x 120", "1.00 faces"):
        assert word in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    assert au("plan", tmp_path / "gone").code == 2


@pytest.fixture
def output(tmp_path):
    found = Output(str(tmp_path / "out"))
    found.agree({})
    for number in range(50):
        name = f"/data/{'anna' if number % 2 else 'ben'}/{number}.mp4"
        write(found, [Item(name, size=number, modified=1.0)])
    found.settle()
    return found


def test_tables_shows_a_beginning_and_writes_all(au, output, tmp_path):
    shown = au("tables", output.place)
    assert shown.code == 0
    assert "the first 40 rows" in shown.out
    rows = tmp_path / "rows.csv"
    asked = ["--where", "AU12_r>=40", "--files", "*/anna/*", "--columns", "input,AU12_r"]
    answer = au("tables", output.place, *asked, "--out", rows)
    assert "5 rows" in answer.err
    assert sorted(pd.read_csv(rows)["AU12_r"]) == [41, 43, 45, 47, 49]
    assert "no row is so" in au("tables", output.place, "--where", "AU12_r>1000").out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--where", "AU12_r"], "expected a column"),
        (["--columns", "AU99_p"], "no column AU99_p"),
        (["--out", "rows.txt"], ".csv or .parquet"),
    ],
)
def test_questions_that_cannot_be_answered(au, output, asked, said):
    answer = au("tables", output.place, *asked)
    assert answer.code == 2
    assert said in answer.err


def test_what_is_no_output_is_said(au, tmp_path):
    for command in ("tables", "compact"):
        answer = au(command, tmp_path)
        assert answer.code == 2
        assert "holds no rows" in answer.err


def test_tables_lists_what_went_wrong(au, output):
    record = parts.recorded(Item("/data/bad.mp4"), parts.FAILED, "/data/bad.mp4: is damaged")
    name = parts.part_name([Item("/data/bad.mp4")])
    output.put_table(name, parts.empty(["input"]), parts.metadata([record]))
    answer = au("tables", output.place, "--failed")
    assert "failed: /data/bad.mp4: is damaged" in answer.out
    assert "1 input that went wrong" in answer.out


def test_compact_makes_fewer_parts(au, output):
    answer = au("compact", output.place)
    assert answer.code == 0
    assert "50 parts before" in answer.err
    assert len(output.parts()) < 50
