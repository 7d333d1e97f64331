"""Give the command broken inputs of all kinds, and print what came of them.

    python tests/faults/try_faults.py [--cases N] [--seed N] [--only KIND NUMBER] [--keep FOLDER]

The exit code is 1 if there was anything but rows and clean errors.
"""

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the builders of the other tests

from broken_kinds import KINDS
from trials import GOOD, Found, faults, table, try_all
from watched import Watched

_PATIENCE = 300.0  # seconds: a recipe may train on all of the embedded corpus on a busy machine


def main() -> int:
    """Try the cases; print faults as they come, and the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--only", nargs=2, metavar=("KIND", "NUMBER"), help="a single trial")
    parser.add_argument("--keep", type=Path, help="folder for the files of trials with faults")
    chosen = parser.parse_args()
    only = (chosen.only[0], int(chosen.only[1])) if chosen.only else None
    print(f"seed {chosen.seed}", flush=True)
    found: list[Found] = []
    kinds = {name: KINDS[name] for name in chosen.kinds}
    with closing(Watched(seconds=_PATIENCE)) as watched:
        tried = try_all(kinds, chosen.cases, chosen.seed, watched, only=only, keep=chosen.keep)
        for each in tried:
            found.append(each)
            if each.outcome not in GOOD:
                print(faults([each]), flush=True)
    print(table(found))
    return int(any(each.outcome not in GOOD for each in found))


if __name__ == "__main__":
    sys.exit(main())
