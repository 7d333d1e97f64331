"""What a run on many machines costs, part by part, and what that makes of a million hours.

Costs of reading are in seconds of the processor, the decoder's process among them, so that other
programs on the machine count little. Workers that only wait (`--think` seconds a task) stand for
cores that are not here: what they lose is what the engine takes. Speeds of one and two workers are
compared in turns, what `au plan` says with the run that follows, and parts of a video with all of
it decoded. The last lines are what was asked for and what was found.

    python benchmarks/scale.py [--frames 600] [--pictures 100000] [--tasks 60] [--minutes 30]
        [--turns 2]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import psutil

from actionunits import media
from actionunits.bench.scene import clip, pictures, stills
from actionunits.media import videos
from actionunits.media.span import Span
from actionunits.scale import cluster, engine, manifest, parts, plan, tasks
from actionunits.scale.manifest import Item
from actionunits.scale.parts import Output
from actionunits.scale.probe import probed, processor
from actionunits.scale.schedule import Schedule
from actionunits.scale.tasks import Answer, Task
from actionunits.scale.work import Settings, Worker

RATE, WIDTH, HEIGHT = 30, 640, 360
FILES = 40  # of the run that is killed
FEW = 24  # frames of a video that is hardly more than a file
WORKERS = 1, 2, 4, 8
HOURS = 1, 100, 10_000, 1_000_000
WEEK = 7 * 24 * 3600.0
BITS = 1_500_000  # a second, of a video of that size
STORE = 1.25e9  # bytes a second that a store gives at ten gigabits
PARTS = 10_000_000  # whose footers are read in an hour, at 3,000 a second
COLUMNS = ["frame", "timestamp", "AU12_r", "input"]


class Waiting:
    """A worker that waits, and writes nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, task: Task) -> Answer:
        """Wait."""
        time.sleep(self._seconds)
        return Answer(len(task.items), rows=len(task.items), frames=len(task.items))


class Writing:
    """A worker that reads nothing, and writes its parts without rows."""

    def __init__(self, place: str) -> None:
        self._output = Output(place)

    def __call__(self, task: Task) -> Answer:
        """Write one."""
        records = [parts.recorded(item, parts.DONE) for item in task.items]
        name, footer = parts.part_name(task.items), parts.metadata(records)
        self._output.put_table(name, parts.empty(COLUMNS), footer)
        return Answer(len(task.items))


class Noting(Writing):
    """Such a worker that takes its time, and notes in a file what it begins."""

    def __init__(self, place: str, diary: str) -> None:
        super().__init__(place)
        self._diary = diary

    def __call__(self, task: Task) -> Answer:
        """Note, wait, write."""
        with open(self._diary, "a", encoding="utf-8") as diary:
            diary.write(f"{task.items[0].path}\n")
        time.sleep(0.2)
        return super().__call__(task)


def costs(folder: Path, frames: int) -> dict[str, float]:
    """Seconds of the processor: a frame, a file, a picture, a frame that is only decoded.

    And the bytes of a row, and of a part besides its rows.
    """
    long = clip(folder / "long.mp4", frames, 1, WIDTH, HEIGHT)
    short = clip(folder / "short.mp4", FEW, 1, WIDTH, HEIGHT)
    still = stills(folder / "pictures", tasks.PICTURES, 1, WIDTH, HEIGHT)
    worker = Worker(Settings(str(folder / "out"), device="cpu"))

    def read(given: Path) -> tuple[float, int]:
        begun, table = processor(), manifest.read([str(given)], print)
        size = sum(worker(task).size for task in tasks.tasks(table))
        return processor() - begun, size

    for warm in (short, still):
        read(warm)
    seconds, sizes = zip(*(read(each) for each in (long, short, still)), strict=True)
    begun = processor()
    for _ in media.frames(long):
        pass
    decoded = processor() - begun
    frame, row = ((values[0] - values[1]) / (frames - FEW) for values in (seconds, sizes))
    return {
        "frame": frame,
        "file": max(seconds[1] - FEW * frame, 0.0),
        "picture": seconds[2] / tasks.PICTURES,
        "decoded": decoded / frames,
        "row": row,
        "part": sizes[1] - FEW * row,
    }


def speed_of(schedule: Schedule, make: engine.Make, workers: int) -> float:
    """Inputs a second of so many workers, from when the last of them has started."""
    with cluster.pool(make, workers=workers) as pool:
        while pool.workers < workers:
            pool.wait()
        begun = time.monotonic()
        engine.work(schedule, pool, lambda *_: None)
        return schedule.count.done / (time.monotonic() - begun)


def waiting(count: int, think: float, workers: int) -> float:
    """Tasks a second of so many workers that wait."""
    items = [Item(f"/{number}.mp4") for number in range(count * workers)]
    schedule = Schedule((Task((item,)) for item in items), len(items), print)
    return speed_of(schedule, partial(Waiting, think), workers)


def two_over_one(folder: Path, turns: int) -> list[float]:
    """How many times as fast two real workers are as one, in turns."""
    files = [clip(folder / f"{n}.mp4", 30 * RATE, 1, WIDTH, HEIGHT) for n in range(12)]
    ratios = []
    for turn in range(turns):
        speeds = {}
        for workers in (1, 2):
            table = manifest.read([str(file) for file in files], print)
            schedule = Schedule(tasks.tasks(table), len(table), print)
            settings = Settings(str(folder / f"turn{turn}-{workers}"), device="cpu")
            speeds[workers] = speed_of(schedule, partial(Worker, settings), workers)
        ratios.append(speeds[2] / speeds[1])
    return ratios


def driver(folder: Path, count: int) -> tuple[float, float]:
    """Megabytes by which the driver grows over a list of pictures, and its tasks a second."""
    place = folder / "many"
    place.mkdir()
    for number in range(count):
        (place / f"{number}.jpg").write_bytes(b"x")
    listing = folder / "list.csv"
    listing.write_text("path\n" + "".join(f"many/{n}.jpg\n" for n in range(count)))
    output, process = Output(str(folder / "many-out")), psutil.Process()
    with cluster.pool(partial(Writing, output.place), workers=2) as pool:
        before = most = process.memory_info().rss

        def tell(*_: object) -> None:
            nonlocal most
            most = max(most, process.memory_info().rss)

        table = manifest.read([str(listing)], print)
        left = manifest.left(table, output.settle())
        schedule = Schedule(tasks.tasks(left), len(left), print)
        begun = time.monotonic()
        engine.work(schedule, pool, tell)
        speed = count / tasks.PICTURES / (time.monotonic() - begun)
        assert not len(manifest.left(table, output.settle()))
        tell()
    return (most - before) / 1e6, speed


def noted(place: str, diary: str) -> int:
    """Have two workers write what is left of a few inputs; how many were left."""
    output = Output(place)
    table = manifest._table([Item(f"/{number}.mp4", 0, None, 1, 1.0) for number in range(FILES)])
    left = manifest.left(table, output.settle())
    schedule = Schedule(tasks.tasks(left), len(left), print)
    with cluster.pool(partial(Noting, place, diary), workers=2) as pool:
        engine.work(schedule, pool, lambda *_: None)
    return len(left)


def killed(folder: Path) -> tuple[int, int, int]:
    """A run of two workers is killed half way, and run again.

    Returns:
        Parts that were begun by then, those of them that were lost, and those read afterwards.
    """
    place, diary = str(folder / "killed"), folder / "diary.txt"
    output = Output(place)
    words = "import sys, scale; scale.noted(*sys.argv[1:])"  # this module, by the path of workers
    run = subprocess.Popen([sys.executable, "-c", words, place, str(diary)])
    while len(output.parts()) < FILES // 2:
        assert run.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    family = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
    run.kill()
    run.wait()
    psutil.wait_procs(family, timeout=60)
    begun, there = len(diary.read_text("utf-8").splitlines()), len(output.parts())
    left = noted(place, str(diary))
    assert len(output.parts()) == FILES
    return begun, begun - there, left


def planned(folder: Path) -> dict[str, float]:
    """What `au plan` says of some videos and pictures, over what a run of them then takes."""
    folder.mkdir()
    for number in range(4):
        clip(folder / f"{number}.mp4", 120 + 60 * number, 1 + number % 2, WIDTH, HEIGHT)
    stills(folder / "pictures", 64, 1, WIDTH, HEIGHT)
    table = manifest.read([str(folder)], print)
    settings = Settings(str(folder.with_name("planned-out")), device="cpu")
    probes = list(probed(settings.predictor(), plan.sample(table, 20), print))
    told, worker = plan.estimate(table, probes), Worker(settings)
    worker(next(tasks.tasks(table)))  # warm
    begun = processor()
    answers = [worker(task) for task in tasks.tasks(table)]
    ran = {
        name: sum(getattr(each, name) for each in answers) for name in ("frames", "rows", "size")
    }
    ran["seconds"] = processor() - begun
    return {name: told[name].mean / value for name, value in ran.items()}


def lengthened(file: Path, times: int, out: Path) -> Path:
    """A video so many times in a row, in H.264 with closed groups of pictures."""
    with av.open(str(file)) as source, av.open(str(out), "w") as container:
        shown = source.streams.video[0]
        assert shown.time_base is not None
        packets = [packet for packet in source.demux(shown) if packet.size]
        step = round(len(packets) / RATE / shown.time_base)
        stream = container.add_stream_from_template(shown)
        for turn in range(times):
            for each in packets:
                packet = av.Packet(bytes(each))
                packet.pts, packet.dts = (int(t or 0) + turn * step for t in (each.pts, each.dts))
                packet.time_base, packet.is_keyframe = shown.time_base, each.is_keyframe
                packet.stream = stream
                container.mux(packet)
    return out


def at_places(folder: Path, minutes: int) -> Iterator[tuple[float, float, float]]:
    """Seconds of the processor to decode ten seconds at places of a video, and all before them.

    Yields:
        The place, in seconds; without what is before it (see `media.passing`); with it.
    """
    short = folder / "short-h264.mp4"
    with av.open(str(short), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": "150"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = BITS
        for number, picture in enumerate(pictures(10 * RATE, 1, WIDTH, HEIGHT)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = lengthened(short, 6 * minutes, folder / "long-h264.mp4")
    for place in (10.0, 30.0 * minutes, 60.0 * minutes - 10):
        taken, span = [], Span(place, place + 10)
        for passing in (place, 0.0):
            begun = time.process_time()
            for _ in videos._frames(str(video), 1, span, passing):
                pass
            taken.append(time.process_time() - begun)
        yield place, *taken


def carried(cost: dict[str, float], capacity: float) -> None:
    """What so many hours of video in files of six minutes take, to be done in a week."""
    print(
        "\n    hours  core-hours    cores   GB/s  tasks/s       parts  TB rows  used, of the most"
    )
    for hours in HOURS:
        frames, files = hours * 3600 * RATE, hours * 10
        seconds = frames * cost["frame"] + files * cost["file"]
        cores = int(np.ceil(seconds / WEEK))
        length = seconds / cores
        read, handed = hours * 3600 * BITS / 8 / length, files / length
        written = frames * cost["row"] + files * cost["part"]
        used = {"store": read / STORE, "driver": handed / capacity, "parts": files / PARTS}
        said = ", ".join(f"{name} {100 * share:.1f} %" for name, share in used.items())
        print(
            f"{hours:9,} {seconds / 3600:11,.1f} {cores:8,} {read / 1e9:6.3f} {handed:8.2f} "
            f"{files:11,} {written / 1e12:8.3f}  {said}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=600, help="of the longer video")
    parser.add_argument("--pictures", type=int, default=100_000, help="of the long list")
    parser.add_argument("--tasks", type=int, default=60, help="of each worker that waits")
    parser.add_argument("--think", type=float, default=0.1, help="seconds of such a task")
    parser.add_argument("--minutes", type=int, default=30, help="of the video read at places")
    parser.add_argument("--turns", type=int, default=2, help="of one worker and two")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grown, speed = driver(folder, options.pictures)
        print(
            f"driver, {options.pictures:,} pictures by list: {grown:.0f} MB more, "
            f"{speed:.0f} tasks/s with their parts written by two workers"
        )
        cost = costs(folder, options.frames)
        print(
            f"of the processor: {1e3 * cost['frame']:.2f} ms a frame of {WIDTH} x {HEIGHT}, "
            f"{1e3 * cost['decoded']:.2f} of them decoding; {1e3 * cost['file']:.0f} ms a file; "
            f"{1e3 * cost['picture']:.1f} ms a picture; {cost['row']:.0f} bytes a row and "
            f"{cost['part']:.0f} a part"
        )
        for place, passing, all_of_it in at_places(folder, options.minutes):
            print(
                f"ten seconds at {place:5.0f} s of a video: {passing:.2f} s of the processor, "
                f"{all_of_it:.2f} with all before them: {all_of_it / passing:.1f} times as much"
            )
        begun, gone, left = killed(folder)
        print(f"killed when {begun} of {FILES} parts were begun: {gone} lost, {left} read later")
        ratios = planned(folder / "planned")
        said = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        print(f"what au plan says over what a run takes: {said}")
        minute, lost = 60 * RATE * cost["frame"] + cost["file"], {}
        for workers in WORKERS:
            each = waiting(options.tasks, options.think, workers)
            lost[workers] = workers / each - options.think
            print(
                f"{workers} that wait {options.think:g} s: {each:6.1f} tasks/s, "
                f"{1e3 * lost[workers]:5.1f} ms lost a task: "
                f"{lost[workers] / minute:.2%} of a file of a minute"
            )
        capacity = waiting(20 * options.tasks, 0.0, 2)
        print(f"the engine hands out {capacity:.0f} tasks/s")
        twice = two_over_one(folder, options.turns)
        print("two workers over one:", ", ".join(f"{ratio:.2f}" for ratio in twice))
        carried(cost, capacity)
        most = max(lost[workers] for workers in (1, 2)) / minute
        print("\n found  asked")
        print(f"{np.median(twice):6.2f}    1.8  times the rows a second of one worker, by two")
        print(f"{most:6.2%}    5 %  of a file of a minute that the engine takes, at the most")
        print(f"{gone:6}      2  parts lost by a kill of a run with two workers, at the most")
        print(f"{grown:6.0f}    200  MB more of the driver, {options.pictures:,} pictures")


if __name__ == "__main__":
    main()
