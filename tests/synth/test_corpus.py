import errno
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from actionunits.aus import RENDERED
from actionunits.errors import DataError, UserError
from actionunits.files import writing
from actionunits.synth.card import read_labels
from actionunits.synth.corpus import render_corpus
from actionunits.synth.people import person, typology_angle
from actionunits.synth.script import SCHEMA, CorpusSettings, corpus_labels
from actionunits.synth.store import group_file, groups, is_complete, read_description

SETTINGS = CorpusSettings(subjects=4, tasks=1, frames=2, seed=5, size=64, name="tiny")


@pytest.fixture(scope="module")
def corpus(assets_folder, renderer, tmp_path_factory):
    """A corpus of two files."""
    out = tmp_path_factory.mktemp("corpus")
    assert render_corpus(assets_folder, out, SETTINGS) == 8
    return out


class _InTurn(Executor):
    """Calls as they come, the last one first: another order than that of the files."""

    def __init__(self):
        self._calls = []

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        self._calls.append((future, function, args, kwargs))
        if len(self._calls) == len(groups(SETTINGS)):
            for each, called, given, named in reversed(self._calls):
                each.set_result(called(*given, **named))
            self._calls.clear()
        return future


def test_whoever_renders_the_files_are_the_same(corpus, assets_folder, tmp_path):
    assert render_corpus(assets_folder, tmp_path, SETTINGS, pool=_InTurn()) == 8
    for file in corpus.glob("*.parquet"):
        assert file.read_bytes() == (tmp_path / file.name).read_bytes()


@pytest.mark.slow
def test_a_cluster_renders_the_same_files(assets_folder, au, tmp_path):
    """Two workers of a run that is killed, one of the next, and none: the same bytes."""
    pytest.importorskip("ray")
    asked = shlex.split("synth render --preset mini --subjects 12 --tasks 1 --frames 2 --size 64")
    asked += ["--assets", str(assets_folder)]
    plain, out = tmp_path / "plain", tmp_path / "ray"
    assert au(*asked, "--out", plain).code == 0
    files = sorted(plain.glob("S*.parquet"))
    assert len(files) == 4
    clustered = [*asked, "--out", str(out), "--engine", "ray", "--workers"]
    code = (
        "from actionunits.synth import store; store._FRAMES = 6; "
        "from actionunits.cli import main; main()"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", code, *clustered, "2"], stderr=subprocess.PIPE, text=True
    )
    while not list(out.glob("S*.parquet")):
        assert killed.poll() is None, killed.communicate()[1]
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    answer = au(*clustered, "1")
    assert answer.code == 0, answer.err
    assert "24 in" in answer.err
    assert {file.name for file in plain.iterdir()} == {file.name for file in out.iterdir()}
    for file in plain.iterdir():
        assert file.read_bytes() == (out / file.name).read_bytes(), file.name


def test_columns_and_metadata(corpus):
    assert sorted(path.name for path in corpus.iterdir()) == [
        "S001-S003.parquet",
        "S004-S004.parquet",
        "corpus.json",
        "people.csv",
    ]
    table = pq.read_table(corpus / "S001-S003.parquet")
    assert table.schema.equals(SCHEMA)
    about = json.loads(table.schema.metadata[b"actionunits"])
    assert about == json.loads((corpus / "corpus.json").read_text())
    assert {key: about[key] for key in ("name", "version", "seed", "license", "coding")} == {
        "name": "tiny",
        "version": 2,
        "seed": 5,
        "license": "CC0-1.0",
        "coding": "intensity",
    }
    assert read_description(corpus) == SETTINGS
    points = np.array(table["landmarks"].to_pylist()).reshape(-1, 49, 2)
    assert ((points > -8) & (points < 72)).all()
    assert np.array(table["sides"].to_pylist()).shape == (len(table), 48)
    shares = np.array(table["hidden"].to_pylist())
    assert shares.shape == (len(table), len(about["regions"]))
    assert ((shares >= 0) & (shares <= 1)).all()
    assert about["aus"] == list(RENDERED.numbers)
    # alignment takes out the roll that the script has, all but what yaw and pitch make of it
    script = corpus_labels(SETTINGS)["roll"].to_numpy()[: len(table)]
    roll = table["roll"].to_numpy()
    assert (abs(roll) < 12).all()
    assert not np.allclose(roll, script, atol=0.5)
    for data in table["image"].to_pylist():
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64))
            assert np.asarray(image).std() > 8


def test_labels_are_those_of_the_script(corpus):
    labels = corpus_labels(SETTINGS)
    rendered = read_labels(corpus)
    pd.testing.assert_frame_equal(rendered, labels[list(rendered)], check_dtype=False)


def test_people_are_told(corpus, head):
    told = pd.read_csv(corpus / "people.csv")
    assert list(told["subject"]) == sorted(set(read_labels(corpus)["subject"]))
    assert np.allclose(told[["african", "asian", "caucasian"]].sum(axis=1), 1, atol=2e-4)
    assert told[["male", "age"]].stack().between(0, 1).all()
    identity, looks = person(SETTINGS, 2, head)
    assert told["age"][2] == pytest.approx(identity.age, abs=1e-4)
    assert told["ita"][2] == pytest.approx(typology_angle(looks.tone), abs=1e-3)


def test_typology_angle_is_that_of_cielab():
    assert typology_angle(np.full(3, 0.6)) == pytest.approx(90, abs=1)  # grey, light and dark
    assert typology_angle(np.full(3, 0.05)) == pytest.approx(-90, abs=1)
    # The web colour burlywood has a lightness of 77, and b* of 30.
    colour = ((np.array([222, 184, 135]) / 255 + 0.055) / 1.055) ** 2.4
    assert typology_angle(colour) == pytest.approx(np.degrees(np.arctan2(27.0, 30.0)), abs=0.5)


def test_resumes_what_is_missing_or_damaged(corpus, assets_folder, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    first, second = (group_file(tmp_path / "corpus", group) for group in groups(SETTINGS))
    second.write_bytes(second.read_bytes()[:500])
    before = first.stat().st_mtime_ns
    assert render_corpus(assets_folder, tmp_path / "corpus", SETTINGS) == 2
    assert first.stat().st_mtime_ns == before
    again, original = pq.read_table(second), pq.read_table(corpus / second.name)
    assert again.drop_columns("image").equals(original.drop_columns("image"))
    assert render_corpus(assets_folder, tmp_path / "corpus", SETTINGS) == 0


def test_refuses_a_folder_of_something_else(corpus, assets_folder, tmp_path):
    with pytest.raises(DataError, match=r"other settings \(seed 5 there and 6 now\)"):
        render_corpus(assets_folder, corpus, replace(SETTINGS, seed=6))
    (tmp_path / "mine.parquet").touch()
    with pytest.raises(DataError, match="something else"):
        render_corpus(assets_folder, tmp_path, SETTINGS)
    with pytest.raises(UserError, match="nowhere"):
        render_corpus(tmp_path / "nowhere", tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_interrupted_run_leaves_whole_files_only(assets_folder, renderer, tmp_path):
    settings = replace(SETTINGS, subjects=60, frames=16)
    code = (
        "from pathlib import Path; from actionunits.synth.corpus import render_corpus; "
        "from actionunits.synth.script import CorpusSettings; "
        f"render_corpus(Path({str(assets_folder)!r}), Path({str(tmp_path)!r}), {settings!r})"
    )
    # a group of its own, as a terminal has: Ctrl-C reaches the workers too
    run = subprocess.Popen(
        [sys.executable, "-c", code], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    try:
        while not list(tmp_path.glob("S*.parquet")):
            assert run.poll() is None, run.communicate()[1]
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGINT)
        _, errors = run.communicate(timeout=300)
    finally:
        run.kill()
    assert run.returncode != 0
    assert "Process Spawn" not in errors  # no worker prints a traceback of its own
    whole = {
        group_file(tmp_path, g) for g in groups(settings) if is_complete(tmp_path, settings, g)
    }
    assert 0 < len(whole) < len(groups(settings))
    assert {*tmp_path.iterdir()} == {*whole, tmp_path / "corpus.json", tmp_path / "people.csv"}


def test_full_disk_is_the_users_to_mend():
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        pytest.raises(UserError, match=r"cannot write big\.parquet: No space left"),
        writing(Path("big.parquet")),
    ):
        raise full


def test_needs_a_worker(assets_folder, tmp_path):
    with pytest.raises(DataError, match="workers must be at least 1, got 0"):
        render_corpus(assets_folder, tmp_path, SETTINGS, workers=0)
