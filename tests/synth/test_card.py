import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from actionunits.aus import RENDERED
from actionunits.errors import DataError
from actionunits.synth.card import (
    LABELS,
    card_json,
    corpus_card,
    print_card,
    read_labels,
    reference,
)


def labels(frames: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.uniform(0, 5, (frames, len(RENDERED))), columns=RENDERED.columns())
    table.insert(0, "subject", [f"S{i % 4:03d}" for i in range(frames)])
    table = table.assign(task="T1", frame=range(1, frames + 1), seconds=0.0, part=1)
    return table[[*LABELS[:5], *RENDERED.columns()]]


def test_rates_count_rounded_intensities():
    table = labels(4)
    table["AU12"] = [0.0, 1.49, 1.5, 5.0]
    card = corpus_card(table)
    assert card.rates.loc["AU12", "corpus"] == 0.5
    assert card.rates.loc["AU12", "BP4D"] == pytest.approx(0.562)
    assert np.isnan(card.rates.loc["AU12", "DISFA"]) == (12 not in reference("DISFA").aus.numbers)
    assert corpus_card(table, threshold=1).rates.loc["AU12", "corpus"] == 0.75


def test_correlation_is_numpys_and_frames_are_counted():
    table = labels()
    card = corpus_card(table)
    occurs = np.floor(table[RENDERED.columns()].to_numpy() + 0.5) >= 2
    assert np.allclose(card.correlation, np.corrcoef(occurs.T.astype(float)))
    corpus = card.summary.loc["corpus"]
    assert corpus["mean_active"] == pytest.approx(occurs.sum(axis=1).mean())
    assert corpus["all_neutral"] == pytest.approx((occurs.sum(axis=1) == 0).mean())
    assert (corpus["subjects"], corpus["frames"]) == (4, 200)


def test_aus_not_coded_do_not_count():
    table = labels()
    table.loc[:99, "AU04"] = np.nan
    table["AU09"] = np.nan
    card = corpus_card(table)
    coded = table["AU04"].dropna()
    assert card.rates.loc["AU04", "corpus"] == pytest.approx((coded + 0.5 >= 2).mean())
    assert np.isnan(card.rates.loc["AU09", "corpus"])
    assert card_json(card)["rates"]["AU09"]["corpus"] is None
    print_card(card, Console(file=None, width=100, quiet=True))


def test_prints_within_100_columns(capsys):
    print_card(corpus_card(labels()), Console(width=100))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    assert "…" not in printed
    assert "Lip corner puller" in printed
    assert "56.2%" in printed


def test_json_holds_the_same_numbers():
    card = corpus_card(labels())
    plain = json.loads(json.dumps(card_json(card)))
    assert plain["rates"]["AU01"]["corpus"] == pytest.approx(
        card.rates.loc["AU01", "corpus"], abs=1e-4
    )
    assert plain["correlation"]["AU01"]["AU02"] == pytest.approx(
        card.correlation.loc["AU01", "AU02"], abs=1e-4
    )
    assert plain["summary"]["BP4D"]["frames"] == 146847


def test_reference_is_consistent():
    for name in ("BP4D", "DISFA"):
        facts = reference(name)
        assert facts.rate.sum() == pytest.approx(facts.mean_active, abs=0.002)
        matrix = facts.pearson.to_numpy()
        assert np.allclose(matrix, matrix.T)
        assert np.allclose(np.diag(matrix), 1)


def test_reads_labels_of_a_file_or_a_folder(tmp_path):
    labels(10).to_parquet(tmp_path / "a.parquet")
    labels(5, seed=1).to_parquet(tmp_path / "b.parquet")
    assert len(read_labels(tmp_path)) == 15
    found = read_labels(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(found, labels(10), check_dtype=False)


def test_reads_corpora_of_18_aus_and_of_24(tmp_path):
    labels(3)[list(LABELS)].to_parquet(tmp_path / "a.parquet")
    assert list(read_labels(tmp_path)) == list(LABELS)
    labels(2).to_parquet(tmp_path / "b.parquet")
    both = read_labels(tmp_path)
    assert both["AU27"].notna().tolist() == [False] * 3 + [True] * 2
    assert corpus_card(both).rates.index.tolist() == RENDERED.columns()


def test_says_what_is_wrong_with_a_corpus(tmp_path):
    with pytest.raises(DataError, match="no corpus at"):
        read_labels(tmp_path)
    with pytest.raises(DataError, match="no corpus at"):
        read_labels(tmp_path / "nowhere.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match=r"bad\.parquet"):
        read_labels(tmp_path)
    labels().drop(columns="AU12").to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="AU12"):
        read_labels(tmp_path)
    with pytest.raises(DataError, match="AU columns"):
        corpus_card(pd.DataFrame({"subject": []}))
