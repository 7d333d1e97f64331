"""What tests of learning share: they fit a small batch, long before they run out of steps.

How low a loss is after so many steps depends on the processor, the number of threads and the seed;
that it gets to a small share of its start within many times the usual number of steps does not.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from actionunits.learn.run import LOG, Run, TrainingError

SHARE = 0.3  # of its start, to which every term of a loss must fall
STEPS = 120  # allowed; the slowest model takes a quarter of them


def fit(
    model: nn.Module, loss: Callable[..., dict[str, Tensor]], batch: tuple, lr: float = 3e-3
) -> float:
    """Train on one batch until every term of the loss is at most `SHARE` of its start.

    Args:
        model: in training mode; its images are ``batch.images``.
        loss: of the model's output and the batch.
        batch: the same in every step.
        lr: learning rate of Adam.

    Returns:
        Share of the allowed steps that it took, in 0..1.

    Raises:
        AssertionError: a term is not that small after `STEPS` steps.
    """
    optimiser = torch.optim.Adam(model.parameters(), lr)
    start: dict[str, float] = {}
    for step in range(STEPS):
        terms = loss(model(batch.images), batch)
        now = {name: term.item() for name, term in terms.items()}
        start = start or now
        if all(now[name] <= SHARE * start[name] for name in start):
            return step / STEPS
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
    raise AssertionError(f"after {STEPS} steps the terms fell from {start} to {now} only")


def learned(run: Path) -> float:
    """Compare the losses of a run's epochs with the first one's.

    Args:
        run: folder of a finished run.

    Returns:
        The least loss as a share of what is allowed, which is `SHARE` of the first: 0..1.

    Raises:
        AssertionError: no epoch has that little.
    """
    losses = pd.read_csv(run / LOG)["loss"]
    allowed = SHARE * losses.iloc[0]
    assert losses.min() <= allowed, f"the loss fell from {losses.iloc[0]} to {losses.min()} only"
    return float(losses.min() / allowed)


@contextmanager
def ctrl_c_in_batch(at: int) -> Iterator[None]:
    """Training in here is stopped by Ctrl-C in this batch, from 1, and says how it goes on."""
    record, batches = Run.record, 0

    def press_ctrl_c(run: Run, *loss: object) -> None:
        nonlocal batches
        record(run, *loss)
        batches += 1
        if batches == at:
            signal.raise_signal(signal.SIGINT)

    said = r"stopped in epoch \d .*the same command goes on"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "record", press_ctrl_c)
        with pytest.raises(TrainingError, match=said):
            yield
    assert batches == at
