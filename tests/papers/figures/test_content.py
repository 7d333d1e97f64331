"""Each of the papers' figures: what is drawn is what the model says."""

import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from stand_ins import AUS, Make, nothing, stub, texts, titles
from torch.nn import functional

from actionunits.errors import DataError, RecipeError, UserError
from actionunits.papers.figures import (
    cam,
    edges,
    faces,
    graph,
    masks,
    reconstruction,
    relation,
    rois,
    trained,
    tsne,
    weights,
)
from actionunits.papers.figures.faces import Choice
from actionunits.papers.figures.seen import see


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


def test_reconstructions_are_shown_in_the_colours_of_pictures(make: Make) -> None:
    runs = [make("gtlenet"), make("gtlenet", "unmasked", masks=False)]
    choice = Choice(rows=2)
    figure = reconstruction.figure(runs, choice, nothing)
    assert titles(figure) == ["face", "gtlenet", "unmasked"]
    columns = np.reshape(figure.subfigs[0].axes, (2, 3)).T
    for run, column in zip(runs, columns[1:], strict=True):
        seen = see(run, faces.varied(run, choice, nothing), reconstruction.WANTS)
        made = seen.aux["reconstruction"].transpose(0, 2, 3, 1)
        wanted = (127.5 * (made + 1)).clip(0, 255)
        errors = np.square(made - (seen.pictures / 127.5 - 1)).mean((1, 2, 3))
        for axis, values, error in zip(column, wanted, errors, strict=True):
            np.testing.assert_allclose(axis.images[0].get_array(), values, atol=1)
            assert axis.texts[-1].get_text() == f"error {error:.3f}"
    perfect = seen._replace(aux={"reconstruction": seen.pictures.transpose(0, 3, 1, 2) / 127.5 - 1})
    same = reconstruction.draw({"same": perfect}, runs[0].spec)
    for face, again in np.reshape(same.subfigs[0].axes, (2, 2)):
        np.testing.assert_array_equal(again.images[0].get_array(), face.images[0].get_array())
    assert texts(same).count("error 0.000") == 2
    larger = make("gtlenet", "larger", size=80, align=80)
    with pytest.raises(UserError, match="--beside: larger sees faces of 80 pixels"):
        reconstruction.figure([runs[0], larger], choice, nothing)


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
    apart = relation.matrices(make("mgrrnet", "random prior", prior="random"), nothing)
    assert list(apart)[:3] == ["prior, layer 1", "prior, layer 2", "learned, layer 1"]
    np.testing.assert_array_equal(apart["prior, layer 2"], apart["learned, layer 2"])


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
        "label correlation > 0.2",
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
    with pytest.raises(UserError, match="figure reconstruction .* train gtlenet"):
        reconstruction.figure([run], choice, nothing)
    with pytest.raises(UserError, match="figure cam " + said.format("maps", "mgrrnet")):
        cam.figure(run, choice, None, nothing)
    with pytest.raises(UserError, match="figure weights " + said.format("weights", "mdhr")):
        weights.figure(run, choice, nothing)
    with pytest.raises(UserError, match="figure graph .* train mdhr or sacl"):
        graph.figure([run], choice, None, nothing)
    with pytest.raises(UserError, match="relates AUs by matrices; gtlenet"):
        relation.matrices(make("gtlenet"), nothing)
