"""Events of one video, as they go into the files of coding programs."""

import mimetypes
import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from actionunits.files.names import unescaped
from actionunits.findings.frames import Frames, frame_time


class Event(NamedTuple):
    """One event.

    Attributes:
        start: milliseconds.
        end: milliseconds, after the start.
        value: intensity at the peak with two decimals, empty where the table has none.
    """

    start: int
    end: int
    value: str


class Track(NamedTuple):
    """Events of one AU of one face.

    Attributes:
        name: ``AU12``, or ``AU12 face 1`` where the video shows several faces.
        au: ``AU12``.
        face: number of the face.
        events: in the order of time, without overlaps.
    """

    name: str
    au: str
    face: int
    events: list[Event]


class Recording(NamedTuple):
    """One video.

    Attributes:
        media: path of the video as the table has it.
        length: milliseconds up to the end of its last row.
        fps: frames a second, 0 where there is one frame.
        tracks: also of AUs without events, since they were looked for.
    """

    media: str
    length: int
    fps: float
    tracks: list[Track]

    @property
    def name(self) -> str:
        """Name of the video without its folders."""
        return self.media.replace("\\", "/").rsplit("/", 1)[-1]

    def link(self, beside: Path) -> tuple[str, str]:
        """Address of the video, and its path from the folder of a file that names it.

        A video that is not where the table says is looked for beside that file.
        """
        folder = Path(os.path.abspath(beside)).parent
        path = Path(os.path.abspath(self.media))
        if not path.exists():
            path = folder / self.name
        return path.as_uri(), Path(os.path.relpath(path, folder)).as_posix()

    @property
    def kind(self) -> str:
        """MIME type by the name's suffix."""
        return mimetypes.guess_type(self.name)[0] or "unknown"


def recordings(events: pd.DataFrame, frames: Frames) -> list[Recording]:
    """Sort events by video and track.

    Args:
        events: of `findings.events`.
        frames: of which they are.
    """
    rows = frames.rows.assign(lasts=frame_time(frames.rows))
    made = []
    for media, part in rows.groupby("input", sort=False):
        seen = part[part["success"]]
        faces = sorted(int(face) for face in seen["face_id"].unique())
        own = events[events["input"] == media]
        many, aus = len(faces) > 1, frames.present.columns
        tracks = [_track(own, au, face, many, frames.graded) for face in faces for au in aus]
        ends = (part["timestamp"] + part["lasts"]).dropna()
        last = [event.end for track in tracks for event in track.events]
        lasts = part["lasts"].median()
        made.append(
            Recording(
                unescaped(str(media)),
                max([*last, *(ends.nlargest(1) * 1000).round().astype(int), 1]),
                round(1 / lasts, 3) if lasts > 0 else 0.0,
                tracks,
            )
        )
    return made


def _track(events: pd.DataFrame, au: str, face: int, many: bool, graded: bool) -> Track:
    own = events[(events["face_id"] == face) & (events["AU"] == au)].sort_values("onset")
    start = (own["onset"] * 1000).round().astype(int)
    end = (own["offset"] * 1000).round().astype(int).clip(lower=start + 1)
    told = graded & own["peak"].notna()
    value = own["peak"].map("{:.2f}".format).where(told, "")
    listed = zip(start.tolist(), end.tolist(), value.tolist(), strict=True)
    return Track(f"{au} face {face}" if many else au, au, face, [Event(*one) for one in listed])
