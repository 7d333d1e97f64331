"""Machines of a cluster, as Ray makes them of processes of this one."""

from contextlib import suppress
from typing import Any

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}
_ATTEMPTS = 5


def added(made: Any) -> Any:
    """One machine more; on a busy one Ray may miss its own limits of some seconds."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(Exception):  # Ray raises plain ones
            return made.add_node(**NODE)
    return made.add_node(**NODE)
