"""A training step of the default network against that of a plain ResNet-18, and what makes it fast.

Prints images a second and how many times as many the default network takes:

    python benchmarks/training.py [--threads 1] [--repeats 5] [--batch 64] [--compile]

The baseline is torchvision's ResNet-18 at 96 pixels, which the weights of 0.1.0 had, in bfloat16
where the processor has it. All steps are whole: pictures changed at random, forward, loss,
backward, optimiser.
"""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

from actionunits import aus
from actionunits.data.transforms import Augment, Transform, uniforms
from actionunits.learn.recipe import load_recipe
from actionunits.models import registry
from actionunits.models.wholeface import WholeFace, WholeFaceLoss
from actionunits.nn.convolution import SmallMaps
from actionunits.system.device import fast_dtype
from actionunits.types import Batch, Besides, InputSpec, Output
from timing import milliseconds

AUS = aus.RENDERED


def truth(count: int, size: int) -> Batch:
    """Labels of as many faces, of which everything is known."""
    shape, labels = (count, len(AUS)), torch.rand(count, len(AUS)).round()
    besides = Besides(
        torch.rand(*shape, 2), torch.randn(count, 3), torch.randn(count, 2), torch.rand(count, 6)
    )
    points = size * torch.rand(count, 49, 2)
    known = torch.ones(shape, dtype=torch.bool)
    return Batch(torch.empty(0), labels, known, labels, points, ("",) * count, besides)


class Plain(nn.Module):
    """ResNet-18 with an output an AU."""

    spec = InputSpec(96, 110, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))

    def __init__(self) -> None:
        super().__init__()
        self.network = resnet18(num_classes=len(AUS))

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, 96, 96) to logits."""
        logits: Tensor = self.network(images)
        return logits


def step(
    model: nn.Module,
    loss: Callable[..., Tensor],
    transform: Transform,
    optimiser: torch.optim.Optimizer,
    fast: Callable[[], AbstractContextManager[object]],
    faces: Tensor,
    batch: Batch,
) -> None:
    images, _ = transform(faces, None, uniforms(0, 0, np.arange(len(faces))))
    images = images.contiguous(memory_format=torch.channels_last)
    dtype = fast_dtype()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32), fast():
        out = model(images)
    loss(out, batch).backward()
    optimiser.step()
    optimiser.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--compile", action="store_true", help="and each model compiled; minutes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    recipe = load_recipe("wholeface_people")
    terms = WholeFaceLoss(AUS, registry.blank_stats(len(AUS)))

    def plainly(out: Tensor, batch: Batch) -> Tensor:
        return functional.binary_cross_entropy_with_logits(out.float(), batch.labels)

    def wholly(out: Output, batch: Batch) -> Tensor:
        found = terms(out, batch)
        return torch.stack([recipe.loss[name] * value for name, value in found.items()]).sum()

    whole = WholeFace(AUS, registry.blank_stats(len(AUS)), **recipe.model.params)
    cases = {}
    for name, model, loss, fast in (
        ("ResNet-18, 96 pixels", Plain(), plainly, nullcontext),
        ("the same, small maps as products", Plain(), plainly, SmallMaps),
        (f"wholeface, {whole.spec.size} pixels", whole, wholly, SmallMaps),
    ):
        net = model.to(memory_format=torch.channels_last)
        spec = net.spec
        faces = torch.randint(0, 256, (args.batch, spec.align, spec.align, 3), dtype=torch.uint8)
        computed = {name: net} | ({f"{name}, compiled": torch.compile(net)} if args.compile else {})
        for computes, each in computed.items():
            cases[computes] = partial(
                step,
                *(each, loss, Transform(spec, Augment(**recipe.data.augment.model_dump()))),
                torch.optim.AdamW(net.parameters(), 1e-3, fused=True),
                *(fast, faces.permute(0, 3, 1, 2), truth(args.batch, spec.size)),
            )
    times = milliseconds(cases, args.repeats)
    first = next(iter(times.values()))
    print(f"batch {args.batch}, threads {args.threads}, {fast_dtype()}: images a second")
    for name, value in times.items():
        print(f"{name:44} {args.batch / value * 1000:7.0f}  {first / value:4.1f} times")


if __name__ == "__main__":
    main()
