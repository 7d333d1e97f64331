"""One sequence of a data set: its pictures, decoded once and in order, become aligned faces."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from actionunits import media
from actionunits.data.prepared import METADATA, Lost, Shard
from actionunits.data.table import FACE_SIDE, POINTS
from actionunits.datasets.tracked import doubts
from actionunits.errors import MediaError
from actionunits.faces import templates
from actionunits.faces.align import FloatArray, transform, warp
from actionunits.faces.main_face import Finder, Points
from actionunits.files import atomic, seals, writing
from actionunits.types import Frame

QUALITY = 95  # of the JPEGs
_KEY = ["subject", "task", "frame"]
_CHUNK = 16  # frames in memory at a time, and of a row group


class Job(NamedTuple):
    """A sequence to prepare. It travels to the process that does it."""

    subject: str
    task: str
    file: Path
    """Shard to write."""
    shard: Shard
    """What it will say of itself, but for the frames that are lost."""
    rows: pd.DataFrame
    """Of a `RawTable`, numbered from 0."""
    columns: tuple[str, ...]
    """Of the labels."""
    landmarks: FloatArray | None
    """(N, 49, 2) in pixels of the pictures, NaN where there is none."""
    finder: Finder | None
    """Finds the points that are not there; None leaves those frames out."""


class _Picture(NamedTuple):
    row: int
    frame: Frame | None
    reason: str  # why there is no frame


class _Face(NamedTuple):
    row: int
    image: bytes
    landmarks: FloatArray | None  # (98,) in pixels of the crop
    found: bool  # they are not the data set's own


def checksum(
    root: Path,
    rows: pd.DataFrame,
    columns: Iterable[str],
    landmarks: FloatArray | None,
    finder: Finder | None,
) -> str:
    """Checksum of all that a shard is made from: frames, labels, landmarks and pictures.

    Pictures and videos are known by place below `root` and size, which the rest of an archive that
    was unpacked in part changes; the finder, where frames lack landmarks, by its name.
    """
    digest = hashlib.sha256()
    files = rows["file"].unique()
    for file in files:
        place = Path(os.path.relpath(file, root)).as_posix()
        digest.update(f"{place} {_size(file)}\n".encode())
    labels = rows[list(columns)].to_numpy(np.float32)
    number = pd.Series(range(len(files)), index=files)
    parts = [name for name in ("part",) if name in rows.columns]
    keys = rows[[*_KEY, "position", *parts]].assign(file=number[rows["file"]].to_numpy())
    digest.update(keys.to_csv(index=False).encode())
    digest.update(" ".join(columns).encode())
    digest.update(labels.tobytes())
    if landmarks is not None:
        digest.update(landmarks.astype(np.float32).tobytes())
    if finder is not None and (landmarks is None or not np.isfinite(landmarks).all()):
        digest.update(finder.name.encode())
    return digest.hexdigest()


def write(job: Job, report: Callable[[int], None]) -> None:
    """Align the faces of a sequence and write its shard, whole or not at all.

    What cannot be prepared is left out and listed in the shard.

    Args:
        job: the sequence.
        report: is told how many frames have been seen to; what it raises ends the work.

    Raises:
        UserError: the shard cannot be written.
    """
    template = job.shard.template
    find = None if job.finder is None else cache(job.finder.make)
    schema, lost, doubted, found = _schema(job), list[Lost](), list[Lost](), 0
    pictures, numbers = _pictures(job.rows), job.rows["frame"].tolist()

    def listed(reasons: dict[int, str]) -> list[Lost]:
        return [
            Lost(subject=job.subject, task=job.task, frame=numbers[row], reason=reason)
            for row, reason in reasons.items()
        ]

    packed = {name: "ZSTD" for name in schema.names} | {"image": "NONE"}
    packed["landmarks.list.element"] = packed.pop("landmarks")
    dictionary = ["subject", "task"]
    with writing(job.file), atomic(job.file) as temporary:
        with pq.ParquetWriter(
            temporary,
            schema,
            compression=packed,
            use_dictionary=dictionary,
            write_page_checksum=True,
        ) as writer:
            while chunk := list(islice(pictures, _CHUNK)):
                faces, gone, believed_not = _align(chunk, job.landmarks, find, template)
                lost += listed(gone)
                doubted += listed(believed_not)
                found += sum(face.found for face in faces)
                if faces:
                    writer.write_table(_table(job.rows, faces, schema))
                report(len(chunk))
            said = {"lost": tuple(lost), "doubted": tuple(doubted), "found": found}
            card = job.shard.model_copy(update=said).model_dump_json()
            writer.add_key_value_metadata({METADATA.decode(): card, seals.KEY: seals.BLANK})
        seals.seal(temporary)


def _align(
    chunk: list[_Picture],
    landmarks: FloatArray | None,
    find: Callable[[], Points] | None,
    template: str,
) -> tuple[list[_Face], dict[int, str], dict[int, str]]:
    """Align a few pictures.

    Returns:
        Faces; for each row without one the reason; for each row that was placed by found points,
        though it has its own, why those were not believed.
    """
    lost = {picture.row: picture.reason for picture in chunk if picture.frame is None}
    seen = {picture.row: picture.frame for picture in chunk if picture.frame is not None}
    own, doubted = _own(seen, landmarks)
    points, missing = dict(own), "no landmarks in the data set" if find is None else "no face found"
    unknown = [row for row in seen if row not in own]
    if find is not None and unknown:
        found = find()([seen[row] for row in unknown])
        points |= {
            row: each for row, each in zip(unknown, found, strict=True) if np.isfinite(each).all()
        }
    faces = []
    for row, frame in seen.items():
        if row not in points:
            lost[row] = doubted.get(row, missing)
            continue
        height, width = frame.image.shape[:2]
        if not ((points[row].mean(0) >= 0) & (points[row].mean(0) <= [width, height])).all():
            lost[row] = "its landmarks lie outside the picture"
            continue
        try:
            matrix = templates.place(points[row][None], template, FACE_SIDE)
        except ValueError:
            lost[row] = "its landmarks coincide or lie on one line"
            continue
        crop = warp(frame.image, matrix, FACE_SIDE)[0]
        whole = len(points[row]) == POINTS  # five are not worth keeping
        moved = transform(points[row], matrix[0]).reshape(-1) if whole else None
        image = media.encode_jpeg(crop, QUALITY)
        faces.append(_Face(row, image, moved, found=whole and row not in own))
    return faces, lost, {row: doubt for row, doubt in doubted.items() if row not in lost}


def _own(
    seen: dict[int, Frame], landmarks: FloatArray | None
) -> tuple[dict[int, FloatArray], dict[int, str]]:
    """Points by row that the data set brings, and why others that it brings are not believed."""
    if landmarks is None:
        return {}, {}
    rows = [row for row in seen if np.isfinite(landmarks[row]).all()]
    said = doubts([seen[row] for row in rows], landmarks[rows].astype(np.float64))
    doubted = {row: doubt for row, doubt in zip(rows, said, strict=True) if doubt}
    return {row: landmarks[row] for row in rows if row not in doubted}, doubted


def _pictures(rows: pd.DataFrame) -> Iterator[_Picture]:
    """The picture of every row, file by file, a video in its own order."""
    for file, part in rows.groupby("file", sort=False):
        name = str(file)
        if not Path(name).is_file():
            for row in part.index:
                yield _Picture(int(row), None, "no such file")
        elif media.is_still(name):
            for row in part.index:
                yield _still(int(row), name)
        else:
            yield from _video(name, part["position"])


def _still(row: int, file: str) -> _Picture:
    try:
        return _Picture(row, Frame(media.read_image(file), file, 0, 0.0), "")
    except MediaError as error:
        return _Picture(row, None, _reason(error, file))


def _video(file: str, positions: pd.Series) -> Iterator[_Picture]:
    wanted: dict[int, list[int]] = {}
    for row, position in positions.items():
        wanted.setdefault(int(position), []).append(int(str(row)))
    reason, number = "the video ends before its labels", 0
    try:
        with closing(media.frames(file, threads=1)) as frames:
            for frame in frames:
                for gone in range(number, frame.number):
                    for row in wanted.pop(gone, []):
                        yield _Picture(row, None, "it is damaged in its video")
                number = frame.number + 1
                for row in wanted.pop(frame.number, []):
                    yield _Picture(row, None if frame.doubt else frame, frame.doubt)
                if not wanted:
                    return
    except MediaError as error:
        reason = _reason(error, file)
    for rows in wanted.values():
        for row in rows:
            yield _Picture(row, None, reason)


def _reason(error: MediaError, file: str) -> str:
    """What is wrong, without the file, so that equal reasons can be counted."""
    return str(error).removeprefix(f"{file}: ")


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return -1


def _schema(job: Job) -> pa.Schema:
    part = [("part", pa.int8())] if "part" in job.rows.columns else []
    return pa.schema(
        [
            ("subject", pa.string()),
            ("task", pa.string()),
            ("frame", pa.int64()),
            *part,
            *((name, pa.float32()) for name in job.columns),
            ("image", pa.binary()),
            ("landmarks", pa.list_(pa.float32())),
            ("found", pa.bool_()),
        ]
    )


def _table(rows: pd.DataFrame, faces: list[_Face], schema: pa.Schema) -> pa.Table:
    mine = rows.loc[[face.row for face in faces]]
    made = {
        "image": [face.image for face in faces],
        "found": [face.found for face in faces],
        "landmarks": [
            None if face.landmarks is None else face.landmarks.astype(np.float32) for face in faces
        ],
    }
    columns = [
        pa.array(made.get(field.name, mine.get(field.name)), field.type, from_pandas=False)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
