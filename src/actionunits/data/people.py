"""People by names that hold across data sets: nobody is to be tested on who was trained on.

A name is ``population:subject``, as ``bp4d:F001``. What people a data set is of, its population, is
said in `actionunits.datasets.people`. Of a whole population the name is ``population:*``.
"""

from collections.abc import Iterable, Sequence

NOBODY_KNOWS = "?"
"""The population of a table of which nobody said who is in it."""
UNKNOWN = f"{NOBODY_KNOWS}:*"
"""Among people: there may be others, and nobody knows whom."""


def named(population: str, subjects: Iterable[str]) -> tuple[str, ...]:
    """Names of the subjects of a population, in their order.

    >>> named("disfa", ["SN001", "SN002"])
    ('disfa:SN001', 'disfa:SN002')
    """
    return tuple(f"{population}:{subject}" for subject in subjects)


def among(some: Iterable[str], people: Sequence[str]) -> list[bool]:
    """Tell for each of some persons whether he is known to be one of the people.

    >>> among(["bp4d:F001", "bp4d:F002", "?:F003"], ["bp4d:F001", "synfacs/1:*", "?:*"])
    [True, False, False]
    """
    known = {person for person in people if not person.startswith(f"{NOBODY_KNOWS}:")}
    return [bool({person, f"{person.partition(':')[0]}:*"} & known) for person in some]


def all_known(people: Iterable[str]) -> bool:
    """Whether everybody among the people is known."""
    return not any(person.startswith(f"{NOBODY_KNOWS}:") for person in people)
