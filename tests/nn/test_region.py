"""What the layers over regions of a face look at."""

import torch

from actionunits import aus
from actionunits.nn.region import AUPatches, RegionConv


def test_a_cell_sees_its_own_pixels_only() -> None:
    torch.manual_seed(0)
    block = RegionConv(2, 3, 2).eval()
    x = torch.randn(1, 2, 8, 8)
    other = x.clone()
    other[:, :, 4:, 4:] += 1
    same = (block(x) == block(other)).all(1)[0]
    assert same[:4].all()
    assert same[:, :4].all()
    assert not same[4:, 4:].all()


def test_one_weight_set_a_cell() -> None:
    one = 16 * 8 * 9 + 8 + 2 * 16  # convolution and norm
    assert sum(p.numel() for p in RegionConv(16, 8, 4).parameters()) == 16 * one


def test_windows_are_0_14_of_the_map_about_the_centres() -> None:
    patches = AUPatches(aus.DISFA8, 4, 44, 176)
    assert patches.window == 6
    landmarks = torch.full((1, 49, 2), 100.0)
    landmarks[:, 31, 0] = 60.0
    starts = patches.starts(landmarks)[0, 5]  # AU 12: landmarks 31 and 37
    assert starts.tolist() == [[12, 22], [22, 22]]  # cells 12 to 17 about 15.0, 22 to 27 about 25.0
    assert AUPatches(aus.DISFA8, 4, 4, 16).window == 1


def test_half_precision_places_the_windows_alike() -> None:
    torch.manual_seed(0)
    patches = AUPatches(aus.BP4D12, 4, 16, 64)
    x, landmarks = torch.randn(2, 4, 16, 16), torch.rand(2, 49, 2) * 64
    with torch.autocast("cpu", torch.bfloat16):
        rough = patches(x, landmarks)
    exact = patches(x, landmarks)
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)
