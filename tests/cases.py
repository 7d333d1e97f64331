"""What makes each model quick to test, and the settings in which it is tested."""

from pathlib import Path

from actionunits.learn.recipe import Recipe, load_recipe, parse_recipe
from actionunits.models import registry

SMALL: dict[str, object] = {"size": 64, "align": 72}
QUICK: dict[str, dict[str, object]] = {
    "expression_classes": {"width": 8},
    "expression_similarity": {"width": 8},
    "gtlenet": {"width": 8},
    "landmarks": {"width": 8},
    "mdhr": {"backbone": "lcnet_050", "clip": 3, "neighbours": 1, "width": 16},
    "mgrrnet": {"width": 16, "dim": 64},
    "wholeface": {"widths": [8, 16], "depths": [1, 1]},
    "renet": {"width": 16, "spread": 0.3},
    "sacl": {"width": 16},
}
# Parameters whose gradient is 0 by algebra and not 0 by rounding: a norm takes off what they add.
# ResT normalises the maps of several heads: rows that sum to 0 lose what all places share. MDHR's
# last norm is followed by ReLU and a cosine, which a scale leaves alone until the shift is not 0.
LOST: dict[str, str] = {
    "mdhr": r"temporal\.after\.0\.weight|dynamics\.fusion\.reduce\.bias",
    "sacl": (
        r"backbone\.(embeddings\.\d\.conv"
        r"|stages\.[1-3]\.\d\.attention\.(kv|reduce_norm))\.bias"
    ),
}
VARIANTS: dict[str, list[dict[str, object]]] = {
    "gtlenet": [
        {},
        {"masks": False},
        {"masks": False, "maps": "cnn"},
        {"masks": False, "maps": "none"},
    ],
    "mdhr": [
        {},
        {"layers": "printed", "groups": "whole", "detach_factor": False, "average": False},
        {"multi_scale": "sum", "layers": "printed", "cross_region": "all"},
        {"multi_scale": "concatenation", "stages": [2, 4], "region_layers": False},
        {"multi_scale": "none", "regional": False, "auxiliary": False, "cross_region": "none"},
    ],
    "mgrrnet": [
        {},
        {"channel": False, "prior": "random", "layers": 1},
        {"original": False, "pixel": False},
        {"graph": False, "original": False, "channel": False, "pixel": False},
    ],
    "renet": [
        {"relation": "pearson"},
        {"relation": "learnable", "task": "both"},
        {"relation": "identity", "task": "intensity"},
        {"relation": "pearson", "head": "own"},
        {"relation": "none", "task": "both"},
    ],
    "sacl": [
        {},
        {"multi_scale": False, "convolution": "gin", "distance": "manhattan", "stages": 5},
        {"graph": "statistics", "convolution": "edge", "drop_stages": 1},
        {"graph": "facs", "convolution": "graphsage", "fusion": "cross_attention"},
        {"graph": "transformer", "backbone": "pvt_v2_b0"},
        {"graph": "none"},
        {"graph": "none", "multi_scale": False},
    ],
}


AUS = [1, 2, 6, 12]


def tiny(name: str, corpus: Path) -> Recipe:
    """The recipe of that name on the tiny corpus with a tiny model; all else is its own."""
    values = load_recipe(name).model_dump(mode="json")
    model = values["model"]
    model["params"] |= SMALL | QUICK.get(model["name"], {})
    if model["name"] == "mdhr":  # the release's norms have to see many batches before they tell
        model["params"]["layers"] = "printed"  # one face from another
    values["data"] |= {"root": str(corpus), "triplets": 40, "workers": 0}
    if registry.task_of(model["name"]) == "aus":
        values["data"]["aus"] = AUS
    values["schedule"] |= {"warmup": 0.5, "warmup_steps": 0}
    return parse_recipe(values | {"epochs": 2, "batch": 4, "accumulate": 1, "init": None}, name)
