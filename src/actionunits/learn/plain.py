"""Plain values as YAML, as recipes are written: read with care, since anybody may have written it.

A key that stands twice is refused, since it hides a value, and so is what is nested too deeply or,
by aliases that hold aliases, can make a small file into more values than any memory holds.
"""

import re
from collections.abc import Callable
from typing import Any

import yaml

_DEEPEST = 20  # levels; recipes have 5
_MOST = 10_000  # values; recipes have some hundred
_MERGE = "<<"
_FLOAT = re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$")


class _Loader(yaml.SafeLoader):  # makes plain values only
    """Also with YAML 1.2's floats: PyYAML takes 1e-4, which has no dot, for text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0  # above the next node, and so far
        self._sizes: dict[str, int] = {}  # values of what has a name, by that

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one value.

        Raises:
            YAMLError: it is nested too deeply, in itself, or there are too many.
        """
        peek: Callable[[], Any] = self.peek_event  # has no type information
        event, before = peek(), self._values
        again = isinstance(event, yaml.AliasEvent)
        if again and event.anchor in self.anchors and event.anchor not in self._sizes:
            raise _refusal(f"*{event.anchor} stands inside itself", event)
        self._values += self._sizes.get(event.anchor, 0) if again else 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _refusal(f"nested more than {_DEEPEST} levels deep", event)
        if self._values > _MOST:
            raise _refusal(f"more than {_MOST} values", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not again and event.anchor is not None:
            self._sizes[event.anchor] = self._values - before
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose keys and values.

        Raises:
            YAMLError: a key stands twice.
        """
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen and key.value != _MERGE:
                raise _refusal(f"found the key {key.value} twice", key)
            seen.add(key.value)
        return node


def _refusal(reason: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=reason, problem_mark=at.start_mark)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value out as often as it occurs."""
        return True


for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789"))


def read(text: str) -> Any:
    """Values of a YAML text.

    Raises:
        ValueError: it is not valid, or one of the forms that are refused; with the reason.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"{error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def write(values: Any) -> str:
    """YAML text that `read` makes the same values of."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False)
