"""Two processes as `torchrun` starts them, for tests: forked from one that has imported already."""

import multiprocessing
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

Work = Callable[[Path], Any]
"""What each process does in a folder; what it returns can be saved by PyTorch."""


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def two(work: Work, folder: Path) -> list[Any]:
    """Let two processes work together, and return what each returned."""
    multiprocessing.set_forkserver_preload(["actionunits.learn.train"])
    arguments = (free_port(), work, folder)
    mp.start_processes(_process, args=arguments, nprocs=2, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


def _process(rank: int, port: int, work: Work, folder: Path) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    torch.set_num_threads(1)
    torch.save(work(folder), folder / f"{rank}.pt")
    if dist.is_initialized():
        dist.destroy_process_group()
