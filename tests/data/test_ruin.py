"""Ruined pictures: those that were chosen, in four ways, and never worse than they may be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actionunits.data.ruin import ruined


def pictures(count: int) -> Tensor:
    return 0.2 + 0.6 * torch.rand(count, 3, 40, 48, generator=torch.Generator().manual_seed(0))


def draws(count: int, **given: float) -> dict[str, Tensor]:
    names = ("ruin_kind", "ruin_by", "ruin_side")
    return {name: torch.full((count,), given.get(name, 0.5)) for name in names}


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_only_what_is_chosen_is_ruined_and_all_stays_in_range(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = pictures(8)
    which = torch.rand(8, generator=generator) < 0.5
    u = {name: torch.rand(8, generator=generator) for name in draws(1)}
    found = ruined(images, which, u)
    assert torch.equal(found[~which], images[~which])
    assert 0 <= found.min() <= found.max() <= 1
    assert all((a != b).any() for a, b in zip(found[which], images[which], strict=True))
    again = torch.cat([ruined(images[i : i + 1], which[i : i + 1], part(u, i)) for i in range(8)])
    torch.testing.assert_close(again, found)  # whatever else is in the batch


def part(u: dict[str, Tensor], row: int) -> dict[str, Tensor]:
    return {name: values[row : row + 1] for name, values in u.items()}


@pytest.mark.parametrize(("by", "halvings"), [(0.0, 1), (1.0, 6)])
def test_dark_pictures_keep_few_shades(by: float, halvings: int) -> None:
    found = ruined(pictures(1), torch.tensor([True]), draws(1, ruin_kind=0.1, ruin_by=by))
    torch.testing.assert_close(found, pictures(1) / 2**halvings, atol=0.5 / 255 + 1e-6, rtol=0)
    assert len(found.unique()) <= 256 / 2**halvings


def test_bright_pictures_burn_out() -> None:
    found = ruined(pictures(1), torch.tensor([True]), draws(1, ruin_kind=0.3, ruin_by=1.0))
    torch.testing.assert_close(found, (8 * pictures(1)).clamp(max=1))


@pytest.mark.parametrize(("by", "side"), [(0.1, 24), (0.5, 16), (0.95, 10)])
def test_small_pictures_lose_what_is_smaller_than_their_pixels(by: float, side: int) -> None:
    stripes = (torch.arange(48) % 2).float().expand(1, 3, 40, 48)
    found = ruined(stripes, torch.tensor([True]), draws(1, ruin_kind=0.6, ruin_by=by))
    assert found.std() < 0.3 * stripes.std()
    halves = (torch.arange(48) >= 24).float().expand(1, 3, 40, 48)
    kept = ruined(halves, torch.tensor([True]), draws(1, ruin_kind=0.6, ruin_by=by))
    assert (kept - halves).abs().mean() < 1 / side  # what is larger stays


@pytest.mark.parametrize(("side", "edge"), [(0.1, "right"), (0.4, "bottom"), (0.6, "left")])
def test_covers_come_from_one_side(side: float, edge: str) -> None:
    u = draws(1, ruin_kind=0.9, ruin_by=0.0, ruin_side=side)
    changed = (ruined(pictures(1), torch.tensor([True]), u) != pictures(1)).any(1)[0]
    at = {"right": changed[:, -1], "bottom": changed[-1], "left": changed[:, 0]}[edge]
    assert at.all()
    assert changed.float().mean() == pytest.approx(0.3, abs=0.03)
