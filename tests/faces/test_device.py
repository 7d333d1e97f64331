"""Search, looks and crops on a device are those of the processor; PyTorch on it stands in."""

import gc

import numpy as np
import onnx
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits.bench.scene import pictures
from actionunits.errors import CheckpointError
from actionunits.faces import align
from actionunits.faces.device import OnDevice
from actionunits.faces.search import canvas
from actionunits.faces.sight import NETWORKS, OnProcessor
from actionunits.faces.synface import SynFace
from actionunits.nn.onnx_graph import OnnxGraph
from actionunits.types import Frame

CPU = torch.device("cpu")
ASTRONAUT = skimage.data.astronaut()


@pytest.fixture(scope="module")
def device():
    return OnDevice(CPU)


def noise(height, width):
    """Smooth in places, and not at all in others."""
    rng = np.random.default_rng(height * width)
    wave = 100 * np.sin(np.arange(width) / 9)[None, :, None] + np.arange(height)[:, None, None] / 4
    return (rng.integers(0, 56, (height, width, 3)) + wave % 200).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 64, 96), (3, 160, 32)])
def test_the_search_network_computes_what_onnx_runtime_does(device, shape):
    shown = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    expected = OnProcessor(NETWORKS, 1).search(shown)
    got = device.search(torch.from_numpy(shown).permute(0, 3, 1, 2).float())
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    shrink=st.floats(0.4, 9),
    turn=st.floats(-3.2, 3.2),
    x=st.floats(-60, 260),
    y=st.floats(-60, 160),
    mirrored=st.booleans(),
)
def test_crops_are_those_of_pillow(device, shrink, turn, x, y, mirrored):
    image = noise(120, 200)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / shrink
    linear = turned * ([-1, 1] if mirrored else [1, 1])
    matrix = np.concatenate([linear, [[24], [24]] - linear @ [[x], [y]]], axis=1)[None]
    owners = np.zeros(1, np.intp)
    apart = device.warp([image], owners, matrix, 48).numpy() - align.warp(image, matrix, 48) * 1.0
    assert np.abs(apart).max() <= 3
    assert np.abs(apart).mean() < 0.7
    quick = device._crops([image], owners, matrix, 48, align.quickly).permute(0, 2, 3, 1)
    apart = quick.numpy() - align.glance(image, matrix, 48)
    assert np.abs(apart).max() <= 3


def test_crops_that_show_very_much(device):
    image = noise(40, 9000)
    matrix = np.array([[[0.01, 0, 0], [0, 0.01, 40]]])
    expected = align.warp(image, matrix, 90)
    apart = device.warp([image], np.zeros(1, np.intp), matrix, 90).numpy() - expected * 1.0
    assert np.abs(apart).max() <= 3


def test_crops_of_several_pictures_and_of_none(device):
    images = [noise(50, 60), noise(90, 40), noise(30, 30)]
    owners = np.array([0, 2, 2])
    matrices = np.tile([[0.5, 0.1, 3], [-0.1, 0.5, 5]], (3, 1, 1)) * [[[1]], [[1]], [[0.8]]]
    crops = device.warp(images, owners, matrices, 24)
    assert crops.dtype == torch.uint8
    apart = crops.numpy() - align.of_each(images, owners, matrices, 24) * 1.0
    assert np.abs(apart).max() <= 3
    nobody = np.zeros(0, np.intp), np.zeros((0, 2, 3))
    assert device.warp(images, *nobody, 24).shape == (0, 24, 24, 3)
    assert align.of_each(images, *nobody, 24).shape == (0, 24, 24, 3)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    shape=st.tuples(st.integers(1, 130), st.integers(1, 130)),
)
def test_pictures_are_scaled_as_pillow_scales_them(device, height, width, shape):
    image = noise(height, width)
    expected = canvas([image, image], shape).astype(float)
    got = device.canvas([image, image], shape).permute(0, 2, 3, 1).numpy()
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 2.1


def test_faces_are_those_that_the_processor_finds(device):
    (crowd,) = pictures(1, 6, 640, 360)
    frames = [Frame(image, "a.png", 0, 0.0) for image in (ASTRONAUT, crowd, noise(200, 300))]
    here, there = SynFace(threads=1), SynFace(sight=device)
    for side in (320, 1280):
        for ours, theirs in zip(there(frames, side), here(frames, side), strict=True):
            assert len(ours.scores) == len(theirs.scores)
            eyes = np.linalg.norm(theirs.landmarks[:, 0] - theirs.landmarks[:, 1], axis=-1)
            apart = np.linalg.norm(ours.landmarks - theirs.landmarks, axis=-1).mean(axis=-1)
            assert (apart < 0.01 * eyes).all()
            np.testing.assert_allclose(ours.scores, theirs.scores, atol=0.02)


def test_a_picture_is_sent_once_and_not_kept_for_longer_than_here(device):
    device._sent.clear()
    image = ASTRONAUT.copy()
    device.canvas([image, image], (64, 64))
    sent = device._picture(image)
    assert device._picture(image) is sent
    assert len(device._sent) == 1
    assert np.array_equal(sent.permute(1, 2, 0), ASTRONAUT)
    del image
    gc.collect()
    assert not device._sent


@pytest.mark.parametrize("turn", [lambda a: a[::-1], lambda a: a[:, ::2], lambda a: a])
def test_views_and_pictures_that_are_read_only(device, turn):
    image = turn(ASTRONAUT.copy())
    image.flags.writeable = False
    assert np.array_equal(device._picture(image).permute(1, 2, 0), image)


def test_damaged_networks_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="search.onnx: the face detector's network"):
        OnDevice(CPU, tmp_path)
    (tmp_path / "search.onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match="search.onnx: the face detector's network"):
        OnDevice(CPU, tmp_path)


def graph(tmp_path, *nodes):
    shown, said = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "xy"
    )
    file = tmp_path / "graph.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [shown], [said])), file)
    return file


def test_operators_that_are_not_known_are_refused(tmp_path):
    file = graph(tmp_path, onnx.helper.make_node("Erf", ["x"], ["y"]))
    with pytest.raises(ValueError, match=r"known operators, found \['Erf'\]"):
        OnnxGraph(file, CPU)
    with pytest.raises(ValueError, match=r"found \[\]"):
        OnnxGraph(graph(tmp_path), CPU)


def test_settings_that_are_not_known_are_refused(tmp_path):
    pool = onnx.helper.make_node(
        "MaxPool", ["x"], ["y"], kernel_shape=[2, 2], pads=[0, 0, 1, 1], strides=[1, 1]
    )
    with pytest.raises(ValueError, match="both sides alike"):
        OnnxGraph(graph(tmp_path, pool), CPU)(torch.zeros(1, 1, 4, 4))
