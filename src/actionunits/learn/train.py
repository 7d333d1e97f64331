"""One training loop for every model, on a page, and what it rests on.

What a step draws at random depends on the seed and on the number of the step alone, so that a run
that was stopped anywhere goes on as if nothing had happened. What a run writes is in `run`.
"""

import itertools
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console
from torch import Tensor, nn

from actionunits import weights
from actionunits.aus import AUSet
from actionunits.data.people import all_known, among
from actionunits.datasets.people import share_people
from actionunits.errors import RecipeError, counted
from actionunits.faces import templates
from actionunits.files import alone
from actionunits.learn import checkpoint
from actionunits.learn.card import Card
from actionunits.learn.feed import Feed
from actionunits.learn.group import by_first, check_shared, compare, joined
from actionunits.learn.recipe import GroupSpec, OptimiserSpec, Recipe, ScheduleSpec
from actionunits.learn.resume import is_finished, read_result
from actionunits.learn.run import Result, Run
from actionunits.learn.scoring import autocast
from actionunits.learn.task import Rows
from actionunits.learn.tasks import TASKS
from actionunits.learn.threads import threads
from actionunits.models import registry
from actionunits.nn.convolution import SmallMaps
from actionunits.nn.normalisation import norms_of_all
from actionunits.system.device import enough_memory
from actionunits.system.together import of_all, processes
from actionunits.types import AUModel


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
        GroupError: of several processes, that they do not fit each other or one is lost.
        BatchTooLargeError: for the batch; the message says which to try.
        UserError: another process trains in `out`, or it cannot be written.
    """
    registry.check(recipe.model.name, recipe.model.params)
    out = Path(out)
    job = {"fold": fold, "resume": resume, "recipe": recipe.model_dump(mode="json")}
    with joined(job), ExitStack() as stack:
        by_first(lambda: stack.enter_context(alone(out)))
        check_shared(out)
        if by_first(lambda: is_finished(out, recipe, fold, resume)):
            return read_result(out)
        accelerator = Accelerator(
            cpu=not torch.accelerator.is_available(),
            gradient_accumulation_steps=recipe.accumulate,
        )
        return _train(recipe, fold, out, accelerator, show, save_every)


def _train(
    recipe: Recipe,
    fold: int | None,
    out: Path,
    accelerator: Accelerator,
    show: bool,
    save_every: int,
) -> Result:
    """Begin a run or go on with it; nobody else writes into its folder."""
    task = TASKS[registry.task_of(recipe.model.name)]
    rows = task.read(recipe, fold)
    torch.manual_seed(recipe.seed)
    model, loss = task.build(recipe, rows.train)
    begun = start(model, recipe, fold, task.aus(rows.train), rows)
    if begun.remark and show and accelerator.is_main_process:
        Console(stderr=True).print(begun.remark, highlight=False, markup=False)
    spec = cast(AUModel, model).spec
    samples = task.dataset(recipe, rows.train, spec)
    compare({"samples": len(samples), "people": rows.train.people, "template": rows.train.template})
    feed = Feed(recipe, samples, accelerator.device)
    steps = len(feed) // recipe.accumulate  # of an epoch
    optimiser = _optimiser(recipe.optimiser, model)
    net, stepper = accelerator.prepare(model.to(memory_format=torch.channels_last), optimiser)
    if recipe.compile:
        net = torch.compile(net)  # around the model, which is scored and saved as it is
    run = Run(
        out,
        recipe,
        fold,
        task,
        rows,
        begun.people,
        spec,
        model,
        optimiser,
        accelerator,
        len(feed),
        show,
    )
    smaller = _smaller(recipe)
    with (
        enough_memory(recipe.batch, smaller),
        _enough_to_normalise(recipe),
        _able_to_compile(recipe),
        threads(accelerator.device, fixed=recipe.compile) as hands,
        run,
    ):
        at = run.at
        while at.epoch < recipe.epochs and not run.gave_up():
            net.train()
            for batch in run.fed(feed.epoch(at.epoch, skip=at.step)):
                torch.manual_seed(_seed(recipe.seed, at.epoch, at.step, accelerator.process_index))
                with hands.working(), accelerator.accumulate(net):
                    with (
                        autocast(recipe.precision, accelerator.device),
                        SmallMaps(),
                        norms_of_all(),
                    ):
                        output = net(batch.images)
                    terms = loss(of_all(output), of_all(batch))
                    total = weigh(terms, recipe.loss)
                    run.record(total, terms)
                    accelerator.backward(total)
                    if accelerator.sync_gradients:
                        if recipe.clip_norm is not None:
                            accelerator.clip_grad_norm_(net.parameters(), recipe.clip_norm)
                        epochs = at.epoch + at.step / len(feed)
                        factor = rate_factor(recipe.schedule, epochs, recipe.epochs, steps)
                        for group in optimiser.param_groups:
                            group["lr"] = recipe.optimiser.lr * group["factor"] * factor
                    stepper.step()  # does nothing until all gradients of the step are there
                    stepper.zero_grad()
                if accelerator.sync_gradients:
                    run.between_steps(save_every)
            run.end_epoch()
        return run.finish()


class Start(NamedTuple):
    """What is known of the first weights of a run."""

    people: tuple[str, ...] = ()
    """Whom they were trained on, as in `Card`; nobody for published weights by name or file."""
    remark: str = ""
    """What the user should look after himself."""


def start(
    model: nn.Module, recipe: Recipe, fold: int | None, aus: tuple[int, ...], rows: Rows
) -> Start:
    """Give a model the first weights that its recipe wants.

    Args:
        model: with fresh weights.
        recipe: its `init` is a name that the model or the package offers, a file of weights or a
            checkpoint.
        fold: kept for testing.
        aus: FACS numbers of the model's label axis.
        rows: samples of the run.

    Raises:
        RecipeError: the start is not possible, was trained on faces that are placed otherwise, or
            it or what it started from has seen the test subjects.
        CheckpointError: it is damaged, or of another architecture.
    """
    if recipe.init is None:
        return Start()
    name, source = recipe.model.name, _path(recipe.init, fold)
    if source in weights.list_weights():
        source = str(weights.locate(source))
    if not Path(source).is_dir():
        registry.initialise(name, model, source)
        return Start()
    other, card = checkpoint.load(source)
    _check_people(source, card, recipe, fold, rows)
    ours, theirs = rows.train.template, card.template
    if not templates.may_be_alike(ours, theirs):
        raise RecipeError(
            f"init: {source} learned from faces placed by the template {theirs}, these are placed "
            f"by {ours}: prepare {recipe.data.name} with --template {theirs}, or train the start "
            f"on faces that were prepared with --template {ours}"
        )
    if (card.recipe.model, card.aus) == (recipe.model, aus):
        checkpoint.load_weights(model, other.state_dict(), Path(source))
    else:
        registry.adopt(name, model, other, AUSet.of(card.aus) if card.aus else None)
    if ours == theirs:
        return Start(card.people)
    remark = (
        f"init: {source} learned from pictures of {card.recipe.data.name} as they are: see to it "
        f"that their faces are placed as the template {ours} places them"
    )
    return Start(card.people, remark)


def _check_people(source: str, card: Card, recipe: Recipe, fold: int | None, rows: Rows) -> None:
    """Refuse a start that has seen a test subject, itself or through what it started from."""
    if rows.test is None:
        return
    people = rows.test.people
    seen = list(itertools.compress(people, among(people, card.people)))
    if seen:
        where = "" if fold is None else f" of fold {fold}"
        raise RecipeError(
            f"init: {source}, or what it started from, was trained on {len(seen)} of "
            f"{counted(len(people), 'test subject')}{where}, the first is {seen[0]}: start from "
            "a checkpoint of the same fold, or of other people"
        )
    related = share_people(card.recipe.data.name, recipe.data.name)
    if not all_known(card.people) and related and fold not in {None, card.fold}:
        raise RecipeError(
            f"init: the card of {source} does not say whom it was trained on; it kept "
            f"fold {card.fold} of {card.recipe.data.name} for testing, so that there may be test "
            f"subjects of fold {fold} among them: start from a checkpoint of the same fold, or "
            "train it again"
        )


def _smaller(recipe: Recipe) -> str:
    """What to try where the memory is too small for the batch of a recipe."""
    smaller = recipe.batch // 2 // processes() * processes()
    cache = ", or --set data.cache=false" if recipe.data.cache else ""
    advice = "smaller pictures or a smaller model (model.params)"
    if smaller:
        passes = recipe.accumulate * math.ceil(recipe.batch / smaller)
        advice = f"--set batch={smaller} --set accumulate={passes}, as many samples a step"
    return f"start afresh (--fresh, or another --out) with {advice}{cache}"


@contextmanager
def _enough_to_normalise(recipe: Recipe) -> Iterator[None]:
    """Say in one sentence that a batch is too small for a norm over it.

    Raises:
        RecipeError: a norm has a single value of a channel.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):  # as PyTorch's batch norm says it
            raise
        raise RecipeError(
            f"batch: {recipe.batch} is too small for the batch norms of {recipe.model.name}, which "
            "see a single value of a channel: start afresh (--fresh, or another --out) with at "
            "least two samples (--set batch=2), or larger pictures (model.params)"
        ) from error


@contextmanager
def _able_to_compile(recipe: Recipe) -> Iterator[None]:
    """Say in one sentence what is missing to compile a model, mostly a compiler.

    Raises:
        RecipeError: instead of what PyTorch says.
    """
    try:
        yield
    except RuntimeError as error:
        from torch._dynamo.exc import BackendCompilerFailed  # there by now, and slow to load

        if not isinstance(error, BackendCompilerFailed):
            raise
        reason = str(error.inner_exception).partition("\n")[0]
        raise RecipeError(
            f"compile: PyTorch cannot compile {recipe.model.name} here ({reason}): install a C++ "
            "compiler (g++ or clang++, and the headers of Python), or start afresh (--fresh, or "
            "another --out) with --set compile=false"
        ) from error


def _path(source: str, fold: int | None) -> str:
    """`source` with the number of the fold, as `au train` names the folders of its runs."""
    return source.replace("fold{fold}", "all" if fold is None else f"fold{fold}")


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


def rate_factor(schedule: ScheduleSpec, epochs: float, total: int, steps: int = 1) -> float:
    """Factor of the learning rate after `epochs` of `total` epochs of `steps` steps each.

    >>> [rate_factor(ScheduleSpec(name="cosine", warmup=1), e, 9) for e in (0.5, 1, 5, 9)]
    [0.5, 1.0, 0.5, 0.0]
    """
    warmup = schedule.warmup or schedule.warmup_steps / steps
    if epochs < warmup:
        return epochs / warmup
    if schedule.name == "constant":
        return 1.0
    if schedule.name == "step":
        return math.pow(schedule.factor, (epochs - warmup) // schedule.every)
    if schedule.name == "inverse_sqrt":
        return math.sqrt(warmup / epochs)
    done = (epochs - warmup) / max(total - warmup, 1e-9)
    return schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * min(done, 1))) / 2


def _optimiser(spec: OptimiserSpec, model: nn.Module) -> torch.optim.Optimizer:
    groups = _groups(spec, model)
    if spec.name == "sgd":
        nesterov = spec.momentum > 0
        return torch.optim.SGD(groups, spec.lr, spec.momentum, nesterov=nesterov, fused=True)
    kind = torch.optim.Adam if spec.name == "adam" else torch.optim.AdamW
    return kind(groups, spec.lr, betas=spec.betas, fused=True)  # one pass over the parameters


def _groups(spec: OptimiserSpec, model: nn.Module) -> list[dict[str, Any]]:
    """Parameters that are trained alike; ``factor`` is that of their learning rate.

    Raises:
        RecipeError: the recipe singles out parameters that the model does not have.
    """
    rules = {**spec.groups, "*": GroupSpec()}
    members: dict[str, list[nn.Parameter]] = {pattern: [] for pattern in rules}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            members[next(p for p in rules if fnmatchcase(name, p))].append(parameter)
    for pattern in spec.groups:
        if not any(fnmatchcase(name, pattern) for name, _ in model.named_parameters()):
            parts = sorted({name.split(".")[0] for name, _ in model.named_parameters()})
            raise RecipeError(
                f"optimiser.groups: no parameter is called {pattern!r}; they are in "
                f"{', '.join(parts)}, and * stands for anything"
            )
    return [
        {
            "params": members[pattern],
            "factor": rule.lr,
            "weight_decay": spec.weight_decay if rule.weight_decay is None else rule.weight_decay,
        }
        for pattern, rule in rules.items()
        if members[pattern]
    ]


def _seed(*numbers: int) -> int:
    """One seed from several numbers, without pattern."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
