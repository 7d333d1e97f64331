"""What happens to files: seeded damage to bytes, text, tables and trees of values."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Random = np.random.Generator


class Damaged(NamedTuple):
    """Bytes after damage."""

    data: bytes
    first: int
    """Of the bytes that are not as they were, the first; all before it are whole."""
    how: str


def damaged(data: bytes, rng: Random) -> Damaged:
    """Damage a file in one of the ways in which disks, networks and people do."""
    while True:
        broken = _WAYS[rng.integers(len(_WAYS))](data, rng)
        if broken.data != data:  # zeros over zeros are none
            return broken


def truncated(data: bytes, rng: Random) -> Damaged:
    """Break off anywhere, the beginning included."""
    end = int(rng.integers(0, len(data)))
    return Damaged(data[:end], end, f"ends after {end} of {len(data)} bytes")


def flipped(data: bytes, rng: Random) -> Damaged:
    """Flip single bits, a few or many."""
    places = np.unique(rng.integers(0, len(data), rng.choice([1, 1, 3, 30])))
    changed = np.frombuffer(data, np.uint8).copy()
    changed[places] ^= np.uint8(1) << rng.integers(0, 8, len(places)).astype(np.uint8)
    return Damaged(changed.tobytes(), int(places[0]), f"bits flipped in bytes {places.tolist()}")


def overwritten(data: bytes, rng: Random) -> Damaged:
    """Write zeros, ones or noise over a stretch, as a lost block of a disk."""
    start = int(rng.integers(0, len(data)))
    length = min(int(rng.choice([16, 256, 4096])), len(data) - start)
    noise = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
    filling = (bytes(length), b"\xff" * length, noise)[rng.integers(3)]
    return Damaged(
        data[:start] + filling + data[start + length :],
        start,
        f"bytes {start} to {start + length} overwritten by {filling[:2].hex()}..",
    )


def missing(data: bytes, rng: Random) -> Damaged:
    """Leave a stretch out."""
    start = int(rng.integers(0, len(data)))
    length = int(rng.choice([1, 100, 2000]))
    return Damaged(
        data[:start] + data[start + length :], start, f"{length} bytes left out at {start}"
    )


def inserted(data: bytes, rng: Random) -> Damaged:
    """Put in a stretch that does not belong there: line ends that were translated, a copy."""
    start = int(rng.integers(0, len(data)))
    extra = (b"\r", rng.bytes(50), data[: min(start, 500)])[rng.integers(3)]
    return Damaged(
        data[:start] + extra + data[start:], start, f"{len(extra)} bytes put in at {start}"
    )


def replaced(data: bytes, rng: Random) -> Damaged:
    """Something else under the name: nothing, noise, text, an archive, a web page."""
    others = [b"", b"\x00" * 500, rng.bytes(500), b"%!PS\n{} loop\n", b"PK\x03\x04" + rng.bytes(80)]
    others += [b"<!DOCTYPE html><html>404</html>", b"\xff\xfe" + "caf\u00e9\n".encode("utf-16-le")]
    chosen = int(rng.integers(len(others)))
    return Damaged(others[chosen], 0, f"replaced by {others[chosen][:12]!r}")


_WAYS: list[Callable[[bytes, Random], Damaged]] = [
    *(truncated, flipped, flipped, overwritten, missing, inserted, replaced),
]

WRONG: list[Any] = [
    *(None, True, "", "x", "nan", "1e300", -1, 0, 1.5, 1e300, float("nan"), float("inf")),
    *([], {}, [1, 1], [3], {"a": 1}, [[[]]], "\x1b[31m", "../../x", "caf\u00e9", -(10**30)),
]
"""Values that are wrong almost everywhere. None makes a run long or large."""


def misplaced(values: Any, rng: Random) -> tuple[Any, str]:
    """Put a wrong value at some place of a tree of mappings and lists, or remove or add a key.

    Returns:
        A changed copy, and what was changed.
    """
    path = _somewhere(values, rng)
    wrong = WRONG[rng.integers(len(WRONG))]
    how = rng.choice(["set", "set", "set", "remove", "add"])
    where = ".".join(map(str, path))
    if not path:
        return wrong, f"all is {wrong!r}"
    if how == "remove":
        return _changed(values, path, lambda parent, key: parent.pop(key)), f"no {where}"
    if how == "add":
        return _changed(values, path, _adds(wrong)), f"{where} has company of {wrong!r}"
    return _changed(values, path, _sets(wrong)), f"{where} is {wrong!r}"


def _sets(value: Any) -> Callable[[Any, Any], None]:
    def change(parent: Any, key: Any) -> None:
        parent[key] = value

    return change


def _adds(value: Any) -> Callable[[Any, Any], None]:
    def change(parent: Any, key: Any) -> None:
        if isinstance(parent, list):
            parent.insert(key, value)
        else:
            parent[f"{key}_"] = value

    return change


def _somewhere(values: Any, rng: Random) -> list[Any]:
    path: list[Any] = []
    while isinstance(values, dict | list) and values and (not path or rng.random() < 0.8):
        if rng.random() < 0.02:
            break
        keys = list(values) if isinstance(values, dict) else range(len(values))
        path.append(keys[rng.integers(len(keys))])
        values = values[path[-1]]
    return path


def _changed(values: Any, path: list[Any], change: Callable[[Any, Any], Any]) -> Any:
    copy = dict(values) if isinstance(values, dict) else list(values)
    if len(path) == 1:
        change(copy, path[0])
    else:
        copy[path[0]] = _changed(copy[path[0]], path[1:], change)
    return copy
