"""Rendered pictures with the spectra of photographs: how much is coarse in them, how much fine.

Renderings are smoother than photographs in some bands and harder in others, and light falls on real
faces in other patterns. A picture takes on, in part, the amplitudes of a photograph drawn from
many; its phases, which say where things are, stay. The idea is that of Yang and Soatto, *FDA:
Fourier Domain Adaptation for Semantic Segmentation* (CVPR 2020), who exchange the lowest amplitudes
one by one; here higher ones are scaled band by band, so that no other face shines through.

``spectra.npz`` beside this file was measured on 813 official portraits, which are in the public
domain, by `au synth spectra`: sums over many pixels, from which no picture can be had back.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_FILE = Path(__file__).with_name("spectra.npz")
_BANDS = 12  # half octaves from one cycle a picture on
_LOWEST = 2.5  # cycles a picture, up to which each amplitude is that of the photograph
_GAIN, _LOWEST_GAIN = (0.4, 2.5), (0.3, 3.0)  # how far amplitudes may be changed
_TINY = 1e-6


class Spectra(NamedTuple):
    """Spectra of P square photographs of faces, of pixels on 0..1, per pixel of the picture."""

    energy: Tensor  # (P, 12) mean squared amplitude of each band
    lowest: Tensor  # (P, 12) amplitudes of up to 2.5 cycles a picture, the mean left out


def measure(pictures: Tensor) -> Spectra:
    """Measure photographs.

    Args:
        pictures: (P, 3, S, S) on 0..1, crops of aligned faces.
    """
    side = pictures.shape[-1]
    amplitude = torch.fft.rfft2(pictures).abs().mean(1).flatten(1) / side**2
    mean, _, lowest = _bands(side, pictures.device)
    return Spectra(amplitude.square() @ mean.T, amplitude[:, lowest])


def write(spectra: Spectra, file: Path) -> None:
    """Write spectra to a ``.npz`` file."""
    np.savez(file, **{name: v.numpy() for name, v in spectra._asdict().items()})


def as_photographed(
    images: Tensor, which: Tensor, photograph: Tensor, share: Tensor, spectra: Spectra | None = None
) -> Tensor:
    """Give some pictures the spectra of photographs.

    Args:
        images: (N, 3, S, S) on 0..1.
        which: (N,) bool.
        photograph: (N,) on 0..1, which of the photographs each takes.
        share: (N,) on 0..1, how far it takes it on.
        spectra: of the photographs; those of the package by default.

    Returns:
        The same shape.
    """
    chosen = which.nonzero().flatten()
    if not len(chosen):
        return images
    side = images.shape[-1]
    known = spectra or _of_package(images.device)
    mean, band, lowest = _bands(side, images.device)
    wanted = (photograph[chosen] * len(known.energy)).long().clamp(max=len(known.energy) - 1)
    power = share[chosen][:, None]
    waves = torch.fft.rfft2(images[chosen])
    amplitude = waves.abs().mean(1).flatten(1) / side**2
    energy = amplitude.square() @ mean.T
    gain = _ratio(known.energy[wanted], energy).sqrt().clamp(*_GAIN) ** power
    exchanged = _ratio(known.lowest[wanted], amplitude[:, lowest]).clamp(*_LOWEST_GAIN) ** power
    gains = gain[:, band].index_copy(1, lowest, exchanged)
    gains[:, 0] = 1  # the brightness stays
    changed = torch.fft.irfft2(waves * gains.view(-1, 1, *waves.shape[2:]), s=images.shape[2:])
    return images.index_copy(0, chosen, changed.clamp(0, 1))


def _ratio(wanted: Tensor, own: Tensor) -> Tensor:
    """Finite also where a picture is plain."""
    return (wanted + _TINY**2) / (own + _TINY**2)


@cache
def _of_package(device: torch.device) -> Spectra:
    with np.load(_FILE) as values:
        return Spectra(*(torch.from_numpy(values[name]).to(device) for name in Spectra._fields))


@cache
def _bands(side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(12, W) weights of the means over bands, (W,) band of each wave, places of the lowest."""
    down = torch.fft.fftfreq(side)[:, None] * side
    across = torch.fft.rfftfreq(side)[None] * side
    cycles = (down.square() + across.square()).sqrt().flatten()
    band = (2 * cycles.clamp(min=1).log2()).long().clamp(max=_BANDS - 1)
    mean = torch.nn.functional.one_hot(band, _BANDS).T.float()
    mean = mean / mean.sum(1, keepdim=True).clamp(min=1)
    lowest = ((cycles > 0) & (cycles <= _LOWEST)).nonzero().flatten()
    return mean.to(device), band.to(device), lowest.to(device)
