from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _several_threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Work ahead, in so many threads as a module says; with one there would be nothing ahead."""
    before = torch.get_num_threads()
    torch.set_num_threads(getattr(request.module, "MANY", 2))
    yield
    torch.set_num_threads(before)
