import numpy as np
import pytest
from PIL import Image

from actionunits.aus import RENDERED, AUSet
from actionunits.errors import UserError
from actionunits.faces.align import TEMPLATE, five_points
from actionunits.synth.person.face import draw_identity
from actionunits.synth.picture import gl, shaders
from actionunits.synth.picture.hidden import REGIONS
from actionunits.synth.picture.lens import covered, expose
from actionunits.synth.picture.looks import Glasses, draw_appearance, draw_scene, studio
from actionunits.synth.picture.render import Shot
from actionunits.synth.sheet import contact_sheet, exemplars, looks_sheet


def shot(head, seed, *pairs, pose=(0.0, 0.0, 0.0), scene=None):
    rng = np.random.default_rng([9, seed])
    identity = draw_identity(rng, head)
    au = np.zeros((len(RENDERED), 2))
    for number, intensity in pairs:
        au[RENDERED.index(number)] = intensity
    return Shot(
        identity=identity,
        appearance=draw_appearance(rng, identity, head.assets),
        scene=scene or studio(),
        au=au,
        pose=pose,
        gaze=(0.0, 0.0),
        jitter=np.zeros((5, 2)),
    )


@pytest.fixture(scope="module")
def shots(head):
    poses = [(0, 0, 0), (30, -10, 5), (-35, 15, -20), (10, 0, 45), (0, 20, 0)]
    return [shot(head, n, (12, 3), (25, 2), pose=pose) for n, pose in enumerate(poses)]


@pytest.fixture(scope="module")
def pictures(renderer, shots):
    return renderer.render(shots)


def test_same_shots_give_same_pixels(renderer, shots, pictures):
    images, landmarks, *_ = renderer.render(shots)
    assert (images == pictures[0]).all()
    assert (landmarks == pictures[1]).all()


def test_pictures_and_landmarks_do_not_depend_on_the_batch(renderer, shots, pictures):
    for number in (0, 3):
        image, landmarks, *_ = renderer.render([shots[number]])
        assert np.abs(image[0].astype(int) - pictures[0][number]).mean() < 1.5
        np.testing.assert_allclose(landmarks[0], pictures[1][number], atol=1e-3)


def test_landmarks_lie_in_the_picture_on_the_template(renderer, shots, pictures):
    images, landmarks, *_ = pictures
    assert images.shape == (len(shots), renderer.size, renderer.size, 3)
    assert (landmarks > 0).all()
    assert (landmarks < renderer.size).all()
    error = five_points(landmarks) / renderer.size - TEMPLATE
    frontal = np.linalg.norm(error[0], axis=-1)
    assert frontal.max() < 0.08
    np.testing.assert_allclose(error.mean(axis=1), 0, atol=1e-4)


def test_subjects_right_eye_is_on_the_left_of_the_picture(pictures):
    landmarks = pictures[1]
    assert (landmarks[:, 19:25, 0].mean(axis=1) < landmarks[:, 25:31, 0].mean(axis=1)).all()
    assert (landmarks[:, 31, 0] < landmarks[:, 37, 0]).all()
    assert (landmarks[:, 13, 1] < landmarks[:, 40, 1]).all()


def test_roll_is_taken_out_by_alignment(renderer, head):
    drawn = renderer.render([shot(head, 1), shot(head, 1, pose=(0, 0, 40))])
    upright, tilted = drawn.landmarks
    np.testing.assert_allclose(tilted, upright, atol=0.02 * renderer.size)
    assert drawn.turned[0] == pytest.approx(0, abs=1.5)
    assert drawn.turned[1] == pytest.approx(-40, abs=1.5)


def test_jitter_moves_the_face(renderer, head):
    still = shot(head, 1)
    shifted = still._replace(jitter=np.full((5, 2), 0.1))
    landmarks = renderer.render([still, shifted])[1]
    apart = np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]) * renderer.size
    np.testing.assert_allclose(landmarks[1] - landmarks[0], -0.1 * apart, rtol=0.15)


def test_eyes_are_dark_where_the_landmarks_say(renderer, head):
    """Iris and lashes are darker than the cheek below: picture and landmarks share one camera."""
    images, landmarks, *_ = renderer.render([shot(head, n) for n in range(4)])
    for image, points in zip(images, landmarks, strict=True):
        eye, cheek = points[19:25].mean(axis=0), points[[23, 31]].mean(axis=0)
        patch = [
            image[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].mean() for x, y in (eye, cheek)
        ]
        assert patch[0] < 0.8 * patch[1]


def test_an_expression_changes_pixels_only_where_it_acts(renderer, head):
    rest, shut = renderer.render([shot(head, 1), shot(head, 1, (43, 5))])[0].astype(int)
    change = np.abs(rest - shut).mean(axis=2)
    eyes, chin = (
        slice(int(a * renderer.size), int(b * renderer.size)) for a, b in ((0.3, 0.42), (0.8, 1))
    )
    assert change[eyes].max() > 20
    assert change[eyes].mean() > 1.5 * change[chin].mean()


def test_glasses_are_drawn(renderer, head):
    bare = shot(head, 2)
    frame = Glasses(0.23, 0.16, 3.0, 0.02, (0.01, 0.01, 0.01), 0.0)
    bare = bare._replace(appearance=bare.appearance._replace(glasses=None))
    worn = bare._replace(appearance=bare.appearance._replace(glasses=frame))
    pictures = renderer.render([bare, worn])[0].astype(int)
    changed = np.abs(pictures[0] - pictures[1]).mean(axis=2) > 15
    assert 0.01 < changed.mean() < 0.2


def test_skin_tones_span_and_are_warm(renderer, head):
    images, landmarks, *_ = renderer.render([shot(head, n) for n in range(12)])
    cheeks = []
    for image, points in zip(images, landmarks, strict=True):
        x, y = points[[23, 31]].mean(axis=0).astype(int)
        cheeks.append(image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0))
    red, green, blue = np.array(cheeks).T
    assert (red > green).all()
    assert (green > blue * 0.98).all()
    assert np.ptp(red) > 40


def test_noise_differs_between_frames_and_repeats_with_the_seed():
    scene = draw_scene(np.random.default_rng(1))._replace(
        noise=0.03, occluder=None, quality=0, small=0
    )
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, again, other = (expose(grey, scene, key) for key in (b"1", b"1", b"2"))
    assert (first == again).all()
    assert (first != other).any()
    assert np.abs(first.astype(int) - other).mean() < 40


def test_a_small_round_mouth_is_dark_and_a_smile_shows_teeth(renderer, head):
    """As the light does that falls in between the lips."""
    mouths = [[(18, 4), (25, 3), (26, 2)], [(12, 4), (25, 4)]]
    bright = []
    for number in range(3):
        drawn = renderer.render([shot(head, number, *mouth) for mouth in mouths])
        for image, points in zip(drawn.images, drawn.landmarks, strict=True):
            x, y = points[43:49].mean(axis=0)
            cheek = image[int(points[31, 1]), int(points[31, 0]) - 6].mean()
            bright.append(image[int(y) - 1 : int(y) + 2, int(x)].mean() / cheek)
    oh, smile = np.reshape(bright, (3, 2)).T
    assert (oh < 0.6 * smile).all()


def test_what_is_hidden_is_told(renderer, head):
    plain = shot(head, 3)
    plain = plain._replace(appearance=plain.appearance._replace(glasses=None))
    rod = np.array([[-0.5, 0.9, 1.5, 0.9, 0.25, 0.5, 0.5, 0.5, 0.01]])
    collar = plain._replace(scene=studio()._replace(occluder=rod))
    dark = Glasses(0.24, 0.17, 3.0, 0.02, (0.01, 0.01, 0.01), 0.9)
    worn = plain._replace(appearance=plain.appearance._replace(glasses=dark))
    aside = plain._replace(pose=(75.0, 0.0, 0.0))  # the subject's left half turns away
    shares = renderer.render([plain, collar, worn, aside]).hidden
    names = list(REGIONS)
    shown = dict(zip(names, shares.T, strict=True))
    assert shares[0].max() == 0
    assert shown["mouth"][1] > 0.8
    assert shares[1, :4].max() < 0.5
    assert shares[2].tolist() == [float("eye" in name) for name in names]
    assert shown["left eye"][3] > shown["right eye"][3]


def test_small_grey_and_covered_pictures(head):
    scene = draw_scene(np.random.default_rng(1))._replace(
        **dict(noise=0.0, quality=0, blur=0.0, motion=(0.0, 0.0), contrast=1.0, occluder=None),
        **dict(small=0, grey=False, balance=np.ones(3)),
    )
    checks = np.indices((64, 64)).sum(axis=0)[..., None] % 2 * np.array([255, 155, 55])
    checks = checks.astype(np.uint8)
    assert np.array_equal(expose(checks, scene, b""), checks)
    little = expose(checks, scene._replace(small=32), b"")
    assert little[8:-8, 8:-8].std(axis=(0, 1)).max() < 2  # fine detail is gone
    assert np.ptp(expose(checks, scene._replace(grey=True), b""), axis=2).max() == 0
    rod = np.array([[0.5, 0.5, 0.5, 1.5, 0.25, 1.0, 0.0, 0.0, 0.1]])
    red = expose(checks, scene._replace(occluder=rod), b"")
    assert red[60, 32].tolist() == [255, 0, 0]
    assert np.array_equal(red[:12], checks[:12])
    at = np.array([[0.5, 0.9], [0.1, 0.1]])
    assert covered(at, rod).tolist() == [1.0, 0.0]


def test_uniform_block_matches_the_shader():
    block = shaders.head_block()
    assert block.names[0] == "camera"
    assert block["sky"].shape == (9, 4)
    assert block.itemsize <= 1024


def test_missing_opengl_says_what_to_install(monkeypatch):
    import moderngl

    def fail(**_):
        raise Exception("libEGL.so not loaded")

    monkeypatch.setattr(moderngl, "create_context", fail)
    with pytest.raises(UserError, match="libegl1 libgl1 libgl1-mesa-dri"):
        gl.context()


def test_exemplars_move_what_the_au_moves_and_more_the_stronger_it_is(renderer):
    images = exemplars(renderer, AUSet.of([12, 43]), (0, 2, 5), [51], seed=0)
    assert images.shape == (2, 1, 3, renderer.size, renderer.size, 3)
    change = np.abs(images[:, 0, 1:].astype(float) - images[:, 0, :1]).mean((3, 4))  # by rows
    upper, lower = (
        change[..., : renderer.size // 2].sum(-1),
        change[..., renderer.size // 2 :].sum(-1),
    )
    assert (lower[0] > upper[0]).all()  # a smile
    assert (upper[1] > lower[1]).all()  # closed eyes
    assert (change.sum(-1)[:, 1] > change.sum(-1)[:, 0]).all()


def test_contact_sheet_has_a_row_an_au(renderer, tmp_path):
    contact_sheet(renderer, tmp_path / "sheet.png", identities=2, aus=AUSet.of([1, 26]))
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (150 + 2 * 3 * 176, 34 + 2 * 176)


def test_looks_sheet_is_written(renderer, tmp_path):
    looks_sheet(renderer, tmp_path / "looks.png", subjects=3, landmarks=True)
    with Image.open(tmp_path / "looks.png") as sheet:
        assert sheet.size == (8 * renderer.size, renderer.size)
