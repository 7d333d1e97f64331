"""The few things the renderer wants of OpenGL, through moderngl."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from actionunits.errors import UserError
from actionunits.synth.picture import shaders

Context = Any  # moderngl publishes no types that hold under strict checking
_CODE = {"i": "i", "u": "u", "f": "f"}


def context() -> Context:
    """Offscreen OpenGL context on EGL: a graphics card's, else Mesa's software driver.

    Raises:
        UserError: moderngl or the system's OpenGL is missing.
    """
    if not _has_avx():
        # Mesa's 128-bit code path was seen to abort in a long shader when optimised.
        os.environ.setdefault("GALLIVM_PERF", "nopt")
    try:
        import moderngl
    except ImportError as error:
        raise UserError(
            "rendering needs moderngl, which is not installed: pip install 'actionunits[synth]'"
        ) from error
    settings: dict[str, Any] = {"backend": "egl"}
    try:
        return moderngl.create_context(require=330, standalone=True, **settings)
    except Exception as error:  # moderngl raises bare Exceptions, without a class of their own
        raise UserError(
            f"rendering needs offscreen OpenGL 3.3, and there is none here ({error}): on Debian or "
            "Ubuntu run apt-get install libegl1 libgl1 libgl1-mesa-dri"
        ) from error


def program(gl: Context, vertex: str, fragment: str) -> Any:
    """Compile ``<vertex>.vert`` with ``<fragment>.frag``."""
    return gl.program(
        vertex_shader=shaders.source(f"{vertex}.vert"),
        fragment_shader=shaders.source(f"{fragment}.frag"),
    )


class Geometry:
    """Vertex attributes and indices on the graphics card, to be drawn by several programs."""

    def __init__(
        self, gl: Context, attributes: Mapping[str, np.ndarray], indices: np.ndarray
    ) -> None:
        self._gl = gl
        self._indices = gl.buffer(np.ascontiguousarray(indices, np.int32).tobytes())
        self.attributes = {
            name: (gl.buffer(np.ascontiguousarray(values).tobytes()), _layout(values))
            for name, values in attributes.items()
        }

    def bind(self, program: Any) -> Any:
        """Vertex array with the attributes that the program reads."""
        wanted = [
            (buffer, layout, name)
            for name, (buffer, layout) in self.attributes.items()
            if name in program
        ]
        return self._gl.vertex_array(program, wanted, self._indices)

    def write(self, name: str, values: np.ndarray) -> None:
        """Replace the values of an attribute."""
        self.attributes[name][0].write(np.ascontiguousarray(values).tobytes())


def _layout(values: np.ndarray) -> str:
    """Format of an attribute: how many numbers of which kind a vertex has."""
    width = 1 if values.ndim == 1 else values.shape[1]
    return f"{width}{_CODE[values.dtype.kind]}"


def picture(gl: Context, image: np.ndarray) -> Any:
    """Texture with mipmaps of an (H, W, C) uint8 picture whose first row is its top."""
    height, width, channels = image.shape
    data = np.ascontiguousarray(image[::-1]).tobytes()
    texture = gl.texture((width, height), channels, data, alignment=1)
    texture.build_mipmaps()
    texture.filter = (gl.LINEAR_MIPMAP_NEAREST, gl.LINEAR)
    return texture


def pictures(gl: Context, images: np.ndarray) -> Any:
    """Texture array with mipmaps of (N, H, W, 3) uint8 pictures whose first rows are their tops."""
    count, height, width, channels = images.shape
    data = np.ascontiguousarray(images[:, ::-1]).tobytes()
    texture = gl.texture_array((width, height, count), channels, data)
    texture.build_mipmaps()
    texture.filter = (gl.LINEAR_MIPMAP_NEAREST, gl.LINEAR)
    return texture


def _has_avx() -> bool:
    """Whether Mesa's software driver may use vectors wider than 128 bits; True where unknown."""
    info = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not info.exists():
        return True
    return " avx" in info.read_text(encoding="utf-8", errors="replace")
