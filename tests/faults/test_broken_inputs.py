"""Broken inputs of all kinds give rows or a clean error, and the harness would notice if not."""

import os
from collections.abc import Iterator
from pathlib import Path

import damage
import numpy as np
import pytest
from broken_kinds import KINDS
from hypothesis import given
from hypothesis import strategies as st
from trials import GOOD, Case, Trial, faults, run, table, try_all
from watched import BUG, Watched

CASES = int(os.environ.get("FAULT_CASES", "300"))
SEED = int(os.environ.get("FAULT_SEED", "0"))

TARGET = """
import os, sys, time
def main():
    what = sys.argv[1]
    print("heard", what, flush=True)
    if what == "raises": raise ValueError("plain")
    if what == "prints": print("Traceback (most recent call last):"); sys.exit(1)
    if what == "bug": sys.exit({bug})
    if what == "dies": os.abort()
    if what == "hangs": time.sleep(60)
    if what == "takes": held = bytearray(1 << 40)
    if what == "native": os.write(2, b"from below\\n")
    sys.exit({{"ends": 0, "refuses": 2}}.get(what, 0))
"""


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A command that does what its argument says."""
    (tmp_path / "target.py").write_text(TARGET.format(bug=BUG))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = Watched("target:main", seconds=3)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("what", "code", "fault"),
    [
        ("ends", 0, ""),
        ("refuses", 2, ""),
        ("raises", None, "traceback"),
        ("prints", 1, "traceback"),
        ("bug", BUG, "traceback"),
        ("takes", None, "traceback"),
        ("dies", None, "crash"),
        ("hangs", None, "hang"),
    ],
)
def test_the_watch_sees_how_a_run_ends_and_goes_on(watched, tmp_path, what, code, fault):
    ran = watched.run([what], tmp_path)
    assert (ran.code, ran.fault) == (code, fault)
    assert watched.run(["native"], tmp_path)[:2] == (0, "heard native\nfrom below\n")


def test_a_fault_is_found_to_be_that_of_its_case(watched, tmp_path):
    def kind(rng: np.random.Generator, folder: Path) -> Trial:
        cases = [Case(name, "", lambda ran, _: "read") for name in ("ends", "dies", "refuses")]
        return Trial(lambda some: ["dies" if some[-1:] != some[:1] else some[0].name], cases)

    found = list(try_all({"some": kind}, 3, 0, watched, keep=tmp_path / "kept"))
    assert [each.outcome for each in found] == ["read", "crash", "read"]
    assert (tmp_path / "kept/some-0").is_dir()
    assert "crash: some 0: dies" in faults(found)
    assert table(found).splitlines()[-1].split() == [
        "all",
        "3",
        "0",
        "2",
        "0",
        "0",
        "1",
        "0",
        "0",
        "0",
    ]


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=300))
def test_what_is_before_the_damage_is_whole(seed, data):
    broken = damage.damaged(data, np.random.default_rng(seed))
    assert broken.data[: broken.first] == data[: broken.first]
    assert broken == damage.damaged(data, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_the_same_every_time(kind, tmp_path):
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        trial = KINDS[kind](np.random.default_rng([SEED, 7]), folder)
        files = {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
        made.append((trial.arguments(trial.cases), [c[:2] for c in trial.cases], files))
    assert made[0] == made[1]


def test_broken_inputs_give_rows_or_a_clean_error():
    found = run(KINDS, CASES, SEED)
    print(table(found))
    assert {each.kind for each in found} == set(KINDS)
    assert not [each for each in found if each.outcome not in GOOD], faults(found)
