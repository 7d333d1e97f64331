"""Which weights wrote a table: those whose thresholds its occurrences agree with."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from actionunits import weights
from actionunits.learn.card import Card, read_card

_ROUNDING = 6e-5  # of probabilities in text


class Weights(NamedTuple):
    """The weights of a table, as far as they are known.

    Attributes:
        names: that fit; several where the table tells too little, none where it is another's.
        thresholds: by column of the AU, probability from which it occurs; empty if not known.
        experimental: columns of the AUs that are read too badly to be relied on.
    """

    names: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = {}
    experimental: frozenset[str] = frozenset()


def written_by(table: pd.DataFrame, model: str | Path | None = None) -> Weights:
    """Weights that may have written a table.

    Args:
        table: with columns ``AU12_p`` and ``AU12_c``, else nobody can tell.
        model: weights to try first; if they fit, it is they.

    Raises:
        CheckpointError: there is no such model.
    """
    if model is not None and _fits(table, card := read_card(weights.locate(model))):
        fitting = {str(model): card}
    else:
        fitting = {name: card for name, card in _packaged().items() if _fits(table, card)}
    if not fitting:
        return Weights()
    starred = frozenset(f"AU{n:02d}" for card in fitting.values() for n in card.experimental)
    if len(fitting) > 1:
        return Weights(tuple(fitting), {}, starred)
    ((name, card),) = fitting.items()
    columns = card.au_set().columns()
    return Weights((name,), dict(zip(columns, card.thresholds, strict=True)), starred)


@cache
def _packaged() -> Mapping[str, Card]:
    """Cards of the weights in the package, which are long: they name everybody they have seen."""
    return {name: read_card(weights.locate(name)) for name in weights.list_weights()}


def _fits(table: pd.DataFrame, card: Card) -> bool:
    columns = [f"AU{number:02d}" for number in card.aus]
    names = [f"{column}_{kind}" for kind in "pc" for column in columns]
    told = {str(name) for name in table if str(name).endswith(("_p", "_c"))}
    if not columns or told != set(names):
        return False
    values = table[names].apply(pd.to_numeric, errors="coerce").to_numpy(float, na_value=np.nan)
    probability, present = np.split(values, 2, axis=1)
    over = probability - np.asarray(card.thresholds)
    wrong = ((present == 1) & (over < -_ROUNDING)) | ((present == 0) & (over > _ROUNDING))
    return not wrong.any()
