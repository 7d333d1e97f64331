from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from actionunits.aus import ALL, RENDERED
from actionunits.errors import DataError
from actionunits.synth.script import (
    MINI,
    MOTION,
    PEOPLE,
    SCHEMA,
    TRAIN,
    CorpusSettings,
    corpus_labels,
    describe,
    settings_from,
    takes,
)

SMALL = CorpusSettings(subjects=4, tasks=3, frames=5, seed=3)


def test_labels_are_those_of_the_settings():
    labels = corpus_labels(SMALL)
    assert len(labels) == SMALL.total == 60
    assert {*labels} == {*SCHEMA.names} - {"image", "landmarks", "hidden"}
    assert labels["subject"].unique().tolist() == ["S001", "S002", "S003", "S004"]
    assert (labels.groupby("subject")["task"].nunique() == 3).all()
    assert labels.groupby("subject")["part"].unique().map(list).tolist() == [[1], [2], [3], [1]]
    assert labels["frame"].tolist() == [1, 2, 3, 4, 5] * 12
    assert labels[RENDERED.columns()].to_numpy().max() <= 5


def test_labels_follow_from_the_seed_alone():
    pd.testing.assert_frame_equal(corpus_labels(SMALL), corpus_labels(SMALL))
    assert not corpus_labels(SMALL).equals(corpus_labels(replace(SMALL, seed=4)))
    # a subject's task is the same whatever else the corpus holds
    more = corpus_labels(replace(SMALL, subjects=5, tasks=8, size=64, quality=50))
    same = more.merge(corpus_labels(SMALL)[["subject", "task", "frame"]])
    pd.testing.assert_frame_equal(same, corpus_labels(SMALL))


def test_sparse_frames_come_from_one_performance():
    sparse = replace(SMALL, span=40)
    whole = {take.task: take for take in takes(replace(SMALL, frames=40), 2)}
    for take in takes(sparse, 2):
        assert len(take.numbers) == 5
        assert (np.diff(take.numbers) > 0).all()
        kept = take.numbers - 1
        assert np.array_equal(take.performance.au, whole[take.task].performance.au[kept])
        assert np.array_equal(take.performance.seconds, kept / SMALL.fps)


def test_mini_can_be_learned_and_tested_on_every_part():
    labels = corpus_labels(MINI)
    assert len(labels) == 3120
    assert labels.groupby("part")["subject"].nunique().tolist() == [10, 10, 10]
    assert labels.groupby(["subject", "task"]).size().min() >= 16  # clips
    occurs = labels[RENDERED.columns()] >= 1.5
    rates = occurs.groupby(labels["part"]).mean()
    assert rates[ALL.columns()].to_numpy().min() > 0.05
    assert rates.to_numpy().min() > 0.015
    assert 0.12 < (~occurs.any(axis=1)).mean() < 0.2
    assert 2.6 < occurs.sum(axis=1).mean() < 3.4
    assert MINI.seed != TRAIN.seed  # nobody is in both


def test_motion_has_clips_in_which_every_au_comes_and_goes():
    labels = corpus_labels(MOTION)
    assert labels.groupby("part")["subject"].nunique().tolist() == [15, 15, 15]
    occurs = labels[RENDERED.columns()] >= 1.5
    rates = occurs.groupby(labels["part"]).mean()
    assert rates[ALL.columns()].to_numpy().min() > 0.06
    assert rates.to_numpy().min() > 0.01
    same_video = (labels[["subject", "task"]] == labels[["subject", "task"]].shift()).all(axis=1)
    changes = (occurs != occurs.shift())[same_video].groupby(labels["part"]).sum()
    assert changes[ALL.columns()].to_numpy().min() > 12
    assert changes.to_numpy().min() > 2
    assert labels["seconds"].diff()[same_video].median() == pytest.approx(1 / 15)
    assert MOTION.seed not in {MINI.seed, TRAIN.seed}


def test_people_are_many_and_half_of_them_rest_or_talk():
    labels = corpus_labels(replace(PEOPLE, subjects=150))
    assert PEOPLE.total >= 250_000
    occurs = labels[RENDERED.columns()] >= 1.5
    by_task = occurs.groupby(labels["task"]).mean()
    quiet = (~occurs.drop(columns=["AU43", "AU45"]).any(axis=1)).groupby(labels["task"]).mean()
    assert quiet[["T1", "T2"]].min() > 0.8
    assert quiet[["T3", "T4"]].max() < 0.6
    assert by_task.loc[["T3", "T4"], "AU25"].min() > 0.25
    assert by_task.loc[["T3", "T4"], ["AU18", "AU22"]].to_numpy().min() > 0.03
    down = (labels["gaze_pitch"] < -12).groupby(labels["task"]).mean()
    assert down["T2"] > 0.4
    assert labels["yaw"].abs().max() > 30
    assert PEOPLE.seed not in {MINI.seed, TRAIN.seed, MOTION.seed}


def test_sides_are_kept():
    labels = corpus_labels(SMALL)
    sides = np.stack(labels["sides"]).reshape(len(labels), 24, 2)
    np.testing.assert_array_equal(sides.max(axis=2), labels[RENDERED.columns()])


def test_description_gives_the_settings_back():
    assert settings_from(describe(TRAIN)) == TRAIN
    assert describe(MINI)["name"] == "synfacs-mini"
    with pytest.raises(DataError, match="another version"):
        settings_from({**describe(MINI), "version": 1})
    with pytest.raises(DataError, match="another version"):
        settings_from({"version": 1, "settings": {"subjects": 3}})


def test_unknown_programmes_are_named():
    with pytest.raises(DataError, match="programme must be one of elicited, people, got 'x'"):
        replace(SMALL, programme="x")


@pytest.mark.parametrize(
    "bad",
    [{"subjects": 0}, {"tasks": 9}, {"span": 3}, {"fps": 0}, {"quality": 101}, {"size": 8}],
)
def test_settings_out_of_range_are_named(bad):
    (name,) = bad
    with pytest.raises(DataError, match=f"^{name} must be in"):
        replace(SMALL, **bad)
