"""Room on the disk, looked at before anything is written."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from actionunits.errors import DataError

FACE_BYTES = 30_000  # of a photographed face at the quality that is stored
_RESERVE = 1.1  # room wanted for each byte that is expected


class Need(NamedTuple):
    """What a folder will hold."""

    folder: Path
    """Need not be there."""
    what: str
    """Such as "9 frames to prepare"."""
    size: int
    """About, in bytes."""


def check_room(needs: Sequence[Need], console: Console) -> None:
    """Say how much will be written, and refuse where it does not fit.

    Raises:
        DataError: a disk is too small for all that would be written to it.
    """
    disks: dict[int, list[Need]] = {}
    for need in needs:
        console.print(
            f"{need.what}: about {need.size / 1e9:.2f} GB; "
            f"{_free(need.folder) / 1e9:.2f} GB are free in {need.folder}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
        disks.setdefault(_existing(need.folder).stat().st_dev, []).append(need)
    for together in disks.values():
        folder = together[0].folder
        wanted, free = _RESERVE * sum(need.size for need in together), _free(folder)
        if wanted > free:
            raise DataError(
                f"{folder}: about {wanted / 1e9:.2f} GB are needed for "
                f"{' and '.join(need.what for need in together)}, and {free / 1e9:.2f} GB are "
                "free; make room or choose another folder"
            )


def _free(folder: Path) -> int:
    return shutil.disk_usage(_existing(folder)).free


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
