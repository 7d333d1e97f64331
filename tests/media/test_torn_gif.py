"""A GIF that was cut short is said to be, wherever it was cut."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actionunits import media
from actionunits.errors import UserError
from actionunits.media.structure import is_torn


def gif(path: Path, frames: int) -> bytes:
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 255, (24, 20, 3), np.uint8)) for _ in range(frames)]
    pictures[0].save(path, save_all=frames > 1, append_images=pictures[1:], duration=100)
    return path.read_bytes()


@pytest.mark.parametrize("frames", [1, 4])
def test_it_is_missed_where_bytes_are(tmp_path: Path, frames: int) -> None:
    path = tmp_path / "some.gif"
    data = gif(path, frames)
    assert not is_torn(str(path), "GIF")
    assert len(list(media.frames(str(path)))) == frames
    for length in itertools.chain(range(300, len(data), 211), [len(data) - 1]):
        path.write_bytes(data[:length])
        assert is_torn(str(path), "GIF")
        with pytest.raises(UserError, match=r"some\.gif"):
            list(media.frames(str(path)))


def test_what_follows_the_end_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "more.gif"
    path.write_bytes(gif(path, 3) + b"\0" * 40)
    assert len(list(media.frames(str(path)))) == 3
