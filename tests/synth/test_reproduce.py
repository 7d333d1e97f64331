"""The weights of the package made anew, from nothing but assets and seeds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from actionunits.learn import checkpoint
from actionunits.learn.recipe import load_recipe
from actionunits.synth.published import PUBLISHED, first_people
from actionunits.synth.script import PRESETS, CorpusSettings
from actionunits.synth.store import DESCRIPTION, group_file, groups
from actionunits.weights import list_weights
from beside import SHARED
from command import Au


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_can_be_made(name: str) -> None:
    for stage in PUBLISHED[name]:
        assert stage.people <= PRESETS[stage.preset].subjects
        assert stage.corpus().seed == (stage.seed or PRESETS[stage.preset].seed)
        load_recipe(stage.recipe, stage.settings)


def test_unknown_weights_are_named_before_anything_is_rendered(au: Au, tmp_path: Path) -> None:
    said = au("synth", "reproduce", "mine", "--assets", tmp_path, "--out", tmp_path / "made")
    assert said.code == 2
    assert "mine: expected weights of the package, default" in said.err
    said = au(
        *("synth", "reproduce", "default", "--assets", tmp_path, "--out", tmp_path / "made"),
        *("--set", "epoch=1"),
    )
    assert said.code == 2
    assert "epoch" in said.err
    assert not (tmp_path / "made").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_all_of_it_runs_and_goes_on(au: Au, tmp_path: Path, name: str, assets_folder: Path) -> None:
    command = ("synth", "reproduce", name, "--assets", assets_folder, "--out", tmp_path, "--smoke")
    said = au(*command)
    assert said.code == 0, said.err
    made = tmp_path / "runs" / f"{name}-{len(PUBLISHED[name])}"
    model, card = checkpoint.load(made)
    assert len(card.aus) == 24
    assert card.recipe.epochs == 1
    if PUBLISHED[name][-1].share < 1:
        mean, _ = checkpoint.load(made.with_name(f"{made.name}-mean"))
        assert not torch.equal(*(next(each.parameters()) for each in (model, mean)))
    before = (made / "last.safetensors").stat().st_mtime_ns
    assert au(*command).code == 0  # finished: nothing is done again
    assert (made / "last.safetensors").stat().st_mtime_ns == before


def test_a_stage_takes_the_first_people_of_a_corpus(tmp_path: Path) -> None:
    settings = CorpusSettings(subjects=8, tasks=1, frames=2, seed=5, size=64)
    corpus, out = tmp_path / "all", tmp_path / "some"
    corpus.mkdir()
    for file in [*(group_file(corpus, group) for group in groups(settings)), corpus / DESCRIPTION]:
        file.write_bytes(file.name.encode())
    assert first_people(corpus, settings, 8, out) == corpus
    assert first_people(corpus, settings, 4, out) == out
    assert sorted(file.name for file in out.iterdir()) == [
        *("S001-S003.parquet", "S004-S006.parquet", DESCRIPTION),
    ]
    assert all(file.read_bytes() == file.name.encode() for file in out.iterdir())
    assert (out / DESCRIPTION).samefile(corpus / DESCRIPTION)  # no second copy of gigabytes
    assert first_people(corpus, settings, 4, out) == out  # again, over what is there


def test_spectra_of_photographs(au: Au, tmp_path: Path) -> None:
    photos = SHARED / "photos"
    if not photos.is_dir():
        pytest.skip(f"no photographs at {photos}")
    picture = photos / "single_face.jpg"
    said = au("synth", "spectra", picture, "--out", tmp_path / "some.npz")
    assert said.code == 0, said.err
    with np.load(tmp_path / "some.npz") as values:
        assert values["energy"].shape[1] == 12
        assert np.isfinite(values["lowest"]).all()


def test_the_weights_of_the_package_say_how_they_are_made() -> None:
    assert {*PUBLISHED} <= {*list_weights()}
