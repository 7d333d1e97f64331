"""Models that PyTorch computes, on any device, in the number format in which that is fastest."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn

from actionunits.detect.ahead import one_thread
from actionunits.detect.network import MOST_FACES, ClipNetwork, Crops, Network, Values, joined
from actionunits.errors import UserError
from actionunits.faces.device import OnDevice
from actionunits.models import registry
from actionunits.system.device import fast_dtype
from actionunits.types import AUModel, ClipModel, Output

_SIGHTED = {"cuda"}  # kinds of devices on which faces are searched for and cropped, too


def network(model: nn.Module, device: str | torch.device = "cpu") -> Network | ClipNetwork:
    """Move a model to its device, and let it be asked with arrays.

    Args:
        model: an `AUModel`.
        device: of the model.
    """
    placed = model.eval().to(device).to(memory_format=torch.channels_last)
    if isinstance(placed, ClipModel):
        return _Clips(placed, torch.device(device))
    return _Frames(placed, torch.device(device))


def accelerator(wanted: str | torch.device | None) -> torch.device:
    """The device that is wanted, or the best there is.

    Raises:
        UserError: there is no such device.
    """
    best = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    if wanted is None:
        return best
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch asserts that it knows CUDA
        reason = str(error).splitlines()[0].partition(".")[0][:60]
        raise UserError(f"device {wanted}: not to be had here ({reason}); try {best}") from None
    return device


class _Model:
    """What models of frames and of clips have in common."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model, self._device = model, device
        self.spec = spec = cast(AUModel, model).spec
        self._mean = torch.tensor(spec.mean, device=device)[:, None, None]
        self._std = torch.tensor(spec.std, device=device)[:, None, None]
        self._dtype = fast_dtype(device)

    @cached_property
    def sight(self) -> OnDevice | None:
        """What finds and crops faces where the model is; None where the processor does."""
        return OnDevice(self._device) if self._device.type in _SIGHTED else None

    @property
    def intensity(self) -> bool:
        return self._of_nothing.intensity is not None

    @cached_property
    def told(self) -> Mapping[str, int]:
        time = () if self.spec.clip is None else (0,)  # of the one frame
        return self._values(self._of_nothing).part(*time).told()

    @cached_property
    def _of_nothing(self) -> Output:
        """What the model says of nothing, which shows all that it tells."""
        time = () if self.spec.clip is None else (1 + 2 * self.spec.context,)
        blank = torch.zeros(1, *time, 3, self.spec.size, self.spec.size, device=self._device)
        with torch.inference_mode():
            out: Output = self._model(blank)
        return out

    def _autocast(self) -> torch.autocast:
        kind = self._device.type
        return torch.autocast(kind, self._dtype, enabled=self._dtype != torch.float32)

    def _images(self, crops: Crops) -> Iterator[Tensor]:
        """(F, 3, size, size) normalised pictures of crops, a bearable number at a time."""
        for part in torch.split(torch.as_tensor(crops, device=self._device), MOST_FACES):
            images = (part.permute(0, 3, 1, 2).float() / 255 - self._mean) / self._std
            yield images.contiguous(memory_format=torch.channels_last)

    def _values(self, out: Output) -> Values:
        """Values of any leading axes, on the CPU: float64 there, which not every device has."""
        told: dict[str, Any] = {} if out.besides is None else out.besides._asdict()
        told |= {kind: getattr(out, kind) for kind in ("intensity", "quality", "landmarks")}
        told["probability"] = out.logits.float().sigmoid()
        told["embedding"] = registry.embedding(out) if _gives_embedding(out) else None
        for kind, values in told.items():
            told[kind] = None if values is None else values.float().cpu().double().numpy()
        return Values(**told)


def _gives_embedding(out: Output) -> bool:
    return "embeddings" in (out.aux or {})


class _Frames(_Model):
    """Each face by itself."""

    @torch.inference_mode()
    def values(self, crops: Crops) -> Values:
        with self._autocast():
            parts = [self._values(self._model(images)) for images in self._images(crops)]
        return joined(parts, parts[0].probability.shape[-1])


class _Clips(_Model):
    """Each face in its time."""

    @torch.inference_mode()
    def encode(self, crops: Crops) -> Sequence[Tensor]:
        model = cast(ClipModel, self._model)
        with self._autocast():
            return list(torch.cat([model.encode(images) for images in self._images(crops)]))

    @torch.inference_mode()
    def read(self, kept: Sequence[Tensor]) -> Values:
        model = cast(ClipModel, self._model)
        with one_thread(), self._autocast():
            return self._values(model.read(torch.stack(list(kept))[None])).part(0)
