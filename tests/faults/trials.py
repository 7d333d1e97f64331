"""Many broken inputs, each given to the command: what is tried, how it is judged, and the table.

A kind of input is a function that breaks a few things in a folder by a random generator and returns
a `Trial`: one run of the command, and for each thing that was broken a `Case` that judges what came
of it. Where a run of several cases ends badly they are run again one by one, so that a fault has
its case. Case N of a seed is the same everywhere.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from damage import Random
from watched import Ran, Watched

Outcome = Literal[
    "clean error", "read", "unnamed", "traceback", "crash", "hang", "rows lost", "silent"
]
OUTCOMES: tuple[Outcome, ...] = (
    *("clean error", "read", "unnamed", "traceback", "crash", "hang", "rows lost", "silent"),
)
GOOD = frozenset({"clean error", "read"})


class Case(NamedTuple):
    """Something that was broken."""

    name: str
    """By which the command is expected to speak of it."""
    how: str
    """What was done to it."""
    judge: Callable[[Ran, Path], Outcome]
    """Told of a run that ended by itself, and of its folder."""


class Trial(NamedTuple):
    """One run of the command."""

    arguments: Callable[[Sequence[Case]], list[str]]
    """Of some of the cases."""
    cases: list[Case]


Kind = Callable[[Random, Path], Trial]
"""Breaks things in a folder, which is empty."""


class Found(NamedTuple):
    """A case and what came of it."""

    kind: str
    number: int
    """Of the trial among those of its kind: what `only` takes."""
    case: Case
    outcome: Outcome
    said: str


def named(ran: Ran, name: str) -> Outcome:
    """Judge of a run that has nothing to save: it works, or it says which file is wrong."""
    if ran.code == 0:
        return "read"
    return "clean error" if name in ran.said.replace("\n", "") else "unnamed"


def judged_by_name(name: str, how: str) -> Case:
    """Return a case that `named` judges."""
    return Case(name, how, lambda ran, _: named(ran, name))


def try_all(
    kinds: Mapping[str, Kind],
    cases: int,
    seed: int,
    watched: Watched,
    *,
    only: tuple[str, int] | None = None,
    keep: Path | None = None,
) -> Iterator[Found]:
    """Try cases of all kinds in turn.

    Args:
        kinds: by name.
        cases: at least so many.
        seed: of all of them.
        watched: runs the command.
        only: kind and number of a single trial.
        keep: folder for the folders of trials that found a fault.
    """
    tried, number = 0, 0
    while tried < cases:
        for order, (name, kind) in enumerate(kinds.items()):
            if only not in (None, (name, number)):
                continue
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                rng = np.random.default_rng([seed, order, number])
                found = list(_try(name, number, kind(rng, Path(folder)), Path(folder), watched))
                if keep is not None and any(each.outcome not in GOOD for each in found):
                    shutil.copytree(folder, keep / f"{name}-{number}", dirs_exist_ok=True)
            tried += len(found)
            yield from found
        number += 1
        if only is not None and number > only[1]:
            return


def _try(name: str, number: int, trial: Trial, folder: Path, watched: Watched) -> Iterator[Found]:
    ran = watched.run(trial.arguments(trial.cases), folder)
    outcomes = [_outcome(case, ran, folder) for case in trial.cases]
    alone = len(trial.cases) > 1 and not GOOD.issuperset(outcomes)
    for case, outcome in zip(trial.cases, outcomes, strict=True):
        if alone:
            ran = watched.run(trial.arguments([case]), folder)
            outcome = _outcome(case, ran, folder)
        yield Found(name, number, case, outcome, ran.said)


def _outcome(case: Case, ran: Ran, folder: Path) -> Outcome:
    if ran.fault:
        return ran.fault  # type: ignore[return-value]
    return case.judge(ran, folder)


def table(found: Sequence[Found]) -> str:
    """Counts of the outcomes by kind."""
    kinds = dict.fromkeys(each.kind for each in found)
    counts = {kind: Counter(f.outcome for f in found if f.kind == kind) for kind in kinds}
    counts["all"] = Counter(f.outcome for f in found)
    row = "{:<12}{:>7}" + "".join(f"{{:>{len(outcome) + 2}}}" for outcome in OUTCOMES)
    lines = [row.format("", "tried", *OUTCOMES)]
    for kind, count in counts.items():
        lines.append(row.format(kind, count.total(), *(count[outcome] for outcome in OUTCOMES)))
    return "\n".join(lines)


def faults(found: Sequence[Found]) -> str:
    """What went wrong, case by case, with the end of what the command said."""
    return "\n".join(
        f"{f.outcome}: {f.kind} {f.number}: {f.case.name}: {f.case.how}\n"
        + "\n".join(f"    {line}" for line in f.said.strip().splitlines()[-6:])
        for f in found
        if f.outcome not in GOOD
    )


def run(kinds: Mapping[str, Kind], cases: int, seed: int) -> list[Found]:
    """Try cases of all kinds and return what was found."""
    with closing(Watched()) as watched:
        return list(try_all(kinds, cases, seed, watched))
