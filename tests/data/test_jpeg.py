"""What JPEG does to pictures, beside what Pillow's library does."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from actionunits.data.jpeg import jpeg


def pictures(height: int = 48, width: int = 64) -> torch.Tensor:
    """Two pictures with smooth parts, edges and some noise, 256 shades on 0..1."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(2, 3, 6, 8, generator=generator)
    smooth = functional.interpolate(coarse, (height, width), mode="bilinear")
    smooth[..., height // 3 : height // 2, 10:30] = 0.9
    noise = 0.05 * torch.randn(2, 1, height, width, generator=generator)
    return ((smooth + noise).clamp(0, 1) * 255).round() / 255


def by_pillow(picture: torch.Tensor, quality: int) -> torch.Tensor:
    pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 95])
def test_it_is_what_pillow_does_but_for_rounding(quality: int) -> None:
    images = pictures()
    ours = jpeg(images, torch.full((2,), float(quality)))
    theirs = torch.stack([by_pillow(image, quality) for image in images])
    lost = (theirs - images).abs().mean()
    assert (ours - theirs).abs().mean() < max(0.15 * lost, 1 / 255)
    assert (ours - theirs).abs().mean() < 2 / 255


def test_each_picture_has_its_own_quality() -> None:
    images = pictures()
    both = jpeg(images, torch.tensor([15.0, 90.0]))
    for picture, image, quality in zip(both, images, (15.0, 90.0), strict=True):
        assert torch.equal(picture[None], jpeg(image[None], torch.tensor([quality])))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 31), (8, 40)])
def test_pictures_of_any_size_stay_as_large(height: int, width: int) -> None:
    images = pictures(height, width)
    assert jpeg(images, torch.tensor([40.0, 60.0])).shape == images.shape


def test_a_plain_picture_stays_as_it_is() -> None:
    grey = torch.full((1, 3, 24, 24), 130 / 255)
    assert torch.allclose(jpeg(grey, torch.tensor([60.0])), grey, atol=1.5 / 255)
