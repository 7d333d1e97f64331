"""Folders and patterns of numbered pictures, which are read as one clip where that is wished."""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from actionunits.errors import MediaError, counted
from actionunits.media.names import PATTERN, is_pattern
from actionunits.media.sources import DRAWN, IMAGES

_LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)")  # of a name without its suffix

Tell = Callable[[str], None]


def is_clip(source: str) -> bool:
    """Whether a source, as `sources` gives it, is a clip of pictures: a folder, or a pattern."""
    return os.path.isdir(source) or is_pattern(source)


def pictures(source: str, tell: Tell = lambda line: None) -> dict[int, str]:
    """Pictures of a clip by their places in it, from 0 on, in order; where some are missing, gaps.

    Args:
        source: a folder, the last number in the names of whose pictures counts; or a pattern such
            as ``frame_%05d.png``, with as many digits as there are.
        tell: is told of numbers that are missing, and of pictures that are left out.

    Raises:
        MediaError: it holds no numbered pictures, or those of several clips.
    """
    folder = Path(source).parent if is_pattern(source) else Path(source)
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise MediaError(
            f"{source}: its pictures cannot be listed ({error.strerror}); check the path"
        ) from error
    found = (_of_pattern if is_pattern(source) else _of_folder)(names, source, tell)
    if not found:
        raise MediaError(
            f"{source}: numbered pictures, such as frame_001.png, were expected, but there are "
            "none; check the name"
        )
    first = min(found)
    places = {number - first: str(folder / found[number]) for number in sorted(found)}
    if len(places) <= max(places):
        tell(_gaps(places))
    return places


def _gaps(places: Mapping[int, str]) -> str:
    """What to say of the numbers that are missing."""
    count = max(places) + 1
    after = next(places[at] for at in places if at + 1 not in places)
    missing = counted(count - len(places), "picture")
    return (
        f"{missing} of {count} missing in its numbers, the first after {Path(after).name}; the "
        "others keep their times"
    )


def _of_pattern(names: list[str], source: str, tell: Tell) -> dict[int, str]:
    before, after = PATTERN.split(Path(source).name)
    wanted = re.compile(rf"{re.escape(before)}(\d+){re.escape(after)}")
    return _once([(int(m[1]), name) for name in names if (m := wanted.fullmatch(name))], tell)


def _of_folder(names: list[str], source: str, tell: Tell) -> dict[int, str]:
    kind: dict[str, tuple[str, str]] = {}  # what the name is without its number
    number = {}
    pictures = [name for name in names if Path(name).suffix.lower() in IMAGES]
    for name in pictures:
        match = _LAST_NUMBER.fullmatch(Path(name).stem)
        if match and not DRAWN.fullmatch(Path(name).stem):
            kind[name], number[name] = (match[1].rstrip("0123456789"), match[3]), int(match[2])
    if not kind:
        return {}
    (usual, most), *others = Counter(kind.values()).most_common()
    if others and others[0][1] == most:
        one, other = (f"{before}%d{after}" for before, after in (usual, others[0][0]))
        raise MediaError(
            f"{source}: one clip was expected, but there are as many pictures called {one} as "
            f"{other}; name one by its pattern, such as {one}.png"
        )
    left = [name for name in pictures if kind.get(name) != usual]
    if left:
        count = counted(len(left), "picture")
        tell(f"{count} left out, not being called as most are, such as {left[0]}")
    return _once([(number[name], name) for name in kind if kind[name] == usual], tell)


def _once(numbers: list[tuple[int, str]], tell: Tell) -> dict[int, str]:
    """One picture a number, the first by its name."""
    found: dict[int, str] = {}
    for number, name in numbers:
        if found.setdefault(number, name) != name:
            tell(f"{name} left out: {found[number]} has its number")
    return found
