"""Light and surroundings: spherical harmonics of a few soft lobes, and calm backgrounds."""

import numpy as np
from PIL import Image, ImageFilter

# Real spherical harmonics up to degree 2 in the polynomial form of the shader: factor, degree.
_FACTOR = np.array([0.282095, *[0.488603] * 3, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274])
_DEGREE = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])
# Convolution with the clamped cosine over pi (Ramamoorthi and Hanrahan 2001, eq. 8).
_COSINE = np.array([1.0, 2 / 3, 1 / 4])[_DEGREE]


def harmonics(directions: np.ndarray, colours: np.ndarray, width: float = 0.8) -> np.ndarray:
    """Irradiance of soft lobes of light as nine polynomial coefficients.

    Args:
        directions: (L, 3) towards the lobes, of any length.
        colours: (L, 3) RGB power.
        width: how much of the first degree a lobe keeps; 1 is a point light.

    Returns:
        (9, 3) coefficients of 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2.
    """
    x, y, z = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    terms = [np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    softened = np.array([1.0, width, width**3])[_DEGREE]
    lobes = (np.stack(terms, axis=1) * _FACTOR * softened).T @ colours
    return np.asarray(lobes * (_COSINE * _FACTOR * 4)[:, None])


def facing_light(sky: np.ndarray, lights: np.ndarray, colours: np.ndarray) -> float:
    """Mean light on a surface that faces the camera.

    Args:
        sky: (9, 3) of `harmonics`.
        lights: (2, 3) directions.
        colours: (2, 3).
    """
    toward = np.array([1, 0, 1, 0, 0, 0, 2, 0, 0])  # the polynomials at z = 1
    direct = colours.mean(axis=1) * np.clip(lights[:, 2], 0, 1)
    return float((sky * toward[:, None]).sum(axis=0).mean() + direct.sum())


def background(rng: np.random.Generator, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """A room or street out of focus: a gradient with a few blurred boxes.

    Args:
        rng: draws the boxes.
        top: (3,) linear RGB of the upper part.
        bottom: (3,) linear RGB of the lower part.

    Returns:
        (64, 64, 3) uint8.
    """
    height = np.linspace(0, 1, 64)[:, None, None]
    image = np.broadcast_to(top * (1 - height) + bottom * height, (64, 64, 3)).copy()
    for _ in range(rng.integers(0, 14)):
        x, y, wide, high = rng.uniform((-0.2, -0.2, 0.06, 0.1), (1, 1, 0.6, 0.9)) * 64
        rows, columns = slice(max(int(y), 0), int(y + high)), slice(max(int(x), 0), int(x + wide))
        image[rows, columns] *= rng.uniform(0.45, 1.5) * (1 + 0.10 * rng.normal(size=3))
    picture = Image.fromarray((np.sqrt(np.clip(image, 0, 1)) * 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 5.0))))
