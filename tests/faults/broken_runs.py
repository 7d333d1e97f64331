"""Broken recipes, and broken files in the folders of runs."""

import functools
import shutil
import tempfile
from pathlib import Path

import yaml
from broken_media import scene
from damage import Random, damaged, misplaced
from PIL import Image
from trials import Case, Outcome, Trial, named
from watched import Ran, Watched

from builders import write_synfacs
from runs import tiny_recipe


def recipes(rng: Random, folder: Path) -> Trial:
    """Break a recipe: a value, a key, its bytes; or a setting of the command."""
    write_synfacs(folder / "tiny.parquet", tasks=1, frames=3)
    name = "recipe.yaml"
    values = _recipe()
    arguments = ["train", name, "--fold", "1", "--out", "run"]
    how = int(rng.integers(5))
    if how == 4:
        data = yaml.safe_dump(values).encode()
        broken = damaged(data, rng)
        (folder / name).write_bytes(broken.data)
        said = broken.how
        return Trial(lambda _: arguments, [Case(name, said, lambda ran, _: _spoken(ran))])
    changed, said = misplaced(values, rng)
    (folder / name).write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
    # a wrong value is named by the file, or by the part of the program that it asks too much of
    return Trial(lambda _: arguments, [Case(name, said, lambda ran, _: _spoken(ran))])


def _spoken(ran: Ran) -> Outcome:
    if ran.code == 0:
        return "read"
    return "clean error" if any(s.startswith("au: ") for s in ran.said.splitlines()) else "unnamed"


def _recipe() -> dict[str, object]:
    values = tiny_recipe(Path("tiny.parquet"), {"task": "occurrence"}).model_dump(mode="json")
    del values["loss"]["intensity"]
    return values | {"epochs": 1}


def folders(rng: Random, folder: Path) -> Trial:
    """Break a file of a run, then score it, export it, compare it, read with it or go on."""
    shutil.copytree(_finished().name, folder, dirs_exist_ok=True)
    files = sorted(file for file in (folder / "run").rglob("*") if file.is_file())
    file = files[rng.integers(len(files))]
    if rng.random() < 0.1:
        file.unlink()
        how = "is not there"
    else:
        broken = damaged(file.read_bytes(), rng)
        file.write_bytes(broken.data)
        how = broken.how
    commands = {
        "evaluate": ["evaluate", "run"],
        "compare": ["compare", "run"],
        "detect": ["detect", "--aligned", "a.png", "--model", "run"],
        "train": ["train", "recipe.yaml", "--fold", "1", "--out", "run", "--set", "epochs=2"],
        "export": ["export", "run", "--out", "run.onnx"],
    }
    chosen = str(rng.choice(list(commands), p=(0.3, 0.2, 0.2, 0.25, 0.05)))
    # A file may be named by the folder of the run whose it is.
    judge = functools.partial(_judge, file=file.name, command=chosen)
    return Trial(lambda _: commands[chosen], [Case("run", f"{chosen}: {file.name} {how}", judge)])


_CHECKED = {
    "model.safetensors": {"evaluate", "detect", "export"},
    "last.safetensors": {"train"},
}
"""Files whose damage is found by a checksum, and the commands that must find it."""


def _judge(ran: Ran, folder: Path, file: str, command: str) -> Outcome:
    if ran.code == 0 and command in _CHECKED.get(file, ()):
        return "silent"
    return named(ran, "run")


@functools.cache
def _finished() -> "tempfile.TemporaryDirectory[str]":
    """Folder with a run of one epoch, that can go on for two, and all that it needs."""
    made = tempfile.TemporaryDirectory(prefix="faults-")
    folder = Path(made.name)
    write_synfacs(folder / "tiny.parquet", tasks=1, frames=3)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(_recipe()), encoding="utf-8")
    Image.fromarray(scene(0)).save(folder / "a.png")
    watched = Watched()
    ran = watched.run(["train", "recipe.yaml", "--fold", "1", "--out", "run"], folder)
    watched.close()
    if ran.code != 0:
        raise RuntimeError(f"the run to break could not be made:\n{ran.said}")
    return made
