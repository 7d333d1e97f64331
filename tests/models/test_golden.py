"""Seeded small versions of all models compute what they computed when they were written.

Run as a script, this file writes its figures anew; do that only when a model was meant to change.
"""

import json
from pathlib import Path

import pytest
import torch
from test_all_models import CASES, batch_of, build, settings, stats_of, train_all

from actionunits import aus
from actionunits.models import registry

GOLDEN = Path(__file__).with_name("golden.json")
KEYS = {f"{name} {json.dumps(variant)}": (name, variant) for name, variant in CASES}


def figures(key: str) -> dict[str, list[float]]:
    """Loss terms of a training step, and the logits of an evaluation after it."""
    name, variant = KEYS[key]
    chosen = train_all(name, variant)
    if name == "sacl":  # of hundreds of nearest nodes, one is always a rounding error from another
        chosen["knn"] = 99  # so that all nodes are near
    model = build(name, aus.DISFA8, chosen)
    torch.manual_seed(2)
    batch = batch_of(model, 2, 8)
    loss = registry.loss_for(name, aus.DISFA8, stats_of(8), **settings(name, chosen))
    terms = loss(model(batch.images), batch)
    with torch.inference_mode():
        logits = model.eval()(batch.images).logits
    found = {name: [term.item()] for name, term in terms.items()}
    return found | {"logits": logits.reshape(-1, 8)[0].tolist()}


@pytest.mark.parametrize("key", KEYS)
def test_figures_are_those_of_old(key: str) -> None:
    expected, found = json.loads(GOLDEN.read_text())[key], figures(key)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=2e-3, abs=2e-3), name


def test_no_figures_of_models_that_are_gone() -> None:
    assert json.loads(GOLDEN.read_text()).keys() == KEYS.keys()


if __name__ == "__main__":
    torch.set_num_threads(1)
    rounded = {
        key: {name: [round(v, 6) for v in values] for name, values in figures(key).items()}
        for key in KEYS
    }
    GOLDEN.write_text(json.dumps(rounded, indent=1) + "\n")
