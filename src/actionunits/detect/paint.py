"""Colours and letters of overlays."""

from PIL import ImageFont

COLOURS = ("#4cc3ff", "#ffb03a", "#7be07b", "#ff7a7a", "#c9a0ff", "#ffe14d")
"""Of faces, by their numbers."""

AXES = ("#ff5a5a", "#5ad65a", "#5a8cff")
"""Of the head: to the subject's left, up, forward."""

PANEL, TRACK, TEXT, FAINT = "#14181d", "#2b323b", "#f2f5f7", "#8b96a3"


def colour_of(track: int) -> str:
    """Colour of the face of this number."""
    return COLOURS[track % len(COLOURS)]


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Letters that can be read, of so many pixels or a few more."""
    return ImageFont.load_default(max(round(size), 9))
