"""Training steps a second on a quiet machine, and beside programs that keep cores busy.

Baseline, in the same run: the same steps with as many threads an operation as PyTorch takes by
itself, whatever else goes on.

    python benchmarks/busy_training.py [--seconds 8] [--batch 64] [--others 1 2]

Others are programs that count, one a core; the first steps beside them, in which the number of
threads is found, count too.
"""

import argparse
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn import functional

from actionunits import aus
from actionunits.learn.threads import threads
from actionunits.system.device import fast_dtype
from busy import busy
from training import Plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--others", type=int, nargs="*", default=[1, os.cpu_count() or 1])
    options = parser.parse_args()
    step = stepper(options.batch)
    cores = os.cpu_count() or 1
    quiet: dict[str, float] = {}
    for others in (0, *options.others):
        with busy(others):
            fixed = options.batch * rate(step, options.seconds, nullcontext)
            with threads(torch.device("cpu")) as hands:
                ours = options.batch * rate(step, options.seconds, hands.working)
        rates = {f"threads that give way, {hands.count} at last": ours, "baseline": fixed}
        quiet = quiet or dict(zip(("ours", "baseline"), rates.values(), strict=True))
        print(f"{others} of {cores} cores busy")
        for (name, value), before in zip(rates.items(), quiet.values(), strict=True):
            print(f"  {name:34s}{value:7.1f} images/s{value / before:6.2f} of the quiet rate")
        print(f"  {'ratio':34s}{ours / fixed:7.2f}")


def stepper(batch: int) -> Callable[[], None]:
    """A whole step of ResNet-18 at 96 pixels."""
    model = Plain().to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.SGD(model.parameters(), 0.01, fused=True)
    images = torch.randn(batch, 3, 96, 96).contiguous(memory_format=torch.channels_last)
    labels = torch.rand(batch, len(aus.RENDERED)).round()
    dtype = fast_dtype()

    def step() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            logits = model(images)
        functional.binary_cross_entropy_with_logits(logits.float(), labels).backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def rate(
    step: Callable[[], None], seconds: float, working: Callable[[], AbstractContextManager[object]]
) -> float:
    """Steps a second."""
    step()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        with working():
            step()
        count += 1
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
