"""Preparation without a word, and what it has written."""

from pathlib import Path

from rich.console import Console

from actionunits.data.prepared import Manifest
from actionunits.datasets.prepare import prepare
from actionunits.datasets.raw import RawTable

QUIET = Console(quiet=True)


def run(raw: RawTable, out: Path, template: str = "canonical", workers: int = 1) -> Manifest:
    return prepare(raw, out, template, workers, QUIET)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def rewritten(folder: Path, before: dict[str, int]) -> set[str]:
    """Shards that have been written since the times were taken."""
    return {name for name, time in times(folder).items() if before.get(name) != time}


def times(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in folder.glob("*.parquet")}
