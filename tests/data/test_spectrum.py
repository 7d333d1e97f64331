"""Rendered pictures that take on the spectra of photographs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from actionunits.data import spectrum
from actionunits.data.spectrum import Spectra, as_photographed, measure

ALL = torch.ones(3, dtype=torch.bool)


def pictures(count: int = 3, side: int = 40, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, side // 4, side // 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return 0.2 + 0.6 * smooth


def literal(image: np.ndarray, energy: np.ndarray, lowest: np.ndarray, share: float) -> np.ndarray:
    """The same wave by wave: one (3, S, S) picture on 0..1."""
    side = image.shape[-1]
    waves = np.fft.fft2(image)
    amplitude = np.abs(waves).mean(0) / side**2
    place: dict[tuple[int, int], float] = {}
    bands: dict[int, list[tuple[int, int]]] = {}
    for row in range(side):
        for column in range(side):
            y, x = (v if v <= side // 2 else v - side for v in (row, column))
            y = -y if y == side // 2 else y  # as fftfreq has it
            cycles = float(np.hypot(y, x))
            place[row, column] = cycles
            if column <= side // 2:
                band = min(int(2 * np.log2(max(cycles, 1))), 11)
                bands.setdefault(band, []).append((row, column))
    own = {
        b: np.mean([amplitude[at] ** 2 for at in ats], dtype=np.float64) for b, ats in bands.items()
    }
    low = [at for at in sorted(place) if 0 < place[at] <= 2.5 and at[1] <= side // 2]
    gain = np.ones((side, side))
    for at, cycles in place.items():
        band = min(int(2 * np.log2(max(cycles, 1))), 11)
        gain[at] = np.clip(np.sqrt(energy[band] / own[band]), 0.4, 2.5) ** share
    for number, at in enumerate(low):
        changed = np.clip(lowest[number] / amplitude[at], 0.3, 3.0) ** share
        for other in (at, ((side - at[0]) % side, (side - at[1]) % side)):
            gain[other] = changed
    gain[0, 0] = 1
    return np.fft.ifft2(waves * gain).real.clip(0, 1)


def test_it_is_what_is_done_wave_by_wave() -> None:
    images, others = pictures(1, 24), pictures(1, 24, seed=5) ** 2
    known = measure(others)
    half = torch.tensor([0.5])
    ours = as_photographed(images, ALL[:1], torch.zeros(1), half, known)
    theirs = literal(images[0].numpy(), known.energy[0].numpy(), known.lowest[0].numpy(), 0.5)
    np.testing.assert_allclose(ours[0].numpy(), theirs, atol=2e-3)


def test_a_share_of_nothing_changes_nothing_and_one_comes_near_the_photograph() -> None:
    images, others = pictures(), pictures(seed=9) ** 3
    known = measure(others)
    which = torch.tensor([0.0, 0.4, 0.99])
    same = as_photographed(images, ALL, which, torch.zeros(3), known)
    torch.testing.assert_close(same, images)
    near = measure(as_photographed(images, ALL, which, torch.ones(3), known))
    before = (measure(images).energy / known.energy).log().abs()[:, 2:8].mean()
    after = (near.energy / known.energy).log().abs()[:, 2:8].mean()
    assert after < 0.5 * before


def test_only_the_chosen_change_and_brightness_stays() -> None:
    images = pictures()
    one = torch.tensor([False, True, False])
    changed = as_photographed(images, one, torch.full((3,), 0.5), torch.ones(3))
    assert torch.equal(changed[~one], images[~one])
    assert not torch.allclose(changed[one], images[one], atol=1e-3)
    torch.testing.assert_close(changed.mean((2, 3)), images.mean((2, 3)), atol=0.02, rtol=0)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_plain_picture_stays_finite(level: float) -> None:
    plain = torch.full((1, 3, 32, 32), level)
    changed = as_photographed(plain, ALL[:1], torch.zeros(1), torch.ones(1))
    torch.testing.assert_close(changed, plain, atol=1e-3, rtol=0)


def test_spectra_are_written_and_those_of_the_package_are_of_many(tmp_path: Path) -> None:
    known = measure(pictures())
    spectrum.write(known, tmp_path / "some.npz")
    with np.load(tmp_path / "some.npz") as values:
        for name, value in known._asdict().items():
            np.testing.assert_array_equal(values[name], value)
    with np.load(Path(spectrum.__file__).with_name("spectra.npz")) as values:
        assert values["energy"].shape == values["lowest"].shape == (813, 12)
        assert set(values) == set(Spectra._fields)
