"""The embedded corpus is what its settings say, rendered."""

import numpy as np

from actionunits.data.synfacs import MINI as FILE
from actionunits.synth.card import read_labels
from actionunits.synth.script import MINI, corpus_labels


def test_labels_of_the_embedded_corpus_follow_from_its_settings() -> None:
    keys = ["subject", "task", "frame"]
    script = corpus_labels(MINI).sort_values(keys)
    stored = read_labels(FILE).sort_values(keys)
    assert stored[keys].to_numpy().tolist() == script[keys].to_numpy().tolist()
    columns = [column for column in stored if str(column).startswith("AU")]
    np.testing.assert_allclose(stored[columns], script[columns], atol=1e-5)


def test_embedded_corpus_fits_the_package() -> None:
    assert FILE.stat().st_size <= 30_000_000
