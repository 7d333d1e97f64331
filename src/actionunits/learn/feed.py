"""What a training run is fed: the batches of each epoch, of which each process gets its share.

The samples are shuffled anew in every epoch, and batches are the same whatever the number of
processes. With ``data.lanes`` of more than one, the samples are dealt into lanes, each a stretch of
the data set in the order in which it is stored: each lane is shuffled by itself, and a batch takes
as many samples of each. Processes that share out the lanes then read the same ones in all epochs,
not the whole data set. ``torch.utils.data.DistributedSampler`` does neither: its batches depend on
the number of processes, and it repeats samples to fill up the last.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from actionunits.data.dataset import collate
from actionunits.errors import RecipeError, UserError, counted
from actionunits.learn.recipe import Recipe
from actionunits.learn.scoring import place
from actionunits.learn.task import Samples
from actionunits.system.processes import follow_parent
from actionunits.system.together import processes, share


class Feed:
    """The batches of every epoch, on the device.

    Args:
        recipe: of the run.
        samples: to train on.
        device: of the model.

    Raises:
        RecipeError: the processes or the lanes cannot share a batch, or there are fewer samples
            than a step takes.
    """

    def __init__(self, recipe: Recipe, samples: Samples, device: torch.device) -> None:
        self._recipe, self._samples, self._device = recipe, samples, device
        step = recipe.batch * recipe.accumulate
        if recipe.batch % processes():
            fitting = [n for n in range(1, processes() + 1) if recipe.batch % n == 0]
            raise RecipeError(
                f"batch: {recipe.batch} cannot be shared by {processes()} processes: start "
                f"{' or '.join(map(str, fitting[-2:]))}, or --set batch="
                f"{-(-recipe.batch // processes()) * processes()}"
            )
        if len(samples) < step:
            raise RecipeError(
                f"batch: one step takes batch * accumulate = {counted(step, 'sample')}, "
                f"the training rows have {len(samples)}"
            )
        if recipe.batch % recipe.data.lanes:
            raise RecipeError(
                f"data.lanes: a batch of {recipe.batch} cannot take as many samples of each of "
                f"{counted(recipe.data.lanes, 'lane')}; choose a number that divides it"
            )
        self._lanes = np.array_split(np.arange(len(samples)), recipe.data.lanes)
        if recipe.data.cache:
            own = slice(None) if recipe.data.lanes % processes() else share(recipe.data.lanes)
            samples.keep(np.concatenate(self._lanes[own]))
        self._on_device = device.type != "cpu" and samples.to(device)
        # what does not fill a step is left out; the order changes every epoch, so nothing is lost
        self._passes = len(samples) // step * recipe.accumulate

    def __len__(self) -> int:
        """Forward passes of an epoch."""
        return self._passes

    def _order(self, epoch: int) -> np.ndarray:
        """Samples of this process in each forward pass of an epoch: (passes, share of a batch)."""
        generator = np.random.default_rng((self._recipe.seed, epoch))
        each = self._recipe.batch // len(self._lanes)  # samples of a lane in a batch
        shuffled = [
            generator.permutation(lane)[: self._passes * each].reshape(self._passes, each)
            for lane in self._lanes
        ]
        return np.concatenate(shuffled, 1)[:, share(self._recipe.batch)]

    def epoch(self, number: int, skip: int) -> Iterator[Any]:
        """Batches of an epoch without the first `skip`."""
        self._samples.set_epoch(number)
        loader: DataLoader[Any] = DataLoader(
            cast(Dataset[Any], self._samples),
            batch_sampler=self._order(number)[skip:].tolist(),
            collate_fn=collate,
            num_workers=0 if self._on_device else self._recipe.data.workers,
            pin_memory=self._device.type == "cuda" and not self._on_device,
            worker_init_fn=follow_parent,
        )
        with _told_by_workers():
            for batch in loader:
                yield place(batch, self._device)


@contextmanager
def _told_by_workers() -> Iterator[None]:
    """Take the traceback out of what PyTorch makes of a user's mistake in a worker process."""
    try:
        yield
    except UserError as error:
        sentence = str(error).rpartition(f"{type(error).__name__}: ")[2].strip()
        raise type(error)(sentence) from error
