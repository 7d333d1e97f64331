"""Published configurations of AUs: what a face does, and not what it feels."""

from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from actionunits.errors import DataError
from actionunits.learn import plain


class Configuration(NamedTuple):
    """A combination of AUs.

    Attributes:
        parts: FACS numbers, of alternatives one of which is enough.
        name: that people know it by, or empty.
        source: who published it.
    """

    parts: tuple[tuple[int, ...], ...]
    name: str
    source: str

    @property
    def notation(self) -> str:
        """As FACS writes it.

        >>> Configuration(((4,), (6, 7)), "", "").notation
        '4+(6|7)'
        """
        joined = ["|".join(map(str, part)) for part in self.parts]
        return "+".join(f"({text})" if "|" in text else text for text in joined)


def published() -> list[Configuration]:
    """Configurations of the package, each with its source."""
    return _read("prototypes.yaml", files(__package__).joinpath("prototypes.yaml").read_text())


def read_prototypes(path: Path) -> list[Configuration]:
    """Read configurations of one's own.

    Args:
        path: YAML, or JSON, with ``configurations``: a list, each with ``aus``, FACS numbers of
            which one may be a list of alternatives, and if one likes ``name`` and ``source``.

    Raises:
        DataError: it cannot be read, or is not so.
    """
    try:
        return _read(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8; save it so") from error


def _read(file: str, text: str) -> list[Configuration]:
    try:
        values = plain.read(text)
    except ValueError as error:
        raise DataError(f"{file}: expected YAML: {error}") from error
    listed = values.get("configurations") if isinstance(values, dict) else None
    if not isinstance(listed, list) or not listed:
        raise DataError(f"{file}: expected configurations, a list such as [{{aus: [6, 12]}}]")
    sources = values.get("sources") or {}
    found = [_configuration(file, place, one, sources) for place, one in enumerate(listed, start=1)]
    seen: dict[str, Configuration] = {}
    for one in found:
        if one.notation in seen:
            raise DataError(f"{file}: has the configuration {one.notation} twice; keep one")
        seen[one.notation] = one
    return found


def _configuration(file: str, place: int, value: Any, sources: Any) -> Configuration:
    aus = value.get("aus") if isinstance(value, dict) else None
    listed = aus if isinstance(aus, list) else []
    parts = [part if isinstance(part, list) else [part] for part in listed]
    numbers = [number for part in parts for number in part]
    if (
        not numbers
        or not all(parts)
        or not all(type(number) is int and 0 < number < 70 for number in numbers)
        or len(set(numbers)) < len(numbers)
    ):
        raise DataError(
            f"{file}: configuration {place}: expected aus, FACS numbers each once, such as "
            f"[4, [6, 7], 43], got {aus!r}"
        )
    source = value.get("source") or ""
    source = sources.get(source, source) if isinstance(sources, dict) else source
    return Configuration(
        tuple(tuple(part) for part in parts), str(value.get("name") or ""), str(source)
    )
