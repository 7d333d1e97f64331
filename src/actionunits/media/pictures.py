"""Pictures, still, of several pages or moving, through Pillow.

These functions decode in the process that calls them; `actionunits.media` calls them in another.
"""

import contextlib
import io
import warnings
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, ImageSequence, UnidentifiedImageError

from actionunits.errors import MediaError
from actionunits.media import structure, tones

LARGEST = 1 << 27
"""Pixels of the largest picture or frame: 134 megapixels, more than cameras take."""

_FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "QOI"),
    *("TGA", "TIFF", "WEBP"),
)
"""No others are tried: Pillow hands PostScript to a program, and knows many that nobody takes care
of any more."""
_UNSAID = 0.1  # seconds that browsers show a picture whose animation says nothing, or next to it
_REDUCED = 1  # bit of TIFF's NewSubfileType: a smaller copy of another page
_SUBFILE = 254
_STRIP = 1 << 18  # pixels that are converted at a time
_MOVING = {"AVIF", "GIF", "PNG", "WEBP"}

pillow_heif.register_heif_opener(thumbnails=False)  # grids of tiles whole, and turned upright


def is_picture(name: str) -> bool:
    """Whether the file begins as pictures do; of TGA, which has no mark, nobody can tell."""
    try:
        with _opened(name) as image:
            return image.format != "TGA"
    except MediaError:
        return False


def is_moving(name: str) -> bool:
    """Whether the file is an animation of more than one picture.

    Raises:
        MediaError: it is not a picture, or too damaged to tell.
    """
    with _opened(name) as image:
        return _is_moving(image)


def pages(name: str) -> Generator[tuple[NDArray[np.uint8], float], None, None]:
    """Pictures in a file with their times.

    Args:
        name: the file.

    Yields:
        (H, W, 3) RGB uint8, upright by the EXIF tag, transparency laid on white; seconds from the
        start: those of an animation, and 0 for the pages of a TIFF, which are stills. Of other
        formats that can hold several the first, which is the one to show.

    Raises:
        MediaError: the file is not a picture, is damaged or larger than `LARGEST`; the pages before
            the damage have been yielded.
    """
    with _opened(name) as image:
        if _is_moving(image):
            yield from _animation(name, image)
        elif image.format == "TIFF":
            for page in ImageSequence.Iterator(image):
                if not page.tag_v2.get(_SUBFILE, 0) & _REDUCED:  # type: ignore[attr-defined]
                    yield _decoded(name, page), 0.0
        elif structure.is_torn(name, image.format or ""):
            raise EOFError("it does not go on to its end")
        else:
            yield _decoded(name, image), 0.0


def encode_jpeg(image: NDArray[np.uint8], quality: int, **options: int) -> bytes:
    """JPEG bytes of an (H, W, 3) RGB picture; `options` are Pillow's."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality, **options)
    return data.getvalue()


def _is_moving(image: Any) -> bool:
    return image.format in _MOVING and getattr(image, "is_animated", False)


def _animation(name: str, image: Image.Image) -> Iterator[tuple[NDArray[np.uint8], float]]:
    seconds = 0.0
    # Counting those of a GIF would read it all, and it ends where they end.
    expected = 0 if image.format == "GIF" else getattr(image, "n_frames", 0)
    for page in ImageSequence.Iterator(image):
        shown = _decoded(name, page)
        if page.info.get("default_image") and page.tell() == 0:
            continue  # of an APNG, for programs that know no animation
        yield shown, seconds
        milliseconds = page.info.get("duration") or 0
        seconds += milliseconds / 1000 if milliseconds > 10 else _UNSAID
    if structure.is_torn(name, image.format or ""):
        raise EOFError("it does not go on to its end")
    if image.tell() + 1 < expected:
        raise EOFError(f"{image.tell() + 1} of {expected} pictures")


def _decoded(name: str, image: Image.Image) -> NDArray[np.uint8]:
    _check_size(name, image)
    white = tones.white(name, image)
    if tones.holds_16_bit_colours(image):
        image = tones.brightened(name, image, white)
    return upright_rgb(name, image, white)


def upright_rgb(name: str, image: Image.Image, white: float = 0) -> NDArray[np.uint8]:
    """A picture that Pillow has decoded, as `pages` gives those of files.

    Args:
        name: for what is logged of it.
        image: of any mode.
        white: which number is white, where it has more than 8 bits; 0: found out.
    """
    is_upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    turned = image if is_upright else ImageOps.exif_transpose(image)
    return rgb(tones.eight_bit(name, turned, white))


def rgb(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of a Pillow picture of any 8-bit mode, transparency laid on white.

    By strips: whole, Pillow makes up to four copies of what may be 400 MB.
    """
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(_STRIP // max(image.width, 1), 1)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = np.asarray(_opaque(image.crop((0, top, image.width, bottom))))
    return pixels


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer)
    return white


@contextlib.contextmanager
def _opened(name: str) -> Iterator[Image.Image]:
    """A picture; whatever goes wrong with it, until the block ends, becomes a `MediaError`."""
    try:
        with warnings.catch_warnings(), open(name, "rb") as file:
            warnings.simplefilter("ignore")  # what can be read is, and what cannot is an error
            with Image.open(file, formats=_FORMATS) as image:
                _check_size(name, image)
                yield image
    except MediaError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except UnidentifiedImageError:
        raise MediaError(
            f"{name}: not a picture of a kind that is read here; convert it to PNG"
        ) from None
    except MemoryError as error:
        raise MediaError(f"{name}: memory is short for this picture; scale it down") from error
    except Exception as error:  # Pillow raises what the damaged bytes happen to lead to
        reason = str(error) or type(error).__name__
        raise MediaError(
            f"{name}: the picture is truncated or damaged ({reason}); get a whole copy"
        ) from error


def _check_size(name: str, image: Image.Image) -> None:
    if image.width * image.height > LARGEST:
        raise _too_large(name, f" {image.width} x {image.height} pixels")


def _too_large(name: str, said: str = " more") -> MediaError:
    return MediaError(
        f"{name}: a picture of at most {LARGEST // 10**6} megapixels was expected; "
        f"this one claims{said}. Scale it down"
    )
