"""Known figures of the data sets, as published lists of their frames have them: ``facts.yaml``."""

from collections import Counter
from functools import cache
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict


class PublishedList(BaseModel):
    """Frames that public code trains on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    used_by: str
    parts: tuple[int, int, int]
    """Frames of parts 1 to 3."""
    lost: dict[str, int] = {}
    """Frames fewer than in the full list, by sequence or subject."""


class Facts(BaseModel):
    """Known figures of a data set, one entry of ``facts.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: int
    tasks: list[str]
    aus: list[int]
    """Of the usual protocol; the weights are theirs."""
    frames: dict[str, int] = {}
    """Of each subject in the full list."""
    lists: dict[str, PublishedList] = {}
    weights: list[list[float]] = []
    """(3, A) class weights of the training rows of each fold of the full list."""
    note: str = ""

    def frames_of(self, name: str) -> dict[str, int]:
        """Frames of each subject in a published list."""
        frames = Counter(self.frames)
        for where, lost in self.lists[name].lost.items():
            frames[where.split("/")[0]] -= lost
        return dict(frames)


@cache
def known() -> dict[str, Facts]:
    """Facts by the name of their data set."""
    text = (resources.files("actionunits.datasets") / "facts.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    return {name: Facts.model_validate(facts) for name, facts in values.items()}
