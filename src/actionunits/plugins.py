"""What installed packages of others add, by their entry points: models and data sets.

Nothing of theirs is imported before it is asked for by its name, so that a package that is broken
is in nobody's way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from actionunits.errors import UserError

Group = Literal["actionunits.models", "actionunits.datasets"]


class PluginError(UserError):
    """A package of somebody else's cannot be used."""


def names(group: Group) -> list[str]:
    """Names of a group's entry points, sorted."""
    return sorted(entry_points(group=group).names)


def load(group: Group, name: str) -> Any:
    """Import what an entry point names.

    Raises:
        PluginError: it cannot be imported, or two packages have one of that name.
    """
    found = list(entry_points(group=group, name=name))
    if len(found) != 1:
        raise PluginError(
            f"{name} is an entry point of {' and of '.join(map(_where, found)) or 'no package'} "
            f"for {group}: uninstall all but one"
        )
    try:
        return found[0].load()
    except Exception as error:  # anything may go wrong in code of others
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(
            f"{name}: {_where(found[0])} cannot be imported ({reason}); mend or uninstall it"
        ) from error


@contextmanager
def running(group: Group, name: str) -> Iterator[None]:
    """Run code of an entry point.

    Raises:
        PluginError: it failed otherwise than by a `UserError`.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # anything may go wrong in code of others
        packages = " and ".join(map(_where, entry_points(group=group, name=name)))
        raise PluginError(
            f"{name}: {packages} failed ({type(error).__name__}: {error}): tell those who wrote it"
        ) from error


def _where(entry: EntryPoint) -> str:
    package = "a package" if entry.dist is None else f"the package {entry.dist.name}"
    return f"{entry.value} of {package}"
