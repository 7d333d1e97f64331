"""Whatever a model is set to, it says what is wrong with it or can be trained a step."""

import math
from typing import Any

import pytest
import torch

from actionunits.aus import AUSet
from actionunits.errors import UserError
from actionunits.models import registry
from cases import QUICK, SMALL

WRONG: list[Any] = [
    *(None, True, "", "x", b"x", [], [1], [1, 1], [9, 1], {}, ["1"], [math.nan]),
    *(-1, 0, 1, 3, 10**9, 10**400, -1.0, 1e-320, 1.5, 1e300, math.nan, math.inf),
]


@pytest.mark.parametrize("name", registry.list_models())
def test_a_setting_is_possible_or_refused(name: str) -> None:
    settings = registry.settings(name)
    quick = {key: value for key, value in (SMALL | QUICK.get(name, {})).items() if key in settings}
    aus = AUSet.of([1, 2, 12, 25]) if registry.task_of(name) == "aus" else None
    stats = registry.blank_stats(4)
    said: list[str] = []
    for key in sorted(settings):
        for wrong in WRONG:
            changed = quick | {key: wrong}
            try:
                model: Any = registry.create(name, aus, stats, **changed)
                registry.loss_for(name, aus, stats, **changed)
            except UserError as error:
                said.append(str(error))
                continue
            if wrong == quick.get(key):
                continue
            spec = model.spec
            time = () if spec.clip is None else (spec.clip + 2 * spec.context,)
            three = (3,) if registry.task_of(name) == "triplets" else ()
            with torch.no_grad():
                model.train()(torch.rand(2, *three, *time, 3, spec.size, spec.size))
    assert max(map(len, said)) < 600
