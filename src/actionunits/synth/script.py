"""The script of a corpus: which subjects do which tasks, and the exact labels of every frame.

Everything here follows from a few settings and a seed, without assets and without a picture.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from actionunits.aus import RENDERED
from actionunits.errors import DataError, first_fault
from actionunits.synth.picture.hidden import REGIONS
from actionunits.synth.prototypes import PROGRAMMES
from actionunits.synth.sample import (
    Performance,
    draw_performance,
    intensity,
    stream,
)

PARTS = 3  # subject-exclusive; fold k tests part 4 - k
VERSION = 2  # of the renderer: another one gives other people, labels and pictures
POSE, GAZE = ("yaw", "pitch", "roll"), ("gaze_yaw", "gaze_pitch")
SCHEMA = pa.schema(
    [
        ("subject", pa.string()),
        ("task", pa.string()),
        ("frame", pa.int32()),  # from 1, in the whole performance
        ("seconds", pa.float64()),
        ("part", pa.int32()),
        ("image", pa.binary()),  # JPEG, RGB, aligned
        *((column, pa.float32()) for column in RENDERED.columns()),  # 0..5
        ("sides", pa.list_(pa.float32())),  # of each AU: the subject's right, then the left, 0..5
        ("landmarks", pa.list_(pa.float32())),  # x0 y0 x1 y1 ... of 49 points in pixels
        # degrees: of the head, its roll as the aligned picture shows it; gaze within the head
        *((angle, pa.float32()) for angle in (*POSE, *GAZE)),
        ("hidden", pa.list_(pa.float32())),  # share of each of `hidden.REGIONS` that is not seen
    ]
)
TASK_NAMES = tuple(f"T{number}" for number in range(1, 9))  # every programme has eight
_EXPRESSIVITY = (0.8, 1.2)  # factor on a subject's intensities
_TASK_STEPS = (0, 3, 1, 6, 4, 7, 2, 5)  # subjects who do fewer than 8 tasks do all pairs alike
_SUBJECT, _TASK, _FRAMES = range(3)  # first key of the random streams


@dataclass(frozen=True)
class CorpusSettings:
    """Everything that a corpus follows from, save the assets.

    Raises:
        DataError: a setting is out of range.
    """

    subjects: int
    tasks: int = len(TASK_NAMES)  # each subject does this many of the eight
    frames: int = 24  # of one subject in one task
    span: int | None = None  # draw the frames at random from a performance this long
    fps: float = 6.0
    seed: int = 0
    size: int = 256  # pixels
    quality: int = 92  # of the JPEG images
    independence: float = 0.2  # share of random combinations, see `draw_performance`
    programme: str = "elicited"  # of PROGRAMMES: what the tasks are
    name: str = "synfacs"

    def __post_init__(self) -> None:
        """Name the first setting that is out of range."""
        longest = 100_000
        ranges: dict[str, tuple[float, float]] = {
            "subjects": (1, longest),
            "tasks": (1, len(TASK_NAMES)),
            "frames": (1, longest),
            "span": (self.frames, longest),
            "fps": (0.1, 1000.0),
            "seed": (0, 2**63),
            "size": (32, 1024),
            "quality": (1, 100),
            "independence": (0.0, 1.0),
        }
        if self.programme not in PROGRAMMES:
            expected = ", ".join(PROGRAMMES)
            raise DataError(f"programme must be one of {expected}, got {self.programme!r}")
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise DataError(f"{name} must be in {low:g}..{high:g}, got {value:g}")

    @property
    def total(self) -> int:
        """Number of frames of the corpus."""
        return self.subjects * self.tasks * self.frames


MINI = CorpusSettings(
    name="synfacs-mini",
    subjects=30,
    tasks=4,
    frames=26,
    fps=6.0,
    seed=2017,  # one for which the 18 AUs of `ALL` occur in at least 5 % of each part's frames
    quality=95,  # `pack` re-encodes it to fit the package
    independence=0.15,
)
TRAIN = CorpusSettings(
    name="synfacs-train",
    subjects=1000,  # many people, few pictures of each: identity is what must not be learned
    tasks=8,
    frames=3,
    span=150,
    fps=6.0,
    seed=1978,
    size=128,
    independence=0.5,
)
MOTION = CorpusSettings(
    name="synfacs-motion",
    subjects=45,
    tasks=4,
    frames=60,  # four seconds, in which an expression comes and goes
    fps=15.0,
    seed=2023,  # one for which the 18 AUs of `ALL` occur in at least 6 % of each part's frames
    size=128,
    independence=0.15,
)
PEOPLE = CorpusSettings(
    name="synfacs-people",
    subjects=32_000,  # 256,000 pictures
    tasks=8,
    frames=1,  # every picture has its own light, camera and background
    span=150,
    fps=6.0,
    seed=2032,
    size=128,
    independence=0.2,
    programme="people",
)
CLIPS = replace(
    PEOPLE,
    name="synfacs-clips",
    subjects=4_000,  # 256,000 pictures: short clips of many people
    tasks=4,
    frames=16,
    span=None,
    fps=15.0,
    seed=2033,
)
PRESETS = {"mini": MINI, "train": TRAIN, "motion": MOTION, "people": PEOPLE, "clips": CLIPS}


class Take(NamedTuple):
    """One subject in one task, as the camera keeps it."""

    task: str
    numbers: np.ndarray  # (T,) frame numbers from 1 in the whole performance
    performance: Performance  # T frames
    rng: np.random.Generator  # for what the picture needs beyond the labels


def subject_name(subject: int) -> str:
    """Name of the subject at a 0-based position: ``S001``."""
    return f"S{subject + 1:03d}"


def subject_part(subject: int) -> int:
    """Part 1..3 of the subject at a 0-based position."""
    return subject % PARTS + 1


def subject_rng(settings: CorpusSettings, subject: int) -> np.random.Generator:
    """Source of chance for a subject's looks."""
    return stream(settings.seed, _SUBJECT, subject, 1)


def takes(settings: CorpusSettings, subject: int) -> list[Take]:
    """What the subject at a 0-based position does, task by task."""
    low, high = _EXPRESSIVITY
    expressivity = low + (high - low) * float(stream(settings.seed, _SUBJECT, subject, 0).random())
    chosen = sorted((subject + step) % len(TASK_NAMES) for step in _TASK_STEPS[: settings.tasks])
    return [_take(settings, subject, task, expressivity) for task in chosen]


def _take(settings: CorpusSettings, subject: int, task: int, expressivity: float) -> Take:
    length = settings.span or settings.frames
    whole = draw_performance(
        stream(settings.seed, _TASK, subject, task),
        PROGRAMMES[settings.programme][task],
        length,
        settings.fps,
        independence=settings.independence,
        expressivity=expressivity,
    )
    rng = stream(settings.seed, _FRAMES, subject, task)
    kept = np.sort(rng.permutation(length)[: settings.frames])
    return Take(TASK_NAMES[task], kept + 1, Performance(*(track[kept] for track in whole)), rng)


def take_labels(subject: int, take: Take) -> dict[str, np.ndarray]:
    """Columns of `SCHEMA` that need no picture, (T,) each; `sides` are (T, 48)."""
    au = intensity(take.performance.au).astype(np.float32)
    angles = np.hstack([take.performance.pose, take.performance.gaze]).astype(np.float32)
    sides = take.performance.au.reshape(len(au), -1)
    count = len(take.numbers)
    return {
        "subject": np.full(count, subject_name(subject)),
        "task": np.full(count, take.task),
        "frame": take.numbers.astype(np.int32),
        "seconds": take.performance.seconds,
        "part": np.full(count, subject_part(subject), dtype=np.int32),
        **dict(zip(RENDERED.columns(), au.T, strict=True)),
        "sides": sides.astype(np.float32),
        **dict(zip((*POSE, *GAZE), angles.T, strict=True)),
    }


def corpus_labels(settings: CorpusSettings, subjects: Iterable[int] | None = None) -> pd.DataFrame:
    """Labels of a corpus before it is rendered, one row a frame.

    Args:
        settings: Of the corpus.
        subjects: 0-based positions of the subjects wanted, all by default.
    """
    wanted = range(settings.subjects) if subjects is None else subjects
    labels = [take_labels(s, take) for s in wanted for take in takes(settings, s)]
    columns = {name: np.concatenate([part[name] for part in labels]) for name in labels[0]}
    return pd.DataFrame(columns | {"sides": list(columns["sides"])})


def describe(settings: CorpusSettings) -> dict[str, Any]:
    """What a corpus says of itself, in its Parquet metadata and in ``corpus.json``."""
    return {
        "name": settings.name,
        "version": VERSION,
        "aus": list(RENDERED.numbers),
        "regions": list(REGIONS),
        "seed": settings.seed,
        "license": "CC0-1.0",
        "coding": "intensity",
        "settings": asdict(settings),
    }


def schema_of(settings: CorpusSettings) -> pa.Schema:
    """`SCHEMA` with the description of this corpus."""
    return SCHEMA.with_metadata({"actionunits": json.dumps(describe(settings))})


def settings_from(description: dict[str, Any]) -> CorpusSettings:
    """Settings of the corpus that describes itself so.

    Raises:
        DataError: it was described by another version of the library.
    """
    known = {field.name for field in fields(CorpusSettings)}
    settings = description.get("settings")
    if (
        description.get("version") != VERSION
        or not isinstance(settings, dict)
        or {*settings} != known
    ):
        raise DataError(
            "the corpus was rendered by another version of actionunits; "
            "render into a new folder instead"
        )
    try:
        return TypeAdapter(CorpusSettings).validate_python(settings)
    except ValidationError as error:
        raise DataError(
            f"the settings of the corpus are damaged ({first_fault(error)}); render into a new "
            "folder instead"
        ) from None
