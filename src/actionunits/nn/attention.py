"""Attention over the nodes of a fully connected graph."""

from torch import Tensor, nn
from torch.nn import functional


class GraphAttention(nn.Module):
    """Multi-head graph attention: MGRR-Net's Eq. (3)-(5) with their slips put right.

    In each of L heads, node i looks at all nodes o with
    ``a_io = softmax_o(U_q x_i . U_k x_o / sqrt(d))`` and takes ``sum_o a_io U_o x_o``; the heads
    are concatenated, mapped by U_c, and rectified. As printed, Eq. (3) and (5) have U_o for U_k
    below the fraction, and Eq. (4) sums the scores where the weighted values belong.

    Args:
        features: numbers of a node.
        out: numbers of a node that come out.
        dim: D, of all heads together.
        heads: L; d = D / L.
    """

    def __init__(self, features: int, out: int, *, dim: int = 1024, heads: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.maps = nn.Linear(features, 3 * dim, bias=False)  # U_q, U_k and U_o in one product
        self.merge = nn.Linear(dim, out, bias=False)  # U_c

    def forward(self, x: Tensor) -> Tensor:
        """Map nodes (B, N, features) to (B, N, out), not below 0."""
        split = self.maps(x).unflatten(2, (3, self.heads, -1))  # (B, N, 3, L, d)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # (B, L, N, d) each
        heads = functional.scaled_dot_product_attention(q, k, v)
        return functional.relu(self.merge(heads.transpose(1, 2).flatten(2)))
