"""Which Action Units stretches of a coder mean, and what was not coded."""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from actionunits.errors import DataError
from actionunits.files.lists import columns
from actionunits.findings.codes.names import HIDDEN, Name, intensity, parse_sum
from actionunits.findings.codes.stretches import Stretches, face

_ALL = re.compile(r"(action\s*units?|aus?|facs)([\s_\-.:].*)?", re.IGNORECASE)
_SPANS = ["input", "face_id", "AU", "start", "end"]
_FACE = re.compile(r"[\s_]face[\s_](\d+)$", re.IGNORECASE)


class Coded(NamedTuple):
    """What a coder coded.

    Attributes:
        rows: a row an AU and stretch: ``input`` (None where not said), ``face_id`` (NaN where not
            said), ``AU`` (``AU12``), ``start``, ``end`` (seconds), ``intensity`` (0 to 5, NaN where
            not said). A value of 0 says that the AU is absent.
        hidden: likewise ``input``, ``face_id``, ``AU`` (empty for all), ``start``, ``end``: where
            an AU could not be seen.
        aus: that were coded, also those that never occur.
        strange: labels and values that name no AU.
        videos: that were coded, also those in which nothing occurs.
    """

    rows: pd.DataFrame
    hidden: pd.DataFrame
    aus: tuple[str, ...]
    strange: tuple[str, ...]
    videos: tuple[str, ...] = ()


def coded(found: Stretches, known_as: dict[str, list[Name]] | None = None) -> Coded:
    """Tell which AUs the stretches of a file mean.

    A label names an AU (``AU12``, ``12``, ``AU12C left``), and the value is then its intensity, if
    it is a letter A to E or a number 0 to 5. A tier that is called FACS, AU, or action units, or
    any label whose values begin with AU, has faces as values, ``6C+12D``. Codes 70 to 74 say what
    could not be seen, and are no AUs.

    Args:
        found: stretches of one file.
        known_as: by label, or value, in small letters, what it means; nothing is to be ignored.
    """
    known_as = known_as or {}
    said: list[tuple[int, Name, float | None]] = []
    strange: dict[str, None] = {}
    coded_labels = [name for label in found.labels for name in _meant(label, known_as) or []]
    meanings = {}
    pairs = zip(found.rows["label"], found.rows["value"], strict=True)
    for place, (label, value) in enumerate(pairs):
        if (label, value) not in meanings:
            meanings[label, value] = _meaning(label, value, known_as)
        meaning = meanings[label, value]
        if meaning is None:
            strange[f"{label}: {value}" if found.tiers and value else label] = None
        said += [(place, name, grade) for name, grade in meaning or []]
    strange |= {
        label: None
        for label in found.labels
        if label not in set(found.rows["label"])
        and _meant(label, known_as) is None
        and not _ALL.fullmatch(label)
    }
    places = [place for place, _, _ in said]
    rows = found.rows.iloc[places][["input", "start", "end"]].reset_index(drop=True)
    named = found.rows.iloc[places][["who", "label"]]
    rows["face_id"] = [
        float(m[1]) if (m := _FACE.search(label)) else face(who)
        for who, label in named.itertuples(index=False)
    ]
    rows["intensity"] = pd.Series([grade for _, _, grade in said], dtype=float)
    numbers = [name.number for _, name, _ in said]
    unseen = pd.Series([number in HIDDEN for number in numbers], dtype=bool)
    rows["AU"] = [name.column for _, name, _ in said]
    gone = [
        (place, Name(au).column if au else "")
        for place, number in enumerate(numbers)
        if number in HIDDEN
        for au in HIDDEN[number] or (0,)
    ]
    hidden = rows.iloc[[place for place, _ in gone]].assign(AU=[au for _, au in gone])[_SPANS]
    aus = {name.column for name in coded_labels if name.number not in HIDDEN}
    rows = rows[~unseen][[*_SPANS, "intensity"]].reset_index(drop=True)
    told = tuple(sorted(aus | set(rows["AU"])))
    return Coded(rows, hidden.reset_index(drop=True), told, tuple(strange), found.videos)


def _meant(label: str, known_as: dict[str, list[Name]]) -> list[Name] | None:
    """AUs that a label itself names; None if it names none."""
    if label.lower() in known_as:
        return known_as[label.lower()]
    return parse_sum(_FACE.sub("", label)) or None


def _meaning(
    label: str, value: str, known_as: dict[str, list[Name]]
) -> list[tuple[Name, float | None]] | None:
    """AUs that a stretch says, each with its intensity; None if it says none."""
    if (names := _meant(label, known_as)) is not None:
        grade = next((g for part in value.split() if (g := intensity(part)) is not None), None)
        own = [name for name in parse_sum(value) if name.number in {n.number for n in names}]
        if grade is None and own:  # 12C on the tier AU12
            grade = own[0].intensity
        return [(name, name.intensity if grade is None else grade) for name in names]
    if value.lower() in known_as:
        return [(name, name.intensity) for name in known_as[value.lower()]]
    names = parse_sum(value, bare=_ALL.fullmatch(label) is not None)
    return [(name, name.intensity) for name in names] or None


def read_map(path: Path) -> dict[str, list[Name]]:
    """Read what labels mean.

    Args:
        path: CSV with ``label`` and ``au``, such as ``smile,12`` or ``brow raise,1+2``; nothing in
            ``au`` is to be ignored.

    Raises:
        DataError: it cannot be read, lacks a column, or an AU is none.
    """
    table = columns(path, "label", "au")
    meant = {}
    for line, label, au in table.itertuples():
        names = parse_sum(au)
        if au and not names:
            raise DataError(f"{path}:{line}: expected AUs such as 12 or 1+2, got {au!r}")
        meant[label.lower()] = names
    return meant
