"""Small trees in the form in which data sets are handed out, from drawn faces.

A builder writes a tree and returns what a faithful reader finds in it: one row a frame in the order
subject, task, frame, with ``file``, ``position`` and the label columns, NaN where not coded. Tests
then spoil the tree as its users do: delete, rename, or `rewrite` a cell.

A face is a function of a row: `small_face` is 64 px and carries the signal of the labels; give
another one, such as a rendered face with its landmarks, where the picture matters.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import av
import h5py
import numpy as np
import pandas as pd
from PIL import Image
from scipy.io import savemat

from actionunits import aus
from actionunits.aus import AUSet
from actionunits.datasets.raw import RawTable
from builders import SIDE, landmarks49, picture

Face = Callable[[pd.Series], tuple[np.ndarray, np.ndarray]]
"""A row to its picture (H, W, 3) RGB uint8 and the 49 points (49, 2) in its pixels."""

KEY = ["subject", "task", "frame"]
BP4D_AUS = AUSet.of((1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24))
FERA_AUS = AUSet.of((1, 4, 6, 7, 10, 12, 14, 15, 17, 23))
FERA_INTENSITY = AUSet.of((1, 4, 6, 10, 12, 14, 17))
STRANGE = (11, 13, 16, 18)  # AUs in the tables that the library does not know
PORTRAIT = (0.34, 0.54, 0.12, 0.42)  # left, right, top, bottom of the face in `demo.photograph`
_SHRINK = 4
_LOST = np.zeros((0, 0))  # what a tracker has of a face that it lost


def small_face(row: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Draw a 64 px stand-in whose patches carry the labels; the same row gives the same picture."""
    levels = np.zeros(len(aus.ALL))
    for place, au in enumerate(aus.ALL):
        coded = row.get(f"{au.column}_intensity", 3 * row.get(au.column, 0.0))
        levels[place] = 0 if np.isnan(coded) else coded
    name = f"{row['subject']}{row['task']}".encode()
    base = np.array([30 + sum(name) % 60, 40 + name[-1] % 30, 50.0])
    drawn = picture(levels, base, np.random.default_rng(int(row["frame"])))
    return drawn[::_SHRINK, ::_SHRINK], landmarks49() / _SHRINK


SMALL = SIDE // _SHRINK


def bp4d(
    root: Path,
    subjects: Iterable[str] = ("F001", "F003", "F004", "M001"),
    tasks: Iterable[str] = ("T1", "T2"),
    frames: int = 3,
    *,
    tables: str = "AUCoding/AU_OCC",
    levels: str | None = "AUCoding/AU_INT",
    pictures: str = "2D+3D",
    digits: int = 4,
    fera: bool = False,
    landmarks: bool = False,
    face: Face = small_face,
    seed: int = 0,
) -> pd.DataFrame:
    """Write a tree of BP4D's form.

    Args:
        root: folder to fill.
        subjects: as their files are to be named.
        tasks: of each subject.
        frames: coded in each sequence; the pictures go on for two more at either end.
        tables: folder of the occurrence tables.
        levels: folder of the intensity files; None: there are none.
        pictures: folder of the subjects' folders.
        digits: to which the names of the pictures are padded.
        fera: columns for AUs 1 to 46 without gaps, 9 where not coded, then one for occlusion.
        landmarks: of all pictures, coded or not, in ``2DFeatures`` as MATLAB 7.3 writes them; the
            last coded face of each sequence is lost to the tracker.
        face: draws the pictures.
        seed: same seed, same codes.
    """
    rows = _rows(subjects, tasks, frames, first=720, seed=seed)
    _write_tables(root / tables, rows, fera)
    if levels is not None:
        _write_levels(root / levels, rows)
    else:
        rows = rows.drop(columns=_level_columns())
    rows["file"] = _write_pictures(root / pictures, rows, face, shift=0, digits=digits)
    if landmarks:
        for (subject, task), part in rows.groupby(["subject", "task"]):
            seen = [_LOST, _LOST, *_tracked(part, face), _LOST, _LOST]
            write_newer_fit(root / f"2DFeatures/{subject}_{task}.mat", {"pred": seen})
    return rows


def fera2017(
    root: Path,
    subjects: Iterable[str] = ("F001", "F003", "F004"),
    tasks: Iterable[str] = ("T1", "T2"),
    frames: int = 4,
    *,
    tables: str = "occ",
    levels: str | None = "int",
    videos: str = "ims",
    first: int = 1,
    face: Face = small_face,
    seed: int = 0,
) -> pd.DataFrame:
    """Write a tree of the form of FERA 2017's training part.

    Args:
        root: folder to fill.
        subjects: as their files are to be named.
        tasks: of each subject.
        frames: coded in each sequence; the videos end with the codes.
        tables: folder of the occurrence tables.
        levels: folder of the intensity files; None: there are none.
        videos: folder of the videos, of views 5 and 6.
        first: number of the first frame of each table.
        face: draws the pictures; view 5 sees them mirrored.
        seed: same seed, same codes.
    """
    keys = [(s, t, first + f) for s in subjects for t in tasks for f in range(frames)]
    rows, rng = pd.DataFrame(keys, columns=KEY), np.random.default_rng(seed)
    columns = [f"{column}_intensity" for column in FERA_INTENSITY.columns()]
    rows[FERA_AUS.columns()] = _codes(len(rows), len(FERA_AUS), 1, rng)
    rows[columns] = _codes(len(rows), len(columns), 5, rng)
    rows.loc[rng.random(len(rows)) < 1 / 3, ["AU07", "AU14_intensity"]] = np.nan
    if levels is None:
        rows, columns = rows.drop(columns=columns), []
    for (subject, task), part in rows.groupby(["subject", "task"]):
        name, codes = f"FERA17_TR_{subject}_{task}", part.fillna(9)
        table = codes[["frame", *FERA_AUS.columns()]].set_axis([0, *FERA_AUS.numbers], axis=1)
        _write_csv(root / tables / f"{name}.csv", table, header=True)
        for column in columns:
            file = root / str(levels) / f"{name}_{column[:4]}_Int.csv"
            _write_csv(file, codes[["frame", column]])
        images = [face(row)[0] for _, row in part.iterrows()]
        write_video(root / videos / f"{name}_6.mp4", images)
        write_video(root / videos / f"{name}_5.mp4", [image[:, ::-1] for image in images])
        rows.loc[part.index, "file"] = str(root / videos / f"{name}_6.mp4")
    return rows.assign(position=rows["frame"] - first)


def bp4d_plus(
    root: Path,
    subjects: Iterable[str] = ("F001", "F002", "F003", "M001"),
    tasks: Iterable[str] = ("T1", "T6"),
    frames: int = 3,
    *,
    face: Face = small_face,
    seed: int = 0,
) -> pd.DataFrame:
    """Write a tree of BP4D+'s form: the picture of frame f is f - 1, landmarks in ``2DFeatures``.

    The face of the last frame of each sequence is lost to the tracker.
    """
    rows = _rows(subjects, tasks, frames, first=31, seed=seed)
    _write_tables(root / "AUCoding/AU_OCC", rows, fera=False)
    _write_levels(root / "AUCoding/AU_INT", rows)
    rows["file"] = _write_pictures(root / "2D+3D", rows, face, shift=-1, digits=4)
    for (subject, task), part in rows.groupby(["subject", "task"]):
        fields = {"frame": part["frame"].tolist(), "pts_2d": _tracked(part, face)}
        _write_fit(root / f"2DFeatures/{subject}_{task}.mat", fields)
    return rows


def disfa(
    root: Path,
    subjects: Iterable[str] = ("SN001", "SN003", "SN006"),
    frames: int = 4,
    *,
    labels: str = "ActionUnit_Labels",
    videos: str = "Videos_{}Camera",
    landmarks: str | None = "tmp_frame_lm/{subject}_{frame:04d}_lm.mat",
    pictures: str | None = None,
    face: Face = small_face,
    seed: int = 0,
) -> pd.DataFrame:
    """Write a tree of DISFA's form; the rows returned are those of the left camera.

    Args:
        root: folder to fill.
        subjects: as their files are to be named.
        frames: coded of each; the videos go on for two more.
        labels: folder of the label files.
        videos: folder of the videos, with a place for the camera.
        landmarks: name of a landmark file below the subject's folder; None: there are none.
        pictures: name of a picture of the left camera, with places for the subject and for the
            number of the frame, ``zero`` or ``one`` by where it counts from; None: videos.
        face: draws the pictures; the right camera sees them mirrored.
        seed: same seed, same codes.
    """
    rng = np.random.default_rng(seed)
    keys = [(s, "left", f) for s in subjects for f in range(1, frames + 3)]
    rows = pd.DataFrame(keys, columns=KEY)
    columns = [f"{column}_intensity" for column in aus.DISFA12.columns()]
    rows[columns] = _codes(len(rows), len(columns), 5, rng)
    coded = []
    for subject, seen in rows.groupby("subject", sort=False):
        part = seen[:frames].copy()
        for au, column in zip(aus.DISFA12, columns, strict=True):
            file = root / labels / subject / f"{subject}_au{au.number}.txt"
            _write_csv(file, part[["frame", column]])
        faces = [face(row) for _, row in seen.iterrows()]
        left = root / videos.format("Left") / f"LeftVideo{subject}_comp.avi"
        right = root / videos.format("Right") / f"RightVideo{subject}_Comp.avi"
        shown = [str(left)] * frames
        if pictures is None:
            write_video(left, [image for image, _ in faces])
        else:
            names = [pictures.format(subject=subject, zero=n, one=n + 1) for n in range(len(faces))]
            for name, (image, _) in zip(names, faces, strict=True):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(root / name, quality=95)
            shown = [str(root / name) for name in names[:frames]]
        write_video(right, [image[:, ::-1] for image, _ in faces])
        for number, (_, points) in enumerate(faces[:frames]):
            if landmarks is not None:
                name = landmarks.format(subject=subject, frame=number)
                file = root / "Landmark_Points" / subject / name
                file.parent.mkdir(parents=True, exist_ok=True)
                # Its tracker has the jaw besides, and counts pixels from 1.
                jaw = np.linspace((1, 1), (SMALL, 1), 17)
                savemat(file, {"pts": np.concatenate([jaw, points + 0.5])})
        position = part["frame"] - 1 if pictures is None else 0
        coded.append(part.assign(file=shown, position=position))
    return pd.concat(coded, ignore_index=True)


def fec(root: Path, train: Sequence[list[str]], test: Sequence[list[str]]) -> Path:
    """Write the two tables of FEC, of lines of `fec_line`, and return their folder."""
    root.mkdir(exist_ok=True, parents=True)
    for part, rows in (("train", train), ("test", test)):
        name = root / f"faceexp-comparison-data-{part}-public.csv"
        with name.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return root


def fec_line(
    urls: Sequence[str], kind: str, votes: str, box: tuple[float, ...] = PORTRAIT
) -> list[str]:
    """A line of a table of FEC: three pictures with the same box; `votes` has a digit a person."""
    cells = [str(cell) for url in urls for cell in (url, *box)]
    people = [cell for person, vote in enumerate(votes) for cell in (f"{70 + person}", vote)]
    return [*cells, kind, *people]


def affectnet(root: Path, folders: Mapping[str, int], pictures: int = 3) -> Path:
    """Write pictures of each class in a shade of its own; `folders` gives the class of each."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for folder, label in folders.items():
            path = root / part / folder
            path.mkdir(parents=True)
            for number in range(pictures):
                shade = 30 * label + rng.integers(0, 10, (40, 40, 3))
                Image.fromarray(shade.astype(np.uint8)).save(path / f"{number}.png")
    return root


def write_video(file: Path, images: list[np.ndarray], rate: int = 20) -> None:
    """Write (H, W, 3) RGB uint8 pictures as a video of small losses."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mjpeg", rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj444p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_newer_fit(file: Path, fields: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write the struct array ``fit`` as MATLAB 7.3 does: HDF5 behind a header of its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(file, "w", userblock_size=512) as stored:
        for name, values in fields.items():
            references = []
            for place, value in enumerate(values):
                kept = np.array(value.shape, np.uint64) if not value.size else value.T
                entry = stored.create_dataset(f"#refs#/{name}{place}", data=kept)
                if not value.size:
                    entry.attrs["MATLAB_empty"] = 1
                references.append([entry.ref])
            if len(values) == 1:
                stored[f"fit/{name}"] = values[0].T
            else:
                stored.create_dataset(f"fit/{name}", data=references, dtype=h5py.ref_dtype)
    with file.open("r+b") as header:
        header.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def assert_same(table: RawTable, truth: pd.DataFrame) -> None:
    """Check that a reader found all that a builder wrote, and nothing else."""
    assert table.label_columns() == [c for c in truth.columns if c.startswith("AU")]
    columns = [*KEY, "file", "position", *table.label_columns()]
    found, expected = table.rows[columns], truth[columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_index_type=False)


def rewrite(file: Path, line: int, cell: int, value: object) -> None:
    """Replace one cell of a table; lines and cells are counted from 0."""
    lines = file.read_text().splitlines()
    cells = lines[line].split(",")
    cells[cell] = str(value)
    lines[line] = ",".join(cells)
    file.write_text("\n".join(lines) + "\n")


def _rows(
    subjects: Iterable[str], tasks: Iterable[str], frames: int, first: int, seed: int
) -> pd.DataFrame:
    """Draw codes; of AU 5 a third is not coded, and so are AU 17's intensities."""
    rng = np.random.default_rng(seed)
    keys = [(s, t, first + f) for s in subjects for t in tasks for f in range(frames)]
    rows = pd.DataFrame(keys, columns=KEY)
    rows[BP4D_AUS.columns()] = _codes(len(rows), len(BP4D_AUS), 1, rng)
    columns = _level_columns()
    rows[columns] = _codes(len(rows), len(columns), 5, rng)
    rows.loc[rng.random(len(rows)) < 1 / 3, ["AU05", "AU17_intensity"]] = np.nan
    return rows.assign(position=0)


def _codes(rows: int, columns: int, top: int, rng: np.random.Generator) -> np.ndarray:
    """Draw codes of 0 to `top`; faces are more or less lively, so that AUs go together."""
    return rng.binomial(top, rng.random((rows, 1)), (rows, columns)).astype(float)


def _level_columns() -> list[str]:
    return [f"{column}_intensity" for column in aus.BP4D_INTENSITY5.columns()]


def _write_tables(folder: Path, rows: pd.DataFrame, fera: bool) -> None:
    rng = np.random.default_rng(1)
    codes = rows[BP4D_AUS.columns()].rename(columns=lambda column: int(column[2:])).fillna(9)
    if fera:
        codes = codes.reindex(columns=range(1, 47), fill_value=9).assign(**{"100": 0})
        codes["100"] = rng.integers(0, 2, len(codes))  # occlusion
    else:
        for number in STRANGE:
            codes[number] = rng.choice([0, 1, 9, 999], len(codes))
        codes = codes[sorted(codes.columns)]
    codes.insert(0, "0", rows["frame"])
    for (subject, task), part in codes.groupby([rows["subject"], rows["task"]]):
        _write_csv(folder / f"{subject}_{task}.csv", part, header=True)


def _write_levels(folder: Path, rows: pd.DataFrame) -> None:
    for (subject, task), part in rows.fillna(9).groupby(["subject", "task"]):
        for column in _level_columns():
            au = column[:4]
            file = folder / au / f"{subject}_{task}_{au}.csv"
            _write_csv(file, part[["frame", column]])


def _write_pictures(
    folder: Path, rows: pd.DataFrame, face: Face, shift: int, digits: int
) -> list[str]:
    """Write the pictures of coded frames and, as many more are, two at either end."""
    files = []
    for (subject, task), part in rows.groupby(["subject", "task"], sort=False):
        inside = folder / subject / task
        inside.mkdir(parents=True)
        for _, row in part.iterrows():
            files.append(str(inside / f"{row['frame'] + shift:0{digits}d}.jpg"))
            Image.fromarray(face(row)[0]).save(files[-1], quality=95)
        blank = Image.new("RGB", (SMALL, SMALL))
        for number in (-2, -1, len(part), len(part) + 1):
            blank.save(inside / f"{part['frame'].iloc[0] + number + shift:0{digits}d}.jpg")
    return files


def _tracked(part: pd.DataFrame, face: Face) -> list[np.ndarray]:
    """Points as the tracker left them: pixels counted from 1, the last face lost."""
    return [*(face(row)[1] + 0.5 for _, row in part[:-1].iterrows()), _LOST]


def _write_fit(file: Path, fields: Mapping[str, Sequence[object]]) -> None:
    """Write the fields of a tracker's entries."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fit = np.empty(len(next(iter(fields.values()))), [(name, object) for name in fields])
    for name, values in fields.items():
        for place, value in enumerate(values):
            fit[name][place] = value
    savemat(file, {"fit": fit})


def _write_csv(file: Path, rows: pd.DataFrame, header: bool = False) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.astype(int).to_csv(file, header=header, index=False)
