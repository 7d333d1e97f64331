"""ResT: a pyramid transformer whose attention looks at a reduced map.

Zhang and Yang, *ResT: An Efficient Transformer for Visual Recognition* (NeurIPS 2021).
"""

import re
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from actionunits.nn.backbone import load_mapped, read_state

LITE_DEPTHS = (2, 2, 2, 2)
HEADS = (1, 2, 4, 8)
REDUCTIONS = (8, 4, 2, 1)

# From the names of the authors' release to those of this file.
_RENAMED = (
    (r"^patch_embed_(\d)\.", lambda m: f"embeddings.{int(m[1]) - 2}."),
    (r"^stage(\d)\.", lambda m: f"stages.{int(m[1]) - 1}."),
    (r"\.pos\.pa_conv\.", lambda m: ".position.conv."),
    (r"\.attn\.sr\.", lambda m: ".attention.reduce."),
    (r"\.attn\.sr_norm\.", lambda m: ".attention.reduce_norm."),
    (r"\.attn\.transform_conv\.", lambda m: ".attention.interact."),
    (r"\.attn\.", lambda m: ".attention."),
    (r"\.mlp\.fc1\.", lambda m: ".mlp.0."),
    (r"\.mlp\.fc2\.", lambda m: ".mlp.2."),
)


class ResT(nn.Module):
    """ResT-Lite by default: 10.5 M parameters with a classifier of 1000 classes.

    Attributes:
        channels: of the maps of the four stages.

    Args:
        width: channels of the first stage; each further stage has twice as many.
        depths: blocks of the four stages.
    """

    def __init__(self, *, width: int = 64, depths: tuple[int, int, int, int] = LITE_DEPTHS) -> None:
        super().__init__()
        self.channels = [width * 2**level for level in range(len(depths))]
        self.stem = _Stem(width)
        self.embeddings = nn.ModuleList(_Embedding(c, 2 * c) for c in self.channels[:-1])
        self.stages = nn.ModuleList(
            nn.ModuleList(_Block(channels, heads, reduction) for _ in range(depth))
            for channels, heads, reduction, depth in zip(
                self.channels, HEADS, REDUCTIONS, depths, strict=True
            )
        )
        self.norm = nn.LayerNorm(self.channels[-1])
        self.apply(_initialise)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the maps.

        Args:
            images: (B, 3, H, W), H and W multiples of 32.

        Returns:
            Five maps: of the stem, (B, width, H / 4, W / 4), and of the four stages,
            (B, channels, H / 4 to H / 32, W / 4 to W / 32), the last of them normalised.
        """
        x: Tensor = self.stem(images)
        maps = [x]
        for level, stage in enumerate(self.stages):
            if level:
                x = self.embeddings[level - 1](x)
            size = (x.shape[2], x.shape[3])
            tokens = x.flatten(2).transpose(1, 2)
            for block in stage.children():
                tokens = block(tokens, size)
            if level == len(self.stages) - 1:
                tokens = self.norm(tokens)
            x = _as_map(tokens, size)
            maps.append(x)
        return maps

    def load_authors(self, file: Path) -> None:
        """Take the weights of a file of the authors' release; its classifier is left out.

        Raises:
            CheckpointError: it cannot be read, or holds another architecture.
        """
        load_mapped(self, read_state(file), _rename, file)


class _Stem(nn.Module):
    """Three convolutions to a quarter of the size, then position encoding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, stride=2, padding=1, bias=False)
        self.position = _PixelAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm1(self.conv1(x)))
        x = functional.relu(self.norm2(self.conv2(x)))
        out: Tensor = self.position(self.conv3(x))
        return out


class _Embedding(nn.Module):
    """Between two stages: half the size, then position encoding."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.position = _PixelAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.position(self.norm(self.conv(x)))
        return out


class _PixelAttention(nn.Module):
    """Position encoding that any size of picture has: each pixel weighs itself (section 3.4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * self.conv(x).sigmoid()
        return out


class _Block(nn.Module):
    """Attention and feed-forward network of ratio 4, each after a norm and around a residual."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = _Attention(channels, heads, reduction)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.attention(self.norm1(x), size)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _Attention(nn.Module):
    """Efficient multi-head self-attention: Eq. (3)-(4) of the paper.

    Keys and values come from a map that a depth-wise convolution made `reduction` times smaller.
    Where there are several heads, a 1x1 convolution mixes their scores before the softmax and an
    instance norm keeps them diverse after it.
    """

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads, self.reduction = heads, reduction
        self.scale = (channels // heads) ** -0.5
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)
        if reduction > 1:
            self.reduce = nn.Conv2d(
                channels, channels, reduction + 1, reduction, reduction // 2, groups=channels
            )
            self.reduce_norm = nn.LayerNorm(channels)
        if heads > 1:
            # The authors' has a bias, which the softmax takes off again.
            self.interact = nn.Conv2d(heads, heads, 1, bias=False)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        q = self.q(x).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, h, N, d)
        if self.reduction > 1:
            x = self.reduce_norm(self.reduce(_as_map(x, size)).flatten(2).transpose(1, 2))
        k, v = self.kv(x).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, h, M, d)
        scores = q @ k.transpose(2, 3) * self.scale  # (B, h, N, M)
        if self.heads > 1:
            # In float32: what the norm enlarges are small differences between nearly equal weights.
            weights = self.interact(scores).float().softmax(-1)
            # The instance norm of a map without scale and shift is the layer norm of its pixels.
            weights = functional.layer_norm(weights, weights.shape[2:])
        else:
            weights = scores.softmax(-1)
        out: Tensor = self.proj((weights @ v).transpose(1, 2).flatten(2))
        return out


def _as_map(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H W, C) tokens as (B, C, H, W), channels last in memory."""
    # Transposed first, a batch of one loses the strides by which kernels for channels last are
    # chosen; those for channels first are up to 50 times slower here.
    return tokens.reshape(tokens.shape[0], *size, tokens.shape[2]).permute(0, 3, 1, 2)


def _initialise(module: nn.Module) -> None:
    # Linear layers like the authors', who cut off what lies beyond a hundred standard deviations;
    # PyTorch's draws that do so differ between its versions. Convolutions that start as small as
    # theirs would make maps so flat that the norms of the attention enlarge rounding errors.
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)


def _rename(name: str) -> str | None:
    if name.startswith("head.") or name.endswith("transform_conv.bias"):
        return None
    for pattern, new in _RENAMED:
        name = re.sub(pattern, new, name)
    return name
