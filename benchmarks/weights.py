"""What weights read, in the tables of their model cards: on rendered people, and on real faces.

    python benchmarks/weights.py [default default-fast ...] [--renders CORPUS] [--faces FOLDER]

CORPUS is a rendered one that they have not seen (`au synth render --preset people --subjects 250
--seed 7777`), by default the one in the package. FOLDER holds photographs with labels: ``dev/`` the
pictures, ``dev.csv`` a row each with ``path``, ``emotion`` (one word for the expression) and the
AUs, 1, 0 or empty, and ``mediapipe.csv``, what MediaPipe's blendshapes say of the same pictures.
"""

import argparse
import io
import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image
from sklearn.metrics import f1_score, roc_auc_score

import actionunits
from actionunits import datasets
from actionunits.aus import AUSet
from actionunits.data.stores import ImageStore
from actionunits.data.synfacs import MINI
from actionunits.detect.predict import Predictor
from actionunits.learn.evaluate import evaluate
from actionunits.learn.predictions import Predictions
from actionunits.weights import locate

LEAST = 3  # pictures with and without an AU, for scores to mean anything
_OF_GROUP = 10  # frames of a group with and without an AU
_NEAR = 0.05
_YAW, _PITCH = [-1.0, 15, 30, 60], [-1.0, 10, 40]  # degrees
_SIDES = (128, 64, 48, 32, 24)
_KEY = ["subject", "task", "frame"]


def on_renders(name: str, corpus: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of each AU on a corpus, and their means; and what was said of each frame."""
    said = Predictions("said.csv")
    faces = datasets.load("synfacs", corpus)
    report = evaluate(locate(name), table=faces, resamples=0, predictions=said)
    columns = {
        heading: report.scores[score].per_au
        for heading, score in (("AUC", "auc"), ("F1", "f1_calibrated"), ("ICC", "icc"))
        if score in report.scores
    }
    for what, score in (*report.landmarks.items(), *report.besides.items()):
        print(f"{what}: {score.mean:.3g}")
    print(f"{report.frames} frames of {len(report.subjects)} people\n")
    names = [f"{au.number} {au.name}" for au in AUSet.of(report.aus)]
    return with_means(pd.DataFrame(columns, index=pd.Index(names, name="AU"))), said.table()


def by_group(said: pd.DataFrame, corpus: Path) -> pd.DataFrame:
    """Mean AUC of groups of people, and of poses, over the AUs that each group shows and lacks."""
    files = sorted(corpus.glob("*.parquet"))
    truth = pd.concat(pq.read_table(f, columns=[*_KEY, "yaw", "pitch"]).to_pandas() for f in files)
    frames = said.merge(truth, on=_KEY).merge(pd.read_csv(corpus / "people.csv"), on="subject")
    parts = {
        "sex": np.where(frames["male"] < 0.5, "women", "men"),
        "age": pd.cut(frames["age"], [-1, 1 / 3, 2 / 3, 1], labels=["young", "middle", "old"]),
        "skin": pd.cut(frames["ita"], [-90, 10, 41, 90], labels=["dark", "medium", "light"]),
        "glasses": np.where(frames["glasses"], "glasses", "no glasses"),
        "yaw": pd.cut(abs(frames["yaw"]), _YAW, labels=names_of(_YAW, "degrees of yaw")),
        "pitch": pd.cut(abs(frames["pitch"]), _PITCH, labels=names_of(_PITCH, "of pitch")),
    }
    return pd.concat([group_scores(frames, pd.Series(part)) for part in parts.values()])


def group_scores(frames: pd.DataFrame, part: pd.Series) -> pd.DataFrame:
    """Frames, people and mean AUC of each part, all over the same AUs."""
    aus = [name.removesuffix("_label") for name in frames if name.endswith("_label")]
    labels = frames[[f"{au}_label" for au in aus]].groupby(part.to_numpy(), observed=True)
    least = np.minimum(labels.sum(), labels.count() - labels.sum()).min()
    shared = [au for au, some in zip(aus, least, strict=True) if some >= _OF_GROUP]
    rows = {}
    for name, group in frames.groupby(part.to_numpy(), observed=True):
        scores = [
            roc_auc_score(group[f"{au}_label"].astype(int), group[f"{au}_p"]) for au in shared
        ]
        people = group["subject"].nunique()
        rows[name] = {"frames": len(group), "people": people, "AUs": len(shared)}
        rows[name] |= {"AUC": np.mean(scores)}
    return pd.DataFrame.from_dict(rows, orient="index")


def by_size(name: str, corpus: Path) -> pd.DataFrame:
    """Mean AUC when the aligned faces have fewer pixels."""
    faces = datasets.load("synfacs", corpus)
    rows = {}
    for side in _SIDES:
        smaller = replace(faces, images=Shrunk(faces.images, side))
        report = evaluate(locate(name), table=smaller, resamples=0)
        rows[f"{side} x {side} pixels"] = {"AUC": report.scores["auc"].mean}
    return pd.DataFrame.from_dict(rows, orient="index")


class Shrunk:
    """Pictures that once were smaller, as an `ImageStore`."""

    def __init__(self, images: ImageStore, side: int) -> None:
        self._images, self._side = images, side

    def __len__(self) -> int:
        return len(self._images)

    def read(self, index: int) -> bytes:
        """Return the picture, scaled down and up again, as PNG."""
        with Image.open(io.BytesIO(self._images.read(index))) as image:
            small = image.resize((self._side, self._side), Image.Resampling.BICUBIC)
            buffer = io.BytesIO()
            small.resize(image.size, Image.Resampling.BICUBIC).save(buffer, "PNG")
        return buffer.getvalue()

    def name(self, index: int) -> str:
        """Say which picture it is."""
        return self._images.name(index)


def reliability(labels: np.ndarray, said: np.ndarray) -> str:
    """How often what is said with a probability of about .2, .5 and .8 is so."""
    parts = []
    for at in (0.2, 0.5, 0.8):
        near = abs(said - at) < _NEAR
        parts.append(f"{at:.1f}: {labels[near].mean():.2f} of {near.sum():,}")
    return "present where the probability is within .05 of " + "; ".join(parts)


def names_of(edges: list[float], unit: str) -> list[str]:
    """Names of the parts between these edges."""
    pairs = itertools.pairwise([max(edge, 0) for edge in edges])
    return [f"{low:.0f} to {high:.0f} {unit}" for low, high in pairs]


def on_faces(name: str, folder: Path) -> pd.DataFrame:
    """Scores of each AU on labelled photographs, beside those of MediaPipe."""
    predictor = actionunits.load(name)
    read = largest_faces(predictor, folder)
    truth, rival = with_labels(folder)
    both = truth.index.intersection(read.index).intersection(rival.dropna().index)
    neutral = truth.index[truth["emotion"] == "neutral"].intersection(read.index)
    rows = {}
    pairs = []
    for au in predictor.aus:
        if au.column not in truth:
            continue
        row = {"alarms": read.loc[neutral, f"{au.column}_c"].mean()}
        labels = truth.loc[both, au.column].dropna().astype(int)
        if min(labels.sum(), (1 - labels).sum()) >= LEAST:
            said = read.loc[labels.index, f"{au.column}_p"].to_numpy(float)
            pairs.append((labels.to_numpy(), said))
            row |= {
                "with": labels.sum(),
                "without": (1 - labels).sum(),
                "AUC": roc_auc_score(labels, said),
                "MediaPipe": roc_auc_score(labels, rival.loc[labels.index, au.column]),
                "F1": f1_score(labels, read.loc[labels.index, f"{au.column}_c"].astype(int)),
                "best F1": max(f1_score(labels, said >= at) for at in np.unique(said)),
            }
        rows[f"{au.number} {au.name}"] = row
    print(reliability(*map(np.concatenate, zip(*pairs, strict=True))), "\n")
    frame = pd.DataFrame.from_dict(rows, orient="index")
    order = ["with", "without", "AUC", "MediaPipe", "F1", "best F1", "alarms"]
    return with_means(frame[order].rename_axis("AU"))


def largest_faces(predictor: Predictor, folder: Path) -> pd.DataFrame:
    """What is read off the largest face of each photograph, by its name."""
    table = predictor.predict(folder / "dev")
    table["area"] = table["face_w"] * table["face_h"]
    largest = table[table["success"] == 1].sort_values("area", ascending=False)
    return largest.assign(key=stems(largest["input"])).drop_duplicates("key").set_index("key")


def with_labels(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels of the photographs and what MediaPipe says of them, by their names."""
    truth, rival = (pd.read_csv(folder / f"{file}.csv") for file in ("dev", "mediapipe"))
    for labels in (truth, rival):
        labels.index = pd.Index(stems(labels["path"]))
    return truth, rival


def stems(paths: Iterable[str]) -> list[str]:
    """Names of files without folder and ending."""
    return [Path(path).stem for path in paths]


def with_means(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a row of means."""
    means = table.drop(columns=["with", "without"], errors="ignore").mean()
    return pd.concat([table, means.to_frame("mean").T]).rename_axis("AU")


def shown(table: pd.DataFrame) -> str:
    """Markdown: counts as whole numbers, scores with three digits."""
    counts = {"with", "without", "frames", "people", "AUs"}
    lines = [
        f"| {table.index.name or ''} | " + " | ".join(table.columns) + " |",
        "|---" * (len(table.columns) + 1) + "|",
    ]
    for name, row in table.iterrows():
        cells = [
            "" if np.isnan(value) else f"{value:.0f}" if column in counts else f"{value:.3f}"
            for column, value in row.items()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=["default"])
    parser.add_argument("--renders", type=Path, default=MINI)
    parser.add_argument("--faces", type=Path)
    arguments = parser.parse_args()
    for name in arguments.names:
        print(f"## {name}, on rendered people\n")
        scores, said = on_renders(name, arguments.renders)
        print(shown(scores), "\n")
        columns = [said.filter(regex=end).to_numpy(float).ravel() for end in ("_label$", "_p$")]
        print(reliability(*columns), "\n")
        if (arguments.renders / "people.csv").is_file():
            print(shown(by_group(said, arguments.renders)), "\n")
        print(shown(by_size(name, arguments.renders)), "\n")
        if arguments.faces:
            print(f"## {name}, on photographs\n\n{shown(on_faces(name, arguments.faces))}\n")


if __name__ == "__main__":
    main()
