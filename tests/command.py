"""The command ``au`` as tests call it: the fixture ``au`` runs it in the process of the test."""

from collections.abc import Callable
from typing import NamedTuple


class Said(NamedTuple):
    """What the command answered."""

    code: int
    out: str
    err: str


Au = Callable[..., Said]
