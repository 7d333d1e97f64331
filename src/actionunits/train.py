"""One training loop for every model, on a page, and what it rests on.

What a step draws at random depends on the seed and on the number of the step alone, so that a run
that was stopped anywhere goes on as if nothing had happened. What a run writes is in `run`.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from actionunits import checkpoint
from actionunits.aus import AUSet
from actionunits.data import splits
from actionunits.data.dataset import ClipDataset, FrameDataset, collate
from actionunits.data.table import FrameTable, duplicate_positives
from actionunits.data.transforms import Augment
from actionunits.errors import RecipeError
from actionunits.evaluate import autocast, place, read_table
from actionunits.models import registry
from actionunits.recipe import OptimiserSpec, Recipe, ScheduleSpec
from actionunits.run import Result, Rows, Run, is_finished, read_result
from actionunits.types import AUModel, Batch, InputSpec, Loss


def train(
    recipe: Recipe,
    fold: int | None,
    out: Path | str,
    *,
    resume: bool = True,
    show: bool = True,
    save_every: int = 200,
) -> Result:
    """Train a model, choose an epoch, calibrate thresholds on training subjects, score the fold.

    Args:
        recipe: what to do.
        fold: fold that is kept for testing, 1 to 3; None trains on all subjects.
        out: folder of the run.
        resume: go on with an unfinished run in `out`, and return a finished one as it is; False
            starts afresh.
        show: draw a progress bar.
        save_every: optimiser steps between two writes of the state; it is also written after every
            epoch and when the run is stopped.

    Raises:
        RecipeError: the recipe does not fit the model, the data or the run in `out`.
        DataError: the data cannot be read.
        TrainingError: the loss is no longer a number, or the run was stopped (Ctrl-C).
    """
    registry.check(recipe.model.name, recipe.model.params)
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(), gradient_accumulation_steps=recipe.accumulate
    )
    if is_finished(Path(out), recipe, fold, resume, accelerator):
        return read_result(Path(out))
    rows = read_rows(recipe, fold)
    model, spec, loss = build(recipe, rows.train)
    feed = _Feed(recipe, rows.train, spec, accelerator)
    optimiser = _optimiser(recipe.optimiser, model)
    net, stepper = accelerator.prepare(model.to(memory_format=torch.channels_last), optimiser)
    with Run(
        Path(out), recipe, fold, rows, spec, model, optimiser, accelerator, len(feed), show
    ) as run:
        at = run.at
        while at.epoch < recipe.epochs and not run.gave_up():
            net.train()
            for batch in feed.epoch(at.epoch, skip=at.step):
                torch.manual_seed(_seed(recipe.seed, at.epoch, at.step, accelerator.process_index))
                with accelerator.accumulate(net):
                    with autocast(recipe.precision, accelerator.device):
                        output = net(batch.images)
                    terms = loss(output, batch)
                    total = weigh(terms, recipe.loss)
                    run.record(total, terms)
                    accelerator.backward(total)
                    if accelerator.sync_gradients:
                        if recipe.clip_norm is not None:
                            accelerator.clip_grad_norm_(net.parameters(), recipe.clip_norm)
                        epochs = at.epoch + at.step / len(feed)
                        rate = recipe.optimiser.lr * rate_factor(
                            recipe.schedule, epochs, recipe.epochs
                        )
                        for group in optimiser.param_groups:
                            group["lr"] = rate
                    stepper.step()  # does nothing until all gradients of the step are there
                    stepper.zero_grad()
                if accelerator.sync_gradients:
                    run.between_steps(save_every)
            run.end_epoch()
        return run.finish()


def read_rows(recipe: Recipe, fold: int | None) -> Rows:
    """Read the frames of a run and split them by subject.

    Raises:
        DataError: the data cannot be read or split.
    """
    table, test, inner = read_table(recipe.data), None, None
    if fold is not None:
        table, test = splits.train_test(table, fold)
    if recipe.selection.share:
        table, inner = splits.inner_split(table, recipe.selection.share, recipe.seed)
    if recipe.selection.rule == "best_on_test" and test is None:
        raise RecipeError("selection.rule best_on_test needs a fold that is kept for testing")
    if recipe.data.duplicate:
        table = duplicate_positives(table, AUSet.of(recipe.data.duplicate))
    return Rows(table, inner, test)


def build(recipe: Recipe, table: FrameTable) -> tuple[nn.Module, InputSpec, Loss]:
    """Model with its first weights, what it is fed, and its loss, from training rows.

    Raises:
        RecipeError: a setting of the model or the start of the weights is not possible.
    """
    torch.manual_seed(recipe.seed)
    name, params = recipe.model.name, recipe.model.params
    stats = table.stats(recipe.data.relation)
    model = registry.create(name, table.aus, stats, **params)
    if recipe.init is not None:
        if Path(recipe.init).is_dir():
            start, _ = checkpoint.load(recipe.init)
            checkpoint.load_weights(model, start.state_dict(), Path(recipe.init))
        else:
            registry.initialise(name, model, recipe.init)
    spec = cast(AUModel, model).spec
    return model, spec, registry.loss_for(name, table.aus, stats, **params)


def weigh(terms: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Sum of the loss terms under the recipe's weights.

    Raises:
        RecipeError: the terms are not those that the recipe weighs.
    """
    if terms.keys() != weights.keys():
        raise RecipeError(
            f"loss: the model has the terms {sorted(terms)}, the recipe weighs {sorted(weights)}"
        )
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()


def rate_factor(schedule: ScheduleSpec, epochs: float, total: int) -> float:
    """Factor of the learning rate after `epochs` of `total` epochs.

    >>> [rate_factor(ScheduleSpec(name="cosine", warmup=1), e, 9) for e in (0.5, 1, 5, 9)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if epochs < schedule.warmup:
        return epochs / schedule.warmup
    if schedule.name == "constant":
        return 1.0
    done = (epochs - schedule.warmup) / max(total - schedule.warmup, 1e-9)
    return schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * min(done, 1))) / 2


class _Feed:
    """The batches of every epoch, on the device; each process gets its share of each batch."""

    def __init__(
        self, recipe: Recipe, table: FrameTable, spec: InputSpec, accelerator: Accelerator
    ) -> None:
        kind = FrameDataset if spec.clip is None else ClipDataset
        self._dataset = kind(
            table,
            spec,
            augment=Augment(**recipe.data.augment.model_dump()),
            seed=recipe.seed,
            cache=recipe.data.cache,
        )
        self._recipe, self._accelerator = recipe, accelerator
        step = recipe.batch * recipe.accumulate
        if recipe.batch % accelerator.num_processes:
            raise RecipeError(
                f"batch: {recipe.batch} cannot be shared by {accelerator.num_processes} processes"
            )
        if len(self._dataset) < step:
            raise RecipeError(
                f"batch: one step takes batch * accumulate = {step} samples, "
                f"the training rows have {len(self._dataset)}"
            )
        # what does not fill a step is left out; the order changes every epoch, so nothing is lost
        self._passes = len(self._dataset) // step * recipe.accumulate

    def __len__(self) -> int:
        """Forward passes of an epoch."""
        return self._passes

    def epoch(self, number: int, skip: int) -> Iterator[Batch]:
        """Batches of an epoch without the first `skip`."""
        recipe, rank = self._recipe, self._accelerator.process_index
        generator = np.random.default_rng((recipe.seed, number))
        order = generator.permutation(len(self._dataset))[: self._passes * recipe.batch]
        shares = order.reshape(self._passes, recipe.batch)[
            skip:, rank :: self._accelerator.num_processes
        ]
        self._dataset.set_epoch(number)
        loader = DataLoader(
            self._dataset,
            batch_sampler=shares.tolist(),
            collate_fn=collate,
            num_workers=recipe.data.workers,
            pin_memory=self._accelerator.device.type == "cuda",
        )
        return (place(batch, self._accelerator.device) for batch in loader)


def _optimiser(spec: OptimiserSpec, model: nn.Module) -> torch.optim.Optimizer:
    parameters = [p for p in model.parameters() if p.requires_grad]
    if spec.name == "sgd":
        return torch.optim.SGD(
            parameters,
            spec.lr,
            momentum=spec.momentum,
            weight_decay=spec.weight_decay,
            nesterov=spec.momentum > 0,
        )
    kind = torch.optim.Adam if spec.name == "adam" else torch.optim.AdamW
    return kind(parameters, spec.lr, betas=spec.betas, weight_decay=spec.weight_decay)


def _seed(*numbers: int) -> int:
    """One seed from several numbers, without pattern."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
