"""Frames on their way: those that are done with are gone before others take their room."""

import time
import weakref
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import actionunits
from actionunits import media
from actionunits.detect import chunks
from actionunits.detect.ahead import Room
from actionunits.faces.detections import Detections
from actionunits.media.worker import Item, stream
from actionunits.types import Frame
from clips import write_video

WIDTH, HEIGHT, COUNT = 64, 48, 12
CHUNK = 10  # pixels


class Watching:
    """Finds nobody, and counts the frames that are there already before the next one is fetched."""

    def __init__(self) -> None:
        self.there: list[int] = []
        self._seen: list[Callable[[], Any]] = []

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        return [Detections(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))) for _ in frames]

    def stream(self, *args: Any, **options: Any) -> Generator[Item, None, None]:
        """Items of the process that decodes; those that are done with may take a moment to go."""
        for values, image in stream(*args, **options):
            if image is None:
                yield values, image
                continue
            self._seen.append(weakref.ref(image))
            yield values, image
            del image
            until = time.monotonic() + 2
            while self._left() and time.monotonic() < until:
                time.sleep(0.001)
            self.there.append(self._left())

    def _left(self) -> int:
        return sum(seen() is not None for seen in self._seen)


@pytest.mark.parametrize("threads", [1, 2])
def test_where_there_is_room_for_one_frame_the_one_before_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    torch.set_num_threads(threads)
    monkeypatch.setattr("actionunits.detect.predict._ROOM", WIDTH * HEIGHT)
    monkeypatch.setattr("actionunits.detect.chunks._CHUNK_PIXELS", WIDTH * HEIGHT)
    video = write_video(tmp_path / "video.mp4", range(0, 40 * COUNT, 40), (WIDTH, HEIGHT))
    detector = Watching()
    monkeypatch.setattr(media, "stream", detector.stream)
    predictor = actionunits.load("default-fast", runtime="onnx", detector=detector, search_every=1)
    read = 0
    for reading in predictor.read(str(video)):
        read += not reading.faces
        del reading
    assert read == COUNT
    assert detector.there == [0] * COUNT


class Strict(Room):
    """Room for which nobody may wait: who would give it back is the one who waits."""

    used = 0

    def take(self, share: int) -> None:
        assert not self.used or self.used + share <= CHUNK, "would wait for itself"
        self.used += share

    def give(self, share: int) -> None:
        self.used -= share


@given(sizes=st.lists(st.integers(1, 2 * CHUNK), max_size=30), still=st.booleans())
def test_frames_of_any_size_never_wait_for_those_that_are_packed_with_them(
    sizes: list[int], still: bool
) -> None:
    """Whoever reads one chunk after the other has nothing else on the way."""
    room = Strict(CHUNK)
    frames = [
        Frame(np.zeros((1, size, 3), np.uint8), "x", at, 0.0) for at, size in enumerate(sizes)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "_CHUNK_PIXELS", CHUNK)
        patch.setattr(chunks, "BLOCK", 4)
        seen = []
        for chunk in chunks._packed(iter(frames), room, 3, still=still):
            assert chunk.pixels == sum(frame.image.shape[1] for frame in chunk.frames)
            assert len(chunk.frames) == 1 or chunk.pixels <= CHUNK
            seen += chunk.frames
            room.give(chunk.pixels)
    assert seen == frames
    assert room.used == 0
