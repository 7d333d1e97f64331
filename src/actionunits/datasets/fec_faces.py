"""Prepare FEC: get its pictures, align its faces, and keep the triplets that are whole."""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actionunits.data.table import FACE_SIDE
from actionunits.datasets.fec import FACE, PARTS, SHARDS, TRIPLETS, VERSION, VOTES, annotations
from actionunits.datasets.fetch import Missing, fetch, picture, unknown
from actionunits.datasets.room import FACE_BYTES, Need, check_room
from actionunits.errors import DataError, MediaError, counted
from actionunits.faces import templates
from actionunits.faces.align import FloatArray, warp
from actionunits.faces.detections import Detections, Detector
from actionunits.faces.synface import SynFace
from actionunits.files import alone, atomic, seals, writing
from actionunits.files.stored import NOT_PARQUET
from actionunits.media import encode_jpeg, read_image
from actionunits.types import Frame

DOWNLOADS, LOST, MALFORMED = "downloads", "lost.csv", "malformed.csv"
_CORNERS, _BOX = ["first", "second", "odd"], FACE[1:]
_SHARD = 250  # faces of a file: what an interruption costs at most
_PICTURE_BYTES = 200_000  # of a picture of the web
_ROOM = 0.5  # of the box at each side of it, for the detector
_SIDE = 320  # long side of what the detector searches
_OVERLAP = 0.2  # of the annotated box and the detected one, over their union
_QUALITY = 95  # of the JPEGs
_ROW_GROUP = 16  # faces that are read at once

_Get = Callable[[Iterable[str]], dict[str, Missing]]  # what could not be had of some addresses
Look = Callable[[Sequence[Frame], FloatArray], FloatArray]
"""N frames and the five points (N, 5, 2) of the face in each to its 49 landmarks (N, 49, 2)."""


class Prepared(NamedTuple):
    """What became of the data set."""

    faces: int
    """Aligned."""
    lost: pd.DataFrame
    """One row a face that is not there: `FACE` and ``reason``."""
    malformed: pd.DataFrame
    """One row a line of the tables that could not be read: ``file``, ``line``, ``reason``."""
    triplets: pd.DataFrame
    """One row a part: how many were ``listed``, on how many too few ``disagreed``, how many were
    ``broken`` for want of a face, and how many were ``kept``."""

    def lines(self) -> Iterator[str]:
        """The same in words."""
        for part, count in self.triplets.iterrows():
            yield (
                f"{part}: {count['kept']:,} of {count['listed']:,} triplets; annotators disagree "
                f"on {count['disagreed']:,}, {count['broken']:,} lack a face"
            )
        for name, table in (("faces lost", self.lost), ("lines malformed", self.malformed)):
            for reason, number in table["reason"].value_counts().items():
                yield f"{name}: {number:,}: {reason}"


class _Cut(NamedTuple):
    """What became of a face."""

    image: bytes | None  # JPEG
    reason: str | None  # why there is none
    final: bool  # whether to leave it at that the next time


class _Placing(NamedTuple):
    """How faces are placed."""

    template: str
    points: Callable[[Frame, FloatArray], FloatArray | None]
    """A picture and a box in it (x and y, low and high) to points of the face, None if there is
    none."""


def prepare_fec(
    root: Path,
    out: Path,
    *,
    images: Path | None = None,
    template: str = templates.CANONICAL,
    votes: int = VOTES,
    hosts: Collection[str] = (),
    threads: int = 4,
    detector: Detector | None = None,
    look: Look | None = None,
    console: Console | None = None,
) -> Prepared:
    """Write a folder of aligned faces and triplets that `actionunits.datasets.fec.read` reads.

    Many of the pictures have gone from the web. Faces that are not there are listed in ``lost.csv``
    and their triplets left out. The same call goes on where another was interrupted, and asks again
    for pictures that were out of reach, but not for those that are gone.

    Args:
        root: folder of the tables as they are handed out.
        out: folder to write.
        images: folder of the downloads, kept for the next time; one in `out` where not given.
        template: how faces are placed, one of `actionunits.faces.templates.list_templates`.
        votes: how many annotators must have found the odd face; more than half in any case.
        hosts: names of private networks that may be asked for pictures; others there are not.
        threads: pictures asked for at a time.
        detector: finds the five points of the faces; `SynFace` where not given.
        look: finds 49 landmarks for a template that needs them, such as
            `actionunits.detect.finder.close_look`; FEC brings none.
        console: where disk use and progress are shown; standard error by default.

    Returns:
        What became of the data set.

    Raises:
        DataError: the template needs landmarks and nobody finds them, the folder is of another
            template, the tables cannot be read, the votes never agree so far, or there is no room.
        UserError: something cannot be written, or another process prepares into the folder.
    """
    placing = _placing(root, template, detector or SynFace(threads=1), look)
    _claim(out, template)
    console = console or Console(stderr=True)
    images = images or out / DOWNLOADS
    listed = annotations(root)
    agreed = listed.agreed(votes)
    if not len(agreed):
        raise DataError(
            f"{root}: expected triplets whose odd face has {votes} votes, found at most "
            f"{listed.triplets['for'].max()}; ask for fewer"
        )
    used, numbers = np.unique(agreed[_CORNERS], return_inverse=True)
    faces = listed.faces.iloc[used].reset_index(drop=True)
    agreed[_CORNERS] = numbers.reshape(-1, 3)  # among the faces that are used
    _check_room(faces, out, images, console)
    with alone(out):
        get = partial(fetch, cache=images, hosts=hosts, threads=threads)
        reasons = _align_all(faces, out, images, get, placing, console)
        there = np.array([reason is None for reason in reasons], dtype=bool)
        lost = faces.assign(reason=np.array(reasons, dtype=object))[~there]
        for name, table in ((LOST, lost), (MALFORMED, listed.malformed)):
            with writing(out / name), atomic(out / name) as file:
                table.to_csv(file, index=False)
        whole = there[agreed[_CORNERS].to_numpy()].all(1)
        _write_triplets(agreed[whole], len(faces), template, out / TRIPLETS)
    counts = _counts(listed.triplets, agreed, agreed[whole])
    return Prepared(int(there.sum()), lost, listed.malformed, counts)


def _placing(root: Path, template: str, detector: Detector, look: Look | None) -> _Placing:
    needed = templates.needs_landmarks(template)
    if needed and look is None:
        raise DataError(
            f"{root}: the template {template} is placed by 49 landmarks and fec brings none; give "
            f"what finds them, or leave it at {templates.CANONICAL}"
        )

    closer = look if needed else None

    def points(part: Frame, box: FloatArray) -> FloatArray | None:
        five = _five(detector([part], _SIDE)[0], box)
        return five if five is None or closer is None else closer([part], five[None])[0]

    return _Placing(template, points)


def _claim(out: Path, template: str) -> None:
    """Refuse a folder of faces that are placed otherwise."""
    for file in out.glob(SHARDS):
        found = _template(file)
        if found not in {None, template}:
            raise DataError(
                f"{out} holds fec with the template {found}, not {template}; give another folder"
            )


def _template(file: Path) -> str | None:
    """How the faces of a shard are placed; None where it is damaged, and so will be made anew."""
    if not seals.is_whole_parquet(file):
        return None
    return (pq.read_schema(file).metadata or {}).get(b"template", b"").decode() or None


def _check_room(faces: pd.DataFrame, out: Path, images: Path, console: Console) -> None:
    """Say how much is still to be written, and refuse where it does not fit."""
    starts = range(0, len(faces), _SHARD)
    missing = [start for start in starts if not _shard_file(out, start).is_file()]
    new = sum(min(_SHARD, len(faces) - start) for start in missing)
    pictures = len(unknown(faces["url"], images))
    needs = [
        Need(out, f"{new:,} faces to align", new * FACE_BYTES),
        Need(images, f"{counted(pictures, 'picture')} to download", pictures * _PICTURE_BYTES),
    ]
    check_room(needs, console)


def _shard_file(out: Path, row: int) -> Path:
    """File that the face of this row belongs into."""
    return out / SHARDS.replace("*", f"{row // _SHARD:05d}")


def _align_all(
    faces: pd.DataFrame,
    out: Path,
    images: Path,
    get: _Get,
    placing: _Placing,
    console: Console,
) -> list[str | None]:
    """Write the shards; return for each face why it is not there, None where it is."""
    shown = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    reasons: list[str | None] = []
    files = set()
    with Progress(TextColumn("faces"), *shown, console=console) as progress:
        bar = progress.add_task("", total=len(faces))
        for start in range(0, len(faces), _SHARD):
            part = faces.iloc[start : start + _SHARD].reset_index(drop=True)
            file = _shard_file(out, start)
            files.add(file)
            earlier = _read_shard(file, part, placing.template)
            cuts = _repair(part, earlier, images, get, placing)
            if cuts != earlier:
                (out / TRIPLETS).unlink(missing_ok=True)  # from here on they may not be whole
                _write_shard(part, cuts, placing.template, file)
            reasons += [cut.reason for cut in cuts]
            progress.advance(bar, len(part))
    for file in set(out.glob(SHARDS)) - files:  # of an earlier preparation with more faces
        (out / TRIPLETS).unlink(missing_ok=True)
        file.unlink()
    return reasons


def _repair(
    faces: pd.DataFrame,
    earlier: list[_Cut | None],
    images: Path,
    get: _Get,
    placing: _Placing,
) -> list[_Cut]:
    """Align the faces that were not seen to in earlier runs."""
    wanted = faces[[cut is None or not cut.final for cut in earlier]]
    missing = get(wanted["url"])
    by_picture = [(str(url), rows) for url, rows in wanted.groupby("url", sort=False)]

    def cut(of: tuple[str, pd.DataFrame]) -> list[_Cut]:
        url, rows = of
        if url in missing:
            return [_Cut(None, *missing[url])] * len(rows)
        return _cut(picture(images, url), rows[_BOX].to_numpy(np.float64), placing)

    # reading pictures, detecting and aligning all leave the interpreter to others
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(cut, by_picture))
    new = {
        row: each
        for (_, rows), cuts in zip(by_picture, results, strict=True)
        for row, each in zip(rows.index, cuts, strict=True)
    }
    known = {row: each for row, each in enumerate(earlier) if each is not None} | new
    return [known[row] for row in range(len(faces))]


def _cut(file: Path, shares: FloatArray, placing: _Placing) -> list[_Cut]:
    """Aligned faces of one picture, of boxes (K, 4) left, right, top, bottom in shares of it."""
    try:
        image = read_image(file)
    except MediaError as error:
        reason = str(error).removeprefix(f"{file}: ")
        return [_Cut(None, reason, final=True)] * len(shares)
    height, width = image.shape[:2]
    ends = shares.reshape(-1, 2, 2) * np.array([[width], [height]])  # (K, x and y, low and high)
    room = _ROOM * (ends[..., 1] - ends[..., 0])
    limit = np.array([width, height])
    low = np.clip(np.floor(ends[..., 0] - room), 0, limit).astype(int)
    high = np.clip(np.ceil(ends[..., 1] + room), 0, limit).astype(int)
    cuts = []
    for box, (x0, y0), (x1, y1) in zip(ends, low, high, strict=True):
        if x1 - x0 < 2 or y1 - y0 < 2:
            cuts.append(_Cut(None, "its box lies outside the picture", final=True))
            continue
        part = Frame(np.ascontiguousarray(image[y0:y1, x0:x1]), str(file), 0, 0.0)
        origin = np.array([x0, y0])
        points = placing.points(part, box - origin[:, None])
        if points is None:
            cuts.append(_Cut(None, "no face found in its box", final=True))
            continue
        try:
            matrix = templates.place((points + origin)[None], placing.template, FACE_SIDE)
        except ValueError:
            cuts.append(_Cut(None, "its landmarks coincide or lie on one line", final=True))
            continue
        face = warp(image, matrix, FACE_SIDE)[0]
        cuts.append(_Cut(encode_jpeg(face, _QUALITY), None, final=True))
    return cuts


def _five(found: Detections, box: FloatArray) -> FloatArray | None:
    """Five points of the detected face that shares most with a box (x and y, low and high)."""
    low, size = found.boxes[:, :2], found.boxes[:, 2:]
    shared = np.minimum(low + size, box[:, 1]) - np.maximum(low, box[:, 0])
    common = shared.clip(0).prod(-1)
    overlap = common / (size.prod(-1) + (box[:, 1] - box[:, 0]).prod() - common)
    if not (overlap >= _OVERLAP).any():
        return None
    points: FloatArray = found.landmarks[overlap.argmax()]
    return points


def _read_shard(file: Path, faces: pd.DataFrame, template: str) -> list[_Cut | None]:
    """What became of these faces in earlier runs; None where that is not known."""
    if not seals.is_whole_parquet(file):
        return [None] * len(faces)
    try:
        table = pq.read_table(file, page_checksum_verification=True)
        placed = (table.schema.metadata or {}).get(b"template") == template.encode()
        same = placed and table.select(FACE).to_pandas().equals(faces)
        columns = [table[name].to_pylist() for name in _Cut._fields]
    except (*NOT_PARQUET, KeyError):  # damaged or something else: made anew
        return [None] * len(faces)
    return [_Cut(*row) for row in zip(*columns, strict=True)] if same else [None] * len(faces)


def _write_shard(faces: pd.DataFrame, cuts: list[_Cut], template: str, file: Path) -> None:
    types = {"image": pa.binary(), "reason": pa.string(), "final": pa.bool_()}
    columns = dict(zip(_Cut._fields, zip(*cuts, strict=True), strict=True))
    table = pa.Table.from_pandas(faces, preserve_index=False)
    table = table.replace_schema_metadata({"template": template})
    for name, kind in types.items():
        table = table.append_column(name, pa.array(columns[name], kind))
    packed = {name: "NONE" if name == "image" else "ZSTD" for name in table.column_names}
    with writing(file), atomic(file) as temporary:
        _write_sealed(table, temporary, _ROW_GROUP, packed)


def _write_triplets(triplets: pd.DataFrame, faces: int, template: str, file: Path) -> None:
    card = {"kind": "fec", "version": VERSION, "faces": faces, "template": template}
    table = pa.Table.from_pandas(triplets, preserve_index=False)
    with writing(file), atomic(file) as temporary:
        described = table.replace_schema_metadata({"actionunits": json.dumps(card)})
        _write_sealed(described, temporary, len(table) or 1, "ZSTD")


def _write_sealed(
    table: pa.Table, file: Path, group: int, compression: str | dict[str, str]
) -> None:
    with pq.ParquetWriter(
        file, table.schema, compression=compression, write_page_checksum=True
    ) as writer:
        writer.write_table(table, group)
        writer.add_key_value_metadata({seals.KEY: seals.BLANK})
    seals.seal(file)


def _counts(listed: pd.DataFrame, agreed: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    numbers = [
        rows["part"].value_counts().reindex(PARTS, fill_value=0) for rows in (listed, agreed, kept)
    ]
    return pd.DataFrame(
        {
            "listed": numbers[0],
            "disagreed": numbers[0] - numbers[1],
            "broken": numbers[1] - numbers[2],
            "kept": numbers[2],
        }
    )
