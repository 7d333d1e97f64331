"""Pictures of faces at the peaks of their Action Units, with landmarks, from the video itself."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from os.path import isfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from actionunits import media
from actionunits.errors import MediaError
from actionunits.faces.cuts import Cuts, thumbnail
from actionunits.files.names import unescaped
from actionunits.findings.codes.stretches import stem
from actionunits.report.data import File, Track
from actionunits.types import Frame

Progress = Callable[[str, float], None]
"""Is told what is being done, and how much of it is done, 0 to 1."""

_BOX = ["face_x", "face_y", "face_w", "face_h"]
_MARGIN = 0.3  # of the face's longer side, around it
_SIDE = 220  # pixels of a still
_WHOLE = 640  # pixels of the long side of a frame in which the face is still to be found
_DOT, _RIM = "#ffe14d", "#14181d"
_QUALITY = 80  # of JPEG


class Peak(NamedTuple):
    """A frame in which one or more AUs of a face are strongest.

    Attributes:
        face: number of the face.
        seconds: time of the frame.
        aus: columns of the AUs, and how strongly each is there.
        box: (4,) x, y, width, height of the face in pixels; None where the table has none.
        landmarks: (N, 2) in pixels, likewise.
    """

    face: int
    seconds: float
    aus: dict[str, float]
    box: NDArray[np.float64] | None
    landmarks: NDArray[np.float64] | None


class Still(NamedTuple):
    """A picture of a peak."""

    peak: Peak
    jpeg: bytes
    size: tuple[int, int]  # width and height in pixels


class Seen(NamedTuple):
    """What the video itself shows."""

    stills: list[Still]
    cuts: NDArray[np.float64]  # seconds at which the picture cuts
    problem: str = ""  # why the video could not be read to its end


class _Crop(NamedTuple):
    """Part of a frame around a face."""

    peak: Peak
    image: Image.Image
    landmarks: NDArray[np.float64] | None  # (N, 2) in its pixels


def video_of(file: File, given: Iterable[Path]) -> Path | None:
    """The video or picture that a file is, if it is at hand.

    Args:
        file: that was read.
        given: videos that may be it: the one that has its name, or its name without suffix.
    """
    source = Path(unescaped(file.source))
    for candidate in given:
        if stem(source) == stem(candidate) and source.suffix in ("", candidate.suffix):
            return candidate
    folders = [Path()] if file.table is None else [Path(), file.table.parent]
    for folder in folders:
        for place in (folder / source, folder / source.name):
            if place.suffix.lower() in media.IMAGES | media.VIDEOS and isfile(place):
                return place
            if not source.suffix:  # OpenFace's tables are named after their video
                beside = (Path(f"{place}{end}") for end in sorted(media.VIDEOS))
                if there := next(filter(isfile, beside), None):
                    return there
    return None


def peaks(file: File, track: Track) -> list[Peak]:
    """Where each AU of a face that occurs is strongest, by time; AUs of one frame together."""
    strength = np.where(track.present == 1, np.nan_to_num(track.strength), -np.inf)
    best = strength.argmax(axis=0)
    found: dict[int, dict[str, float]] = {}
    for au, (name, frame) in enumerate(zip(file.aus, best.tolist(), strict=True)):
        if np.isfinite(strength[frame, au]):
            found.setdefault(frame, {})[name] = float(track.strength[frame, au])
    rows = file.frames.rows
    points = sum(str(name).startswith("x_") for name in rows)
    names = [f"{axis}_{i}" for i in range(points) for axis in "xy"]
    made = []
    for frame, aus in sorted(found.items()):
        row = rows.iloc[int(track.row[frame])]
        box = row.reindex(_BOX).to_numpy(float)
        landmarks = row.reindex(names).to_numpy(float).reshape(-1, 2)
        made.append(
            Peak(
                *(track.face, float(track.times[frame]), aus),
                box if np.isfinite(box).all() and (box[2:] > 0).all() else None,
                landmarks if points and np.isfinite(landmarks).all() else None,
            )
        )
    return made


def look(video: Path, file: File, wanted: Sequence[Peak], progress: Progress) -> Seen:
    """Go through a video once: pictures of peaks, and where it cuts.

    Landmarks that the table does not have are found by the default weights.

    Args:
        video: the file's own.
        file: whose times say which part of it was read.
        wanted: peaks by time, of whichever face.
        progress: is told how far it is.
    """
    crops: list[_Crop] = []
    cuts: list[float] = []
    problem = ""
    try:
        for frame, is_cut in _frames(video, file, progress):
            if is_cut:
                cuts.append(frame.seconds)
            while len(crops) < len(wanted) and _is_reached(
                wanted[len(crops)], frame.seconds, file.step
            ):
                crops.append(_crop(frame.image, wanted[len(crops)]))
    except MediaError as error:
        problem = str(error)
    return Seen([_drawn(crop) for crop in _with_landmarks(crops)], np.array(cuts), problem)


def _frames(video: Path, file: File, progress: Progress) -> Iterator[tuple[Frame, bool]]:
    """Frames of the part that was read, and whether each begins another shot."""
    start, end = float(file.times[0]), float(file.times[-1])
    half = file.step / 2
    span = media.Span(max(start - half, 0), end + half) if file.step else media.WHOLE
    is_cut = Cuts()
    with closing(media.frames(video, span=span)) as frames:
        for frame in frames:
            progress(video.name, (frame.seconds - start) / (end - start) if end > start else 1.0)
            yield frame, is_cut(thumbnail(frame.image))


def _is_reached(peak: Peak, seconds: float, step: float) -> bool:
    return peak.seconds <= seconds + step / 2 + 1e-6


def _crop(image: NDArray[np.uint8], peak: Peak) -> _Crop:
    """The face and what is around it; all of the frame, made smaller, if nobody knows where."""
    picture = Image.fromarray(image)
    box, landmarks = peak.box, peak.landmarks
    if box is None and landmarks is not None:
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        box = np.concatenate([low, high - low])
    if box is None:
        whole = min(_WHOLE / max(picture.size), 1.0)
        size = [max(round(edge * whole), 1) for edge in picture.size]
        return _Crop(peak, picture.resize((size[0], size[1])), None)
    side = max(float(box[2:].max()) * (1 + 2 * _MARGIN), 2.0)
    corner = np.round(box[:2] + box[2:] / 2 - side / 2)
    first = np.clip(corner, 0, None)
    last = np.minimum(corner + round(side), picture.size)
    if (last - first < 1).any():  # a box that lies outside of the picture
        return _crop(image, peak._replace(box=None, landmarks=None))
    scale = _SIDE / float((last - first).max())
    size = [max(round(float(edge) * scale), 1) for edge in last - first]
    cropped = picture.crop((*first.tolist(), *last.tolist())).resize((size[0], size[1]))
    moved = None if landmarks is None else (landmarks - first) * scale
    return _Crop(peak, cropped, moved)


def _with_landmarks(crops: Sequence[_Crop]) -> list[_Crop]:
    """Crops with the landmarks that the default weights find where they have none."""
    bare = [i for i, crop in enumerate(crops) if crop.landmarks is None]
    found = list(crops)
    if not bare:
        return found
    from actionunits.detect.predict import load

    readings = load("default").read([crops[i].image for i in bare], add=["landmarks"])
    for place, reading in zip(bare, readings, strict=True):
        if reading.faces and reading.landmarks is not None:  # else it is shown without
            crop = found[place]._replace(landmarks=reading.landmarks[0].astype(float))
            found[place] = crop if crop.peak.box is not None else _closer(crop)
    return found


def _closer(crop: _Crop) -> _Crop:
    """The face alone of a frame in which it had still to be found."""
    assert crop.landmarks is not None
    return _crop(np.asarray(crop.image), crop.peak._replace(landmarks=crop.landmarks))


def _drawn(crop: _Crop) -> Still:
    image = crop.image.convert("RGB")
    draw = ImageDraw.Draw(image)
    for x, y in [] if crop.landmarks is None else crop.landmarks.tolist():
        draw.circle((x, y), 1.9, fill=_RIM)
        draw.circle((x, y), 1.2, fill=_DOT)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Still(crop.peak, buffer.getvalue(), image.size)
