"""What the weights of the package were made of: corpora to render, recipes to train, in order."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from actionunits.files import atomic, writing
from actionunits.synth.script import PRESETS, CorpusSettings
from actionunits.synth.store import DESCRIPTION, group_file, groups


class Stage(NamedTuple):
    """A training; it starts from the one before."""

    recipe: str
    people: int  # the first so many of the corpus
    settings: tuple[str, ...] = ()  # what is changed in it, as of `au train --set`
    share: float = 1.0  # in the mean with the weights of the stage before
    preset: str = "people"  # of the corpus that is rendered
    seed: int | None = None  # of the corpus; the preset's own without it

    def corpus(self) -> CorpusSettings:
        """The whole corpus from which it takes its people."""
        preset = PRESETS[self.preset]
        return preset if self.seed is None else replace(preset, seed=self.seed)


_PEOPLE = 11_844  # as many as there was time for, of 32,000

PUBLISHED: Mapping[str, tuple[Stage, ...]] = {
    "default": (
        Stage("wholeface_people", 5_040, ("epochs=10",)),
        Stage("wholeface_people", _PEOPLE, ("epochs=7", "optimiser.lr=0.0015"), 0.65),
        Stage(
            "wholeface_people",
            7_500,
            (
                *("epochs=10", "batch=512", "optimiser.lr=0.002", "seed=7"),
                *("data.augment.spectrum=0.9", "data.augment.grayscale=0.4"),
            ),
            0.65,
            seed=4711,  # people whom the stages before have not seen
        ),
    ),
    "default-fast": (
        Stage("wholeface_fast_people", 5_040, ("epochs=10",)),
        Stage("wholeface_fast_people", _PEOPLE, ("epochs=5", "optimiser.lr=0.0015"), 0.65),
    ),
    "resnet18": (Stage("resnet18_people", _PEOPLE),),
    "renet": (Stage("renet_people", _PEOPLE),),
    "mgrrnet": (Stage("mgrrnet_people", _PEOPLE),),
    "gtlenet": (Stage("expression_people", _PEOPLE), Stage("gtlenet_people", _PEOPLE)),
    "sacl": (Stage("sacl_people", _PEOPLE),),
    "mdhr": (
        Stage(
            "resnet18_people",
            _PEOPLE,
            ("model.params.backbone=resnet10t", "model.params.width=64", "epochs=1"),
        ),
        Stage("mdhr_people", 376, preset="clips"),
    ),
}
"""What the weights of each name were made by, in order; they are the last one's."""


def first_people(corpus: Path, settings: CorpusSettings, people: int, out: Path) -> Path:
    """Folder of the first people of a rendered corpus, as many whole files as hold so many.

    Args:
        corpus: folder of the corpus.
        settings: of it.
        people: at most all that it has.
        out: the folder that is made, of links to the files, or of copies where there are no links.

    Raises:
        UserError: the folder cannot be written to.
    """
    if people >= settings.subjects:
        return corpus
    files = [group_file(corpus, group) for group in groups(settings) if group[0] < people]
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for file in [corpus / DESCRIPTION, *files]:
            with atomic(out / file.name) as temporary:
                temporary.unlink()
                try:
                    os.link(file, temporary)
                except OSError:  # another disk, or one without links
                    shutil.copyfile(file, temporary)
    return out
