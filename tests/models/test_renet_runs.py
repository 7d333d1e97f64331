"""RE-Net in a run: what data, recipe and held-out AUs do to it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from timm import create_model

from actionunits import datasets
from actionunits.aus import AUSet
from actionunits.errors import DataError
from actionunits.learn import checkpoint
from actionunits.learn.card import read_card
from actionunits.learn.recipe import ablations, list_ablations, load_recipe
from actionunits.learn.run import LOG
from actionunits.learn.tasks import TASKS
from actionunits.learn.train import train
from actionunits.models.registry import blank_stats
from actionunits.models.renet import RENet
from runs import tiny_recipe

AUS = [1, 2, 6, 12]


def test_labels_of_held_out_aus_choose_no_epoch_and_no_threshold(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = datasets.load("synfacs", synfacs_file).select(AUSet.of(AUS))
    recipe = tiny_recipe(
        synfacs_file,
        {"held_out": [12], "relation": "learnable", "train_aus": "all"},
        selection={"rule": "inner", "metric": "auc", "share": 0.3},
    )
    watched = TASKS["aus"].read(recipe, 1).inner.subjects()
    inner = table.rows["subject"].isin(watched)
    flipped = table.rows.assign(AU12=table.rows["AU12"].where(~inner, 5 - table.rows["AU12"]))
    assert (flipped["AU12"] != table.rows["AU12"]).any()
    found = []
    for name, rows in {"own": table.rows, "flipped": flipped}.items():
        changed = replace(table, rows=rows)
        monkeypatch.setitem(datasets._READERS, "synfacs", lambda root, changed=changed: changed)
        train(recipe, 1, tmp_path / name, show=False)
        card = read_card(tmp_path / name)
        found.append((pd.read_csv(tmp_path / name / LOG)["auc"].tolist(), card.thresholds))
        assert card.thresholds[3] == 0.5
    assert np.isfinite(found[0][0]).all()
    assert found[0] == found[1]


def test_held_out_aus_of_the_recipes_can_be_held_out_in_every_fold() -> None:
    for name in ("renet_synfacs", "renet_synfacs_intensity"):
        variants = [a for a in list_ablations(name) if a.startswith("held_out")]
        assert variants
        for variant in variants:
            recipe = load_recipe(name, ["model.params.width=8"], variant)
            for fold in (1, 2, 3, None):
                table = TASKS["aus"].read(recipe, fold).train
                model, _ = TASKS["aus"].build(recipe, table)
                assert len(model.held_out) == 1


def test_frames_that_are_taken_twice_leave_the_relation_as_it_is(synfacs_file: Path) -> None:
    task, relations, counts = TASKS["aus"], [], []
    for twice in ([], [1]):
        section = {"name": "synfacs", "root": str(synfacs_file), "aus": AUS}
        recipe = tiny_recipe(
            synfacs_file, {"relation": "pearson"}, data=section | {"duplicate": twice}
        )
        table = task.read(recipe, 1).train
        model, _ = task.build(recipe, table)
        relations.append(model.relation)
        counts.append(len(task.dataset(recipe, table, model.spec)))
    occurs = int((table.select(AUSet.of((1,))).occurrence() == 1).sum())
    assert counts == [len(table), len(table) + occurs]
    assert occurs
    assert torch.equal(*relations)


def test_an_intensity_run_reads_occurrence_from_the_threshold_of_its_data(
    synfacs_file: Path,
) -> None:
    for threshold in (1, 3):
        section = {"name": "synfacs", "root": str(synfacs_file), "aus": AUS}
        recipe = tiny_recipe(
            synfacs_file,
            {"task": "intensity", "relation": "identity"},
            data=section | {"threshold": threshold},
            loss={"intensity": 1.0},
        )
        model, _ = TASKS["aus"].build(recipe, TASKS["aus"].read(recipe, 1).train)
        again = RENet(AUSet.of(AUS), blank_stats(4), **recipe.model.params)
        again.load_state_dict(model.state_dict())
        out = again.eval()(torch.randn(2, 3, 32, 32))
        chances = out.aux["levels"].softmax(-1)
        torch.testing.assert_close(out.logits.sigmoid(), chances[..., threshold:].sum(-1))


def test_aus_that_exclude_one_another_need_the_ablation_that_is_named(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = datasets.load("synfacs", synfacs_file).select(AUSet.of((1, 12)))
    smile = (table.rows["AU12"] >= 2).astype(float)
    own = replace(table, rows=table.rows.assign(AU01=1 - smile, AU12=smile), coding="occurrence")
    monkeypatch.setitem(datasets._READERS, "synfacs", lambda root: own)
    values = {
        "data": {"name": "synfacs", "aus": [1, 12]},
        "loss": {"occurrence": 1.0},
        "epochs": 1,
    }
    apart = tiny_recipe(synfacs_file, {"task": "occurrence"}, **values)
    with pytest.raises(DataError, match=r"AU01 .* sum to 0\.00.* add --ablation relation=none"):
        train(apart, 1, tmp_path / "apart", show=False)
    (change,) = ablations("renet_bp4d")["relation=none"].items()
    assert change == ("model.params.relation", "none")
    params = {"task": "occurrence", "relation": change[1]}
    plain = tiny_recipe(synfacs_file, params, **values)
    assert train(plain, 1, tmp_path / "plain", show=False).report is not None


TIMM = {"relation": "none", "width": 64, "backbone": "lcnet_050"}


def test_a_baseline_may_have_any_backbone_of_timm(synfacs_file: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(synfacs_file, TIMM, epochs=1)
    train(recipe, 1, tmp_path / "run", show=False)
    model, _ = checkpoint.load(tmp_path / "run")
    assert isinstance(model, RENet)
    images = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        features = create_model("lcnet_050", num_classes=0).eval()
        features.load_state_dict(model.backbone.net.state_dict())
        expected = model.head(features(images)).view(3, 4, -1)
        out = model(images)
    torch.testing.assert_close(out.logits, expected[..., 0])
    assert out.aux["embeddings"].shape == (3, 1, model.backbone.features)
    with torch.inference_mode():
        torch.testing.assert_close(model(images[1:2]).logits, out.logits[1:2], atol=1e-5, rtol=1e-4)
    data = recipe.data.model_dump() | {"aus": [4, 12]}
    other = tiny_recipe(synfacs_file, TIMM, init=str(tmp_path / "run"), data=data, epochs=1)
    train(other, 1, tmp_path / "again", show=False)
