import numpy as np
import pytest

from actionunits.aus import RENDERED
from actionunits.errors import UserError
from actionunits.synth.person.assets import load_assets
from actionunits.synth.person.creases import CREASES, ribbon_indices, ribbons
from actionunits.synth.person.face import draw_identity
from actionunits.synth.person.sculpt import AU_TERMS

# Landmarks of the subject's right and left half; image coordinates are not used here: y is up.
BROW_INNER, BROW_OUTER = (4, 5), (1, 8)
UPPER_LID, LOWER_LID = ((20, 21), (26, 27)), ((23, 24), (29, 30))
CORNER = (31, 37)
LEVELS = np.linspace(0, 5, 6)


@pytest.fixture(scope="module")
def people(head):
    return [draw_identity(np.random.default_rng([5, number]), head) for number in range(6)]


def act(*pairs, sides=(1, 1)):
    au = np.zeros((len(RENDERED), 2))
    for number, intensity in pairs:
        au[RENDERED.index(number)] = np.array(sides) * intensity
    return au


def points(head, person, *aus):
    return head.landmarks(head.positions([person] * len(aus), np.stack(aus)))


def sweep(head, person, number, *others):
    return points(head, person, *(act((number, level), *others) for level in LEVELS))


def opening(landmarks, side):
    lids = landmarks[:, UPPER_LID[side], 1] - landmarks[:, LOWER_LID[side], 1]
    return lids.mean(axis=1)


def rises(values, at_least):
    return (np.diff(values) > -1e-6).all() and values[-1] - values[0] > at_least


def test_every_au_is_sculpted():
    assert set(AU_TERMS) == set(RENDERED.numbers)


def test_same_seed_gives_same_person_and_geometry(head):
    first, second = (draw_identity(np.random.default_rng(3), head) for _ in range(2))
    au = act((12, 3.0))[None]
    assert (head.positions([first], au) == head.positions([second], au)).all()


def test_people_differ(head, people):
    vertices = head.positions(people, np.zeros((len(people), 24, 2)))
    apart = np.abs(vertices[:, None] - vertices[None]).max(axis=(2, 3))
    assert apart[~np.eye(len(people), dtype=bool)].min() > 0.02


def test_a_person_does_not_depend_on_the_batch(head, people):
    au = np.stack([act((number, 4.0)) for number in (1, 6, 12, 17, 26, 43)])
    together = head.positions(people, au)
    alone = np.concatenate([head.positions([p], a[None]) for p, a in zip(people, au, strict=True)])
    np.testing.assert_allclose(together, alone, atol=2e-5)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("number", "landmark"), [(1, BROW_INNER), (2, BROW_OUTER), (12, CORNER)])
def test_raisers_raise(head, people, number, landmark, side):
    for person in people:
        height = sweep(head, person, number)[:, landmark[side], 1]
        assert rises(height, 0.03)


@pytest.mark.parametrize(("number", "landmark"), [(4, BROW_INNER), (15, CORNER)])
def test_depressors_lower(head, people, number, landmark):
    for person in people:
        assert rises(-sweep(head, person, number)[:, landmark, 1].mean(axis=1), 0.02)


def test_au4_draws_the_brows_together(head, people):
    for person in people:
        brows = sweep(head, person, 4)[:, BROW_INNER, 0]
        assert rises(brows[:, 0] - brows[:, 1], 0.02)


@pytest.mark.parametrize("side", [0, 1])
def test_lids(head, people, side):
    for person in people:
        rest = opening(points(head, person, act()), side)[0]
        assert rises(opening(sweep(head, person, 5), side), 0.02)
        assert rises(-opening(sweep(head, person, 7), side), 0.02)
        assert rises(-opening(sweep(head, person, 6), side), 0.01)
        closing = opening(sweep(head, person, 43), side)
        assert rises(-closing, 0.03)
        assert abs(closing[-1]) < 0.02 * rest


def test_closed_lids_stay_closed_whatever_else_acts(head, people):
    for person in people:
        closed = points(
            head, person, act((43, 5)), act((43, 5), (7, 5)), act((43, 5), (6, 5), (5, 5))
        )
        apart = opening(closed, 0)
        np.testing.assert_allclose(apart, apart[0], atol=0.003)


def test_au7_lifts_the_lower_lid_more_than_it_drops_the_upper(head, people):
    for person in people:
        rest, tight = points(head, person, act(), act((7, 5)))
        upper, lower = (
            tight[list(lid[0]), 1] - rest[list(lid[0]), 1] for lid in (UPPER_LID, LOWER_LID)
        )
        assert lower.mean() > -upper.mean() > 0


def test_mouth_opens_with_25_and_more_with_26(head, people):
    for person in people:
        gap = lambda landmarks: landmarks[:, 44, 1] - landmarks[:, 47, 1]  # noqa: E731
        parted = gap(sweep(head, person, 25))
        dropped = gap(points(head, person, act((25, 4), (26, 5))))
        assert rises(parted, 0.04)
        assert dropped[0] > parted[-1]


@pytest.mark.parametrize("number", [9, 10, 12, 15, 20, 26])
def test_lips_stay_closed_without_25(head, people, number):
    for person in people:
        closed = points(head, person, act((number, 5)))[0]
        assert closed[44, 1] - closed[47, 1] < 0.02


def test_jaw_drop_lowers_the_chin_with_closed_lips(head, people):
    numbers = head.assets.numbers
    chin = int(np.where(numbers == 724)[0][0])
    for person in people:
        vertices = head.positions([person] * 2, np.stack([act(), act((26, 5))]))
        assert vertices[0, chin, 1] - vertices[1, chin, 1] > 0.08


def test_widths_of_the_mouth(head, people):
    for person in people:
        shapes = points(head, person, *(act((n, 5)) for n in (12, 20, 24)), act())
        wide = shapes[:, 37, 0] - shapes[:, 31, 0]
        assert wide[0] > wide[3]
        assert wide[1] > wide[3]
        assert wide[2] < wide[3]


def test_au16_lowers_the_lower_lip_alone(head, people):
    for person in people:
        parted, lowered = points(head, person, act((25, 3)), act((25, 3), (16, 5)))
        moved = lowered[:, 1] - parted[:, 1]
        assert moved[47] < -0.03
        assert abs(moved[44]) < 0.01


def test_lips_are_pushed_out_by_18_and_22(head, people):
    for person in people:
        rest, pucker, funnel = points(head, person, act(), act((18, 5)), act((22, 5), (25, 3)))
        wide = [p[37, 0] - p[31, 0] for p in (rest, pucker, funnel)]
        assert wide[1] < 0.8 * wide[0]
        assert wide[2] < wide[0]
        for lip in (34, 40):
            assert pucker[lip, 2] > rest[lip, 2] + 0.02
            assert funnel[lip, 2] > rest[lip, 2] + 0.02


def test_au27_opens_the_mouth_more_than_26(head, people):
    for person in people:
        dropped, stretched = points(head, person, act((25, 4), (26, 5)), act((25, 4), (27, 5)))
        assert stretched[44, 1] - stretched[47, 1] > 1.2 * (dropped[44, 1] - dropped[47, 1])


def test_au28_takes_the_red_of_the_lips_in(head, people):
    for person in people:
        shapes = points(head, person, act(), act((28, 5)))
        red = shapes[:, 34, 1] - shapes[:, 40, 1]
        assert red[1] < 0.5 * red[0]
        assert shapes[1, 34, 2] < shapes[0, 34, 2]


def test_a_brow_raised_by_1_and_2_rises_as_a_whole(head, people):
    for person in people:
        rest, raised = points(head, person, act(), act((1, 5), (2, 5)))
        lift = raised[:10, 1] - rest[:10, 1]
        assert lift[1:9].min() > 0.7 * lift.max() > 0.06
        assert lift.min() > 0.02
        strength = ribbons(
            [person.creases] * 3, np.stack([act((1, 5)), act((2, 5)), act((1, 5), (2, 5))])
        )
        across = [crease.name.startswith("across") for crease in CREASES]
        by_line = strength[:, :, 3].reshape(3, 2, len(CREASES), -1).mean(axis=(1, 3))[:, across]
        assert (by_line[2].mean() > by_line[:2].mean(axis=1) + 0.05).all()


def test_a_resting_face_may_look_like_an_expression_but_has_none_of_its_wrinkles(head, people):
    person = people[0]._replace(posture=np.zeros(24))
    high = person._replace(posture=act((1, 1), (2, 1))[:, 0])
    plain, raised = (points(head, p, act())[0] for p in (person, high))
    assert (raised[:10, 1] > plain[:10, 1] + 0.01).mean() > 0.5
    drawn = [draw_identity(np.random.default_rng([6, n]), head).posture for n in range(40)]
    assert np.abs(drawn).max() <= 1.7
    assert np.std(drawn, axis=0)[RENDERED.index(1)] > 0.4
    assert not np.any(drawn, axis=0)[[RENDERED.index(n) for n in (25, 26, 27, 45)]].any()


def test_au23_and_24_thin_the_lips(head, people):
    for person in people:
        shapes = points(head, person, act(), act((23, 5)), act((24, 5)))
        red = shapes[:, 34, 1] - shapes[:, 40, 1]
        assert red[1] < 0.75 * red[0]
        assert red[2] < 0.85 * red[0]


def test_au10_bends_the_upper_lip(head, people):
    for person in people:
        rest, raised = points(head, person, act(), act((10, 5)))
        lift = raised[:, 1] - rest[:, 1]
        assert min(lift[33], lift[35]) > 0.04
        assert max(lift[31], lift[37]) < min(lift[33], lift[35])


def test_au17_pushes_the_lower_lip_up(head, people):
    for person in people:
        assert rises(sweep(head, person, 17)[:, 40, 1], 0.04)


@pytest.mark.parametrize(
    "number", [n for n in RENDERED.numbers if n not in (17, 18, 22, 24, 25, 26, 27, 28)]
)
def test_sides_are_independent(head, people, number):
    """A shape of one side leaves the other side where it was."""
    person = people[0]
    far = [0, 1, 2, 3, 19, 20, 21, 23, 24, 31]  # the subject's right half
    rest, left = points(head, person, act(), act((number, 5), sides=(0, 1)))
    moved = np.linalg.norm(left - rest, axis=1)
    assert moved[far].max() < 0.02
    assert moved.max() > 0.02


def test_gaze_down_lowers_the_lid_without_closing_it(head, people):
    still = np.zeros((2, 24, 2))
    vertices = head.positions([people[0]] * 2, still, np.array([[0.0, 0.0], [0.0, -25.0]]))
    wide = opening(head.landmarks(vertices), 0)
    assert 0.3 * wide[0] < wide[1] < 0.9 * wide[0]


def test_creases_follow_their_au_and_side(people):
    traits = [people[0].creases] * 2
    strength = ribbons(traits, np.stack([act(), act((6, 5), sides=(0, 1))]))[:, :, 3]
    by_line = strength.reshape(2, 2, len(CREASES), -1).mean(axis=-1)
    crow = [crease.name for crease in CREASES].index("crow's foot mid")
    assert by_line[1, 1, crow] > by_line[0, 1, crow] + 0.05
    assert by_line[1, 0, crow] == by_line[0, 0, crow]
    assert ribbon_indices().max() + 1 == strength.shape[1]


def test_missing_assets_are_named(tmp_path):
    (tmp_path / "mpfb").mkdir()
    with pytest.raises(UserError, match=r"mpfb/3dobjs/base.obj"):
        load_assets(tmp_path)
