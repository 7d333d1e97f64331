"""Messages say one frame, not 1 frames, and plain numbers, not those of a library."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import actionunits
from actionunits.errors import CheckpointError
from actionunits.learn.report import LANDMARK_ERROR, LANDMARK_FAILURE, Score, landmark_line
from actionunits.nn.backbone import check_fit

_SOURCE = Path(actionunits.__file__).parent
_COUNT = re.compile(r"len\([^()]*\)|[\w.]*\.sum\(\)|[\w.]*frames|count|found|rendered")


def _counted(file: Path) -> Iterator[str]:
    """Places of f-strings in which a count stands right before a plural."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                counted = _COUNT.fullmatch(ast.unparse(value.value))
                plain = counted and value.format_spec is None
                if plain and re.match(r" (frames|subjects|faces|triplets|images)\b", text.value):
                    yield f"{file.relative_to(_SOURCE)}:{node.lineno}"


def test_counts_go_with_their_unit() -> None:
    files = (f for f in _SOURCE.rglob("*.py") if f.parent != _SOURCE / "datasets")
    assert [place for file in files for place in _counted(file)] == []


def test_one_is_no_plural() -> None:
    scores = {name: Score(per_au=[], mean=2.0) for name in (LANDMARK_ERROR, LANDMARK_FAILURE)}
    assert "without 1 face whose landmarks" in landmark_line(scores, 1)
    with pytest.raises(CheckpointError, match=r"architecture: 1 tensor unknown \(a\)$"):
        check_fit({}, {"a": None}, Path("x"))  # type: ignore[dict-item]
