"""Pictures from the web in a folder that remembers which are there and which are gone for good."""

import hashlib
import io
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError

from PIL import Image

from actionunits.datasets.web import UnwelcomeError, get
from actionunits.files import atomic, writing

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
_PASSING = {408, 425, 429}  # codes from 400 on that do not say that the picture is gone
_GONE = ".gone"  # suffix of a note that a picture is gone for good


class Missing(NamedTuple):
    """A picture that could not be had."""

    reason: str
    final: bool
    """Whether it is gone for good; else it is asked for again the next time."""


class _GoneError(Exception):
    """The picture is gone for good."""


def picture(cache: Path, url: str) -> Path:
    """File of a picture in the folder, whether it is there or not."""
    name = hashlib.sha256(url.encode()).hexdigest()[:32]
    return cache / name[:2] / f"{name}.picture"


def unknown(urls: Iterable[str], cache: Path) -> set[str]:
    """Addresses that `fetch` will ask for: neither in the folder nor known to be gone."""
    files = {url: picture(cache, url) for url in urls}
    return {
        url
        for url, file in files.items()
        if not (file.is_file() or file.with_suffix(_GONE).is_file())
    }


def fetch(
    urls: Iterable[str],
    cache: Path,
    *,
    hosts: Collection[str] = (),
    threads: int = 4,
    tries: int = 3,
    timeout: float = 20.0,
    pause: float = 1.0,
) -> dict[str, Missing]:
    """Get what is not in the folder yet; what is there, or known to be gone, is not asked for.

    Args:
        urls: addresses ``http:`` or ``https:``.
        cache: the folder; made where it is missing. `picture` says where in it a picture is.
        hosts: names of private networks that may be asked; others there are not.
        threads: pictures asked for at a time.
        tries: how often one is asked for while the answer may be a passing one.
        timeout: seconds after which there is no answer.
        pause: seconds before the second try; twice as many before each further one.

    Returns:
        For each address that could not be had the reason.

    Raises:
        UserError: the folder cannot be written.
    """
    wanted = list(dict.fromkeys(urls))
    pool = ThreadPoolExecutor(threads, "fetch")
    missing = {}
    try:
        results = pool.map(lambda url: _fetch(url, cache, hosts, tries, timeout, pause), wanted)
        for url, why in zip(wanted, results, strict=True):
            if why is not None:
                missing[url] = why
    finally:
        pool.shutdown(cancel_futures=True)  # those under way end; Ctrl-C does not wait for others
    return missing


def _fetch(
    url: str, cache: Path, hosts: Collection[str], tries: int, timeout: float, pause: float
) -> Missing | None:
    file = picture(cache, url)
    gone = file.with_suffix(_GONE)
    if file.is_file():
        return None
    if gone.is_file():
        return Missing(gone.read_text("utf-8"), final=True)
    reason = ""
    for attempt in range(tries):
        time.sleep(pause * 2 ** (attempt - 1) if attempt else 0)
        try:
            content = _download(url, timeout, hosts)
        except _GoneError as error:
            with writing(gone), atomic(gone) as temporary:
                temporary.write_text(str(error), encoding="utf-8")
            return Missing(str(error), final=True)
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
            continue
        with writing(file), atomic(file) as temporary:
            temporary.write_bytes(content)
        return None
    return Missing(reason, final=False)


def _download(url: str, timeout: float, hosts: Collection[str]) -> bytes:
    """The picture at an address.

    Raises:
        _GoneError: there is none, for good.
        OSError: there was no answer, a passing one, or one that is no picture.
        HTTPException: the answer broke off.
    """
    try:
        content = get(url, timeout, hosts)
    except HTTPError as error:
        if 300 <= error.code < 500 and error.code not in _PASSING:
            raise _GoneError(f"HTTP {error.code} {error.reason}") from error
        raise
    except UnwelcomeError as error:
        raise _GoneError(str(error)) from error
    except (InvalidURL, ValueError) as error:
        raise _GoneError(f"not an address ({error})") from error
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            picture.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # a page of an inn's network, say, which is no reason to give the picture up
        raise OSError(f"not a picture of {', '.join(_FORMATS)}") from error
    return content
