"""The Action Units: FACS numbers, names, muscles, regions, and the vocabularies of data sets.

Names and muscles are those of Ekman, Friesen and Hager, *Facial Action Coding System* (2002).
Everything that a model needs to know about a single AU is data here, never code elsewhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

STAR = "*"
STARRED = f"{STAR} experimental: read too badly to be relied on, see the model card"
"""What the star means, for below tables."""


class Centres(NamedTuple):
    """Where an AU shows, on the subject's right and left: SACL's Table 2."""

    points: tuple[int, int]  # two of the 49 landmarks
    shift: float  # downwards from them, in distances between the inner eye corners


class AU(NamedTuple):
    """One Action Unit: FACS number, FACS name, face region (upper, middle, lower) and muscles."""

    number: int
    name: str
    region: str
    muscles: str
    centres: Centres

    @property
    def column(self) -> str:
        """Column name, zero-padded to two digits as in OpenFace and py-feat: ``AU04``."""
        return f"AU{self.number:02d}"


# Papers place 15 AUs. The others are put where they show: 5, 43 and 45 where AU 7 is, 20 where 12
# is, 27 where 26 is, 18, 22 and 28 where 23 and 24 are, 16 between the lower lip and the chin.
_INNER_BROWS = Centres((4, 5), -1 / 2)
_OUTER_BROWS = Centres((1, 8), -1 / 3)
_BROW_CENTRES = Centres((2, 7), 1 / 3)
_CHEEKS = Centres((24, 29), 1.0)
_EYES = Centres((21, 26), 0.0)
_NOSE = Centres((15, 17), -1 / 2)
_UPPER_LIP = Centres((43, 45), 0.0)
_LIP_CORNERS = Centres((31, 37), 0.0)
_BELOW_LIP = Centres((39, 41), 1 / 4)
_CHIN = Centres((39, 41), 1 / 2)
_LIPS = Centres((34, 40), 0.0)

_RENDERED = (
    AU(1, "Inner brow raiser", "upper", "frontalis, pars medialis", _INNER_BROWS),
    AU(2, "Outer brow raiser", "upper", "frontalis, pars lateralis", _OUTER_BROWS),
    AU(4, "Brow lowerer", "upper", "corrugator, depressor supercilii and glabellae", _BROW_CENTRES),
    AU(5, "Upper lid raiser", "upper", "levator palpebrae superioris", _EYES),
    AU(6, "Cheek raiser", "middle", "orbicularis oculi, pars orbitalis", _CHEEKS),
    AU(7, "Lid tightener", "upper", "orbicularis oculi, pars palpebralis", _EYES),
    AU(9, "Nose wrinkler", "middle", "levator labii superioris alaeque nasi", _NOSE),
    AU(10, "Upper lip raiser", "lower", "levator labii superioris", _UPPER_LIP),
    AU(12, "Lip corner puller", "lower", "zygomaticus major", _LIP_CORNERS),
    AU(14, "Dimpler", "lower", "buccinator", _LIP_CORNERS),
    AU(15, "Lip corner depressor", "lower", "depressor anguli oris", _LIP_CORNERS),
    AU(16, "Lower lip depressor", "lower", "depressor labii inferioris", _BELOW_LIP),
    AU(17, "Chin raiser", "lower", "mentalis", _CHIN),
    AU(18, "Lip pucker", "lower", "incisivii labii superioris and inferioris", _LIPS),
    AU(20, "Lip stretcher", "lower", "risorius, platysma", _LIP_CORNERS),
    AU(22, "Lip funneler", "lower", "orbicularis oris", _LIPS),
    AU(23, "Lip tightener", "lower", "orbicularis oris", _LIPS),
    AU(24, "Lip pressor", "lower", "orbicularis oris", _LIPS),
    AU(25, "Lips part", "lower", "depressor labii inferioris, relaxed mentalis", _LIPS),
    AU(26, "Jaw drop", "lower", "relaxed masseter, temporalis and internal pterygoid", _CHIN),
    AU(27, "Mouth stretch", "lower", "pterygoids, digastric", _CHIN),
    AU(28, "Lip suck", "lower", "orbicularis oris", _LIPS),
    AU(43, "Eyes closed", "upper", "relaxed levator palpebrae, orbicularis oculi", _EYES),
    AU(45, "Blink", "upper", "relaxed levator palpebrae, orbicularis oculi", _EYES),
)
_BY_NUMBER = {au.number: au for au in _RENDERED}


SIDED = frozenset({1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 20, 43, 45})
"""AUs of muscles in pairs, each of which can act by itself; the others are of the middle."""


@dataclass(frozen=True)
class AUSet:
    """An ordered vocabulary of AUs: the label axis of every table, batch and output.

    >>> DISFA8.columns()
    ['AU01', 'AU02', 'AU04', 'AU06', 'AU09', 'AU12', 'AU25', 'AU26']
    >>> DISFA8.index(12)
    5
    """

    aus: tuple[AU, ...]
    experimental: tuple[int, ...] = field(default=(), compare=False)
    """FACS numbers of those that a model reads too badly to be relied on; of data, none."""

    def __post_init__(self) -> None:
        """Reject an empty vocabulary and one that names an AU twice."""
        if not self.aus or len(set(self.numbers)) != len(self.aus):
            raise ValueError(f"an AUSet holds at least one AU, each once; got {self.numbers}")

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "AUSet":
        """Vocabulary of these FACS numbers, in this order.

        Raises:
            ValueError: a number is not one of the AUs that the library knows.
        """
        numbers = tuple(numbers)
        unknown = [n for n in numbers if n not in _BY_NUMBER]
        if unknown:
            raise ValueError(f"unknown AU numbers {unknown}; known are {sorted(_BY_NUMBER)}")
        return cls(tuple(_BY_NUMBER[n] for n in numbers))

    @property
    def numbers(self) -> tuple[int, ...]:
        """FACS numbers in order."""
        return tuple(au.number for au in self.aus)

    def __len__(self) -> int:
        """Number of AUs, the size of the label axis."""
        return len(self.aus)

    def __iter__(self) -> Iterator[AU]:
        """Iterate over the AUs in order."""
        return iter(self.aus)

    def index(self, number: int) -> int:
        """Position of a FACS number on the label axis.

        Raises:
            KeyError: the AU is not in this vocabulary.
        """
        if number not in self.numbers:
            raise KeyError(f"AU{number} is not in this vocabulary; it has {self.numbers}")
        return self.numbers.index(number)

    def label(self, au: AU) -> str:
        """FACS number for people to read, with a star where the AU is experimental."""
        return f"{au.number}{STAR * (au.number in self.experimental)}"

    def columns(self) -> list[str]:
        """Column names in order: ``AU01``, ``AU02``, ..."""
        return [au.column for au in self.aus]

    def groups(self, *numbers: tuple[int, ...]) -> list[list[int]]:
        """Positions of groups of FACS numbers; numbers outside the vocabulary are left out."""
        return [[self.index(n) for n in group if n in self.numbers] for group in numbers]


def _known(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return AUSet.of(numbers).numbers if numbers else ()


Numbers = Annotated[tuple[int, ...], AfterValidator(_known)]
"""FACS numbers of AUs that the library knows, each once, or none: a field of values from a file."""

RENDERED = AUSet(_RENDERED)
"""All 24 AUs that the library knows and its renderer does."""
ALL = AUSet(tuple(au for au in _RENDERED if au.number not in (16, 18, 22, 27, 28, 45)))
"""The 18 AUs of rendered corpora of version 1, which the weights of the package read."""
BP4D12 = AUSet.of((1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24))
DISFA8 = AUSet.of((1, 2, 4, 6, 9, 12, 25, 26))
DISFA12 = AUSet.of((1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26))
BP4D_INTENSITY5 = AUSet.of((6, 10, 12, 14, 17))
