"""A rendered clip that every browser plays, and open pages without a browser."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actionunits import datasets
from actionunits.app.sessions import Session, Sessions
from actionunits.data.faces import Faces
from clips import write_video

_ROOM, _GRAY, _RATE = 64, 110, 6  # pixels around the face, which has to be found; frames a second


@pytest.fixture(scope="session")
def frames() -> np.ndarray:
    """A rendered person who smiles, speaks and blinks: (N, H, W, 3)."""
    table = datasets.load("synfacs")
    mine = (table.rows["subject"] == "S003") & (table.rows["task"] == "T4")
    chosen = table.subset(mine.to_numpy())
    faces = Faces(chosen.images, chosen.rows["image"].to_numpy(np.int64), 256)
    images = faces(np.arange(len(chosen))).permute(0, 2, 3, 1).numpy()
    room = ((0, 0), (_ROOM, _ROOM), (_ROOM, _ROOM), (0, 0))
    return np.pad(images, room, constant_values=_GRAY)


@pytest.fixture(scope="session")
def clip(frames: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    size = frames.shape[2], frames.shape[1]
    times = np.arange(len(frames)) / _RATE
    path = tmp_path_factory.mktemp("clip") / "talk.webm"
    return write_video(path, times, size, shades=list(frames), codec="libvpx-vp9")


@pytest.fixture(scope="session")
def photo(frames: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "face.png"
    Image.fromarray(frames[8]).save(path)
    return path


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    folder = tmp_path / "pages"
    folder.mkdir()
    return Sessions(folder)


@pytest.fixture
def session(sessions: Sessions) -> Session:
    return sessions.of("key")
