"""Outputs while a run is on: rows are seen, a stopped run goes on, one that fails fails alone."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from actionunits import media
from actionunits.aus import AUSet
from actionunits.detect import outputs, tables, writers
from actionunits.detect.outputs import Job, Outputs
from actionunits.detect.overlays import overlay_writer
from actionunits.detect.run import remaining
from actionunits.errors import UserError
from actionunits.files.names import unescaped
from actionunits.types import Face, Frame, Reading

AUS = AUSet.of((4, 12))
SUFFIXES = pytest.mark.parametrize("suffix", [".csv", ".parquet"])


def readings(source: str, count: int) -> Iterator[Reading]:
    rng = np.random.default_rng(len(source))
    for number in range(count):
        frame = Frame(np.full((48, 64, 3), 90, np.uint8), source, number, number / 30)
        faces = tuple(
            Face(frame, i, np.array([5.0 + i, 6, 20, 24]), np.ones((5, 2)), 1 / 3)
            for i in range(number % 3)
        )
        values = rng.uniform(size=(len(faces), 2))
        yield Reading(frame, faces, values, values > 0.5, 5 * values)


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    folder = tmp_path / "in"
    folder.mkdir()
    names = ["a.mp4", "b.png", "c.png", "d.mp4"]
    for name in names:
        (folder / name).touch()
    return [str(folder / name) for name in names]


def everything(sources: list[str]) -> Iterator[Reading]:
    for source in sources:
        yield from readings(source, 1 if media.is_still(source) else 12)


def write(out: Path, job: Job, after: Callable[[], None] = lambda: None) -> None:
    with Outputs({str(out): outputs.table(out, job)}, job.problems) as table:
        for reading in everything([*job.sources]):
            table.add(reading)
            after()


@pytest.fixture(params=[0.0, 1e9], ids=["each row is flushed", "rows wait"])
def hurry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "_FLUSH_SECONDS", request.param)


@SUFFIXES
def test_rows_can_be_seen_while_the_run_is_on(
    tmp_path: Path, sources: list[str], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(writers, "monotonic", lambda: next(clock) / 2)  # half a second a frame
    out = tmp_path / f"o{suffix}"
    seen = []
    write(out, Job(sources, AUS), lambda: seen.append(len(pd.read_csv(f"{out}.part"))))
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == [out.name]
    rows = np.cumsum([max(len(r.faces), 1) for r in everything(sources)])
    assert all(late >= early for late, early in zip(seen[3:], rows, strict=False))


def test_a_table_in_many_pieces_is_the_same(
    tmp_path: Path, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, many = tmp_path / "one.parquet", tmp_path / "many.parquet"
    write(one, Job(sources, AUS))
    monkeypatch.setattr(writers, "_PIECE_BYTES", 300)
    monkeypatch.setattr(writers, "_GROUP_PIECES", 2)
    write(many, Job(sources, AUS))
    assert pq.ParquetFile(one).num_row_groups == 1
    assert pq.ParquetFile(many).num_row_groups > 5
    assert pq.read_table(many).equals(pq.read_table(one))
    assert len(pq.read_table(one)) == sum(max(len(r.faces), 1) for r in everything(sources))


@SUFFIXES
@pytest.mark.parametrize("tail", [0, 1, 40])
def test_a_run_that_was_killed_goes_on_to_the_same_table(
    tmp_path: Path, sources: list[str], suffix: str, tail: int, hurry: None
) -> None:
    """What a kill leaves is what was written before: the folder is kept as it is at each frame."""
    out = tmp_path / "o" / f"o{suffix}"
    job = Job(sources, AUS, settings={"weights": "w"}, mode="resume")
    count = len(list(everything(sources)))

    def keep() -> None:
        shutil.copytree(out.parent, tmp_path / f"killed {len(list(tmp_path.glob('killed*')))}")

    write(out, job, keep)
    whole = out.read_bytes() if suffix == ".csv" else pq.read_table(out)
    states = sorted(tmp_path.glob("killed*"))
    assert len(states) == count
    for state in states:
        part = state / f"{out.name}.part"
        size = part.stat().st_size
        with part.open("ab") as file:  # a row that was being written
            file.write(b"7,0,0.2,0.33,1,5.0,6.0"[:tail])
        with (state / f"{out.name}.part.jsonl").open("a") as file:
            file.write('{"source": "half'[:tail])
        read = []
        table = outputs.table(state / out.name, job)
        held = [source for source in sources if table.holds(source)]
        with table:
            for reading in everything(remaining(sources, held.__contains__)):
                read.append(reading.frame.source)
                table.add(reading)
        found = state / out.name
        assert (found.read_bytes() if suffix == ".csv" else pq.read_table(found)) == whole, size
        assert [p.name for p in state.iterdir()] == [out.name]


def stop(out: Path, job: Job, after: int) -> None:
    with pytest.raises(KeyboardInterrupt), outputs.table(out, job) as table:  # noqa: PT012
        for number, reading in enumerate(everything([*job.sources])):
            if number == after:
                raise KeyboardInterrupt
            table.add(reading)


def test_sources_that_are_whole_are_not_read_again(tmp_path: Path, sources: list[str]) -> None:
    out = tmp_path / "o.csv"
    stop(out, Job(sources, AUS), 16)
    assert len(pd.read_csv(tmp_path / "o.csv.part")) > 16
    table = outputs.table(out, Job(sources, AUS, mode="resume"))
    held = [table.holds(source) for source in sources]
    assert held == [True, True, True, False]
    assert remaining(sources, dict(zip(sources, held, strict=True)).__getitem__) == sources[3:]


def test_pictures_are_read_again_in_the_company_that_they_had(sources: list[str]) -> None:
    stills = [f"{i}.png" for i in range(20)]
    whole = set(stills[:11])
    assert remaining([*stills, "a.mp4"], whole.__contains__) == [*stills[8:], "a.mp4"]
    assert remaining([*stills[:3], "a.mp4", *stills[3:6]], {"a.mp4"}.__contains__) == stills[:6]


def test_a_stopped_run_is_not_lost_unasked(tmp_path: Path, sources: list[str]) -> None:
    out = tmp_path / "o.csv"
    stop(out, Job(sources, AUS), 16)
    with pytest.raises(UserError, match=r"o\.csv\.part: .*--resume goes on.*--overwrite begins"):
        outputs.table(out, Job(sources, AUS, mode="new"))
    with outputs.table(out, Job(sources, AUS, mode="overwrite")):
        pass
    assert pd.read_csv(out).empty
    with outputs.table(out, Job(sources, AUS, mode="new")):  # a whole table is replaced
        pass


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"weights": "v"}, lambda inputs: inputs, "other weights"),
        ({"weights": "w", "columns": ["e0"]}, lambda inputs: inputs, "other columns"),
        ({"weights": "w"}, lambda inputs: inputs[1:], "other inputs"),
        (
            {"weights": "w"},
            lambda inputs: Path(inputs[0]).write_text("x") and inputs,
            "other inputs",
        ),
    ],
)
def test_another_run_is_not_gone_on_with(
    tmp_path: Path, sources: list[str], settings: dict, change: Callable, message: str
) -> None:
    out = tmp_path / "o.csv"
    stop(out, Job(sources, AUS, settings={"weights": "w"}), 16)
    before = (tmp_path / "o.csv.part").read_bytes()
    with pytest.raises(UserError, match=f"had {message}.*--overwrite"):
        outputs.table(out, Job(change(sources), AUS, settings=settings, mode="resume"))
    assert (tmp_path / "o.csv.part").read_bytes() == before


@pytest.mark.parametrize("text", [None, "", "\n", "[1]\n", "rubbish\n", "\xff\xfe\n"])
def test_a_record_that_nobody_can_read_is_named(
    tmp_path: Path, sources: list[str], text: str | None
) -> None:
    out, record = tmp_path / "o.csv", tmp_path / "o.csv.part.jsonl"
    stop(out, Job(sources, AUS, settings={"weights": "w"}), 16)
    record.unlink()
    if text is not None:
        record.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"o\.csv\.part.*begin anew with --overwrite"):
        outputs.table(out, Job(sources, AUS, settings={"weights": "w"}, mode="resume"))


def test_what_was_wrong_with_a_source_is_told_again(tmp_path: Path, sources: list[str]) -> None:
    out = tmp_path / "o.csv"
    broken = UserError("a.mp4: half of it is missing")
    broken.source = sources[0]
    stop(out, Job(sources, AUS, problems=[broken]), 16)
    again = Job(sources, AUS, mode="resume")
    with outputs.table(out, again):
        pass
    assert [str(problem) for problem in again.problems] == [str(broken)]


@pytest.mark.parametrize("after", [0, 1])
def test_a_run_without_rows_leaves_nothing(tmp_path: Path, sources: list[str], after: int) -> None:
    stop(tmp_path / "o.csv", Job(sources, AUS), after)
    left = sorted(p.name for p in tmp_path.iterdir() if p.is_file())
    assert left == (["o.csv.part", "o.csv.part.jsonl"] if after else [])


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_keeps_leading_to_its_table(tmp_path: Path, sources: list[str]) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "o.csv").symlink_to(tmp_path / "disk" / "real.csv")
    write(tmp_path / "o.csv", Job(sources, AUS))
    assert (tmp_path / "o.csv").is_symlink()
    assert len(pd.read_csv(tmp_path / "disk" / "real.csv")) > 20


@pytest.mark.parametrize("out", ["o.csv", "many"])
def test_what_a_camera_has_shown_is_not_dropped(tmp_path: Path, out: str) -> None:
    job = Job(["camera:0"], AUS, mode="resume")
    table = outputs.table(tmp_path / out, job)
    table.__enter__()
    for reading in readings("camera:0", 5):
        table.add(reading)
    table.__exit__(MemoryError, MemoryError(), None)
    with pytest.raises(UserError, match=r"\.csv\.part: holds what a camera or a stream has shown"):
        outputs.table(tmp_path / out, job)
    outputs.table(tmp_path / out, Job(["camera:0"], AUS, mode="overwrite"))


# Folders of tables


def fill(folder: Path, job: Job, broken: str = "") -> list[str]:
    """Read what the folder does not hold; return what was read."""
    with outputs.table(folder, job) as table:
        todo = [source for source in job.sources if not table.holds(source)]
        for reading in everything(todo):
            if reading.frame.source == broken and not job.problems:
                job.problems.append(UserError("broken"))
                job.problems[-1].source = broken
            table.add(reading)
    return todo


def test_a_folder_goes_on_with_what_is_missing_changed_or_was_broken(
    tmp_path: Path, sources: list[str]
) -> None:
    folder = tmp_path / "out"
    settings = {"weights": "w"}
    stop(folder, Job(sources, AUS, settings=settings, mode="new"), 16)
    assert fill(folder, Job(sources, AUS, settings=settings, mode="new")) == sources[3:]
    assert sorted(p.name for p in folder.glob("[a-z]*")) == ["a.csv", "b.csv", "c.csv", "d.csv"]
    assert fill(folder, Job(sources, AUS, settings=settings, mode="new")) == []
    Path(sources[1]).write_text("changed")
    (folder / "c.csv").unlink()
    job = Job(sources, AUS, settings=settings, mode="new")
    assert fill(folder, job, broken=sources[1]) == sources[1:3]
    assert fill(folder, Job(sources, AUS, settings=settings, mode="resume")) == sources[1:2]
    assert fill(folder, Job(sources[:2], AUS, settings=settings, mode="overwrite")) == sources[:2]
    assert fill(folder, Job(sources, AUS, settings=settings, mode="new")) == []


def test_a_folder_of_other_weights_is_refused(tmp_path: Path, sources: list[str]) -> None:
    folder = tmp_path / "out"
    fill(folder, Job(sources, AUS, settings={"weights": "w"}, mode="new"))
    other = Job(sources, AUS, settings={"weights": "v"}, mode="new")
    with pytest.raises(UserError, match=r"other weights.*--overwrite"):
        outputs.table(folder, other)
    assert fill(folder, Job(sources, AUS, settings={"weights": "v"})) == sources
    assert fill(folder, other) == []


# One of several fails


class Failing:
    """A writer that fails where it is told to."""

    def __init__(self, where: str, error: Exception) -> None:
        self.where, self.error, self.left = where, error, []

    def __enter__(self) -> "Failing":
        return self

    def __exit__(self, *failure: object) -> None:
        self.left.append(failure[0])
        if self.where == "exit" and failure[0] is None:
            raise self.error

    def add(self, reading: Reading) -> None:
        if self.where == "add" and reading.frame.number == 3:
            raise self.error


@pytest.mark.parametrize("where", ["add", "exit"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), ValueError("odd"), MemoryError()]
)
def test_an_output_that_fails_takes_no_other_with_it(
    tmp_path: Path, sources: list[str], where: str, error: Exception
) -> None:
    job = Job(sources, AUS)
    bad, out = Failing(where, error), tmp_path / "o.csv"
    with Outputs({"seen.mp4": bad, "o.csv": outputs.table(out, job)}, job.problems) as both:
        for reading in everything(sources):
            both.add(reading)
    write(tmp_path / "alone.csv", Job(sources, AUS))
    assert out.read_bytes() == (tmp_path / "alone.csv").read_bytes()
    assert both.complete == {"o.csv"}
    assert len(job.problems) == 1
    assert str(job.problems[0]).startswith("cannot write seen.mp4: ")
    assert bad.left == ([type(error)] if where == "add" else [None])


def test_one_file_of_a_folder_that_fails_is_named(tmp_path: Path, sources: list[str]) -> None:
    folder, job = tmp_path / "out", Job(sources, AUS)
    (folder / "b.csv").mkdir(parents=True)  # a folder is in its place
    (folder / "b.csv" / "x").touch()
    fill(folder, job)
    assert [p.name for p in sorted(folder.glob("?.csv")) if p.is_file()] == [
        "a.csv",
        "c.csv",
        "d.csv",
    ]
    assert [str(problem).partition(":")[0] for problem in job.problems] == [
        f"cannot write {folder / 'b.csv'}"
    ]


def test_an_overlay_that_fails_leaves_the_others(tmp_path: Path, sources: list[str]) -> None:
    folder, job = tmp_path / "seen", Job(sources, AUS)
    (folder / "b_au.jpg").mkdir(parents=True)
    (folder / "b_au.jpg" / "x").touch()
    with overlay_writer(folder, job) as seen:
        for reading in everything(sources):
            seen.add(reading)
    assert len(job.problems) == 1
    assert {p.name for p in folder.iterdir() if p.is_file()} == {"a_au.mp4", "c_au.jpg", "d_au.mp4"}


# Names in tables

NAMES = ["caf\udce9.png", "=1+1.png", "a\r\nb.png", "[red]\x1b[31m.png", 'say "a,b".png', "NA.png"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_in_every_table_and_lead_back(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = next(readings(name, 1))
    for out in ("o.csv", "o.parquet", "many/"):
        with outputs.table(out, Job([name], AUS)) as table:
            table.add(one)
    (file,) = Path("many").glob("*.csv")
    rows = tables.Rows(AUS)
    rows.add(one)
    cells = [
        pd.read_csv("o.csv", keep_default_na=False)["input"][0],
        pd.read_csv(file, keep_default_na=False)["input"][0],
        pd.read_parquet("o.parquet")["input"][0],
        json.loads(tables.to_json(rows.table()))[0]["input"],
    ]
    assert len(set(cells)) == 1
    assert not cells[0].startswith("=")
    assert Path(unescaped(cells[0])) == Path(name)
    assert len(Path("o.csv").read_bytes().splitlines()) == 2
