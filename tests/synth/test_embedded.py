"""The corpus in the package is frozen: version 1 of the renderer made it, and no later one does."""

import hashlib

import pyarrow.parquet as pq

from actionunits import aus
from actionunits.data import synfacs
from actionunits.data.synfacs import MINI as FILE
from actionunits.synth.card import corpus_card, read_labels


def test_embedded_corpus_is_that_of_version_1() -> None:
    table = synfacs.read()
    assert table.aus == aus.ALL
    assert len(table) == 3120
    assert {person.partition(":")[0] for person in table.people} == {"synfacs/2014"}
    assert corpus_card(read_labels(FILE)).rates.index.tolist() == aus.ALL.columns()
    assert b'"version": 1' in pq.read_schema(FILE).metadata[b"actionunits"]


def test_embedded_corpus_is_as_it_was() -> None:
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert digest == "1d4a8642f4cc6e916473b4d3c856d45ddf5299a820cfd53ebe72a2117c060c43"


def test_embedded_corpus_fits_the_package() -> None:
    assert FILE.stat().st_size <= 30_000_000
