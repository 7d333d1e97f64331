"""From the assets to the detector's two graphs, in one call that goes on where it stopped."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from actionunits.facefinder import graphs
from actionunits.facefinder.backdrops import Backdrops
from actionunits.facefinder.cuts import Cuts
from actionunits.facefinder.heads import render_heads
from actionunits.facefinder.scenes import Composer
from actionunits.facefinder.training import TASKS, train
from actionunits.files import alone
from actionunits.synth.corpus import render_corpus
from actionunits.synth.script import PRESETS

_HEADS, _AWAY, _CLOSEUPS = 5_600, 320, 700  # heads, heads from behind, people in close-up
_SEED, _AWAY_SEED, _CLOSEUP_SEED = 11, 77, 515


def make_detector(
    assets: Path,
    backdrops: Path,
    out: Path,
    *,
    share: float = 1.0,
    seed: int = 1,
    workers: int = 1,
) -> Path:
    """Render heads, train both networks on scenes with them, write the graphs.

    Args:
        assets: folder of the MakeHuman assets.
        backdrops: folder of photographs that show nobody.
        out: folder of all that is made.
        share: of the heads, people and steps that the published detector was made with.
        seed: of the training.
        workers: processes that render or compose.

    Returns:
        Folder of ``search.onnx`` and ``look.onnx``.

    Raises:
        UserError: assets, backdrops or OpenGL are missing, or the folder cannot be written to.
    """
    Backdrops(backdrops)  # says what is missing before anything is rendered
    people = max(int(_CLOSEUPS * share), 1)
    corpus = replace(PRESETS["people"], subjects=people, seed=_CLOSEUP_SEED)
    with alone(out):
        render_heads(assets, out / "heads", _part(_HEADS, share), _SEED)
        render_heads(assets, out / "away", _part(_AWAY, share), _AWAY_SEED, away=True)
        render_corpus(assets, out / "closeups", corpus, workers)
        composer = partial(_composer, assets, backdrops, out, share)
        search, look = (
            train(
                task,
                composer,
                out,
                seed=seed,
                steps=max(int(task.steps * share), 1),
                workers=workers,
            )
            for task in TASKS
        )
        graphs.write(search, look, out / "synface")
    return out / "synface"


def _part(count: int, share: float) -> int:
    return max(int(count * share), 1)


def _composer(assets: Path, backdrops: Path, out: Path, share: float) -> Composer:
    """What composes pictures in a worker."""
    heads = render_heads(assets, out / "heads", _part(_HEADS, share), _SEED)
    away = render_heads(assets, out / "away", _part(_AWAY, share), _AWAY_SEED, away=True)
    closeups, points = list[bytes](), list[np.ndarray]()
    for file in sorted((out / "closeups").glob("*.parquet")):
        table = pq.read_table(file, columns=["image", "landmarks"])
        closeups += table["image"].to_pylist()
        points.append(np.array(table["landmarks"].to_pylist(), np.float32))
    marks = np.concatenate(points).reshape(-1, 49, 2)
    return Composer(Cuts(heads, away, closeups, marks), Backdrops(backdrops))
