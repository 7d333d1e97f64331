"""Regions of the face: rows, heads, and who hears whom."""

import pytest
import torch

from actionunits import aus
from actionunits.aus import AUSet
from actionunits.nn.face_regions import (
    AUExtractors,
    CombinationHeads,
    GraphAttention,
    NormedExtractors,
    combination_groups,
    region_rows,
)


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
@pytest.mark.parametrize(
    "vocabulary", [aus.BP4D12, aus.DISFA8, aus.DISFA12, aus.ALL, aus.RENDERED], ids=len
)
def test_every_au_has_one_head_of_its_region(vocabulary: AUSet, heads: str) -> None:
    groups = combination_groups(vocabulary, heads)
    assert sorted(position for group in groups for position in group) == [*range(len(vocabulary))]
    assert all(
        len({vocabulary.aus[position].region for position in group}) == 1 for group in groups
    )
    assert heads == "whole" or max(len(group) for group in groups) <= 4


def test_active_aus_are_those_of_the_likeliest_class_of_each_head() -> None:
    groups = combination_groups(aus.DISFA8, "split")
    block = CombinationHeads(aus.DISFA8, groups, [0, 1, 2], 4)
    assert block.sizes == [8, 4, 8]
    logits = torch.zeros(2, 1, 20)
    logits[0, 0, [0b101, 8 + 0b00, 12 + 0b110]] = 1
    logits[1, 0, [0b000, 8 + 0b11, 12 + 0b111]] = 1
    on = block.active(logits)
    assert on[0, 0].nonzero().flatten().tolist() == [0, 2, 6, 7]
    assert on[1, 0].nonzero().flatten().tolist() == [3, 4, 5, 6, 7]


def test_no_gradient_comes_back_through_the_choice() -> None:
    block = CombinationHeads(aus.DISFA8, [[*range(8)]], [0], 4)
    on = block.active(block(torch.randn(1, 1, 1, 4)))
    assert not on.requires_grad


ROWS = region_rows(7)
EXTRACTORS = {
    "print": lambda: AUExtractors(ROWS, 7, [2, 0, 2], 4, 5),
    "release": lambda: NormedExtractors([ROWS[0], ROWS[2]], [[1], [0, 2]], 4, layer=True),
    "release, no layers": lambda: NormedExtractors(
        [ROWS[0], ROWS[2]], [[1], [0, 2]], 4, layer=False
    ),
}


@pytest.mark.parametrize("form", EXTRACTORS)
def test_an_extractor_sees_its_region_only(form: str) -> None:
    torch.manual_seed(0)
    block, face = EXTRACTORS[form]().eval(), torch.randn(1, 2, 4, 7, 7)
    other = face.clone()
    other[..., 4:, :] += 1
    (v, means), (v_other, means_other) = block(face), block(other)
    assert ((v - v_other).abs().amax((0, 1, 3)) > 0).tolist() == [True, False, True]
    upper_first = (means - means_other).abs().amax((0, 1, 3)) > 0
    assert upper_first.tolist() == ([False, True, True] if form == "print" else [False, True])


def test_extractors_of_a_group_are_apart() -> None:
    torch.manual_seed(0)
    block, face = EXTRACTORS["release"](), torch.randn(3, 2, 4, 7, 7)
    v, _ = block(face)
    v[:, :, 2].sum().backward()
    gradient = block.extractors[1][0].weight.grad
    assert not gradient[:4].any()
    assert gradient[4:].any()


@pytest.mark.parametrize("residual", [False, True])
def test_a_node_linked_to_itself_alone_hears_nobody(residual: bool) -> None:
    torch.manual_seed(0)
    block, nodes = GraphAttention(4, residual=residual), torch.randn(3, 4)
    edges = torch.eye(3, dtype=torch.bool)
    edges[0, 2] = True
    found = block(nodes, edges)
    alone = torch.nn.functional.elu(block.transform(nodes) + (nodes if residual else 0))
    torch.testing.assert_close(found[1:], alone[1:])
    assert (found[0] - alone[0]).abs().max() > 1e-3
