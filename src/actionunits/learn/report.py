"""What an evaluation found, as a value: printed, written as JSON, turned into a table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    computed_field,
    model_validator,
)
from rich import box
from rich.table import Table

from actionunits.aus import AUSet, Numbers
from actionunits.errors import counted
from actionunits.learn.face_metrics import BESIDES, FAILURE
from actionunits.learn.recipe import Rule
from actionunits.types import Coding

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
Ends = Annotated[list[Number], Field(min_length=2, max_length=2)]

HEADINGS = {  # what the terminal calls the scores, in its order
    "f1": "F1",
    "f1_calibrated": "cal.",
    "accuracy": "Acc.",
    "auc": "AUC",
    "icc": "ICC",
    "mae": "MAE",
}
LANDMARK_ERROR, LANDMARK_FAILURE = "landmark_error", "landmark_failure"
TRAINED_ON = "TRAINED ON THESE"
"""Stands in the title and with every table of scores on people who were trained on."""
ONE_SUBJECT = "no intervals: one subject tells nothing of others"
SELECTION = {
    "last": "weights of the last epoch",
    "inner": "epoch chosen on held-out training subjects",
    "best_on_test": "epoch CHOSEN ON THESE TEST SUBJECTS",
}


class Score(BaseModel):
    """One kind of score: per AU, its mean over the AUs, and 95 % intervals over subjects."""

    model_config = ConfigDict(frozen=True)

    per_au: list[Number]
    """(A,); NaN where the labels do not allow the score, see `actionunits.learn.metrics`."""
    mean: Number
    """Over the AUs that have the score."""
    intervals: list[Ends] = []
    """(A, 2) lower and upper ends; empty when they were not asked for."""
    mean_interval: Ends = [math.nan, math.nan]


class _Scored(BaseModel):
    """What all reports say of the samples and of the weights."""

    model_config = ConfigDict(frozen=True)

    title: str
    selection: Rule
    """Rule that chose the weights, see `SelectionSpec`."""
    trained_on: tuple[str, ...] = ()
    """People who are scored here and whom the weights were trained on: not a test of anything."""
    left_out: tuple[str, ...] = ()
    """People of these samples who are not scored, since the weights were trained on them."""
    people_known: bool = True
    """Whether it is known whom the weights were trained on."""


class Report(_Scored):
    """Scores of one model on one set of frames."""

    aus: Annotated[Numbers, Field(min_length=1)]
    subjects: tuple[str, ...]
    frames: int
    thresholds: tuple[float, ...]
    """(A,) probabilities of ``f1_calibrated``; the other scores use 0.5, as the papers do."""
    scores: dict[str, Score]
    """``f1``, ``f1_calibrated``, ``accuracy``, ``auc``; with intensities ``icc`` and ``mae``."""
    confusion: list[list[Annotated[list[int], Field(min_length=4, max_length=4)]]]
    """(S, A, 4) true positives, false positives, false negatives, true negatives at 0.5."""
    uncoded: Numbers = ()
    """FACS numbers of the model's other AUs, which the frames do not code: no score is of them."""
    template: str = "canonical"
    """How the faces are placed, see `actionunits.faces.templates`."""
    coding: Coding | None = None
    """Of the labels; None in reports that do not say."""
    occurs_from: float | None = None
    """An AU occurs from this intensity on; None where occurrence is coded."""
    lost: int = 0
    """Frames of these subjects that the data set lists and that could not be prepared."""
    found: int = 0
    """Frames whose landmarks are not the data set's own: a model found them."""
    landmarks: dict[str, Score] = {}
    """Of the face as a whole, so means only: `LANDMARK_ERROR` and `LANDMARK_FAILURE`, both in per
    cent as in `LandmarkError`, over the faces with landmarks of the data set's own; NaN where there
    are none, empty for models that predict no landmarks."""
    besides: dict[str, Score] = {}
    """Means only, see `BesidesError`; empty where the model or the data set does not tell."""

    @model_validator(mode="after")
    def _fit(self) -> "Report":
        count = len(self.aus)
        scored = all(
            len(score.per_au) == count and len(score.intervals) in {0, count}
            for score in self.scores.values()
        )
        tallied = np.shape(self.confusion) == (len(self.subjects), count, 4)
        if not (scored and tallied and len(self.thresholds) == count and "f1" in self.scores):
            people = counted(len(self.subjects), "subject")
            raise ValueError(f"the scores are not of {counted(count, 'AU')} and {people}")
        if self.landmarks and not {LANDMARK_ERROR, LANDMARK_FAILURE} <= self.landmarks.keys():
            raise ValueError("the scores of the landmarks are not whole")
        if self.besides and self.besides.keys() != {*BESIDES}:
            raise ValueError("the scores of pose, gaze and sides are not whole")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def f1_always(self) -> Score:
        """F1 of who says of every frame that the AU is present; NaN without a positive frame."""
        counts = np.array(self.confusion, dtype=np.float64).sum(0)  # (A, 4)
        positive = counts[:, 0] + counts[:, 2]
        f1 = np.where(positive > 0, 2 * positive / np.maximum(positive + counts.sum(1), 1), np.nan)
        mean = math.nan if np.isnan(f1).all() else float(np.nanmean(f1))
        return Score(per_au=f1.tolist(), mean=mean)

    def to_frame(self) -> pd.DataFrame:
        """One row an AU and a last one for the mean: support, scores, ends of their intervals."""
        counts = np.array(self.confusion)
        positive = counts[..., 0] + counts[..., 2]  # (S, A)
        columns: dict[str, list[Any]] = {
            "frames": [*counts.sum((0, 2)), self.frames],
            "positives": [*positive.sum(0), positive.sum()],
            "positive_subjects": [*(positive > 0).sum(0), len(self.subjects)],
            "threshold": [*self.thresholds, math.nan],
        }
        always = self.f1_always
        columns["f1_always"] = [*always.per_au, always.mean]
        for name, score in self.scores.items():
            columns[name] = [*score.per_au, score.mean]
            if score.intervals:
                ends = np.array([*score.intervals, score.mean_interval])
                columns[f"{name}_low"], columns[f"{name}_high"] = list(ends[:, 0]), list(ends[:, 1])
        rows = [*AUSet.of(self.aus).columns(), "mean"]
        return pd.DataFrame(columns, index=pd.Index(rows, name="au"))

    def to_json(self) -> str:
        """JSON text that `Report.model_validate_json` reads back; NaN is null there."""
        return self.model_dump_json(indent=1) + "\n"

    def to_table(self) -> Table:
        """Table for the terminal, 80 columns wide; narrower ones cut the AU names."""
        frame = self.to_frame()
        shown = [name for name in HEADINGS if name in self.scores]
        caption = f"{counted(self.frames, 'frame')} of "
        caption += f"{counted(len(self.subjects), 'subject')}; {SELECTION[self.selection]}"
        caption += "".join(f"; {line}" for line in people_lines([self]))
        caption += f"; {labels_line(self.coding, self.occurs_from)}"
        if self.uncoded:
            caption += (
                f"; NOT SCORED, as not coded here: {', '.join(AUSet.of(self.uncoded).columns())}"
            )
        caption += "; yes: F1 of always saying present; cal.: F1 at calibrated thresholds"
        if np.isfinite(self.scores["f1"].mean_interval).any():
            caption += "; in brackets 95 % intervals over subjects"
        elif len(self.subjects) == 1:
            caption += f"; {ONE_SUBJECT}"
        if self.landmarks:
            caption += f"; {landmark_line(self.landmarks, self.found)}"
        if self.besides:
            caption += f"; {besides_line(self.besides)}"
        table = Table(
            title=self.title, caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False
        )
        table.add_column("AU", overflow="ellipsis", no_wrap=True, min_width=4)
        headings = [HEADINGS[name] for name in shown]
        headings.insert(1, "yes")
        for heading in ("pos.", "subj", *headings):
            table.add_column(heading, justify="right", no_wrap=True)
        names = [f"{au.number:2d} {au.name}" for au in AUSet.of(self.aus)]
        for name, (_, row) in zip([*names, "mean"], frame.iterrows(), strict=True):
            positives = "" if name == "mean" else str(int(row["positives"]))
            support = [positives, str(int(row["positive_subjects"]))]
            cells = [cell(row[column]) for column in shown]
            if "f1_low" in row:
                cells[0] += ends(row["f1_low"], row["f1_high"])
            cells.insert(1, cell(row["f1_always"], 2))
            table.add_row(name, *support, *cells, end_section=name == names[-1])
        return table


class PlainReport(_Scored):
    """Scores of a model that reads no AUs."""

    unit: str
    """What was scored, in the plural: ``triplets`` or ``faces``."""
    count: int
    scores: dict[str, Score]
    """Means only."""

    def to_json(self) -> str:
        """JSON text that `PlainReport.model_validate_json` reads back."""
        return self.model_dump_json(indent=1) + "\n"

    def to_table(self) -> Table:
        """Table for the terminal."""
        caption = f"{counted(self.count, self.unit.removesuffix('s'))}; {SELECTION[self.selection]}"
        caption += "".join(f"; {line}" for line in people_lines([self]))
        table = Table("score", title=self.title, caption=caption, box=box.SIMPLE_HEAD, min_width=48)
        table.add_column("", justify="right")
        for name, score in self.scores.items():
            percent = name in (LANDMARK_ERROR, LANDMARK_FAILURE)
            value = _percent(score) if percent else cell(score.mean)
            table.add_row(name.replace("_", " "), value)
        return table


AnyReport = Report | PlainReport


def read_report(text: str) -> AnyReport:
    """Read a report back from JSON.

    Raises:
        ValidationError: it is neither kind.
    """
    report: AnyReport = TypeAdapter(AnyReport).validate_json(text)
    return report


def people_lines(reports: Sequence[_Scored]) -> Iterator[str]:
    """What to know of the people in reports of one recipe; nothing where all is well."""
    seen, left, scored = (
        sum(map(len, parts))
        for parts in zip(
            *((r.trained_on, r.left_out, getattr(r, "subjects", ())) for r in reports), strict=True
        )
    )
    if seen:
        yield f"{TRAINED_ON}: the weights learned from {counted(seen, 'subject')} of them"
    if left:
        yield (
            f"left out: {left} of {left + scored} subjects, whom the weights were trained on"
            if scored
            else f"left out: {counted(left, 'subject')}, whom the weights were trained on"
        )
    if not all(report.people_known for report in reports):
        yield "WHETHER THE WEIGHTS WERE TRAINED ON THESE IS UNKNOWN: no card says on whom"


def labels_line(coding: Coding | None, occurs_from: float | None) -> str:
    """How the labels are coded, and from when on an AU occurs."""
    if coding is None:
        return "labels: coding not said"
    if occurs_from is None:
        return "labels: occurrence as coded"
    return f"labels: intensities, an AU occurs from {occurs_from:g} on"


def mean_landmarks(folds: Sequence[Report]) -> dict[str, Score]:
    """Scores of the landmarks: of the one fold, or averaged over those folds that have them."""
    if len(folds) == 1:
        return folds[0].landmarks
    names = [name for name in folds[0].landmarks if all(name in fold.landmarks for fold in folds)]
    means = {name: [fold.landmarks[name].mean for fold in folds] for name in names}
    return {
        name: Score(per_au=[], mean=torch.tensor(values).double().nanmean().item())
        for name, values in means.items()
    }


def landmark_line(scores: Mapping[str, Score], found: int) -> str:
    """Scores of the landmarks in words; those that a model `found` on some faces are no truth."""
    error, failure = scores[LANDMARK_ERROR], scores[LANDMARK_FAILURE]
    if found and math.isnan(error.mean):
        return (
            "landmarks: no error is known, as the data set has none: those of "
            f"{counted(found, 'face')} are what a model found"
        )
    left_out = f"; without {counted(found, 'face')} whose landmarks a model found" if found else ""
    return (
        f"landmarks: mean error {_percent(error)} of the inter-ocular distance, more than "
        f"{FAILURE:g} % in {_percent(failure)} of the faces{left_out}"
    )


def besides_line(scores: Mapping[str, Score]) -> str:
    """Errors of pose, gaze and sides in words."""
    yaw, pitch, roll, gaze_yaw, gaze_pitch, sides = (
        "-" if math.isnan(scores[name].mean) else f"{scores[name].mean:.2g}" for name in BESIDES
    )
    return (
        f"mean errors: yaw {yaw}, pitch {pitch}, roll {roll}, gaze {gaze_yaw} sideways and "
        f"{gaze_pitch} up and down, in degrees; of the difference between the sides {sides} of 5"
    )


def _percent(score: Score) -> str:
    """Mean and interval in per cent."""
    if math.isnan(score.mean):
        return "-"
    low, high = score.mean_interval
    interval = "" if math.isnan(low) else f" [{low:.2f} {high:.2f}]"
    return f"{score.mean:.2f} %{interval}"


def cell(value: float, places: int = 3) -> str:
    """Score as ``.652``, a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.{places}f}".replace("0.", ".")


def ends(low: float, high: float) -> str:
    """Interval as `` [.52 .61]``, short to keep tables narrow; nothing for NaN."""
    if math.isnan(low):
        return ""
    return f" [{low:.2f} {high:.2f}]".replace("0.", ".")
