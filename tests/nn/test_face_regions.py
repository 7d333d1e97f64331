"""Regions of the face: rows, heads, and who hears whom."""

import pytest
import torch

from actionunits import aus
from actionunits.aus import AUSet
from actionunits.nn.face_regions import (
    AUExtractors,
    CombinationHeads,
    GraphAttention,
    combination_groups,
    region_rows,
)

DISFA_REGIONS = [0, 0, 0, 1, 1, 2, 2, 2]


def numbers(vocabulary: AUSet, heads: str) -> list[list[int]]:
    groups = combination_groups(vocabulary, heads)
    return [[vocabulary.numbers[position] for position in group] for group in groups]


@pytest.mark.parametrize("height", range(1, 15))
def test_regions_cover_a_map_of_any_height_and_none_is_empty(height: int) -> None:
    rows = region_rows(height)
    assert all(0 <= first < end <= height for first, end in rows)
    assert {y for first, end in rows for y in range(first, end)} == set(range(height))


def test_regions_on_twice_the_map_are_twice_the_rows() -> None:
    assert region_rows(14) == [(2 * first, 2 * end) for first, end in region_rows(7)]


@pytest.mark.parametrize(
    ("vocabulary", "split", "whole"),
    [
        (
            aus.BP4D12,
            [[1, 2, 4, 7], [6], [12, 14, 15], [10, 17, 23, 24]],
            [[1, 2, 4, 7], [6], [10, 12, 14, 15, 17, 23, 24]],
        ),
        (aus.DISFA8, [[1, 2, 4], [6, 9], [12, 25, 26]], [[1, 2, 4], [6, 9], [12, 25, 26]]),
        (
            aus.ALL,
            [[1, 2, 4], [5, 7, 43], [6, 9], [12, 14, 15, 20], [10, 17, 23, 24], [25, 26]],
            [[1, 2, 4, 5, 7, 43], [6, 9], [10, 12, 14, 15, 17, 20, 23, 24, 25, 26]],
        ),
        (AUSet.of((26, 12)), [[26, 12]], [[26, 12]]),
    ],
    ids=["BP4D", "DISFA", "all", "lower only, out of order"],
)
def test_heads(vocabulary: AUSet, split: list[list[int]], whole: list[list[int]]) -> None:
    assert numbers(vocabulary, "split") == split
    assert numbers(vocabulary, "whole") == whole


@pytest.mark.parametrize("heads", ["split", "whole"])
@pytest.mark.parametrize("vocabulary", [aus.BP4D12, aus.DISFA8, aus.DISFA12, aus.ALL], ids=len)
def test_every_au_has_one_head_of_its_region(vocabulary: AUSet, heads: str) -> None:
    groups = combination_groups(vocabulary, heads)
    assert sorted(position for group in groups for position in group) == [*range(len(vocabulary))]
    assert all(
        len({vocabulary.aus[position].region for position in group}) == 1 for group in groups
    )
    assert heads == "whole" or max(len(group) for group in groups) <= 4


def test_active_aus_are_those_of_the_likeliest_class_of_each_head() -> None:
    groups = combination_groups(aus.DISFA8, "split")
    block = CombinationHeads(aus.DISFA8, groups, DISFA_REGIONS, 4)
    assert block.sizes == [8, 4, 8]
    logits = torch.zeros(2, 1, 20)
    logits[0, 0, [0b101, 8 + 0b00, 12 + 0b110]] = 1
    logits[1, 0, [0b000, 8 + 0b11, 12 + 0b111]] = 1
    on = block.active(logits)
    assert on[0, 0].nonzero().flatten().tolist() == [0, 2, 6, 7]
    assert on[1, 0].nonzero().flatten().tolist() == [3, 4, 5, 6, 7]


def test_no_gradient_comes_back_through_the_choice() -> None:
    block = CombinationHeads(aus.DISFA8, [[*range(8)]], [0] * 8, 4)
    on = block.active(block(torch.randn(1, 1, 1, 4)))
    assert not on.requires_grad


def test_an_extractor_sees_its_region_only() -> None:
    block, means = AUExtractors([0, 2, 2], 4, 5), torch.randn(1, 1, 3, 4)
    other = means.clone()
    other[:, :, 2] += 1
    changed = (block(other) - block(means)).abs().amax((0, 1, 3)) > 0
    assert changed.tolist() == [False, True, True]


def test_a_node_linked_to_itself_alone_hears_nobody() -> None:
    torch.manual_seed(0)
    block, nodes = GraphAttention(4), torch.randn(3, 4)
    edges = torch.eye(3, dtype=torch.bool)
    edges[0, 2] = True
    found = block(nodes, edges)
    alone = torch.nn.functional.elu(block.transform(nodes))
    torch.testing.assert_close(found[1:], alone[1:])
    assert (found[0] - alone[0]).abs().max() > 1e-3
