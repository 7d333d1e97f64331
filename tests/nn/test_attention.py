"""Attention over a fully connected graph."""

import torch

from actionunits.nn.attention import GraphAttention


def test_the_order_of_the_nodes_does_not_matter() -> None:
    torch.manual_seed(0)
    block, nodes = GraphAttention(6, 4, dim=8, heads=2), torch.randn(2, 5, 6)
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(block(nodes)[:, order], block(nodes[:, order]))


def test_alike_nodes_give_their_own_mapped_value() -> None:
    block, node = GraphAttention(6, 4, dim=8, heads=2), torch.randn(6)
    value = block.merge(block.maps(node)[16:]).relu()
    torch.testing.assert_close(block(node.expand(1, 5, 6)), value.expand(1, 5, 4))
