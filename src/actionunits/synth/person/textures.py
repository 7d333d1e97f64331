"""Pictures that the shaders read: skin patterns without their own colour, and tiling noise."""

import numpy as np

_DETAIL_RANGE = 2.5  # brightest detail, in means of the face; `skin.frag` multiplies by it
_COLOURED = 0.55  # how much of the pattern's own hue variation stays
# The middle of the face in the skins' UV, as fractions: rows, columns.
_FACE = (slice(0.31, 0.62), slice(0.86, 0.95))


def skin_details(skins: dict[str, np.ndarray]) -> np.ndarray:
    """Skins divided by the colour of their face, so that a tone can be given to each.

    Args:
        skins: name to (512, 512, 3) uint8.

    Returns:
        (N, 512, 512, 3) uint8: the square root of detail / 2.5.
    """
    return np.stack([_detail(image) for image in skins.values()])


def _detail(image: np.ndarray) -> np.ndarray:
    linear = (image.astype(np.float32) / 255) ** 2
    rows, columns = (
        slice(int(part.start * side), int(part.stop * side))
        for part, side in zip(_FACE, image.shape[:2], strict=True)
    )
    detail = linear / linear[rows, columns].mean(axis=(0, 1))
    grey = detail.mean(axis=2, keepdims=True)
    detail = grey + (detail - grey) * _COLOURED
    scaled = np.sqrt(np.clip(detail / _DETAIL_RANGE, 0, 1))
    return np.asarray(scaled * 255 + 0.5, np.uint8)


def noise_texture(side: int = 512) -> np.ndarray:
    """(side, side, 3) uint8 that tiles: slopes of fine relief in red and green, mottle in blue."""
    rng = np.random.default_rng(7)
    across = np.fft.fftfreq(side) * side
    frequency = np.hypot(across[:, None], across[None, :])

    def band(low: float, high: float) -> np.ndarray:
        spectrum = np.fft.fft2(rng.normal(0, 1, (side, side)))
        kept = np.exp(-((frequency / high) ** 2)) * (1 - np.exp(-((frequency / low) ** 2)))
        field = np.fft.ifft2(spectrum * kept).real
        return np.asarray(field / field.std())

    slope_y, slope_x = np.gradient(band(20, 60))
    mottle = band(3, 12) * 0.6 + band(12, 50) * 0.5
    planes = np.dstack([slope_x / slope_x.std(), slope_y / slope_x.std(), mottle])
    return np.asarray(np.clip(planes * 0.15 + 0.5, 0, 1) * 255, np.uint8)
