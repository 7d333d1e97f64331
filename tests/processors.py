"""The tests of learning in many settings of the processor, with several threads and seeds.

    python tests/processors.py [--quick | --all]

What PyTorch and oneDNN compute differs in its last digits from one instruction set, and one number
of threads, to the next, and training carries such digits far. So a test that learns must pass in
all settings and from any seed, with room to spare: `used` is the largest share that a test took of
what it is allowed (steps, or a loss). Of the 81 settings 27 are run, among which any values of
three of them meet; with --quick nine, among which any values of two do; or --all. A processor
that lacks the instructions of a setting uses the best it has.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import product
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

TESTS = Path(__file__).parent
VALUES: dict[str, tuple[str | None, ...]] = {
    "ATEN_CPU_CAPABILITY": ("default", "avx2", "avx512"),
    "ONEDNN_MAX_CPU_ISA": ("AVX2", "AVX512_CORE", None),  # None: not set, whatever there is
    "OMP_NUM_THREADS": ("1", "2", "4"),
    "TEST_SEED": ("0", "1", "2"),
}
# Orthogonal arrays: of any two columns every pair of values is in one row of nine, of any three
# columns every triple is in one row of 27.
NINE = [(i, j, (i + j) % 3, (i + 2 * j) % 3) for i, j in product(range(3), repeat=2)]
USUAL = [(i, j, k, (i + j + k) % 3) for i, j, k in product(range(3), repeat=3)]
ALL = list(product(range(3), repeat=4))
LINE = "{:>4}  {:<8} {:<12} {:>7} {:>5} {:>6} {:>7} {:>6} {:>8}"
ROW = "{:<34} {:>5} {:>7} {:>6} {:>8}"

Setting = dict[str, str | None]


class Result(NamedTuple):
    """What the tests of learning did in one setting."""

    ran: int
    failed: list[str]
    used: float  # share of what is allowed, the largest of all tests
    hardest: str  # the test that used it
    seconds: float


def main() -> int:
    """Run the settings and print what they did; 1 where a test failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--quick", dest="rows", action="store_const", const=NINE, help="nine")
    some.add_argument("--all", dest="rows", action="store_const", const=ALL, help="81 settings")
    rows = parser.parse_args().rows or USUAL
    settings: list[Setting] = [
        {name: VALUES[name][i] for name, i in zip(VALUES, row, strict=True)} for row in rows
    ]
    print(
        LINE.format("", "ATen", "oneDNN", "threads", "seed", "tests", "failed", "used", "seconds")
    )
    results = []
    for number, setting in enumerate(settings, 1):
        results.append(found := run(setting))
        values = [value or "-" for value in setting.values()]
        print(LINE.format(number, *values, *figures([found])), flush=True)
        for name in found.failed:
            print(f"      FAILED {name}", flush=True)
    print("\n" + summary(settings, results))
    return int(any(result.failed or not result.ran for result in results))


def run(setting: Setting) -> Result:
    """Run the tests of learning in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in setting}
    environment |= {name: value for name, value in setting.items() if value is not None}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that wait leave the cores to the others
    # Only files that have such tests: to import the others would take longer than the tests.
    files = [f for f in sorted(TESTS.rglob("test_*.py")) if "mark.learning" in f.read_text("utf-8")]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-m", "learning", f"--junitxml={report}"]
        begin = time.monotonic()
        said = subprocess.run(
            [*command, *map(str, files)],
            cwd=TESTS.parent,
            env=environment,
            capture_output=True,
            text=True,
        )
        if not report.is_file():
            raise SystemExit(said.stdout + said.stderr)
        return read(report, time.monotonic() - begin)


def read(report: Path, seconds: float) -> Result:
    """Read what pytest wrote."""
    cases = {
        f"{case.get('classname')}::{case.get('name')}": case
        for case in ElementTree.parse(report).iter("testcase")
    }
    failed = [name for name, c in cases.items() if {"failure", "error"} & {part.tag for part in c}]
    used = [
        (float(p.get("value", 0)), name) for name, c in cases.items() for p in c.iter("property")
    ]
    return Result(len(cases), failed, *max(used, default=(0.0, "")), seconds)


def figures(results: list[Result]) -> tuple[str, ...]:
    """Tests, failures, largest share used, and seconds of a run."""
    seconds = sum(result.seconds for result in results) / len(results)
    return (
        str(sum(result.ran for result in results)),
        str(sum(len(result.failed) for result in results)),
        f"{max(result.used for result in results):.2f}",
        f"{seconds:.0f}",
    )


def summary(settings: list[Setting], results: list[Result]) -> str:
    """Table of all values of the settings, the hardest test, and those that failed."""
    lines = [ROW.format("", "tests", "failed", "used", "seconds")]
    for name, values in VALUES.items():
        for value in values:
            some = [r for s, r in zip(settings, results, strict=True) if s[name] == value]
            lines.append(ROW.format(f"{name}={value or '-'}", *figures(some)))
    lines.append(ROW.format("all", *figures(results)))
    hardest = max(results, key=lambda result: result.used)
    lines += [f"\nlargest share used: {hardest.used:.2f}", f"  {hardest.hardest}"]
    for name, times in Counter(name for result in results for name in result.failed).items():
        lines += [f"FAILED in {times} of the settings", f"  {name}"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
