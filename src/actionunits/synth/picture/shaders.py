"""Load the GLSL files of `shaders/` and mirror their uniform block as a numpy type."""

import re
from functools import cache
from importlib.resources import files

import numpy as np

_HEADER = "#version 330\n"
_COMMON = ("head", "skin", "eye", "tongue", "proxy", "teeth", "shadow", "proxy_shadow", "glasses")
_LIT = ("skin.frag", "eye.frag", "tongue.frag", "proxy.frag", "teeth.frag", "glasses.frag")


def source(name: str) -> str:
    """Whole text of a shader, ``skin.frag``: version, what it shares with others, its own file."""
    parts = [_HEADER]
    if name.split(".")[0] in _COMMON:
        parts.append(_read("common.glsl"))
    if name in _LIT:
        parts.append(_read("light.glsl"))
    return "".join([*parts, _read(name)])


@cache
def head_block() -> np.dtype:
    """Structured type of the uniform block ``Head``: one field a name, (4,) or (n, 4) float32."""
    block = re.search(r"uniform Head \{(.*?)\n\};", _read("common.glsl"), re.DOTALL)
    if block is None:
        raise ValueError("common.glsl should declare the uniform block Head")
    found = re.findall(r"^\s*vec4 (\w+)(?:\[(\d+)\])?;", block[1], re.MULTILINE)
    return np.dtype([(name, "f4", (int(n), 4) if n else (4,)) for name, n in found])


@cache
def _read(name: str) -> str:
    return (files(__package__) / "shaders" / name).read_text(encoding="utf-8")
