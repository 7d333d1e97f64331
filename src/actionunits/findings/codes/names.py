r"""Names of Action Units as coders write them, in FACS notation or in words.

FACS writes an AU as its number, with a letter for its intensity behind it (A trace, B slight, C
marked, D severe, E maximum) and one for its side before it (L, R; U one side, T top, B bottom), and
a face as a sum of these: ``6C+L12D`` (Ekman, Friesen and Hager 2002, chapter 1). Programs add
``AU``, the side behind, or the AU's name.
"""

import re
from typing import NamedTuple

LETTERS = {letter: grade for grade, letter in enumerate("abcde", start=1)}
"""Intensity of each letter of FACS: 1 to 5."""

HIDDEN: dict[int, tuple[int, ...]] = {
    70: (1, 2, 4),
    71: (5, 6, 7, 43, 45),
    72: (10, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 28),
    73: (),
    74: (),
}
"""FACS's codes of what cannot be seen, brows, eyes, lower face, all, and of what cannot be scored:
the AUs that are then not coded, none named for all."""

_LAST = 49  # FACS numbers from 50 on are of the head, the eyes, and what cannot be seen
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_NAME = re.compile(
    r"(?P<prefix>au|action\s*unit)?[\s_\-.:]*(?P<before>[lrutb](?=\d))?0*(?P<number>\d{1,2})"
    r"(?P<letter>[a-e])?[\s_\-]*(?P<side>left|right|l|r)?(?![a-z0-9])"
    r"(?:[\s_\-(:;,.][^+]*)?",
    re.IGNORECASE,
)
_GRADE = re.compile(r"(?P<letter>[a-e])|(?P<number>[0-5](?:[.,]\d+)?)", re.IGNORECASE)


class Name(NamedTuple):
    """What a name says.

    Attributes:
        number: of FACS.
        intensity: 1 to 5, None where it is not said.
        side: ``left``, ``right``, or empty for both or not said.
    """

    number: int
    intensity: int | None = None
    side: str = ""

    @property
    def column(self) -> str:
        """``AU12``; ``AU04``."""
        return f"AU{self.number:02d}"


def parse(text: str, *, bare: bool = True) -> Name | None:
    """Read the name of an AU, or of what cannot be seen; None if it is none.

    Args:
        text: such as ``AU12``, ``12``, ``AU 12 (lip corner puller)``, ``12C``, ``AU12_L``,
            ``R14B``.
        bare: whether a number alone names an AU, or only one behind ``AU`` does.

    >>> parse("AU 12 (lip corner puller)")
    Name(number=12, intensity=None, side='')
    >>> parse("L14b"), parse("AU12_right").side, parse("12 o'clock", bare=False), parse("trial 2")
    (Name(number=14, intensity=2, side='left'), 'right', None, None)
    """
    found = _NAME.fullmatch(text.strip())
    if found is None or not (bare or found["prefix"]):
        return None
    number = int(found["number"])
    if not (0 < number <= _LAST or number in HIDDEN):
        return None
    letter = (found["letter"] or "").lower()
    side = _SIDES.get((found["side"] or found["before"] or "").lower(), "")
    return Name(number, LETTERS.get(letter), side)


def parse_sum(text: str, *, bare: bool = True) -> list[Name]:
    """Read a face as FACS writes it, ``6C+12D``; nothing if a part is no AU.

    >>> [name.column for name in parse_sum("1+2 + 25")]
    ['AU01', 'AU02', 'AU25']
    """
    parts = [parse(part, bare=bare or place > 0) for place, part in enumerate(text.split("+"))]
    return [part for part in parts if part] if all(parts) else []


def intensity(text: str) -> float | None:
    """Intensity that a value or a modifier says alone, 0 to 5, a letter or a number; else None.

    >>> intensity("C"), intensity("3,5"), intensity("smile")
    (3.0, 3.5, None)
    """
    found = _GRADE.fullmatch(text.strip())
    if found is None:
        return None
    if found["letter"]:
        return float(LETTERS[found["letter"].lower()])
    grade = float(found["number"].replace(",", "."))
    return grade if grade <= 5 else None
