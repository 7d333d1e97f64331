"""The folder of a training run: its state, log, choice of an epoch, checkpoint and report.

A run writes ``recipe.yaml``, ``log.csv`` (a line an epoch), ``checkpoint/``, ``report.json`` (its
scores on the test fold) and ``state.safetensors`` until it is finished, from then on the same as
``last.safetensors``: from there it can go on for more epochs.
"""

import itertools
import json
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from rich import progress
from rich.console import Console
from torch import Tensor, nn

from actionunits.data.people import all_known
from actionunits.errors import CheckpointError, RecipeError, UserError
from actionunits.files import atomic, seals, writing
from actionunits.learn import checkpoint
from actionunits.learn.card import Card
from actionunits.learn.group import compare
from actionunits.learn.recipe import Recipe
from actionunits.learn.report import AnyReport, Score
from actionunits.learn.task import Rows, Settings, Task
from actionunits.system.processes import ending_signals
from actionunits.types import HoldsOut, InputSpec

RECIPE, LOG, CHECKPOINT, REPORT = "recipe.yaml", "log.csv", "checkpoint", "report.json"
STATE, LAST = "state.safetensors", "last.safetensors"


_T = TypeVar("_T")


class TrainingError(UserError):
    """A run cannot go on, or was asked to stop."""


class StoppedError(TrainingError):
    """A run was asked to stop, by Ctrl-C or a signal like it."""

    code = 130


class Result(NamedTuple):
    """A finished run."""

    checkpoint: Path
    report: AnyReport | None  # on the test fold; None when all subjects were trained on


@dataclass
class Standing:
    """Where a run stands; saved with its state."""

    fold: int | None
    epoch: int = 0  # epochs finished
    step: int = 0  # forward passes done of the running epoch
    sums: dict[str, float] = field(default_factory=dict)  # of its loss terms
    best: float = -math.inf
    best_epoch: int = 0  # 0 until one was chosen
    log: list[dict[str, float]] = field(default_factory=list)


class Run:
    """An unfinished run; a context that shows its progress and notices Ctrl-C.

    Args:
        out: its folder.
        recipe: of the run.
        fold: kept for testing.
        task: what the model learns from.
        rows: its samples.
        spec: of the model's input.
        before: whom the start of the weights was trained on.
        model: the bare model, on its device; an earlier state in the folder is loaded into it.
        optimiser: the bare optimiser, likewise.
        accelerator: of the loop.
        passes: forward passes of an epoch.
        show: draw a progress bar.
    """

    def __init__(
        self,
        out: Path,
        recipe: Recipe,
        fold: int | None,
        task: Task,
        rows: Rows,
        before: tuple[str, ...],
        spec: InputSpec,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        accelerator: Accelerator,
        passes: int,
        show: bool,
    ) -> None:
        self.out, self.recipe, self.rows, self.passes = out, recipe, rows, passes
        own = (part.people for part in (rows.train, rows.inner) if part is not None)
        self.people = tuple(sorted({*before, *itertools.chain.from_iterable(own)}))
        self.model, self.optimiser, self.accelerator = model, optimiser, accelerator
        self._kind, self._spec = task, spec
        self.at = Standing(fold)
        if (out / STATE).is_file():
            self.at = Standing(**_load_state(out, model, optimiser))
            if self.at.fold != fold:
                raise RecipeError(
                    f"{out} holds a run of fold {self.at.fold}; choose another folder"
                )
        compare({"state": asdict(self.at)})  # disks of clusters may show an older one for a while
        # watched after every epoch, to choose one
        rule = recipe.selection.rule
        self._watched = {"last": None, "inner": rows.inner, "best_on_test": rows.test}[rule]
        self._bar = progress.Progress(
            progress.TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            progress.BarColumn(bar_width=20),
            progress.TextColumn(
                "{task.fields[terms]}  {task.fields[speed]:.0f} images/s", markup=False
            ),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),  # standard output is the report's
            disable=not (show and accelerator.is_main_process),
        )
        self._context, self._signals = ExitStack(), ExitStack()
        self._unsaved = 0  # optimiser steps since the state was written
        # frames of this epoch, by this process, and seconds of waiting for them
        self._seen, self._waited, self._since = 0, 0.0, time.monotonic()

    def __enter__(self) -> Self:
        self._save_state()  # from here on the folder says that it holds an unfinished run
        self._stop = self._signals.enter_context(_stop_requests())
        self._context.enter_context(self._bar)
        self._task = self._bar.add_task(
            "",
            total=self.recipe.epochs * self.passes,
            epochs=self.recipe.epochs,
            epoch=self.at.epoch + 1,
            terms="",
            speed=0.0,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._signals.close()
        self._context.close()

    def fed(self, batches: Iterator[_T]) -> Iterator[_T]:
        """Batches as they come; how long they let one wait is counted."""
        start = time.monotonic()
        for batch in batches:
            self._waited += time.monotonic() - start
            yield batch
            start = time.monotonic()

    def record(self, total: Tensor, terms: Mapping[str, Tensor]) -> None:
        """Count a forward pass and its loss.

        Raises:
            TrainingError: the loss is not a finite number.
        """
        at = self.at
        loss = total.item()
        if not math.isfinite(loss):
            values = ", ".join(f"{name} {value.item():.3g}" for name, value in terms.items())
            raise TrainingError(self._diverged(f"the loss is {loss} ({values})"))
        for name, value in {"loss": loss, **{n: t.item() for n, t in terms.items()}}.items():
            at.sums[name] = at.sums.get(name, 0.0) + value
        at.step += 1
        self._seen += self.recipe.batch
        self._bar.update(
            self._task,
            completed=at.epoch * self.passes + at.step,
            epoch=at.epoch + 1,
            terms="  ".join(f"{name} {value / at.step:.4f}" for name, value in at.sums.items()),
            speed=self._speed(),
        )

    def between_steps(self, save_every: int) -> None:
        """Write the state when it is due, and stop if that was asked for.

        Raises:
            StoppedError: Ctrl-C; the state is written.
        """
        self._unsaved += 1
        stop = self._anybody(self._stop.is_set())
        if stop or self._unsaved >= save_every:
            self._save_state()
        if stop:
            raise StoppedError(
                f"stopped in epoch {self.at.epoch + 1} after pass {self.at.step} of {self.passes}; "
                f"the same command goes on from {self.out / STATE}"
            )

    def end_epoch(self) -> None:
        """Watch the score if the recipe chooses by it, keep the weights if it is the best, log."""
        self._check_weights()
        at, selection = self.at, self.recipe.selection
        group = self.optimiser.param_groups[0]
        line: dict[str, float] = {"epoch": at.epoch + 1, "lr": group["lr"] / group["factor"]}
        line |= {name: value / self.passes for name, value in at.sums.items()}
        line["images_per_second"] = self._speed()
        line["waiting"] = self._waited / max(time.monotonic() - self._since, 1e-9)
        if self._watched is not None:
            self._save_state()  # scoring may take long, and may be what is interrupted
            value = self._steering(self._score(self._watched, "").scores[selection.metric])
            line[selection.metric] = value
            if at.best_epoch == 0 or value > at.best:
                at.best, at.best_epoch = value, at.epoch + 1
                undecided = torch.full((len(self._kind.aus(self.rows.train)),), 0.5)
                self._save_checkpoint(at.best_epoch, undecided, {})
        at.log.append(line)
        at.epoch, at.step, at.sums = at.epoch + 1, 0, {}
        if self.accelerator.is_main_process:
            with writing(self.out / LOG), atomic(self.out / LOG) as file:
                pd.DataFrame(at.log).to_csv(file, index=False)
        # the checkpoint is written before the state that counts it: a crash between repeats it
        self._save_state()
        self._seen, self._waited, self._since = 0, 0.0, time.monotonic()

    def gave_up(self) -> bool:
        """Whether early stopping ends the run here."""
        patience = self.recipe.selection.patience
        return patience is not None and self.at.epoch - self.at.best_epoch >= patience

    def finish(self) -> Result:
        """Calibrate the chosen weights, score them on the test fold, write both.

        Raises:
            StoppedError: Ctrl-C before; from here on it raises `KeyboardInterrupt` at once.
        """
        if self._anybody(self._stop.is_set()):
            raise StoppedError(
                f"stopped after the last epoch; the same command goes on from {self.out / STATE}"
            )
        self._signals.close()  # the state is written, and scoring may take long
        at, epoch = self.at, self.at.epoch
        if self._watched is not None:
            epoch = at.best_epoch
            if self.accelerator.is_main_process:
                chosen, _ = checkpoint.load(self.out / CHECKPOINT)
                self.model.load_state_dict(chosen.state_dict())
            broadcast(self.model.state_dict())
        table = self.rows.train if self.rows.inner is None else self.rows.inner
        thresholds = self._kind.calibrate(self.model, table, self._spec, self._settings(0))
        report = None
        if self.rows.test is not None:
            fold = "" if at.fold is None else f", fold {at.fold}"
            title = f"{self.recipe.model.name}, {self.recipe.data.name}{fold}"
            report = self._score(self.rows.test, title, thresholds, resamples=1000)
        scores = {} if report is None else report.scores
        means = {n: None if math.isnan(s.mean) else s.mean for n, s in scores.items()}
        self._save_checkpoint(epoch, thresholds, means)
        if self.accelerator.is_main_process:
            if report is not None:
                with writing(self.out / REPORT), atomic(self.out / REPORT) as file:
                    seals.write_json(file, json.loads(report.to_json()))
            (self.out / STATE).replace(self.out / LAST)
        self.accelerator.wait_for_everyone()
        return Result(self.out / CHECKPOINT, report)

    def _score(
        self, table: Any, title: str, thresholds: Tensor | None = None, resamples: int = 0
    ) -> AnyReport:
        settings = self._settings(resamples)
        report = self._kind.score(self.model, table, self._spec, settings, title, thresholds)
        return report.model_copy(update={"people_known": all_known(self.people)})

    def _steering(self, score: Score) -> float:
        """Mean of a score over the AUs that the model trains."""
        held_out = self.model.held_out if isinstance(self.model, HoldsOut) else ()
        if not held_out:
            return score.mean
        return float(torch.from_numpy(np.delete(score.per_au, held_out)).nanmean())

    def _settings(self, resamples: int) -> Settings:
        recipe = self.recipe
        return Settings(recipe.selection.rule, recipe.batch, recipe.precision, resamples)

    def _check_weights(self) -> None:
        """Never let weights that are no numbers take the place of the last good ones.

        Raises:
            TrainingError: there are such.
        """
        for name, tensor in self.model.state_dict().items():
            if not tensor.isfinite().all():
                raise TrainingError(self._diverged(f"{name} is no longer finite"))

    def _diverged(self, what: str) -> str:
        at, mean = self.at, self.at.sums.get("loss", math.nan) / max(self.at.step, 1)
        return (
            f"{what} in epoch {at.epoch + 1}, after pass {at.step} of {self.passes} (mean loss "
            f"{mean:.3g}): try a lower optimiser.lr or clip_norm=1, with another --out or --fresh; "
            f"the last good state is in {self.out}"
        )

    def _save_state(self) -> None:
        self._check_weights()
        self._unsaved = 0
        if self.accelerator.is_main_process:
            checkpoint.save_state(self.out / STATE, self.model, self.optimiser, asdict(self.at))
        self.accelerator.wait_for_everyone()

    def _save_checkpoint(
        self, epoch: int, thresholds: Tensor, scores: Mapping[str, float | None]
    ) -> None:
        if self.accelerator.is_main_process:
            table = self.rows.train
            coded = bool(self._kind.aus(table))
            card = Card(
                version=version("actionunits"),
                recipe=self.recipe,
                aus=self._kind.aus(table),
                spec=self._spec,
                template=table.template,
                fold=self.at.fold,
                epoch=epoch,
                selection=self.recipe.selection.rule,
                thresholds=tuple(thresholds.tolist()),
                people=self.people,
                coding=table.coding if coded else None,
                occurs_from=table.occurs_from if coded else None,
                scores=dict(scores),
            )
            checkpoint.save(self.model, card, self.out / CHECKPOINT, self.recipe.storage)
        self.accelerator.wait_for_everyone()

    def _anybody(self, flag: bool) -> bool:
        """Whether the flag is up in any process: a signal reaches them at different steps."""
        raised = torch.tensor(float(flag), device=self.accelerator.device)
        return bool(self.accelerator.reduce(raised, "sum") > 0)

    def _speed(self) -> float:
        return self._seen / max(time.monotonic() - self._since, 1e-9)


def _load_state(out: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    try:
        return checkpoint.load_state(out / STATE, model, optimiser)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {without_state(out)}") from error


def without_state(out: Path) -> str:
    """What to do with a run whose state is damaged."""
    try:
        _, card = checkpoint.load(out / CHECKPOINT)
    except CheckpointError:
        return "start the run afresh (--fresh)"
    return (
        f"start the run afresh (--fresh), or another from its whole checkpoint of epoch "
        f"{card.epoch}, with --set init={out} and another --out"
    )


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or signal like it into a flag; the second does what it did before."""
    asked = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[number])

    before = {int(number): signal.signal(number, note) for number in ending_signals()}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
