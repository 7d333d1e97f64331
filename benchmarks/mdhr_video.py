"""MDHR on a video against its parts timed apart, and its blocks against their literal equations.

Prints milliseconds and ratios, in float32:

    python benchmarks/mdhr_video.py [--threads 2] [--frames 64] [--chunk 16] [--size 224]
        [--backbone resnet50.tv_in1k] [--repeats 3]

Read chunk by chunk, every frame of a video goes through the backbone once, whatever the neighbours
are; cut into independent clips, each brings its neighbours along.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import mdhr_literal as literal
from actionunits import aus
from actionunits.models.mdhr import MDHR
from actionunits.models.registry import blank_stats
from timing import milliseconds


def with_ends(features: Tensor, context: int) -> Tensor:
    """A whole video's features with its first and last frame repeated: (1, c + T + c, ...)."""
    places = torch.arange(-context, len(features) + context).clamp(0, len(features) - 1)
    return features[places][None]


def whole(model: MDHR, images: Tensor, chunk: int) -> Tensor:
    """From pictures to logits (1, T, A), with every frame seen once."""
    features = torch.cat([model.encode(part) for part in images.split(chunk)])
    padded, context = with_ends(features, model.spec.context), model.spec.context
    windows = [padded[:, i : i + chunk + 2 * context] for i in range(0, len(images), chunk)]
    return torch.cat([model.read(window).logits for window in windows], 1)


def heads(model: MDHR, maps: list[list[Tensor]], chunk: int) -> Tensor:
    """The same from the backbone's maps, which were kept."""
    assert model.dynamics is not None
    stacks = [torch.cat([m[-1][:, None], model.dynamics.resize(m)], 1) for m in maps]
    padded, context = with_ends(torch.cat(stacks), model.spec.context), model.spec.context
    starts = range(0, padded.shape[1] - 2 * context, chunk)
    return torch.cat([model.read(padded[:, i : i + chunk + 2 * context]).logits for i in starts], 1)


def video(model: MDHR, images: Tensor, chunk: int, repeats: int) -> None:
    """Print the model's time on a video, and that of its parts."""
    maps = [model.backbone(part) for part in images.split(chunk)]
    around = images[: chunk + 2 * model.spec.context]
    cases: dict[str, Callable[[], object]] = {
        "whole model": lambda: whole(model, images, chunk),
        "backbone alone": lambda: [model.backbone(part) for part in images.split(chunk)],
        "heads on kept maps": lambda: heads(model, maps, chunk),
        "a clip around one frame": lambda: model.read(model.encode(around)[None]),
    }
    difference = (whole(model, images, chunk) - heads(model, maps, chunk)).abs().max()
    once = milliseconds(cases, repeats)
    print(f"{model.backbone.name}, {len(images)} frames of {images.shape[-1]} px by {chunk}:")
    clip = once.pop("a clip around one frame")
    for name, value in once.items():
        print(f"  {name:24s}{value:10.1f} ms{value / len(images):8.2f} ms a frame")
    together, *parts = once.values()
    print(f"  a clip around every frame         {clip:8.2f} ms a frame,")
    print(f"  {clip * len(images) / together:.1f} times the whole model, which sees a frame once")
    print(f"  the whole costs {together / sum(parts):.2f} times its parts timed apart;")
    print(f"  results differ by {difference:.1e}")


def blocks(model: MDHR, maps: list[Tensor], repeats: int) -> None:
    """Print how many times faster the blocks are than their equations one by one."""
    assert model.dynamics is not None
    assert model.temporal is not None
    dynamics, temporal, extractors = model.dynamics, model.temporal, model.extractors
    faces, v = maps[-1], torch.randn(len(maps[-1]), len(model.aus), 512)
    nodes, links = v, torch.rand(len(v), len(model.aus), len(model.aus)) < 0.4
    links |= torch.eye(len(model.aus), dtype=torch.bool)
    heard = [[row.nonzero().flatten().tolist() for row in frame] for frame in links]
    attention = model.attention
    assert attention is not None
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "motion, Eq. (1)-(5)": (
            lambda: dynamics(dynamics.resize(maps)[None]),
            lambda: literal.dynamics(dynamics, maps),
        ),
        "extractors": (
            lambda: extractors(faces[None]),
            lambda: [literal.extract(extractors, face) for face in faces],
        ),
        "graph attention, Eq. (9)": (
            lambda: attention(nodes, links),
            lambda: [literal.attend(attention, *one) for one in zip(nodes, heard, strict=True)],
        ),
        "temporal convolution": (
            lambda: temporal(v[None]),
            lambda: literal.filter_in_time(temporal, v),
        ),
    }
    print(f"blocks on {len(v)} frames, against their equations written out:")
    for name, (ours, slow) in pairs.items():
        ours()
        fast, apart = milliseconds({"ours": ours, "literal": slow}, repeats).values()
        print(f"  {name:26s}{fast:9.1f} ms{apart:10.1f} ms{apart / fast:8.1f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--chunk", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--backbone", default="resnet50.tv_in1k")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    vocabulary = aus.BP4D12
    side: dict[str, Any] = {"size": options.size, "align": options.size}
    model = MDHR(vocabulary, blank_stats(12), backbone=options.backbone, **side).eval()
    images = torch.randn(options.frames, 3, options.size, options.size)
    with torch.inference_mode():
        video(model, images, options.chunk, options.repeats)
        side |= {"layers": "printed", "groups": "whole"}
        model = MDHR(vocabulary, blank_stats(12), backbone=options.backbone, **side).eval()
        seen = 2 * model.spec.context + 2  # two frames' worth of the literal order takes seconds
        blocks(model, model.backbone(images[:seen]), options.repeats)


if __name__ == "__main__":
    main()
