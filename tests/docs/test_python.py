"""docs/python.md as it stands: each block is a script of 20 lines that runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from blocks import ROOT, blocks, sections
from people import pictures

PAGE = sections(ROOT / "docs" / "python.md")
SCRIPTS = {
    title.removesuffix(" in 20 lines"): block.text
    for title, text in PAGE.items()
    for block in blocks(text, "python")
}
QUICK = {"epochs: 10": "epochs: 1", "batch: 32": "batch: 4"}  # else minutes


def run(title: str) -> str:
    """What a block says as a script in this folder."""
    Path("script.py").write_text(SCRIPTS[title])
    said = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, timeout=600, check=False
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


def test_every_block_of_the_page_is_tried_below() -> None:
    assert [*SCRIPTS] == ["Detection", "Fine-tuning", "A new model", "A new data set"]
    assert all(len(blocks(text, "python")) == 1 for text in PAGE.values())


@pytest.mark.parametrize("title", SCRIPTS)
def test_it_is_said_in_20_lines_and_their_imports(title: str) -> None:
    lines = [line for line in SCRIPTS[title].splitlines() if line.strip()]
    assert len([line for line in lines if not line.startswith(("import ", "from "))]) <= 20
    assert max(map(len, lines)) <= 100


def test_detection(here: Path) -> None:
    said = run("Detection")
    assert "pose_yaw" in said
    assert "(1, 24) (1, 49, 2) (1, 384)" in said
    assert "(1, 24) [[" in said  # logits, and which AUs are there


def test_fine_tuning(here: Path) -> None:
    own = sections(ROOT / "docs" / "your-own.md")
    text = blocks(own["Make it yours in 20 lines"], "yaml")[0].text
    for slow, quick in QUICK.items():
        assert slow in text
        text = text.replace(slow, quick)
    Path("mine.yaml").write_text(text)
    rng = np.random.default_rng(0)
    listed = pd.DataFrame(pictures(here / "pictures", 4), columns=["image", "subject"])
    listed["image"] = "pictures/" + listed["image"]
    listed[["AU04", "AU12"]] = rng.integers(0, 2, (len(listed), 2))
    listed.to_csv("mine.csv", index=False)
    said = run("Fine-tuning")
    assert "fold 3" in said or "mean" in said  # the scores
    assert "photo.jpg" in said


def test_a_new_model(here: Path) -> None:
    said = run("A new model")
    assert "photo.jpg" in said


def test_a_new_data_set(here: Path) -> None:
    made = pictures(here / "pictures", 2)
    rows = [(person, f"pictures/{name}", i % 2) for i, (name, person) in enumerate(made)]
    table = pd.DataFrame(rows, columns=["person", "picture", "smile"])
    table.to_csv("labels.txt", sep="\t", index=False)
    said = run("A new data set")
    assert "['AU12'] (6, 1) ['anna', 'bert', 'cleo']" in said
