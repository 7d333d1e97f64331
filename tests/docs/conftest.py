"""The folder that readers of the documentation have: what its pages name."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from blocks import ROOT
from PIL import Image

import actionunits
from actionunits.cli import demo
from clips import write_video


def faces(folder: Path) -> np.ndarray:
    """The frames of a clip of the embedded corpus, (T, H, W, 3) uint8."""
    with av.open(str(demo.clip(folder))) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that pages name: photographs, clips, boxes, tables that were read off them."""
    folder = tmp_path_factory.mktemp("material")
    frames = faces(folder)
    (folder / "rendered.mp4").replace(folder / "talk.mp4")
    Image.open(demo.photograph(folder)).convert("RGB").save(folder / "photo.jpg", quality=95)
    (folder / "astronaut.png").unlink()
    for name in ("photos", "clips", "videos", "resting", "crops", "results"):
        (folder / name).mkdir()
    shutil.copy(folder / "photo.jpg", folder / "photos" / "one.jpg")
    Image.fromarray(frames[5]).save(folder / "photos" / "two.jpg", quality=95)
    Image.fromarray(frames[0]).save(folder / "rest.jpg", quality=95)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / "resting" / f"{number}.jpg", quality=95)
    shutil.copytree(folder / "resting", folder / "frames")
    Image.fromarray(frames[3, :, 64:-64]).save(folder / "crops" / "face.png")
    rate = np.arange(len(frames)) / 6
    for name in ("p01", "p02"):
        clip = write_video(
            folder / "videos" / f"{name}.mp4", rate, frames[0].shape[1::-1], shades=frames
        )
        shutil.copy(clip, folder / "clips" / f"{name}.mp4")
    write_video(folder / "long.mp4", rate * 25, frames[0].shape[1::-1], shades=frames)  # 108 s
    (folder / "crowd.mp4").symlink_to(folder / "talk.mp4")
    (folder / "faces.csv").write_text("source,frame,x,y,width,height\ntalk.mp4,1,110,40,160,190\n")
    reader = actionunits.load("default")
    reader.predict(folder / "talk.mp4").to_csv(folder / "talk.csv", index=False)
    for name in ("p01", "p02"):
        table = reader.predict(folder / "videos" / f"{name}.mp4").assign(input=f"videos/{name}.mp4")
        table.to_csv(folder / "results" / f"{name}.csv", index=False)
    return folder


@pytest.fixture
def here(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with a copy of all of it, in which commands run."""
    folder = tmp_path / "here"
    shutil.copytree(material, folder)
    (folder / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(folder)
    return folder
