"""The papers' figures: what is drawn is what the model says, of the faces that were asked for."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from torch.nn import functional

from actionunits import checkpoint, data
from actionunits.aus import AUSet
from actionunits.checkpoint import Card
from actionunits.cli import figure as command
from actionunits.data.dataset import FrameDataset
from actionunits.data.splits import train_test
from actionunits.errors import DataError, RecipeError, UserError
from actionunits.figures import (
    cam,
    edges,
    faces,
    graph,
    layout,
    masks,
    relation,
    rois,
    trained,
    tsne,
    weights,
)
from actionunits.figures.faces import Choice
from actionunits.figures.seen import Seen, Wants, see
from actionunits.figures.trained import Trained
from actionunits.models import registry
from actionunits.recipe import parse_recipe
from builders import write_synfacs
from test_media import write_video

AUS = AUSet.of((1, 2, 6, 12))
SMALL = {"size": 64, "align": 72}
MODELS: dict[str, dict[str, object]] = {
    "gtlenet": {"width": 8},
    "mdhr": {"backbone": "lcnet_050", "clip": 3, "neighbours": 1, "width": 16},
    "mgrrnet": {"width": 16, "dim": 64},
    "renet": {"width": 8, "spread": 0.3},
    "sacl": {"width": 16},
}
LOSS = {
    "gtlenet": ["occurrence", "reconstruction"],
    "mdhr": ["occurrence", "combination"],
    "mgrrnet": ["occurrence", "landmarks"],
    "renet": ["occurrence"],
    "sacl": ["asymmetric", "dice", "landmarks"],
}

Make = Callable[..., Trained]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 people, 2 in the test fold, 1 task of 12 frames each."""
    return write_synfacs(tmp_path_factory.mktemp("corpus") / "tiny.parquet", 6, 1, 12)


@pytest.fixture(scope="session")
def make(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Untrained checkpoints, by model and settings."""
    made: dict[str, Trained] = {}

    def build(name: str, title: str | None = None, **params: object) -> Trained:
        title = title or name
        if title not in made:
            values: dict[str, Any] = {
                "about": "for tests",
                "model": {"name": name, "params": SMALL | MODELS[name] | params},
                "data": {"name": "synfacs", "root": str(corpus), "aus": list(AUS.numbers)},
                "loss": dict.fromkeys(LOSS[name], 1.0),
                "optimiser": {"lr": 0.1},
                "epochs": 1,
                "batch": 4,
            }
            recipe = parse_recipe(values, "test")
            table = train_test(data.load("synfacs", corpus).select(AUS), 1)[0]
            torch.manual_seed(0)
            model = registry.create(name, AUS, table.stats(), **recipe.model.params)
            card = Card(
                version="0",
                recipe=recipe,
                aus=AUS.numbers,
                spec=model.spec,  # type: ignore[arg-type]
                fold=1,
                epoch=0,
                selection="last",
                thresholds=(0.5,) * 4,
            )
            folder = tmp_path_factory.mktemp("runs") / title
            checkpoint.save(model, card, folder)
            made[title] = trained.load(folder)
        return made[title]

    return build


def nothing(problem: UserError) -> None:
    raise AssertionError(problem)


def titles(figure: Figure) -> list[str]:
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def stub(count: int = 2, **changes: Any) -> Seen:
    """Readings of gray faces of 64 pixels."""
    generator = np.random.default_rng(0)
    values: dict[str, Any] = {
        "pictures": np.full((count, 64, 64, 3), 128, np.uint8),
        "names": tuple(f"face {i}" for i in range(count)),
        "seconds": np.arange(count) / 8,
        "strip": np.arange(count),
        "truth": np.full((count, len(AUS)), np.nan),
        "probability": generator.random((count, len(AUS))),
        "present": np.zeros((count, len(AUS)), dtype=bool),
        "landmarks": None,
        "aux": {},
    }
    return Seen(**(values | changes))


# Which faces


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
    table = data.load("synfacs", corpus).select(AUS)
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
    shades = np.random.default_rng(0).integers(0, 255, (9, 96, 96, 3), np.uint8)
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
    people = set(data.load("synfacs").subjects())
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
        faces.numbers("all")
    assert faces.numbers("1,12") == [1, 12]


# The figures


def test_masks_are_those_of_the_model(make: Make) -> None:
    run = make("gtlenet")
    choice = Choice(rows=2)
    figure = masks.figure(run, choice, [12, 1], nothing)
    assert titles(figure) == [
        "face",
        "AU 12\nLip corner\npuller",
        "AU 1\nInner brow\nraiser",
        "all else",
    ]
    seen = see(run, faces.varied(run, choice, nothing), masks.WANTS)
    drawn = [axis.images[1].get_array() for axis in figure.axes if len(axis.images) > 1]
    wanted = seen.aux["masks"][:, [3, 0, 4]].reshape(-1, 64, 64)
    np.testing.assert_allclose(np.array(drawn), wanted, atol=1e-6)
    limits = {axis.images[1].get_clim() for axis in figure.axes if len(axis.images) > 1}
    assert len(limits) == 1  # a colour means the same everywhere


def test_activation_maps_are_of_present_aus_by_probability() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 4, 16, 16)).astype(np.float32)
    probability = np.array([[0.9, 0.1, 0.6, 0.95], [0.1, 0.2, 0.3, 0.4]])
    seen = stub(probability=probability, present=probability > 0.5, aux={"maps": maps})
    figure = cam.draw(seen, AUS, None)
    assert [title.split("\n")[0] for title in titles(figure)] == ["AU 12", "AU 1", "AU 6"]
    assert [title.split("\n")[-1] for title in titles(figure)] == ["0.95", "0.90", "0.60"]
    assert "no AU is read\nas present" in texts(figure)
    drawn = [axis.images[1].get_array() for axis in figure.axes if len(axis.images) > 1]
    first = maps[0, 3]
    stretched = torch.from_numpy((first - first.min()) / (first.max() - first.min()))
    wanted = functional.interpolate(stretched[None, None], (64, 64), mode="bilinear")[0, 0]
    np.testing.assert_allclose(drawn[0], wanted, atol=1e-5)
    assert len(titles(cam.draw(seen, AUS, [0, 1]))) == 4


def test_relations_beside_their_prior_and_the_labels(make: Make) -> None:
    run = make("mgrrnet")
    found = relation.matrices(run, nothing)
    assert list(found) == [
        "prior",
        "learned, layer 1",
        "learned, layer 2",
        "correlation of the training labels",
    ]
    figure = relation.draw(found, AUS, [0, 2, 3])
    for axis, values in zip(figure.axes, found.values(), strict=True):
        shown = values[np.ix_([0, 2, 3], [0, 2, 3])]
        np.testing.assert_array_equal(axis.images[0].get_array(), shown)
        low, high = axis.images[0].get_clim()
        assert -low == high >= 1
        assert axis.texts[1].get_text() == f"{shown[0, 1]:.2f}".replace("0.", ".")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Inner brow raiser  1", "Cheek raiser  6", "Lip corner puller  12"]


def test_relations_of_renet_and_lost_labels(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make("renet")
    found = relation.matrices(run, nothing)
    np.testing.assert_allclose(found["relation"], found["correlation of the training labels"])
    with pytest.raises(RecipeError, match="relation=none relates no AUs"):
        relation.matrices(make("renet", "baseline", relation="none", spread=0.0), nothing)

    def gone(*_: object) -> None:
        raise DataError("tiny.parquet: there is no such file")

    monkeypatch.setattr(trained, "read_table", gone)
    problems: list[UserError] = []
    assert list(relation.matrices(run, problems.append)) == ["relation"]
    assert "left out: tiny.parquet" in str(problems[0])


def test_graph_of_regions(make: Make) -> None:
    run = make("sacl")
    figure = graph.figure([run], Choice(rows=1), [1, 12], nothing)
    assert titles(figure) == [
        "AU centres",
        "ROIs",
        "FACS",
        "label statistics",
        "shallow: first block",
        "deep: last block",
    ]
    seen = see(run, faces.varied(run, Choice(rows=1), nothing), graph.WANTS)
    centres, of_au = seen.aux["centres"][0], [[0, 1], [6, 7]]
    wanted = [
        centres[[region, other]]
        for pair in of_au
        for region in pair
        for other in seen.aux["neighbours_deep"][0, region]
        if other != region
    ]
    axis = next(axis for axis in figure.axes if axis.get_title() == "deep: last block")
    lines = [line.get_xydata() for line in axis.lines if line.get_linestyle() == "-"]
    drawn = [line for line in lines if len(line) == 2]
    np.testing.assert_allclose(drawn, wanted, rtol=1e-6)


def test_regions_have_their_size() -> None:
    centres = np.array(
        [[[10, 10], [30, 10], [10, 40], [30, 40], [5, 5], [40, 5], [20, 50], [40, 50]]]
    )
    figure = rois.draw(stub(1, aux={"centres": centres}), AUS, [0], {}, 9.0)
    assert titles(figure) == ["AU centres", "ROIs"]
    boxes = [patch.get_bbox().bounds for patch in figure.axes[1].patches]
    assert boxes == [(x - 4.5, y - 4.5, 9, 9) for x, y in centres[0]]
    assert {"1", "2", "6", "12"} <= set(texts(figure))
    assert rois.one_a_region(AUS) == [0, 2, 3]


def test_graph_of_aus_under_several_settings(make: Make) -> None:
    runs = [make("mdhr"), make("mdhr", "local", cross_region="local")]
    figure = graph.figure(runs, Choice(rows=2), None, nothing)
    assert [text for text in texts(figure) if not text.isdigit()] == ["mdhr", "local"]
    parts = figure.subfigs[0].axes
    assert len(parts) == 4
    yellow = [line for line in parts[2].lines if to_hex(line.get_color()) == "#f0e442"]
    assert len(yellow) == 1  # of these AUs only 1 and 2 share a region


def test_dots_are_filled_where_present_and_ringed_where_wrong(make: Make) -> None:
    present = np.array([[True, False, True, False]])
    truth = np.array([[1, 1, 0, np.nan]])
    heard = np.zeros((1, 4, 4), bool)
    heard[0, 0, 3] = heard[0, 3, 0] = heard[0, 1, 2] = True
    seen = stub(1, present=present, truth=truth, aux={"edges": heard})
    figure = edges.draw([edges.Row(make("mdhr"), seen, range(4))])
    (axis,) = figure.subfigs[0].axes
    dots = [line for line in axis.lines if line.get_markersize() == 10]
    assert [dot.get_markerfacecolor() for dot in dots] == ["white", "#404040", "white", "#404040"]
    place = {n: tuple(dot.get_xydata()[0]) for n, dot in enumerate(dots)}
    rings = [line.get_xydata()[0] for line in axis.lines if line.get_markersize() == 13]
    assert [tuple(ring) for ring in rings] == [place[1], place[2]]
    linked = [line.get_xydata() for line in axis.lines if len(line.get_xydata()) == 2]
    assert [tuple(map(tuple, ends)) for ends in linked] == [
        (place[0], place[3]),
        (place[1], place[2]),
    ]
    legend = [text.get_text() for text in figure.subfigs[1].legends[0].get_texts()]
    assert legend[-2:] == ["edge of the graph", "label says otherwise"]


def test_weights_over_face_and_time() -> None:
    logits = np.random.default_rng(0).normal(size=(8, 3, 7, 7))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    seen = stub(8, strip=np.zeros(8, int), aux={"weights": shares})
    figure = weights.draw(seen, 3)
    upper, lower = figure.subfigs
    assert titles(upper) == ["face", "scale 1 (finest)", "scale 2", "scale 3 (coarsest)"]
    assert [text for text in texts(upper)] == ["face 0", "face 4", "face 7"]
    assert titles(lower) == ["upper face", "middle face", "lower face"]
    course = np.array([line.get_ydata() for line in lower.axes[2].lines])
    np.testing.assert_allclose(course, shares[:, :, 4:].mean((2, 3)).T)
    alone = weights.draw(stub(2, aux={"weights": shares[:2]}), 1)
    assert not alone.subfigs[1].axes
    assert len(texts(alone)) == 2


def test_maps_of_embeddings_show_the_labels(make: Make) -> None:
    runs = [make("gtlenet"), make("renet", "baseline", relation="none", spread=0.0)]
    figure = tsne.by_au(runs, Choice(), [1, 12], 20)
    assert len(figure.subfigs) == 3
    assert [part.get_suptitle() for part in figure.subfigs[:2]] == ["gtlenet", "baseline"]
    truth = np.concatenate([strip.truth for strip in faces.spread(runs[0], Choice(), 20)])
    assert len(truth) == 20
    for part in figure.subfigs[:2]:
        for axis, column in zip(part.axes, (0, 3), strict=True):
            absent, occurred = (c for c in axis.collections if isinstance(c, PathCollection))
            assert len(occurred.get_offsets()) == (truth[:, column] == 1).sum()
            assert len(absent.get_offsets()) == (truth[:, column] == 0).sum()
            assert axis.get_title().endswith(f"{int(truth[:, column].sum())} of 20")
    with pytest.raises(DataError, match="at least 10 frames that show what it colours, found 4"):
        tsne.by_au(runs, Choice(), [1], 4)


def test_maps_of_combinations_name_them() -> None:
    generator = np.random.default_rng(0)
    truth = np.repeat([[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]], [9, 6, 5], axis=0).astype(float)
    seen = stub(20, truth=truth, probability=generator.random((20, 4)))
    figure = tsne.draw_by_combination([tsne.Row("run", AUS, seen, range(4))])
    (axis,) = figure.axes
    assert axis.get_title() == "run"
    assert [c.get_label() for c in axis.collections] == ["AUs 1  (9)", "AUs 6, 12  (6)"]
    assert [len(c.get_offsets()) for c in axis.collections] == [9, 6]


def test_a_run_of_the_wrong_kind_says_what_is_needed(make: Make) -> None:
    run, choice = make("renet"), Choice(rows=1)
    said = r"needs a model that returns {}; renet \(renet\) returns trained, embeddings: train {}"
    with pytest.raises(UserError, match="figure masks " + said.format("masks", "gtlenet")):
        masks.figure(run, choice, None, nothing)
    with pytest.raises(UserError, match="figure cam " + said.format("maps", "mgrrnet")):
        cam.figure(run, choice, None, nothing)
    with pytest.raises(UserError, match="figure weights " + said.format("weights", "mdhr")):
        weights.figure(run, choice, nothing)
    with pytest.raises(UserError, match="figure graph .* train mdhr or sacl"):
        graph.figure([run], choice, None, nothing)
    with pytest.raises(UserError, match="figure tsne .*returns embeddings; sacl"):
        tsne.by_au([make("sacl")], choice, None, 20)
    with pytest.raises(UserError, match="relates AUs by matrices; gtlenet"):
        relation.matrices(make("gtlenet"), nothing)


# Layout and command


def test_points_are_pushed_apart_and_stay_inside() -> None:
    points = np.array([[5.0, 5.0], [5.0, 5.0], [6.0, 5.0], [60.0, 60.0]])
    moved = layout.apart(points, 8, 64)
    distance = np.linalg.norm(moved[:, None] - moved, axis=-1)[np.triu_indices(4, 1)]
    assert distance.min() > 7.9
    assert moved.min() >= 4
    assert moved.max() <= 60
    np.testing.assert_allclose(moved[3], points[3], atol=0.01)


def test_mean_landmarks_are_a_face_in_the_crop(make: Make) -> None:
    points = layout.mean_landmarks(make("mdhr").spec)
    assert points.shape == (49, 2)
    assert points.min() > 0
    assert points.max() < 64
    assert points[19:25, 0].mean() < points[25:31, 0].mean()  # the subject's right eye is left
    assert points[:10, 1].max() < points[31:, 1].min()


@pytest.mark.parametrize("name", ["relation.png", "relation.svg", "relation.pdf"])
def test_command_writes_the_figure(
    name: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "load", lambda _: make("renet"))
    command.relation("run", tmp_path / name, "1,12")
    assert [file.name for file in tmp_path.iterdir()] == [name]
    if name.endswith("png"):
        assert min(Image.open(tmp_path / name).size) > 200


def test_command_names_what_it_left_out(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "load", lambda _: make("gtlenet"))
    Image.new("RGB", (96, 96), "gray").save(tmp_path / "a.png")
    paths = [str(tmp_path / "a.png"), str(tmp_path / "absent.png")]
    out = tmp_path / "masks.png"
    with pytest.raises(ExceptionGroup, match="things left out of the figure: 1") as group:
        command.masks("run", paths, out, "1", aligned=True)
    assert "absent.png" in str(group.value.exceptions[0])
    assert out.is_file()
    with pytest.raises(UserError, match=r"masks\.bmp: expected a file \.png, \.svg or \.pdf"):
        command.masks("run", paths, tmp_path / "masks.bmp")


def test_command_is_quick_to_import() -> None:
    code = "import sys, actionunits.cli.figure; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
