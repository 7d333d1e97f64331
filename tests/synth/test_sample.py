import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits.aus import ALL, RENDERED
from actionunits.synth.card import reference
from actionunits.synth.prototypes import (
    ASYMMETRY,
    EXPRESSIONS,
    HABITS,
    PEOPLE,
    PROGRAMMES,
    TASKS,
)
from actionunits.synth.sample import draw_performance, intensity, stream

seeds = st.integers(0, 2**32 - 1)
tasks = st.sampled_from([*TASKS, *PEOPLE])
A = {number: RENDERED.index(number) for number in RENDERED.numbers}


@settings(max_examples=30, deadline=None)
@given(seeds, tasks, st.integers(1, 90), st.floats(1.0, 60.0), st.floats(0.0, 1.0))
def test_shapes_and_ranges(seed, task, frames, fps, independence):
    play = draw_performance(stream(seed), task, frames, fps, independence=independence)
    assert play.au.shape == (frames, 24, 2)
    assert play.pose.shape == (frames, 3)
    assert play.gaze.shape == (frames, 2)
    assert (play.au >= 0).all()
    assert (play.au <= 5).all()
    assert (np.abs(play.pose) <= [45, 25, 20]).all()
    assert (np.abs(play.gaze) <= 30).all()
    assert np.allclose(play.seconds, np.arange(frames) / fps)


@settings(max_examples=10, deadline=None)
@given(seeds, tasks)
def test_motion_is_continuous(seed, task):
    play = draw_performance(stream(seed), task, 2000, 1000.0, independence=0.3)
    # a lid needs 60 ms to close and a lip no less: at most 1.5 * 5 / 0.06 a second, and AU5 gives
    # way to a closing lid four times as fast
    steps = np.abs(np.diff(play.au, axis=0))
    assert steps[:, np.arange(24) != A[5]].max() < 0.3
    assert steps[:, A[5]].max() < 0.6
    assert np.abs(np.diff(play.pose, axis=0)).max() < 0.3
    assert np.abs(np.diff(play.gaze, axis=0)).max() < 2.5


@settings(max_examples=25, deadline=None)
@given(seeds, tasks, st.floats(0.0, 1.0))
def test_incompatible_aus_never_occur_together(seed, task, independence):
    au = draw_performance(stream(seed), task, 120, 10.0, independence=independence).au
    for one, other in ((43, 5), (25, 23), (25, 24), (25, 28), (18, 28), (22, 28)):
        assert not ((au[:, A[one]] > 1e-9) & (au[:, A[other]] > 1e-9)).any(), (one, other)


def test_a_falling_jaw_parts_the_lips_and_the_jaw_acts_as_one():
    au = np.concatenate(
        [draw_performance(stream(3, k), task, 400, 10.0).au for k, task in enumerate(TASKS)]
    )
    assert (au[au[:, A[26], 0] >= 2][:, A[25], 0] > 0).mean() > 0.95
    rigid = [A[number] for number, spread in ASYMMETRY.items() if spread == 0]
    assert np.array_equal(au[:, rigid, 0], au[:, rigid, 1])
    both = au[:, A[12]].max(axis=1) > 1
    assert (np.abs(au[both][:, A[12], 0] - au[both][:, A[12], 1]) > 0.1).mean() > 0.3


@settings(max_examples=10, deadline=None)
@given(seeds, tasks)
def test_same_seed_same_labels(seed, task):
    first, again, other = (
        draw_performance(stream(*key), task, 50, 5.0) for key in ((seed, 1), (seed, 1), (seed, 2))
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.pose, other.pose)


def test_labels_are_the_same_on_every_machine():
    # written down once: a change of these figures changes every published corpus
    au = intensity(draw_performance(stream(2024, 5, 1), TASKS[5], 64, 8.0).au)
    assert au.sum() == pytest.approx(GOLDEN_SUM, abs=1e-9)
    assert np.floor(au + 0.5).sum(axis=0).astype(int).tolist() == GOLDEN_LEVELS


def test_blinks_are_brief_and_natural():
    """8 to 26 closures a minute, most of them shorter than 0.4 s."""
    closures, lengths = 0, []
    for subject in range(20):
        shut = draw_performance(stream(11, subject), TASKS[0], 3000, 50.0, independence=0).au
        assert (shut[:, A[45]] <= shut[:, A[43]]).all()  # a blink closes the eyes
        edges = np.diff((shut[:, A[43], 0] >= 2.5).astype(int), prepend=0, append=0)
        begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        closures += len(begins)
        lengths.extend((ends - begins) / 50.0)
    assert 8 < closures / 20 < 26
    assert np.mean(np.array(lengths) < 0.4) > 0.7


def test_only_blinks_are_au45():
    for seed in range(6):
        au = draw_performance(stream(12, seed), TASKS[2], 3000, 50.0, independence=1).au[..., 0]
        lasting = np.diff(np.flatnonzero(np.diff((au[:, A[45]] > 0).astype(int), prepend=0)))[::2]
        assert (lasting / 50.0).max() < 0.6  # seconds


@pytest.fixture(scope="module")
def population():
    """Labels (N, 24) of 150 simulated subjects, each doing all tasks."""
    return np.concatenate(
        [
            intensity(draw_performance(stream(1, s, t), task, 40, 4.0, independence=0.2).au)
            for s in range(150)
            for t, task in enumerate(TASKS)
        ]
    )


def test_rates_lie_near_those_of_real_faces(population):
    occurs = np.floor(population + 0.5) >= 2
    rate = dict(zip(RENDERED.columns(), occurs.mean(axis=0), strict=True))
    active = occurs.sum(axis=1)
    assert 2.6 < active.mean() < 3.4
    assert 0.12 < (active == 0).mean() < 0.20
    assert min(rate[column] for column in ALL.columns()) > 0.04
    assert min(rate.values()) > 0.02
    bp4d, disfa = reference("BP4D").rate, reference("DISFA").rate
    for column in {*bp4d.index} & {*disfa.index}:
        assert disfa[column] < rate[column] < bp4d[column], column
    assert all(rate[column] < bp4d[column] for column in bp4d.index)
    levels = np.bincount(np.floor(population + 0.5).astype(int).ravel(), minlength=6)
    assert (np.diff(levels[2:]) < 0).sum() >= 2  # strong expressions are rarer than slight ones


def test_correlations_lie_near_those_of_real_faces(population):
    occurs = (np.floor(population + 0.5) >= 2).astype(float)
    ours = np.corrcoef(occurs.T)
    for name, one, other, low, high in CORRELATION_BANDS:
        assert low < ours[A[one], A[other]] < high, (name, one, other)
    real = reference("BP4D")
    of_bp4d = np.array([A[number] for number in real.aus.numbers])
    pairs = np.triu_indices(len(of_bp4d), 1)
    agreement = np.corrcoef(ours[np.ix_(of_bp4d, of_bp4d)][pairs], real.pearson.to_numpy()[pairs])
    assert agreement[0, 1] > 0.8


def test_independence_takes_aus_out_of_their_company():
    def correlation(independence):
        au = np.concatenate(
            [
                intensity(
                    draw_performance(stream(9, s), TASKS[0], 40, 4.0, independence=independence).au
                )
                for s in range(80)
            ]
        )
        return np.corrcoef(au[:, A[6]], au[:, A[12]])[0, 1]

    assert correlation(0.0) > correlation(1.0) + 0.2
    assert correlation(1.0) < 0.25


def test_tables_name_known_expressions_and_aus():
    assert all({*task.weights} <= {*EXPRESSIONS} for tasks in PROGRAMMES.values() for task in tasks)
    assert {len(tasks) for tasks in PROGRAMMES.values()} == {8}
    assert {*HABITS} <= {*EXPRESSIONS}
    assert {*ASYMMETRY} == {*RENDERED.numbers}
    for name, expression in EXPRESSIONS.items():
        for number, (probability, low, high) in expression.aus.items():
            assert number in RENDERED.numbers, name
            assert 0 < probability <= 1, name
            assert 0 < low <= high <= 5, name


@pytest.mark.parametrize("bad", [(0, 5.0, 0.2), (5, 0.0, 0.2), (5, 5.0, 1.2)])
def test_bad_arguments_are_named(bad):
    frames, fps, independence = bad
    with pytest.raises(ValueError, match="got"):
        draw_performance(stream(0), TASKS[0], frames, fps, independence=independence)


GOLDEN_SUM = 661.697669449559
GOLDEN_LEVELS = [
    23,
    0,
    85,
    0,
    38,
    83,
    0,
    0,
    73,
    6,
    0,
    0,
    20,
    0,
    66,
    5,
    0,
    17,
    119,
    0,
    0,
    0,
    101,
    10,
]
CORRELATION_BANDS = (  # name of the real set, two AUs, bounds about its correlation
    ("BP4D", 1, 2, 0.3, 0.65),
    ("BP4D", 6, 12, 0.4, 0.7),
    ("BP4D", 6, 7, 0.3, 0.6),
    ("BP4D", 6, 10, 0.35, 0.6),
    ("BP4D", 10, 12, 0.35, 0.6),
    ("BP4D", 17, 24, 0.2, 0.5),
    ("BP4D", 15, 17, 0.15, 0.45),
    ("BP4D", 4, 12, -0.35, -0.08),
    ("BP4D", 10, 24, -0.2, 0.0),
    ("DISFA", 4, 9, 0.1, 0.4),
    ("DISFA", 12, 25, 0.2, 0.55),
    ("DISFA", 25, 26, 0.2, 0.65),
)
