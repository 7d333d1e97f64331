"""What cannot be read well is read with less confidence, and never stops a run."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import actionunits
from actionunits import Predictor
from detect.bad_pictures import SPOILED, cartoon, cat, crowd, smiles

COUNT = 8
_LOWER = 0.9  # of the confidence in the same pictures unspoiled


@pytest.fixture(scope="module", params=["default", "default-fast"])
def predictor(request: pytest.FixtureRequest) -> Predictor:
    return actionunits.load(request.param)


@pytest.fixture(scope="module")
def plain(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    rows = read(predictor, smiles(COUNT), tmp_path_factory.mktemp("plain"))
    assert (rows["success"] == 1).all()
    assert (rows["AU12_c"] == 1).mean() > 0.5
    return rows


def read(predictor: Predictor, pictures: list[Image.Image], folder: Path) -> pd.DataFrame:
    for number, picture in enumerate(pictures):
        picture.save(folder / f"{number}.png")
    rows = predictor.predict(folder)
    assert rows["input"].nunique() == len(pictures)
    return rows


@pytest.mark.parametrize("kind", SPOILED)
def test_spoiled_faces_are_read_with_less_confidence(
    predictor: Predictor, plain: pd.DataFrame, kind: str, tmp_path: Path
) -> None:
    rows = read(predictor, [SPOILED[kind](picture) for picture in smiles(COUNT)], tmp_path)
    confidence = rows["confidence"].fillna(0).astype(float).mean()  # of none: no face was found
    assert confidence < _LOWER * plain["confidence"].astype(float).mean()


@pytest.mark.parametrize("draw", [cartoon, cat])
def test_drawings_are_no_faces_or_doubtful_ones(
    predictor: Predictor, plain: pd.DataFrame, draw: Callable[[], Image.Image], tmp_path: Path
) -> None:
    rows = read(predictor, [draw()], tmp_path)
    least = plain["confidence"].astype(float).mean()
    assert (rows["confidence"].fillna(0).astype(float) < least).all()


def test_a_crowd_is_read_whole(predictor: Predictor, tmp_path: Path) -> None:
    rows = read(predictor, [crowd(40)], tmp_path)
    assert len(rows) == 40
    assert rows["AU12_p"].notna().all()
