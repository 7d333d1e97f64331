"""What weights read, in the tables of their model cards: on rendered people, and on real faces.

    python benchmarks/weights.py [default default-fast ...] [--renders CORPUS] [--faces FOLDER]

CORPUS is a rendered one that they have not seen (`au synth render --preset people --subjects 250
--seed 7777`), by default the one in the package. FOLDER holds photographs with labels: ``dev/`` the
pictures, ``dev.csv`` a row each with ``path``, ``emotion`` (one word for the expression) and the
AUs, 1, 0 or empty, and ``mediapipe.csv``, what MediaPipe's blendshapes say of the same pictures.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, roc_auc_score

import actionunits
from actionunits import datasets
from actionunits.aus import AUSet
from actionunits.data.synfacs import MINI
from actionunits.learn.evaluate import evaluate
from actionunits.weights import locate

_LEAST = 3  # pictures with and without an AU, for scores to mean anything


def on_renders(name: str, corpus: Path) -> pd.DataFrame:
    """Scores of each AU on a corpus, and their means."""
    report = evaluate(locate(name), table=datasets.load("synfacs", corpus), resamples=0)
    columns = {
        heading: report.scores[score].per_au
        for heading, score in (("AUC", "auc"), ("F1", "f1_calibrated"), ("ICC", "icc"))
        if score in report.scores
    }
    for what, score in (*report.landmarks.items(), *report.besides.items()):
        print(f"{what}: {score.mean:.3g}")
    print(f"{report.frames} frames of {len(report.subjects)} people\n")
    names = [f"{au.number} {au.name}" for au in AUSet.of(report.aus)]
    return with_means(pd.DataFrame(columns, index=pd.Index(names, name="AU")))


def on_faces(name: str, folder: Path) -> pd.DataFrame:
    """Scores of each AU on labelled photographs, beside those of MediaPipe."""
    predictor = actionunits.load(name)
    table = predictor.predict(folder / "dev")
    table["area"] = table["face_w"] * table["face_h"]
    largest = table[table["success"] == 1].sort_values("area", ascending=False)
    read = largest.assign(key=stems(largest["input"])).drop_duplicates("key").set_index("key")
    truth, rival = (pd.read_csv(folder / f"{file}.csv") for file in ("dev", "mediapipe"))
    for labels in (truth, rival):
        labels.index = pd.Index(stems(labels["path"]))
    both = truth.index.intersection(read.index).intersection(rival.dropna().index)
    neutral = truth.index[truth["emotion"] == "neutral"].intersection(read.index)
    rows = {}
    for au in predictor.aus:
        if au.column not in truth:
            continue
        row = {"alarms": read.loc[neutral, f"{au.column}_c"].mean()}
        labels = truth.loc[both, au.column].dropna().astype(int)
        if min(labels.sum(), (1 - labels).sum()) >= _LEAST:
            said = read.loc[labels.index, f"{au.column}_p"].to_numpy(float)
            row |= {
                "with": labels.sum(),
                "without": (1 - labels).sum(),
                "AUC": roc_auc_score(labels, said),
                "MediaPipe": roc_auc_score(labels, rival.loc[labels.index, au.column]),
                "F1": f1_score(labels, read.loc[labels.index, f"{au.column}_c"].astype(int)),
                "best F1": max(f1_score(labels, said >= at) for at in np.unique(said)),
            }
        rows[f"{au.number} {au.name}"] = row
    frame = pd.DataFrame.from_dict(rows, orient="index")
    order = ["with", "without", "AUC", "MediaPipe", "F1", "best F1", "alarms"]
    return with_means(frame[order].rename_axis("AU"))


def stems(paths: Iterable[str]) -> list[str]:
    """Names of files without folder and ending."""
    return [Path(path).stem for path in paths]


def with_means(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a row of means."""
    means = table.drop(columns=["with", "without"], errors="ignore").mean()
    return pd.concat([table, means.to_frame("mean").T]).rename_axis("AU")


def shown(table: pd.DataFrame) -> str:
    """Markdown: counts as whole numbers, scores with three digits."""
    counts = {"with", "without"}
    lines = ["| AU | " + " | ".join(table.columns) + " |", "|---" * (len(table.columns) + 1) + "|"]
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
        print(shown(on_renders(name, arguments.renders)), "\n")
        if arguments.faces:
            print(f"## {name}, on photographs\n\n{shown(on_faces(name, arguments.faces))}\n")


if __name__ == "__main__":
    main()
