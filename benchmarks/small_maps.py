"""A training step of convolutions of small maps, as matrix products against PyTorch's own.

Prints milliseconds and how many times faster the products are:

    python benchmarks/small_maps.py [--threads 1] [--repeats 10] [--batch 32]
"""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import nn

from actionunits.nn.convolution import SmallMaps
from actionunits.system.device import fast_dtype
from timing import milliseconds

SHAPES = [  # channels in, channels out, kernel, stride, side of the map
    (512, 512, 3, 1, 2),
    (512, 512, 3, 1, 4),
    (256, 512, 3, 2, 8),
    (256, 256, 3, 1, 4),
    (2048, 512, 1, 1, 3),
]


def within(
    context: Callable[[], AbstractContextManager[object]],
    module: nn.Conv2d,
    x: torch.Tensor,
    dtype: torch.dtype,
) -> None:
    with context(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        y = module(x)
    y.float().sum().backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"batch {args.batch}, threads {args.threads}: ms of forward and backward")
    for dtype in {torch.float32, fast_dtype()}:
        for inside, out, kernel, stride, side in SHAPES:
            module = nn.Conv2d(inside, out, kernel, stride, kernel // 2)
            module = module.to(memory_format=torch.channels_last)
            x = torch.randn(args.batch, inside, side, side)
            x = x.contiguous(memory_format=torch.channels_last).requires_grad_()

            cases = {
                "products": partial(within, SmallMaps, module, x, dtype),
                "theirs": partial(within, nullcontext, module, x, dtype),
            }
            times = milliseconds(cases, args.repeats)
            name = f"{inside} -> {out}, {kernel} x {kernel}, stride {stride}, side {side}"
            ratio = times["theirs"] / times["products"]
            shown = f"{times['products']:7.1f} {times['theirs']:7.1f}  {ratio:4.1f} times"
            print(f"{str(dtype).removeprefix('torch.'):9} {name:40} {shown}")


if __name__ == "__main__":
    main()
