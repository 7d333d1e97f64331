"""Clip models on faces as they come: neighbours in time, chunks, files, tracks."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from actionunits.detect.pytorch import network
from actionunits.detect.reader import Read, reader
from actionunits.types import Face, Frame, InputSpec, Output

CONTEXT = 2


class Window(nn.Module):
    """The logit of a frame is the sum of its window, in which each place has its own weight."""

    spec = InputSpec(4, 4, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), clip=3, context=CONTEXT)

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0
        self.longest = 0

    def encode(self, images: Tensor) -> Tensor:
        self.encoded += len(images)
        return images.mean((1, 2, 3))[:, None]

    def read(self, features: Tensor) -> Output:
        self.longest = max(self.longest, features.shape[1])
        windows = features.unfold(1, 2 * CONTEXT + 1, 1)  # (B, T, 1, window)
        logits = (windows * torch.arange(1.0, 2 * CONTEXT + 2) / 10).sum(-1)
        around = {"embeddings": windows.expand(-1, -1, 2, -1)}
        return Output(logits, intensity=windows[..., CONTEXT] * 5, aux=around)

    def forward(self, images: Tensor) -> Output:
        return self.read(self.encode(images.flatten(0, 1)).unflatten(0, images.shape[:2]))


def face(frame: Frame, track: int) -> Face:
    return Face(frame, track, np.zeros(4), np.zeros((5, 2)), 1.0)


def read(
    model: nn.Module,
    shown: Sequence[tuple[str, Sequence[tuple[int, int]]]],
    chunk: int,
    times: Sequence[float] | None = None,
) -> list[Read]:
    """Read frames of one source given as [(track, gray value), ...], by default ten a second."""
    run = reader(network(model), 1)
    found: list[Read] = []
    image = np.zeros((4, 4, 3), np.uint8)
    for start in range(0, len(shown), chunk):
        frames, faces, crops = [], [], [np.zeros((0, 4, 4, 3), np.uint8)]
        for number, (source, people) in enumerate(shown[start : start + chunk], start):
            seconds = number / 10 if times is None else times[number]
            frames.append(Frame(image, source, number, seconds))
            faces.append(tuple(face(frames[-1], track) for track, _ in people))
            crops += [np.full((1, 4, 4, 3), gray, np.uint8) for _, gray in people]
        seen = iter(run.look(np.concatenate(crops)))
        found += run.push(frames, faces, [[next(seen) for _ in shown] for shown in faces])
    return found + list(run.finish())


def expected(grays: Sequence[int]) -> np.ndarray:
    """Logits of one run of frames, by the definition: (N,)."""
    values = np.array(grays) / 255
    padded = np.concatenate([[values[0]] * CONTEXT, values, [values[-1]] * CONTEXT])
    weights = np.arange(1.0, 2 * CONTEXT + 2) / 10
    return np.array([padded[i : i + len(weights)] @ weights for i in range(len(values))])


def logits(reads: list[Read], track: int) -> np.ndarray:
    values = [
        r.values.probability[[f.track for f in r.faces].index(track), 0]
        for r in reads
        if any(f.track == track for f in r.faces)
    ]
    return np.log(values) - np.log1p(-np.array(values))


@given(st.lists(st.integers(0, 255), min_size=1, max_size=20), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_every_frame_is_read_in_its_window_whatever_the_chunk(grays: list[int], chunk: int) -> None:
    model = Window()
    reads = read(model, [("a", [(0, gray)]) for gray in grays], chunk)
    assert [r.frame.number for r in reads] == list(range(len(grays)))
    np.testing.assert_allclose(logits(reads, 0), expected(grays), atol=1e-4)
    assert model.encoded == len(grays)
    assert model.longest <= chunk + 4 * CONTEXT


def test_a_face_that_goes_and_comes_back_starts_anew() -> None:
    one, two, after = [10, 200, 30, 90], [50, 60, 70, 80, 90, 100, 110], [220, 5]
    shown = [
        ("a", ([(0, one[i])] if i < 4 else [(0, after[i - 5])] if i > 4 else []) + [(1, two[i])])
        for i in range(7)
    ]
    reads = read(Window(), shown, 3)
    assert [len(r.faces) for r in reads] == [2, 2, 2, 2, 1, 2, 2]
    np.testing.assert_allclose(
        logits(reads, 0), np.concatenate([expected(one), expected(after)]), atol=1e-4
    )
    np.testing.assert_allclose(logits(reads, 1), expected(two), atol=1e-4)


def test_empty_frames_are_kept_and_part_a_run() -> None:
    shown = [("a", [(0, 10)]), ("a", []), ("a", [(0, 200)]), ("a", []), ("a", [(0, 90)])]
    reads = read(Window(), shown, 5)
    assert [len(r.faces) for r in reads] == [1, 0, 1, 0, 1]
    assert reads[1].values.probability.shape == (0, 1)
    alone = np.concatenate([expected([gray]) for gray in (10, 200, 90)])
    np.testing.assert_allclose(logits(reads, 0), alone, atol=1e-4)


def test_intensity_is_that_of_the_frame_itself() -> None:
    reads = read(Window(), [("a", [(0, g)]) for g in (0, 51, 102, 153)], 2)
    found = [r.values.intensity[0, 0] for r in reads if r.values.intensity is not None]
    assert found == pytest.approx([0, 1, 2, 3], abs=1e-6)


def trained_at(fps: float) -> Window:
    model = Window()
    model.spec = Window.spec._replace(fps=fps)
    return model


GRAYS = [int(gray) for gray in np.random.default_rng(0).integers(0, 256, 41)]


@pytest.mark.parametrize("chunk", [1, 8, 41])
@pytest.mark.parametrize(("rate", "stride"), [(6, 1), (7, 1), (12, 2), (25, 4), (30, 5)])
def test_neighbours_are_as_far_apart_as_in_training(rate: float, stride: int, chunk: int) -> None:
    model = trained_at(6.0)
    shown = [("a", [(0, gray)]) for gray in GRAYS]
    reads = read(model, shown, chunk, np.round(np.arange(41) / rate, 3).tolist())
    assert [r.frame.number for r in reads] == list(range(41))
    found = logits(reads, 0)
    for phase in range(stride):
        own = GRAYS[phase::stride]
        np.testing.assert_allclose(found[phase::stride], expected(own), atol=1e-4)
    assert model.encoded == 41


def test_a_video_of_few_frames_a_second_is_named(caplog: pytest.LogCaptureFixture) -> None:
    shown = [("slow.mp4", [(0, gray)]) for gray in GRAYS]
    reads = read(trained_at(25.0), shown, 8, (np.arange(41) / 15).tolist())
    np.testing.assert_allclose(logits(reads, 0), expected(GRAYS), atol=1e-4)
    assert [record.getMessage() for record in caplog.records] == [
        "slow.mp4: has 15 frames a second; the model was trained on 25, so that motion looks 1.7 "
        "times as fast to it"
    ]


@pytest.mark.parametrize("fps", [None, 10.0])
def test_missing_frames_part_a_run(fps: float | None) -> None:
    times = [i / 10 + (i >= 20) * 0.1 for i in range(41)]  # one frame is missing before the 20th
    shown = [("a", [(0, gray)]) for gray in GRAYS]
    reads = read(Window() if fps is None else trained_at(fps), shown, 8, times)
    parts = [expected(GRAYS[:20]), expected(GRAYS[20:])]
    np.testing.assert_allclose(logits(reads, 0), np.concatenate(parts), atol=1e-4)


def test_a_frame_that_is_hardly_missed_parts_nothing() -> None:
    times = [i / 30 + (i >= 20) / 30 for i in range(41)]  # a step of 6 frames, not 5
    shown = [("a", [(0, gray)]) for gray in GRAYS]
    found = logits(read(trained_at(6.0), shown, 8, times), 0)
    np.testing.assert_allclose(found[::5], expected(GRAYS[::5]), atol=1e-4)


def test_another_rate_from_some_frame_on_is_taken_up() -> None:
    times = [i / 30 for i in range(20)] + [19 / 30 + (i + 1) / 10 for i in range(21)]
    shown = [("a", [(0, gray)]) for gray in GRAYS]
    found = logits(read(trained_at(30.0), shown, 8, times), 0)
    parts = [expected(GRAYS[:20]), expected(GRAYS[20:])]
    np.testing.assert_allclose(found, np.concatenate(parts), atol=1e-4)


def test_embedding_of_a_frame_is_that_of_its_window() -> None:
    shown = [("a", [(0, 10 * i), (1, 5)]) for i in range(5)] + [("a", [])]
    for chunk in (1, 4):
        *found, nobody = read(Window(), shown, chunk)
        for i, each in enumerate(found):
            window = np.clip(np.arange(i - CONTEXT, i + CONTEXT + 1), 0, 4) * 10 / 255
            assert each.values.embedding is not None
            np.testing.assert_allclose(each.values.embedding[0], window, rtol=1e-2)
            np.testing.assert_allclose(each.values.embedding[1], 5 / 255, rtol=1e-2)
        assert nobody.values.embedding is None
