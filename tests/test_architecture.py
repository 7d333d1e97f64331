"""The layout that docs/architecture.md promises: imports go downwards, files stay short."""

import ast
from pathlib import Path

import pytest

import actionunits

ROOT = Path(actionunits.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LAYERS = [  # from the top; a module imports from its own layer and those below it
    {"__main__", "cli", "demo"},
    {"papers", "finder"},
    {"detect"},
    {"learn"},
    {"datasets"},
    {
        "models",
        "data",
        "faces",
        "synth",
        "weights",
    },
    {"nn", "losses", "media"},
    {"types", "aus", "errors", "files", "device"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def unit(file: Path) -> str:
    return file.relative_to(ROOT).with_suffix("").parts[0]


def imported(file: Path) -> set[str]:
    """Units of the package that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("actionunits.")}
    return found & LEVEL.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_go_downwards(file: Path) -> None:
    if file == ROOT / "__init__.py":
        return
    above = {name for name in imported(file) if LEVEL[name] < LEVEL[unit(file)]}
    assert not above, f"{file.name} imports {above} from above"


def test_every_module_has_its_layer() -> None:
    assert {unit(file) for file in FILES} - {"__init__"} == LEVEL.keys()


def test_models_and_data_do_not_know_each_other() -> None:
    for one, other in (("models", "data"), ("data", "models")):
        files = [file for file in FILES if unit(file) == one]
        assert files
        assert not any(other in imported(file) for file in files)


def test_nothing_that_runs_models_knows_one_by_name() -> None:
    for file in FILES:
        if unit(file) not in {"learn", "detect"}:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {node.id.lower() for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"renet", "mgrrnet", "gtlenet", "sacl", "mdhr"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400
