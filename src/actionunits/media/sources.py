"""What the user names: files, folders, cameras and streams become a list of sources."""

import errno
import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from actionunits.errors import MediaError, counted
from actionunits.media import addresses, received
from actionunits.media.names import STDIN, is_address, is_camera, is_pattern, is_stored

_PICTURES = """
    .apng .avif .bmp .dib .gif .heic .heif .hif .j2c .j2k .jfif .jp2 .jpe .jpeg .jpf .jpg .jpx .pbm
    .pgm .png .pnm .ppm .qoi .tga .tif .tiff .webp
"""
_MOVIES = """
    .3g2 .3gp .asf .avi .divx .dv .f4v .flv .h264 .h265 .hevc .ivf .m1v .m2ts .m2v .m4v .mjpeg .mjpg
    .mk3d .mkv .mov .mp4 .mpe .mpeg .mpg .mpv .mts .mxf .nut .ogm .ogv .qt .rm .rmvb .ts .vob .webm
    .wmv .y4m
"""
IMAGES, VIDEOS = frozenset(_PICTURES.split()), frozenset(_MOVIES.split())
_OTHERS = """
    .3fr .ai .arw .avs .braw .cr2 .cr3 .crw .dcm .dng .emf .eps .erf .exr .fits .hdr .ico .insv .jls
    .jxl .jxr .kdc .m3u8 .mef .mos .mrw .nef .nrw .orf .pcx .pef .ps .psd .r3d .raf .raw .rw2 .sgi
    .sr2 .srw .svg .swf .wmf .x3f .xcf
"""
_FOREIGN = frozenset(_OTHERS.split())
"""Pictures and videos that nothing here reads."""
_PAPERS = """
    .csv .doc .docx .eaf .gz .htm .html .ipynb .json .jsonl .log .md .ods .odt .opf .parquet .pdf
    .py .r .rds .rmd .rtf .sav .srt .sub .textgrid .toml .tsv .txt .vtt .xls .xlsx .xml .yaml .yml
    .zip
"""
_BESIDE = frozenset(_PAPERS.split())
"""What lies beside pictures and videos, and is taken in by patterns of the shell."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
DRAWN = re.compile(r"(.+)_au(-\d+)?")
"""Names of overlays, without their suffix."""
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_log = logging.getLogger(__name__)

Report = Callable[[MediaError], None]


def sources(paths: Iterable[str | Path | int], report: Report, *, clips: bool = False) -> list[str]:
    """Files, cameras and streams behind these paths, in order, each once.

    A folder gives the pictures and videos in it and below it, in natural order (2 before 10),
    without hidden ones; links are followed. Of a file that has several names the first one is
    taken. Overlays that an earlier run drew beside their source (``NAME_au.jpg``) are left out of
    folders. A number, or "camera:NUMBER", is a camera, "-" is standard input, and addresses begin
    with ``rtsp://``, ``http://`` or ``https://``. Whether a file can be read is found out by
    `frames`; what is no stream, on standard input or on the web, is fetched here.

    Args:
        paths: files, folders, cameras, addresses, "-".
        report: is told of each path that does not exist or answer, of each folder that holds no
            picture and no video, and of what is in a folder and cannot be read; the others go on.
        clips: folders of pictures are clips, one each; so are patterns such as ``frame_%05d.png``.
    """
    found: dict[str, str] = {}
    for path in paths:
        try:
            names = expand(path, report, clips=clips)
        except MediaError as error:
            report(error)
            continue
        for name in names:
            first = found.setdefault(_identity(name), name)
            if Path(first) != Path(name):
                _log.warning("%s: is the same file as %s, which is read once", name, first)
    return list(found.values())


def expand(path: str | Path | int, report: Report, *, clips: bool = False) -> list[str]:
    """Files, cameras and streams behind one path.

    Args:
        path: a file, folder, camera, address, or "-".
        report: is told of what is in a folder and cannot be read.
        clips: see `sources`.

    Raises:
        MediaError: there is no such file, nobody answers, or the folder holds no picture and no
            video.
    """
    name = str(path)
    if name.isdecimal() and not os.path.lexists(name):
        return [f"camera:{int(name)}"]
    if is_camera(name):
        return [name]
    if name == "-" or (name == STDIN and received.is_received(STDIN)):
        return [received.receive(STDIN)]
    if is_address(name) and not os.path.lexists(name):
        return [received.receive(addresses.public(name))]
    if _SCHEME.match(name) and not os.path.lexists(name):
        raise MediaError(
            f"{name}: addresses that can be read begin with rtsp://, http:// or https://; name one "
            "of these, or a file"
        )
    folder = Path(name)
    if not folder.is_dir():
        if is_pattern(name) and clips:
            return [name]
        if is_pattern(name):
            raise MediaError(
                f"{name}: numbered pictures are read as one clip if you say how many of them are "
                "shown in a second, as in --as-clip 25"
            )
        if not os.path.lexists(folder):
            raise MediaError(f"{path}: there is no such file or folder; check the path")
        if folder.suffix.lower() in _BESIDE:
            raise MediaError(
                f"{path}: expected a picture or a video, found a file {folder.suffix}; leave it "
                "out, or rename it if it is one"
            )
        return [name if is_stored(name) else os.path.join(os.curdir, name)]
    files = sorted(_below(folder, folder, report), key=_natural)
    _name_foreign(files, folder, report)
    media = _without_drawn([file for file in files if _is_media(file, folder, report)], folder)
    if not media:
        raise MediaError(
            f"{path}: a folder with pictures or videos was expected, but it holds none; "
            "name another folder or the file itself"
        )
    return _clips(folder, media) if clips else [str(folder / file) for file in media]


def _clips(folder: Path, media: list[Path]) -> list[str]:
    """What is in a folder, in which each folder that has pictures of its own is one source."""
    pictures = {file for file in media if file.suffix.lower() in IMAGES}
    if not any(file.parent == Path() for file in pictures):
        found = [folder / (file.parent if file in pictures else file) for file in media]
        return list(dict.fromkeys(map(str, found)))
    others = [file for file in media if file not in pictures or file.parent != Path()]
    if others:
        _log.warning(
            "%s: is read as one clip; %s in it left out, such as %s; name it too if you want it",
            *(folder, counted(len(others), "other file"), others[0]),
        )
    return [str(folder)]


def check(name: str) -> None:
    """Refuse what only looks like a file of pictures, before anything waits for it.

    Raises:
        MediaError: it is missing, empty, no regular file, or must not be read.
    """
    if not is_stored(name):
        return
    try:
        state = os.stat(name)
    except (OSError, ValueError) as error:
        raise MediaError(f"{name}: {_why(error)}; check the path") from error
    if not stat.S_ISREG(state.st_mode):
        raise _no_file(name, state.st_mode)
    if not state.st_size:
        raise MediaError(f"{name}: the file is empty; get a whole copy")
    try:
        with open(name, "rb"):
            pass
    except OSError as error:
        raise MediaError(
            f"{name}: cannot be opened ({_why(error)}); allow it to be read"
        ) from error


def _no_file(name: str, mode: int) -> MediaError:
    return MediaError(
        f"{name}: a file was expected, but this is {_KINDS.get(stat.S_IFMT(mode), 'a folder')}; "
        "name a picture or video that is stored, or a camera by its number"
    )


def _why(error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT:
        return "there is no such file"
    return os.strerror(code) if code else str(error)


def _identity(name: str) -> str:
    """Equal for all names of one file; hard links are files of their own, as copies are."""
    return os.path.normcase(os.path.realpath(name)) if is_stored(name) else name


def _below(folder: Path, root: Path, report: Report) -> Iterator[Path]:
    """Visible files in a folder and below it, relative to its root; each folder once."""
    seen = set[str]()

    def refused(error: OSError) -> None:
        report(MediaError(f"{error.filename}: this folder cannot be looked into ({_why(error)})"))

    for place, folders, files in os.walk(folder, onerror=refused, followlinks=True):
        seen.add(os.path.realpath(place))
        here = Path(place).relative_to(root)
        yield from (here / name for name in files if not name.startswith("."))
        # Sorted, so that of two links to one folder always the same is followed.
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not _is_known(Path(place, name), seen)
        )


def _is_known(folder: Path, seen: set[str]) -> bool:
    real = os.path.realpath(folder)
    known = real in seen
    seen.add(real)
    return known


def _name_foreign(files: list[Path], folder: Path, report: Report) -> None:
    """Report what is a picture or a video and is not read."""
    for suffix in sorted(_FOREIGN & {file.suffix.lower() for file in files}):
        named = [file for file in files if file.suffix.lower() == suffix]
        report(
            MediaError(
                f"{folder}: {counted(len(named), 'file')} of the kind {suffix}, such as "
                f"{named[0]}, cannot be read; convert to PNG or MP4"
            )
        )


def _is_media(file: Path, folder: Path, report: Report) -> bool:
    name = folder / file
    if file.suffix.lower() not in IMAGES | VIDEOS:
        return False
    try:
        mode = os.stat(name).st_mode
    except OSError as error:
        report(MediaError(f"{name}: {_why(error)} where this link points to; mend or remove it"))
        return False
    if not stat.S_ISREG(mode):
        report(_no_file(str(name), mode))
        return False
    return True


def _without_drawn(files: list[Path], folder: Path) -> list[Path]:
    """Leave out overlays, known by their names and by the source beside them."""
    beside = {name for file in files for name in (file.with_suffix(""), file)}

    def is_drawn(file: Path) -> bool:
        match = DRAWN.fullmatch(file.stem)
        is_kind = file.suffix in {".jpg", ".mp4"}
        return bool(match and is_kind and file.with_name(match[1]) in beside)

    drawn = [file for file in files if is_drawn(file)]
    if drawn:
        _log.warning(
            "%s: %s that an earlier run drew left out, such as %s",
            *(folder, counted(len(drawn), "overlay"), drawn[0]),
        )
    return [file for file in files if file not in set(drawn)]


def _natural(file: Path) -> list[tuple[int, str]]:
    """Sorting key in which frame2 comes before frame10."""
    pieces = re.split(r"(\d+)", file.as_posix().lower())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]
