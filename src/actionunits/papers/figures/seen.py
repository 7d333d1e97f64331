"""What a model says of the faces of a figure."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actionunits.errors import UserError
from actionunits.papers.figures.faces import Strip
from actionunits.papers.figures.trained import Trained
from actionunits.types import ClipModel, InputSpec, Output

_TOGETHER = 8  # frames that go through a network at a time

Array = NDArray[np.floating]


class Wants(NamedTuple):
    """What a figure draws: at least one of these arrays of `Output.aux`, each if it is there."""

    figure: str
    names: tuple[str, ...]
    advice: str  # what to do if there is none


class Seen(NamedTuple):
    """F frames that a model has read."""

    pictures: NDArray[np.uint8]  # (F, size, size, 3)
    names: tuple[str, ...]  # (F)
    seconds: Array  # (F,)
    strip: NDArray[np.int64]  # (F,) number of the strip that a frame is of
    truth: Array  # (F, A) 0, 1 or NaN
    probability: Array  # (F, A)
    present: NDArray[np.bool_]  # (F, A)
    landmarks: Array | None  # (F, 49, 2) pixels of the crop
    aux: dict[str, NDArray[np.generic]]  # (F, ...) each, what there is of the wanted arrays

    def pick(self, frames: NDArray[np.int64]) -> "Seen":
        """Keep some of the frames."""
        return Seen(
            self.pictures[frames],
            tuple(self.names[i] for i in frames),
            self.seconds[frames],
            self.strip[frames],
            self.truth[frames],
            self.probability[frames],
            self.present[frames],
            None if self.landmarks is None else self.landmarks[frames],
            {name: values[frames] for name, values in self.aux.items()},
        )


def see(trained: Trained, strips: Iterable[Strip], wants: Wants, *, strict: bool = True) -> Seen:
    """Show strips to a model.

    Args:
        trained: the model.
        strips: one at least.
        wants: what is kept of its outputs.
        strict: the model must offer at least one of the arrays that are wanted.

    Raises:
        UserError: the model offers none of them.
    """
    outputs, kept = [], []
    for strip in strips:
        outputs.append(_read(trained, strip, wants, strict))
        kept.append(strip)
    present = [out.landmarks for out in outputs if out.landmarks is not None]
    probability = torch.cat([out.logits for out in outputs]).sigmoid().double().numpy()
    aux = [out.aux or {} for out in outputs]
    lengths = [len(strip.shown) for strip in kept]
    return Seen(
        pictures=np.concatenate([_pictures(strip.crops[strip.shown]) for strip in kept]),
        names=tuple(name for strip in kept for name in strip.names),
        seconds=np.concatenate([strip.seconds for strip in kept]),
        strip=np.repeat(np.arange(len(kept)), lengths),
        truth=np.concatenate([strip.truth for strip in kept]),
        probability=probability,
        present=probability >= trained.thresholds,
        landmarks=torch.cat(present).numpy() if present else None,
        aux={name: torch.cat([each[name] for each in aux]).numpy() for name in aux[0]},
    )


@torch.inference_mode()
def _read(trained: Trained, strip: Strip, wants: Wants, strict: bool) -> Output:
    """Output of the frames of a strip that are shown, (M, ...), without what is not wanted."""
    model, shown = trained.model.cpu().eval(), torch.from_numpy(strip.shown)
    parts = []
    for out in (_clip if isinstance(model, ClipModel) else _stills)(trained, strip):
        aux = out.aux or {}
        if strict and not aux.keys() & set(wants.names):
            raise UserError(
                f"figure {wants.figure} needs a model that returns {' or '.join(wants.names)}; "
                f"{trained.title} ({trained.name}) returns {', '.join(aux) or 'none of them'}: "
                f"{wants.advice}"
            )
        wanted = {name: aux[name] for name in wants.names if name in aux}
        parts.append(Output(out.logits.float(), None, out.landmarks, wanted))
    if isinstance(model, ClipModel):
        return _map(_joined(parts), lambda values: values[shown])
    return _joined(parts)


def _stills(trained: Trained, strip: Strip) -> Iterator[Output]:
    for crops in torch.split(strip.crops[strip.shown], _TOGETHER):
        yield trained.model(_images(crops, trained.spec))


def _clip(trained: Trained, strip: Strip) -> Iterator[Output]:
    """Frame after frame, each seen once; the first and last stand in for what is beyond them."""
    model = trained.model
    assert isinstance(model, ClipModel)
    context = model.spec.context
    first, last = strip.crops[:1], strip.crops[-1:]
    ends = (context, -1, -1, -1)
    padded = torch.cat([first.expand(ends), strip.crops, last.expand(ends)])
    kept = None
    for crops in torch.split(padded, _TOGETHER):
        seen = model.encode(_images(crops, model.spec))
        kept = seen if kept is None else torch.cat([kept, seen])
        if len(kept) > 2 * context:
            yield _map(model.read(kept[None]), lambda values: values[0])
            kept = kept[len(kept) - 2 * context :]


def _images(crops: Tensor, spec: InputSpec) -> Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in (spec.mean, spec.std))
    return (crops.float() / 255 - mean) / std


def _pictures(crops: Tensor) -> NDArray[np.uint8]:
    return crops.permute(0, 2, 3, 1).contiguous().numpy()


def _map(out: Output, function: Callable[[Tensor], Tensor]) -> Output:
    landmarks = None if out.landmarks is None else function(out.landmarks)
    aux = {name: function(values) for name, values in (out.aux or {}).items()}
    return Output(function(out.logits), None, landmarks, aux)


def _joined(parts: list[Output]) -> Output:
    landmarks = [out.landmarks for out in parts if out.landmarks is not None]
    aux = [out.aux or {} for out in parts]
    return Output(
        torch.cat([out.logits for out in parts]),
        None,
        torch.cat(landmarks) if landmarks else None,
        {name: torch.cat([each[name] for each in aux]) for name in aux[0]},
    )
