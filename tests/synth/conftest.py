import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from actionunits.errors import UserError
from actionunits.synth import store
from actionunits.synth.person.assets import Assets, load_assets
from actionunits.synth.person.face import Head
from actionunits.synth.picture.render import Renderer
from beside import SHARED


@pytest.fixture(scope="session")
def assets_folder() -> Path:
    """The MakeHuman assets, where this machine has them."""
    folder = Path(os.environ.get("ACTIONUNITS_ASSETS", SHARED / "makehuman"))
    if not (folder / "mpfb").is_dir():
        pytest.skip(f"no MakeHuman assets at {folder}: set ACTIONUNITS_ASSETS to run this")
    return folder


@pytest.fixture(scope="session")
def assets(assets_folder: Path) -> Assets:
    return load_assets(assets_folder)


@pytest.fixture(scope="session")
def head(assets: Assets) -> Head:
    return Head(assets)


@pytest.fixture(scope="session")
def renderer(head: Head) -> Iterator[Renderer]:
    try:
        renderer = Renderer(head, size=96, batch=4)
    except UserError as error:
        pytest.skip(f"no offscreen OpenGL here: {error}")
    with renderer:
        yield renderer


@pytest.fixture(autouse=True, scope="package")
def small_files():
    """Three subjects a file, so that a few of them make several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_FRAMES", 6)
        yield
