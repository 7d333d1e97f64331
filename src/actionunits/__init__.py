"""Facial Action Units off photos and video.

>>> import actionunits
>>> actionunits.DISFA8.columns()
['AU01', 'AU02', 'AU04', 'AU06', 'AU09', 'AU12', 'AU25', 'AU26']

``actionunits.load("default").predict("photo.jpg")`` gives a table and
``read`` of it, or of arrays, frame after frame; training and evaluation are in
`actionunits.learn`: `train.train`, `crossval.crossval` and `evaluate.evaluate`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actionunits.aus import ALL, BP4D12, BP4D_INTENSITY5, DISFA8, DISFA12, AUSet
    from actionunits.detect.predict import Predictor, load
    from actionunits.learn.recipe import load_recipe
    from actionunits.types import Reading

__all__ = [
    "ALL",
    "BP4D12",
    "BP4D_INTENSITY5",
    "DISFA8",
    "DISFA12",
    "AUSet",
    "Predictor",
    "Reading",
    "load",
    "load_recipe",
]

import_module("actionunits.system.privacy")  # before all others: see there

# Imported when first used, so that `import actionunits` does not wait for PyTorch.
_HOMES = {
    **dict.fromkeys(["ALL", "AUSet", "BP4D12", "BP4D_INTENSITY5", "DISFA12", "DISFA8"], "aus"),
    **dict.fromkeys(["Predictor", "load"], "detect.predict"),
    **{"load_recipe": "learn.recipe", "Reading": "types"},
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
