"""Train the two networks, each on pictures that are composed as it goes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from actionunits.facefinder import networks
from actionunits.facefinder.scenes import Composer
from actionunits.files import atomic, writing
from actionunits.system import processes
from actionunits.system.device import fast_dtype

_WARM_UP = 200  # steps
_FOLLOWS = 0.998  # of the mean of the weights of late
_SAVED = 200  # steps
_CLIPPED = 5.0

Sample = tuple[np.ndarray | np.floating[Any], ...]
Losses = dict[str, Tensor]


class Task(NamedTuple):
    """What a network learns."""

    name: str
    network: Callable[[], nn.Module]
    sample: Callable[[Composer, np.random.Generator], Sample]  # picture first
    loss: Callable[..., Losses]
    batch: int
    steps: int
    rate: float
    half: bool  # whether bfloat16 pays where the processor has it: not for the small maps of a look


def _scene(composer: Composer, rng: np.random.Generator) -> Sample:
    scene = composer.scene(rng)
    return scene.image, *networks.search_targets(scene)


def _crop(composer: Composer, rng: np.random.Generator) -> Sample:
    crop = composer.crop(rng)
    return crop.image, *networks.look_targets(crop)


TASKS = (
    Task("search", networks.SearchNet, _scene, networks.search_loss, 24, 8_000, 2e-3, True),
    Task("look", networks.LookNet, _crop, networks.look_loss, 64, 12_000, 2e-3, False),
)


class _Samples(IterableDataset[Sample]):
    """Endless samples of a task; each has a number, from which chance follows."""

    def __init__(self, task: Task, composer: Callable[[], Composer], seed: int, first: int) -> None:
        self._task, self._composer, self._seed, self._first = task, composer, seed, first

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        number, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        # A batch is one worker's, and batches go round: number them so that resuming changes none.
        composer, batch = self._composer(), self._first + number
        while True:
            for place in range(self._task.batch):
                rng = np.random.default_rng([self._seed, batch, place])
                yield tuple(map(np.array, self._task.sample(composer, rng)))
            batch += step


def train(
    task: Task,
    composer: Callable[[], Composer],
    out: Path,
    *,
    seed: int = 1,
    steps: int | None = None,
    workers: int = 1,
) -> nn.Module:
    """Train a network, or go on where an earlier call stopped.

    Args:
        task: one of `TASKS`.
        composer: makes what composes the pictures; called in each worker.
        out: folder of the state, ``NAME.pt``.
        seed: of the weights and the pictures.
        steps: of the optimiser; those of the task where not given.
        workers: processes that compose.

    Returns:
        The network with the mean of the weights of late, to be evaluated.
    """
    total = task.steps if steps is None else steps
    torch.manual_seed(seed)
    network, mean = task.network().to(memory_format=torch.channels_last), task.network()
    mean.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), task.rate, weight_decay=1e-3)
    file, first = out / f"{task.name}.pt", 0
    if file.exists():
        state = torch.load(file, weights_only=True)
        network.load_state_dict(state["network"])
        mean.load_state_dict(state["mean"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    loader = DataLoader(
        _Samples(task, composer, seed, first),
        task.batch,
        num_workers=workers,
        worker_init_fn=processes.follow_parent,
    )
    half = task.half and fast_dtype() == torch.bfloat16
    with _progress() as progress:
        bar = progress.add_task(task.name, total=total, completed=first, losses="")
        for step, (images, *truth) in zip(range(first, total), loader, strict=False):
            _set_rate(optimiser, task.rate, step, total)
            network.train()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                said = network(images.permute(0, 3, 1, 2).float())
            losses = task.loss(tuple(part.float() for part in said), *truth)
            optimiser.zero_grad()
            torch.autograd.backward(torch.stack(list(losses.values())).sum())
            nn.utils.clip_grad_norm_(network.parameters(), _CLIPPED)
            optimiser.step()
            _follow(mean, network, min(_FOLLOWS, (step + 1) / (step + 10)))
            told = " ".join(f"{name} {float(value.detach()):.3f}" for name, value in losses.items())
            progress.update(bar, advance=1, losses=told)
            if (step + 1) % _SAVED == 0 or step + 1 == total:
                _save(file, network, mean, optimiser, step + 1)
    return mean.eval()


def _set_rate(optimiser: torch.optim.Optimizer, rate: float, step: int, total: int) -> None:
    """Rise over the first steps, then fall along half a cosine."""
    now = rate * min(1, (step + 1) / _WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * step / total))
    for group in optimiser.param_groups:
        group["lr"] = float(now) + 1e-6


@torch.no_grad()
def _follow(mean: nn.Module, network: nn.Module, kept: float) -> None:
    for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - kept)
        else:
            old.copy_(new)


def _save(
    file: Path, network: nn.Module, mean: nn.Module, optimiser: torch.optim.Optimizer, step: int
) -> None:
    state: dict[str, Any] = {
        "network": network.state_dict(),
        "mean": mean.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
    }
    with writing(file), atomic(file) as temporary:
        torch.save(state, temporary)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[losses]}"))
