"""Maps as tokens, and classifiers that read tokens."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class MultiScale(nn.Module):
    """Maps of all stages side by side, at the size of the first: SACL's Eq. (1).

    Attributes:
        channels: D of a token.
        count: N, of the tokens.

    Args:
        channels: of the stages.
        side: of the first map.
        drop: so many of the first maps are left out.
    """

    def __init__(self, channels: list[int], side: int, drop: int) -> None:
        super().__init__()
        self.side, self.drop = side, drop
        self.channels, self.count = sum(channels[drop:]), side**2

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Map (B, C_i, H_i, W_i) maps to (B, N, D)."""
        size = (self.side, self.side)
        aligned = [
            m if m.shape[2:] == size else functional.interpolate(m, size, mode="bilinear")
            for m in maps[self.drop :]
        ]
        return torch.cat(aligned, 1).flatten(2).transpose(1, 2)


class LastStage(nn.Module):
    """The map of the last stage alone.

    Attributes:
        channels: D of a token.
        count: N, of the tokens.

    Args:
        channels: of the stages.
        side: of the last map.
    """

    def __init__(self, channels: list[int], side: int) -> None:
        super().__init__()
        self.channels, self.count = channels[-1], side**2

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Map (B, C_i, H_i, W_i) maps to (B, N, D)."""
        return maps[-1].flatten(2).transpose(1, 2)


class PooledHead(nn.Module):
    """A linear layer on the mean of the tokens.

    Attributes:
        places: number of vectors that the classifier reads which are not those of nodes.
        read: length of such a vector.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.places, self.read = 1, channels
        self.classifier = nn.Linear(channels, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, N, D) tokens to (B, outputs)."""
        out: Tensor = self.classifier(tokens.mean(1))
        return out


class TokenHead(nn.Module):
    """All tokens and nodes, each squeezed to a few numbers, in one linear layer.

    Attributes:
        places: number of vectors that the classifier reads which are not those of nodes.
        read: length of such a vector.

    Args:
        channels: of tokens and nodes.
        tokens: how many.
        nodes: how many; 0 for none.
        squeezed: numbers that are kept of each.
        outputs: of the classifier.
    """

    def __init__(self, channels: int, tokens: int, nodes: int, squeezed: int, outputs: int) -> None:
        super().__init__()
        self.places, self.read = tokens, squeezed
        self.squeeze = nn.Linear(channels, squeezed)
        self.classifier = nn.Linear((tokens + nodes) * squeezed, outputs)

    def forward(self, *groups: Tensor) -> Tensor:
        """Map (B, N, D) tokens, and (B, R, D) nodes if there are any, to (B, outputs)."""
        read = torch.cat([self.squeeze(group) for group in groups], 1)
        out: Tensor = self.classifier(read.flatten(1))
        return out


class CrossAttentionHead(nn.Module):
    """What each node attends to among the tokens, all squeezed, in one linear layer.

    As in ME-GraphAU, whose attention SACL's is "similar to" (section 4.3.3): queries and keys have
    half the channels, and a node itself is not added to what it attends to.

    Attributes:
        places: number of vectors that the classifier reads which are not those of nodes.
        read: length of a node's vector.

    Args:
        channels: of tokens and nodes.
        nodes: how many.
        squeezed: numbers that are kept of each.
        outputs: of the classifier.
    """

    def __init__(self, channels: int, nodes: int, squeezed: int, outputs: int) -> None:
        super().__init__()
        self.places, self.read = 0, squeezed
        self.squeeze = nn.Linear(channels, squeezed)
        self.query = nn.Linear(squeezed, squeezed // 2)
        # a bias would move all scores of a node alike
        self.key = nn.Linear(squeezed, squeezed // 2, bias=False)
        self.value = nn.Linear(squeezed, squeezed)
        self.classifier = nn.Linear(nodes * squeezed, outputs)

    def forward(self, tokens: Tensor, nodes: Tensor) -> Tensor:
        """Map (B, N, D) tokens and (B, R, D) nodes to (B, outputs)."""
        tokens, nodes = self.squeeze(tokens), self.squeeze(nodes)
        query, key = self.query(nodes), self.key(tokens)
        scores = query @ key.transpose(1, 2) * key.shape[-1] ** -0.5
        attended = scores.softmax(-1) @ self.value(tokens)
        out: Tensor = self.classifier(attended.flatten(1))
        return out


Head = PooledHead | TokenHead | CrossAttentionHead


@torch.no_grad()
def copy_weights(
    head: Head, other: Head, outputs: list[tuple[int, int]], places: list[tuple[int, int]]
) -> None:
    """Copy what two classifiers have in common, which read vectors of the same length.

    Args:
        head: to be changed.
        other: of the same kind.
        outputs: position of an output here, and there.
        places: position of a vector here, and there.
    """
    rows, old_rows = torch.tensor(outputs, dtype=torch.int64).view(-1, 2).T
    columns, old_columns = torch.tensor(places, dtype=torch.int64).view(-1, 2).T
    ours, theirs = (
        h.classifier.weight.view(len(h.classifier.bias), -1, h.read) for h in (head, other)
    )
    ours[rows[:, None], columns] = theirs[old_rows[:, None], old_columns]
    head.classifier.bias[rows] = other.classifier.bias[old_rows]
