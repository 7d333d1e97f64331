"""Pictures of the web without a web: addresses that stand for files."""

from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from actionunits.datasets import fetch

_SITE = "https://pictures.example"


def address(file: Path) -> str:
    """Of a file, there or not."""
    return f"{_SITE}{file.absolute().as_posix()}"


def without_web(patch: pytest.MonkeyPatch) -> None:
    """Let downloads come from the files that `address` names; nobody waits between tries."""

    def get(url: str, timeout: float, hosts: Collection[str]) -> bytes:
        return Path(unquote(url.removeprefix(_SITE))).read_bytes()

    patch.setattr(fetch, "get", get)
    patch.setattr(fetch, "time", SimpleNamespace(sleep=lambda seconds: None))
