"""Pictures of facs.md, and what the weights make of them: `python docs/building/faces.py ASSETS`.

Writes `docs/images/facs/AU01.webp` ..., a row of six faces an AU, and `docs/results/facs.csv`: how
far each AU's reading rises when another is shown.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import actionunits
from actionunits.aus import RENDERED, AUSet
from actionunits.faces.given import Aligned
from actionunits.synth.person.assets import load_assets
from actionunits.synth.person.face import Head
from actionunits.synth.picture.render import Renderer
from actionunits.synth.sheet import exemplars

DOCS = Path(__file__).resolve().parents[1]
PICTURES, READINGS = DOCS / "images" / "facs", DOCS / "results" / "facs.csv"
LEVELS = range(6)
MODELS = (51, 16, 33, 48)  # whose faces are shown, in turn; they rest calmly
BROWS = {2: 51}  # in place of the second of them, whose brows are too faint to be seen moving
SEED = 0
TOP, BOTTOM, LEFT, RIGHT = 4, 250, 36, 220  # of the pictures: the face without its surroundings
SHOWN = 4.0  # intensity that is read
READ = range(100, 140)  # other people, of which readings are taken


def row(images: np.ndarray) -> Image.Image:
    """Put (L, S, S, 3) faces side by side."""
    return Image.fromarray(np.concatenate(images[:, TOP:BOTTOM, LEFT:RIGHT], axis=1))


def pictures(renderer: Renderer) -> None:
    """Write a row an AU."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for number, au in enumerate(RENDERED):
        person = BROWS.get(au.number, MODELS[number % len(MODELS)])
        images = exemplars(renderer, AUSet((au,)), LEVELS, [person], SEED)
        row(images[0, 0]).save(PICTURES / f"{au.column}.webp", quality=80, method=6)


def readings(renderer: Renderer) -> pd.DataFrame:
    """How far each AU's intensity rises above the same people's rest, by the AU that is shown."""
    reader = actionunits.load("default", detector=Aligned())
    columns = [f"{au.column}_r" for au in RENDERED]
    rises = []
    for au in RENDERED:
        images = exemplars(renderer, AUSet((au,)), (0.0, SHOWN), READ, SEED)[0]
        with tempfile.TemporaryDirectory() as folder:
            for number, image in enumerate(images.reshape(-1, *images.shape[2:])):
                Image.fromarray(image).save(Path(folder) / f"{number:04}.png")
            read = reader.predict(folder)[columns].to_numpy(float).reshape(len(READ), 2, -1)
        rises.append((read[:, 1] - read[:, 0]).mean(0))
    table = pd.DataFrame(rises, columns=[au.column for au in RENDERED])
    table.insert(0, "shown", [au.column for au in RENDERED])
    return table


def main(assets: Path) -> None:
    """Make both."""
    with Renderer(Head(load_assets(assets))) as renderer:
        pictures(renderer)
        readings(renderer).round(3).to_csv(READINGS, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
