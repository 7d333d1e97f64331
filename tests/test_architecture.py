"""The layout that docs/architecture.md promises: rooms, what they import, and short files."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import actionunits

ROOT = Path(actionunits.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
ROOMS = [  # from the top: a file imports from its own room and from those further down
    {"cli"},
    {"app"},
    {"report"},
    {"papers", "bench", "findings", "scale"},  # side by side
    {"detect"},
    {"learn"},
    {"datasets", "facefinder"},  # side by side
    {"models", "data", "synth"},  # side by side: they do not know each other
    {"faces", "weights"},
    {"nn", "media"},  # side by side
    {"files", "system"},
    {"aus", "types", "errors", "losses", "plugins"},  # loose
]
LEVEL = {name: level for level, names in enumerate(ROOMS) for name in names}

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))


def room(file: Path) -> str:
    return file.relative_to(ROOT).with_suffix("").parts[0]


def imported(file: Path) -> Iterator[tuple[str, str]]:
    """Names of the package that a file imports, inside functions too, and what it calls them."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}:{node.lineno} imports by dots"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", alias.asname or alias.name


def ours(file: Path) -> Iterator[tuple[str, str]]:
    for name, called in imported(file):
        if name.startswith("actionunits."):
            yield name.removeprefix("actionunits."), called


@every_file
def test_imports_go_downwards(file: Path) -> None:
    if file.parent == ROOT and file.stem in {"__init__", "__main__"}:
        return
    here = room(file)
    for name, _ in ours(file):
        there = name.split(".")[0]
        assert LEVEL[there] >= LEVEL[here], f"{here} imports {name} from above"
        if LEVEL[there] == LEVEL[here] < LEVEL["aus"]:
            assert there == here, f"{here} imports {name}, which stands beside it"


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [("synth/picture", ("synth.picture.", "synth.person.")), ("synth/person", ("synth.person.",))],
)
def test_imports_within_synth_go_downwards(folder: str, allowed: tuple[str, ...]) -> None:
    files = sorted((ROOT / folder).glob("*.py"))
    names = [name for file in files for name, _ in ours(file) if name.startswith("synth")]
    assert names
    assert not [name for name in names if not name.startswith(allowed)]


def test_every_file_has_its_room() -> None:
    assert {room(file) for file in FILES} - {"__init__", "__main__"} == LEVEL.keys()


@every_file
def test_private_names_stay_in_their_room(file: Path) -> None:
    home = file.parent.relative_to(ROOT).as_posix().replace("/", ".")
    foreign = {}
    for name, called in ours(file):
        place, _, last = name.rpartition(".")
        at_home = name.startswith(f"{home}.") or place == home
        assert at_home or not last.startswith("_"), f"{file.name} imports {name}"
        if not at_home:
            foreign[called] = name
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            private = node.attr.startswith("_") and node.attr not in {"_replace", "_asdict"}
            assert not (private and node.value.id in foreign), f"{file.name} uses {node.attr}"


def test_what_runs_models_knows_none_by_name() -> None:
    for file in FILES:
        if room(file) in {"learn", "detect"}:
            tree = ast.parse(file.read_text(encoding="utf-8"))
            names = {node.id.lower() for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert not names & {"renet", "mgrrnet", "gtlenet", "sacl", "mdhr"}, file.name


@every_file
def test_files_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400
