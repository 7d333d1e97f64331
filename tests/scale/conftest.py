import os
import sys
from pathlib import Path

import pytest
from nodes import added

from actionunits.scale import cluster


@pytest.fixture
def one_node(monkeypatch):
    """A cluster of one machine of one core, to which tests add others."""
    pytest.importorskip("ray")
    import ray
    from ray.cluster_utils import Cluster

    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, *sys.path]))
    monkeypatch.setattr(cluster, "_check_port", lambda _: None)  # tests may not ask this address
    made = Cluster()
    try:
        added(made)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()
