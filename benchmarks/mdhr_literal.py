"""MDHR's equations written out, one AU, frame and pair at a time, to test its blocks against.

Wang et al. (CVPR 2024), Eq. (1)-(11), as printed and with what the authors' release adds. Norms are
those of evaluation. Slow on purpose.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.nn.face_regions import (
    AUExtractors,
    CombinationHeads,
    GraphAttention,
    NormedExtractors,
)
from actionunits.nn.temporal import AUTemporalConvolution, MultiScaleDynamics, NormedDifference


def dynamics(block: MultiScaleDynamics, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Eq. (1)-(5) in their order, with adaptive weights: differences of full maps come first.

    Args:
        block: whose parameters.
        maps: of one clip, for each stage (k + T + k, channels, H, W).

    Returns:
        Motion (T, c', h, w) and weights (T, S, h, w).
    """
    k, motions, all_weights = block.neighbours, [], []
    released = isinstance(block.difference, NormedDifference)
    for t in range(k, len(maps[0]) - k):
        means = []
        for s, (number, convolve) in enumerate(zip(block.stages, block.convolutions, strict=True)):
            x = maps[number - 1]
            resized = []
            for i in range(t - k + 1, t + k + 1):
                d = x[i] - x[i - 1]  # Eq. (1)
                d = convolve_by_step(convolve.weight, d)  # Eq. (2)
                if released:
                    c = len(d)
                    d = norm(block.difference.norm, d, range(s * c, (s + 1) * c)).relu()
                resized.append(d)
            means.append(sum(resized) / len(resized))  # Eq. (3)
        scores = (scores_released if released else scores_printed)(block, means)
        total = sum(score.exp() for score in scores)
        weights = [score.exp() / total for score in scores]
        motion = sum(w * d for w, d in zip(weights, means, strict=True))  # Eq. (5)
        motions.append(layer(block.project, motion) if released else motion)
        all_weights.append(torch.stack(weights))
    return torch.stack(motions), torch.stack(all_weights)


def scores_printed(block: MultiScaleDynamics, means: list[Tensor]) -> list[Tensor]:
    """Eq. (4) before its softmax: a 1x1 convolution of all to one channel, for each scale."""
    weigh, side_by_side = block.fusion.weigh, torch.cat(means)
    return [
        (weigh.weight[s, :, 0, 0][:, None, None] * side_by_side).sum(0) + weigh.bias[s]
        for s in range(len(means))
    ]


def scores_released(block: MultiScaleDynamics, means: list[Tensor]) -> list[Tensor]:
    """The same with a layer of its own to 16 channels for each scale before."""
    first, batch_norm, _, last = block.fusion.weigh
    hidden, width = [], first.out_channels // len(means)
    for s, mean in enumerate(means):
        own = range(s * width, (s + 1) * width)
        narrow = torch.einsum("oc,chw->ohw", first.weight[own.start : own.stop, :, 0, 0], mean)
        hidden.append(norm(batch_norm, narrow, own).relu())
    narrow = torch.cat(hidden)
    return [
        (last.weight[s, :, 0, 0][:, None, None] * narrow).sum(0) + last.bias[s]
        for s in range(len(means))
    ]


def norm(batch_norm: nn.Module, x: Tensor, channels: range | None = None) -> Tensor:
    """A batch norm of one map (c, h, w), channel by channel; `channels` are which of the norm's."""
    rows = []
    for c, plane in zip(channels or range(len(x)), x, strict=True):
        centred = plane - batch_norm.running_mean[c]
        scaled = centred / (batch_norm.running_var[c] + batch_norm.eps).sqrt()
        rows.append(scaled * batch_norm.weight[c] + batch_norm.bias[c])
    return torch.stack(rows)


def layer(block: nn.Sequential, x: Tensor) -> Tensor:
    """A 1x1 convolution of one map (channels, h, w), its norm and a ReLU."""
    convolution, batch_norm, _ = block
    return norm(batch_norm, torch.einsum("oc,chw->ohw", convolution.weight[:, :, 0, 0], x)).relu()


def convolve_by_step(weight: Tensor, x: Tensor) -> Tensor:
    """A convolution of one map (channels, H, W) whose stride is its kernel."""
    return functional.conv2d(x[None], weight, stride=weight.shape[-1])[0]


def slices(face: Tensor) -> list[Tensor]:
    """Eq. (7) on a map (c, h, w); where h is not 7, all rows that the sevenths touch."""
    sevenths, h = ((0, 3), (2, 5), (4, 7)), face.shape[1]
    return [face[:, math.floor(a * h / 7) : math.ceil(b * h / 7)] for a, b in sevenths]


def extract(block: AUExtractors, face: Tensor) -> Tensor:
    """AFE of one frame's map (c, h, w): a 1x1 convolution, then the mean, for each AU: (A, b)."""
    vectors = []
    for n, region in enumerate(block.region.tolist()):
        kernel = block.weight[n][:, :, None, None]
        vectors.append(functional.conv2d(slices(face)[region][None], kernel, block.bias[n]))
    return torch.stack([v[0].mean((1, 2)) for v in vectors])


def combinations(block: CombinationHeads, face: Tensor) -> list[Tensor]:
    """Eq. (8) of one frame's map (c, h, w): the probabilities of each head."""
    pairs = zip(block.heads, block.region, strict=True)
    return [head(slices(face)[region].mean((1, 2))).softmax(0) for head, region in pairs]


def extract_released(
    block: NormedExtractors,
    heads: CombinationHeads,
    groups: list[list[int]],
    places: list[int],
    face: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """AFE and Eq. (8) of one frame's map (b, h, w) with the release's layers.

    Args:
        block: whose layers, group by group.
        heads: whose heads, group by group.
        groups: of AUs.
        places: of each group, the position of its region.
        face: the map.

    Returns:
        Vectors (A, b), and the probabilities of each head.
    """
    vectors, probabilities = {}, []
    for g, (group, place) in enumerate(zip(groups, places, strict=True)):
        region = slices(face)[place]
        if isinstance(block.layers[g], nn.Sequential):
            region = layer(block.layers[g], region)
        probabilities.append(heads.heads[g](region.mean((1, 2))).softmax(0))
        convolution, batch_norm, _ = block.extractors[g]
        b = len(region)
        for position, au in enumerate(group):
            own = range(position * b, (position + 1) * b)
            weight = convolution.weight[own.start : own.stop, :, 0, 0]
            map_of_au = norm(batch_norm, torch.einsum("oc,chw->ohw", weight, region), own).relu()
            vectors[au] = map_of_au.mean((1, 2))
    return torch.stack([vectors[n] for n in range(len(vectors))]), probabilities


def active(probabilities: list[Tensor], groups: list[list[int]]) -> set[int]:
    """AUs of the likeliest combinations of one frame; the first AU of a head is the lowest bit."""
    found = set()
    for p, group in zip(probabilities, groups, strict=True):
        likeliest = int(p.argmax())
        for position, au in enumerate(group):
            if likeliest // 2**position % 2:
                found.add(au)
    return found


def attend(block: GraphAttention, nodes: Tensor, neighbours: list[list[int]]) -> Tensor:
    """Eq. (9) of one frame: nodes (A, b), and of each node its neighbours."""
    transform = block.transform.weight
    r = block.attend.weight.flatten()  # of [W v_n || W v_m]
    out = []
    for n, heard in enumerate(neighbours):
        pairs = [torch.cat([transform @ nodes[n], transform @ nodes[m]]) for m in heard]
        e = [functional.leaky_relu(r @ pair, 0.2) for pair in pairs]
        total = sum(score.exp() for score in e)
        sums = [
            score.exp() / total * (transform @ nodes[m]) for score, m in zip(e, heard, strict=True)
        ]
        total = sum(sums)
        out.append(functional.elu(total if block.bias is None else total + nodes[n] + block.bias))
    return torch.stack(out)


def filter_in_time(block: AUTemporalConvolution, x: Tensor) -> Tensor:
    """TCN of one clip (T + 4, A, b), with a small network for every AU: (T, A, b)."""
    weight, bias = (p.unflatten(0, x.shape[1:]) for p in (block.weight, block.bias))
    kernel, width, out = weight.shape[-1], x.shape[2], []
    for n in range(x.shape[1]):
        network = nn.Conv1d(width, width, kernel, groups=width)
        network.load_state_dict({"weight": weight[n], "bias": bias[n]})
        filtered = network(x[:, n].T[None])[0].T
        if isinstance(block.after, nn.Sequential):  # the release has a norm of each AU
            filtered = norm(block.after[0], filtered[None], range(n, n + 1))[0].relu()
        out.append(filtered)
    return torch.stack(out, 1)


def similarity(v: Tensor, s: Tensor) -> Tensor:
    """SC of one AU in one frame: the cosine of the ReLUs of two vectors."""
    v, s = v.relu(), s.relu()
    return (v * s).sum() / (v.square().sum().sqrt() * s.square().sum().sqrt())
