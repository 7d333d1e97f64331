"""Tables as other tools write them, so that scripts for those go on working.

A format is what must be added to our tables (`detect.added`) for its columns, and a function from
our rows to its rows, the `Layout` of one table. Whoever writes tables knows no more of it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from actionunits.aus import AUSet
from actionunits.detect.formats import feat, openface
from actionunits.detect.network import Reads
from actionunits.detect.tables import AS_READ, Layout
from actionunits.errors import UserError


class Format(NamedTuple):
    """A way to write tables.

    Attributes:
        layout: of a label axis and of all sources of one table, see `media.sources`.
        adds: of `added.ADDABLE`, what its columns are made of; None: whatever is asked for.
    """

    layout: Callable[[AUSet, Sequence[str]], Layout]
    adds: tuple[str, ...] | None = None


OURS = "actionunits"
FORMATS: Mapping[str, Format] = {
    OURS: Format(lambda aus, sources: AS_READ),
    "openface": Format(openface.layout, ("landmarks", "pose", "gaze")),
    "feat": Format(feat.layout, ("landmarks", "pose")),
}
"""By their names."""


def named(name: str) -> Format:
    """A format by its name.

    Raises:
        UserError: there is none of that name.
    """
    if name not in FORMATS:
        raise UserError(f"format: expected {', '.join(FORMATS)}, found {name}")
    return FORMATS[name]


def adding(name: str, wanted: Sequence[str], network: Reads, *, rest: bool) -> Sequence[str]:
    """What is added to our tables for a format.

    Args:
        name: of the format.
        wanted: what was asked for besides.
        network: what of it can be told.
        rest: whether intensities above rest were asked for.

    Raises:
        UserError: there is no such format, or it has no columns for what was asked for.
    """
    adds = named(name).adds
    if adds is None:
        return wanted
    if wanted or rest:
        asked = " and ".join(["add"] * bool(wanted) + ["neutral"] * rest)
        raise UserError(
            f"format {name}: has columns of its own and none for {asked}: leave that out, or write "
            f"the format {OURS}"
        )
    return [kind for kind in adds if kind in network.told]
