import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from actionunits.facefinder import graphs, networks
from actionunits.facefinder.scenes import Crop, Scene
from actionunits.faces import synface
from actionunits.faces.align import TEMPLATE
from actionunits.faces.synface import SynFace
from actionunits.types import Frame


def scene(*faces: tuple[float, float, float, float], seen: float = 1.0) -> Scene:
    boxes = np.array(faces, float).reshape(-1, 4)
    points = boxes[:, None, :2] + TEMPLATE * (boxes[:, 2:] - boxes[:, :2])[:, None]
    return Scene(np.zeros((256, 256, 3), np.uint8), boxes, points, np.full(len(boxes), seen))


@given(st.floats(20, 180), st.floats(20, 180), st.floats(9, 70), st.floats(9, 70))
def test_what_is_to_be_said_is_what_detection_reads(x, y, width, height):
    truth = scene((x, y, x + width, y + height))
    heat, place, weight, _ = networks.search_targets(truth)
    rows, columns = np.nonzero(heat == 1)
    assert len(rows) == 1
    found = synface._faces(np.ones(1), place[:, rows, columns].T, rows, columns)
    np.testing.assert_allclose(found.boxes, [[x, y, width, height]], atol=1e-3)
    np.testing.assert_allclose(found.landmarks, truth.points, atol=1e-3)
    assert weight[rows, columns] == 1


def test_cells_about_the_centre_say_where_the_face_is_too():
    truth = scene((40, 40, 200, 210))
    heat, place, weight, _ = networks.search_targets(truth)
    rows, columns = np.nonzero(weight)
    assert len(rows) > 4
    assert (heat[rows, columns] > 0.5).all()
    found = synface._faces(heat[rows, columns], place[:, rows, columns].T, rows, columns)
    np.testing.assert_allclose(found.boxes, np.tile([40, 40, 160, 170], (len(rows), 1)), atol=1e-3)


@pytest.mark.parametrize("truth", [scene((50, 50, 56, 57)), scene((50, 50, 90, 99), seen=0.1)])
def test_faces_that_can_hardly_be_seen_do_not_matter(truth):
    heat, _, weight, care = networks.search_targets(truth)
    assert heat.max() == weight.max() == 0
    assert care.min() == 0
    assert care[0, 0] == 1


def test_the_focal_loss_is_the_papers():
    rng = np.random.default_rng(0)
    heat, *others = (
        torch.from_numpy(t)[None] for t in networks.search_targets(scene((30, 40, 90, 99)))
    )
    logits = torch.from_numpy(rng.normal(0, 2, (1, 1, 32, 32))).float()
    loss = networks.search_loss((logits, torch.zeros(1, 14, 32, 32)), heat, *others)["centres"]
    total = 0.0
    for y in range(32):
        for x in range(32):
            p, hill = 1 / (1 + np.exp(-float(logits[0, 0, y, x]))), float(heat[0, y, x])
            if hill == 1:
                total -= (1 - p) ** 2 * np.log(p)
            else:
                total -= (1 - hill) ** 4 * p**2 * np.log(1 - p)
    assert float(loss) == pytest.approx(total, rel=1e-4)


def test_what_is_right_costs_nothing():
    heat, place, weight, care = (
        torch.from_numpy(t)[None] for t in networks.search_targets(scene((30, 40, 90, 99)))
    )
    logits = torch.where(heat == 1, 30.0, -30.0)[:, None]
    losses = networks.search_loss((logits, place), heat, place, weight, care)
    assert all(float(loss) == pytest.approx(0, abs=1e-5) for loss in losses.values())
    crop = Crop(np.zeros((64, 64, 3), np.uint8), TEMPLATE + 0.05, synface.BOX - 0.1, 1.0)
    values, face = (torch.from_numpy(np.asarray(t))[None] for t in networks.look_targets(crop))
    losses = networks.look_loss((torch.tensor([30.0]), values), values, face)
    assert all(float(loss) == pytest.approx(0, abs=1e-5) for loss in losses.values())


def test_crops_that_show_no_face_or_hardly_one_say_nothing_of_places():
    said, values = (torch.zeros(2), torch.ones(2, 14)), torch.zeros(2, 14)
    losses = networks.look_loss(said, values, torch.tensor([0.0, float("nan")]))
    assert float(losses["places"]) == 0
    assert float(losses["faces"]) == pytest.approx(np.log(2))


@pytest.mark.parametrize("network", [networks.SearchNet, networks.LookNet])
def test_every_weight_learns(network):
    torch.manual_seed(0)
    built = network()
    outputs = built(torch.rand(2, 3, 64, 64) * 255)
    sum(output.pow(2).sum() for output in outputs).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in built.parameters())


def test_graphs_compute_what_the_networks_say(tmp_path):
    torch.manual_seed(0)
    search, look = networks.SearchNet(), networks.LookNet()
    with torch.no_grad():
        search.heat.weight *= 50  # so that an untrained network finds something
        search.heat.bias += 4
    graphs.write(search.eval(), look.eval(), tmp_path)
    detector = SynFace(threads=1, folder=tmp_path)
    rng = np.random.default_rng(0)
    for shape in [(1, 64, 96), (3, 160, 32)]:
        pictures = rng.integers(0, 256, (*shape, 3), np.uint8)
        rows, found = detector.candidates(pictures)
        with torch.no_grad():
            logits, _ = search(torch.from_numpy(pictures.transpose(0, 3, 1, 2)).float())
        chance = torch.sigmoid(logits)
        peaks = chance * (torch.nn.functional.max_pool2d(chance, 3, 1, 1) == chance)
        assert len(rows) == int((peaks >= detector.threshold).sum())
        assert found.boxes.shape == (len(rows), 4)
    frame = Frame(rng.integers(0, 256, (90, 120, 3), np.uint8), "noise", 0, 0.0)
    (found,) = detector([frame], 320)
    assert np.isfinite(found.landmarks).all()
