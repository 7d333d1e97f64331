"""Broken files in data sets as they were handed out, and as they were prepared."""

import functools
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from damage import Random, damaged
from trials import Case, Outcome, Trial, named
from watched import Ran, Watched

import trees
from actionunits.datasets.folders import read_occurrence
from actionunits.errors import DataError

_TREES: dict[str, Callable[[Path], object]] = {
    "bp4d": lambda root: trees.bp4d(root, landmarks=True),
    "bp4d_plus": trees.bp4d_plus,
    "disfa": trees.disfa,
    "fera2017": trees.fera2017,
}


def handed_out(rng: Random, folder: Path) -> Trial:
    """Break or take away a file of a data set, then check it."""
    name = str(rng.choice(list(_TREES)))
    shutil.copytree(_tree(name).name, folder / name)
    files = sorted(file for file in (folder / name).rglob("*") if file.is_file())
    file = files[rng.integers(len(files))]
    is_changed, how = file.suffix in {".csv", ".txt"}, "is not there"
    if rng.random() < 0.15:
        file.unlink()
    else:
        whole = file.read_bytes()
        broken = damaged(whole, rng)
        file.write_bytes(broken.data)
        # Not in its line ends alone, nor from one value to another that may be.
        is_changed &= broken.data.split() != whole.split() and "flipped" not in broken.how
        is_changed &= not _reads_alike(
            file, Path(_tree(name).name, file.relative_to(folder / name))
        )
        how = broken.how
    where = file.relative_to(folder)

    def judge(ran: Ran, _: Path) -> Outcome:
        # what is coded is counted; pictures and landmarks are looked at by `au data prepare`
        return "silent" if is_changed and ran.said == _healthy(name) else named(ran, name)

    return Trial(lambda _: ["data", "check", name, name], [Case(name, f"{where} {how}", judge)])


def _reads_alike(file: Path, original: Path) -> bool:
    """Whether two tables of codes differ only in AUs that nobody here reads, such as AU13."""
    try:
        return read_occurrence(file).equals(read_occurrence(original))
    except DataError:
        return False


def prepared(rng: Random, folder: Path) -> Trial:
    """Break a file of a prepared data set; a second preparation makes it as it was."""
    shutil.copytree(_prepared().name, folder, dirs_exist_ok=True)
    files = sorted(file for file in (folder / "out").iterdir() if file.is_file())
    file = files[rng.integers(len(files))]
    whole = {each.name: each.read_bytes() for each in files}
    broken = damaged(whole[file.name], rng)
    file.write_bytes(broken.data)
    arguments = ["data", "prepare", "bp4d", "bp4d", "out", "--workers", "1"]

    def judge(ran: Ran, folder: Path) -> Outcome:
        if ran.code != 0:
            return "clean error" if "out" in ran.said else "unnamed"
        found = {each.name: each.read_bytes() for each in (folder / "out").iterdir()}
        return "read" if found == whole else "silent"

    return Trial(lambda _: arguments, [Case(file.name, f"{file.name} {broken.how}", judge)])


@functools.cache
def _tree(name: str) -> "tempfile.TemporaryDirectory[str]":
    made = tempfile.TemporaryDirectory(prefix="faults-")
    _TREES[name](Path(made.name))
    return made


@functools.cache
def _healthy(name: str) -> str:
    """What the command says of the whole data set."""
    with tempfile.TemporaryDirectory() as folder, closing(Watched()) as watched:
        shutil.copytree(_tree(name).name, Path(folder) / name)
        return watched.run(["data", "check", name, name], Path(folder)).said


@functools.cache
def _prepared() -> "tempfile.TemporaryDirectory[str]":
    made = tempfile.TemporaryDirectory(prefix="faults-")
    folder = Path(made.name)
    trees.bp4d(folder / "bp4d", ("F001", "M001"), ("T1",), landmarks=True)
    watched = Watched()
    ran = watched.run(["data", "prepare", "bp4d", "bp4d", "out", "--workers", "1"], folder)
    watched.close()
    if ran.code != 0:
        raise RuntimeError(f"the data set to break could not be prepared:\n{ran.said}")
    return made
