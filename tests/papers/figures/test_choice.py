"""Which faces a figure shows: those that were asked for, as the model wants them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from stand_ins import AUS, Make, nothing

from actionunits import datasets
from actionunits.cli.options import numbers
from actionunits.data.dataset import FrameDataset
from actionunits.errors import DataError, UserError
from actionunits.papers.figures import faces, trained
from actionunits.papers.figures.faces import Choice
from actionunits.papers.figures.seen import Wants, see
from clips import write_video


def test_frames_of_the_test_fold_that_differ(make: Make) -> None:
    run = make("gtlenet")
    strips = list(faces.varied(run, Choice(rows=3), nothing))
    names = [name for strip in strips for name in strip.names]
    assert len(names) == 3
    assert {name.partition("/")[0] for name in names} == {"S003", "S006"}  # part 3 is all theirs
    assert all(strip.crops.shape[1:] == (3, 64, 64) for strip in strips)
    truth = np.concatenate([strip.truth for strip in strips])
    assert len(np.unique(truth, axis=0)) == 3


def test_crops_are_those_that_the_model_was_trained_on(make: Make, corpus: Path) -> None:
    run = make("gtlenet")
    (strip,) = faces.sequences(run, Choice(subject="S003"), nothing)
    table = datasets.load("synfacs", corpus).select(AUS)
    rows = table.subset((table.rows["subject"] == "S003").to_numpy())
    batch = FrameDataset(rows, run.spec).__getitems__(list(range(12)))[0]
    mean, std = (torch.tensor(v)[:, None, None] for v in (run.spec.mean, run.spec.std))
    torch.testing.assert_close((strip.crops / 255 - mean) / std, batch.images)
    assert np.array_equal(strip.truth, batch.labels)
    assert strip.names == batch.keys


def test_a_clip_model_reads_frames_among_their_neighbours(make: Make) -> None:
    run = make("mdhr")
    wants = Wants("graph", ("edges", "weights"), "")
    whole = see(run, faces.sequences(run, Choice(subject="S003"), nothing), wants)
    few = see(run, faces.spread(run, Choice(subject="S003"), 3), wants)
    assert few.names == (whole.names[0], whole.names[6], whole.names[11])
    np.testing.assert_allclose(few.probability, whole.probability[[0, 6, 11]], atol=1e-5)
    np.testing.assert_allclose(few.aux["weights"], whole.aux["weights"][[0, 6, 11]], atol=1e-5)
    # the same numbers as from all frames at once
    (strip,) = faces.sequences(run, Choice(subject="S003"), nothing)
    c = run.spec.context
    order = np.arange(-c, 12 + c).clip(0, 11)
    mean, std = (torch.tensor(v)[:, None, None] for v in (run.spec.mean, run.spec.std))
    with torch.inference_mode():
        out = run.model(((strip.crops / 255 - mean) / std)[order][None])
    np.testing.assert_allclose(whole.probability, out.logits[0].sigmoid(), atol=1e-5)
    np.testing.assert_allclose(whole.aux["weights"], out.aux["weights"][0], atol=1e-5)


def test_pictures_and_videos_and_what_is_left_out(make: Make, tmp_path: Path) -> None:
    run = make("gtlenet")
    noise = np.random.default_rng(0).integers(0, 200, (96, 96, 3), np.uint8)
    shades = np.stack([noise + 5 * i for i in range(9)]).astype(np.uint8)
    Image.fromarray(shades[0]).save(tmp_path / "one.png")
    video = write_video(tmp_path / "clip.mp4", np.arange(9) / 8, (96, 96), shades=shades)
    paths = (str(tmp_path / "one.png"), str(video), str(tmp_path / "absent.png"))
    problems: list[UserError] = []
    choice = Choice(paths, aligned=True, rows=3)
    strips = list(faces.varied(run, choice, problems.append))
    names = [name for strip in strips for name in strip.names]
    assert names == ["one.png", "clip.mp4 0.00 s", "clip.mp4 0.50 s", "clip.mp4 1.00 s"]
    assert [len(strip.crops) for strip in strips] == [1, 9]
    assert len(problems) == 1
    assert "absent.png" in str(problems[0])
    assert np.isnan(strips[0].truth).all()
    whole = list(faces.sequences(run, Choice((str(video),), aligned=True), nothing))
    assert len(whole[0].shown) == 9


def test_without_its_own_corpus_a_run_is_shown_the_embedded_one(make: Make) -> None:
    run = make("gtlenet")
    spec = run.card.recipe.data.model_copy(update={"root": "moved.parquet"})
    recipe = run.card.recipe.model_copy(update={"data": spec})
    moved = run._replace(card=run.card.model_copy(update={"recipe": recipe}))
    names = [name for strip in faces.varied(moved, Choice(rows=5), nothing) for name in strip.names]
    people = set(datasets.load("synfacs").subjects())
    assert {name.partition("/")[0] for name in names} <= people
    assert len(names) == 5


def test_a_picture_without_a_face_is_named(make: Make, tmp_path: Path) -> None:
    Image.new("RGB", (160, 120), "gray").save(tmp_path / "wall.png")
    problems: list[UserError] = []
    with pytest.raises(UserError, match=r"wall\.png: no face found"):
        list(faces.varied(make("gtlenet"), Choice((str(tmp_path),)), problems.append))
    assert len(problems) == 1


def test_unknown_subjects_and_aus_are_named(make: Make) -> None:
    run = make("gtlenet")
    with pytest.raises(DataError, match="S999 is not among those to show: S003, S006"):
        list(faces.varied(run, Choice(subject="S999"), nothing))
    with pytest.raises(UserError, match="the run does not read AU 4, 9; it reads 1, 2, 6, 12"):
        trained.positions(AUS, [1, 4, 9])
    with pytest.raises(UserError, match="FACS numbers such as 1,4,12, got 'all'"):
        numbers("all")
    assert numbers("1,12") == [1, 12]
