"""What the tests of comparisons share."""

import pytest
from handmade import recipe

from actionunits.learn.recipe import Recipe
from actionunits.papers.compare import measured


@pytest.fixture(autouse=True)
def packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the recipes of the package."""
    known = [("renet_bp4d", "", recipe())]
    known += [
        ("renet_bp4d", f"relation={name}", recipe(params={"relation": name}))
        for name in ("none", "learnable", "identity")
    ]
    known += [("renet_bp4d_intensity", "", recipe(params={"task": "intensity"}))]
    known += [("renet_disfa", "", recipe(data="disfa", threshold=1))]
    known += [("renet_bp4d_plus", "", recipe(data="bp4d_plus"))]
    known += [("sacl_disfa", "", recipe("sacl", "disfa", init="imagenet"))]
    known += [("mgrrnet_bp4d", "", recipe("mgrrnet"))]
    known += [("gtlenet_bp4d", "freeze_encoder", recipe("gtlenet", params={"freeze": True}))]

    def named(model: str, data: str) -> list[tuple[str, str, Recipe]]:
        return [one for one in known if (one[2].model.name, one[2].data.name) == (model, data)]

    monkeypatch.setattr(measured, "_named", named)
