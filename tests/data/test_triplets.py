"""Triplets: what a table promises, how they are drawn from AUs, what a data set hands over."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader

from actionunits import datasets
from actionunits.data.classes import ClassDataset, ClassTable
from actionunits.data.dataset import FrameDataset, collate
from actionunits.data.table import FrameTable
from actionunits.data.transforms import Augment
from actionunits.data.triplets import TripletDataset, TripletTable, triplets_from_aus
from actionunits.errors import DataError
from actionunits.types import ClassBatch, InputSpec, TripletBatch

SPEC = InputSpec(32, 40, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture(scope="module")
def table(synfacs_file: Path) -> FrameTable:
    return datasets.load("synfacs", synfacs_file)


def triplets(table: FrameTable, **columns: object) -> TripletTable:
    rows = {"first": [0, 5], "second": [1, 6], "odd": [2, 7], "margin": 0.1, "kind": ["one", "two"]}
    return TripletTable(table.images, pd.DataFrame({**rows, **columns}))


def test_a_table_says_what_is_wrong(table: FrameTable) -> None:
    assert triplets(table).kinds() == ("one", "two")
    with pytest.raises(DataError, match="lacks the columns margin, kind"):
        TripletTable(table.images, triplets(table).rows[["first", "second", "odd"]])
    with pytest.raises(DataError, match="outside those stored, 0 to 47"):
        triplets(table, odd=[2, 48])
    with pytest.raises(DataError, match="1 triplet with a picture twice"):
        triplets(table, odd=[0, 7])
    with pytest.raises(DataError, match=r"margins of 0 or more, found -0\.1"):
        triplets(table, margin=-0.1)


def test_a_subset_keeps_the_chosen_rows(table: FrameTable) -> None:
    assert triplets(table).subset(np.array([False, True])).numbers().tolist() == [[5, 6, 7]]
    assert triplets(table).subset(np.array([1, 0])).numbers()[:, 0].tolist() == [5, 0]


def test_triplets_from_aus_are_of_three_people_and_clear(table: FrameTable) -> None:
    drawn = triplets_from_aus(table, 500, seed=3, ratio=0.8)
    assert len(drawn) == 500
    subjects = table.rows["subject"].to_numpy()[drawn.numbers()]
    assert all(len(set(row)) == 3 for row in subjects)
    for first, second, odd in table.labels[drawn.numbers()]:
        similar = np.linalg.norm(first - second)
        assert similar <= 0.8 * min(np.linalg.norm(first - odd), np.linalg.norm(second - odd))
    assert (drawn.rows["margin"] == 0.2).all()
    assert drawn.kinds() == ("aus",)
    assert len(set(subjects.flatten())) == 6


def test_triplets_follow_from_the_seed(table: FrameTable) -> None:
    once, again, other = (triplets_from_aus(table, 50, seed, ratio=0.9) for seed in (1, 1, 2))
    assert once.rows.equals(again.rows)
    assert not once.rows.equals(other.rows)


def test_frames_that_are_not_wholly_coded_are_left_out(table: FrameTable) -> None:
    rows = table.rows.copy()
    rows.loc[rows["subject"] == "S001", "AU04"] = np.nan
    part = FrameTable(table.aus, rows, table.images, "intensity", 2)
    drawn = triplets_from_aus(part, 100, 0, ratio=0.9)
    assert "S001" not in set(rows["subject"].to_numpy()[drawn.numbers()].flatten())


def test_too_few_people_or_clear_triplets_are_named(table: FrameTable) -> None:
    two = table.subset(table.rows["subject"].isin(["S001", "S002"]).to_numpy())
    with pytest.raises(DataError, match="at least 3 subjects, the table has 2"):
        triplets_from_aus(two, 10, 0)
    with pytest.raises(
        DataError, match=r"0 have a pair that is closer than 0\.01 .* 10 are wanted"
    ):
        triplets_from_aus(table, 10, 0, ratio=0.01)
    alike = FrameTable(
        table.aus,
        table.rows.assign(**dict.fromkeys(table.aus.columns(), 0.0)),
        table.images,
        "intensity",
        2,
    )
    with pytest.raises(DataError, match="10 are wanted: ask for fewer"):
        triplets_from_aus(alike, 10, 0)


def test_a_batch_holds_the_pictures_in_order(table: FrameTable) -> None:
    dataset = TripletDataset(triplets(table), SPEC)
    batch = dataset[1]
    frames = FrameDataset(table, SPEC).__getitems__([5, 6, 7])[0]
    assert torch.equal(batch.images[0], frames.images)
    assert batch.margin.tolist() == pytest.approx([0.1])
    assert batch.keys == tuple(table.images.name(n) for n in (5, 6, 7))


def test_loaders_and_caches_give_the_same_batches(table: FrameTable) -> None:
    augment = Augment(random_crop=True, flip=0.5)
    chosen = triplets_from_aus(table, 9, 0, ratio=0.9)
    plain = TripletDataset(chosen, SPEC, augment=augment, seed=4)
    cached = TripletDataset(chosen, SPEC, augment=augment, seed=4)
    cached.keep(np.arange(9))
    (whole,) = plain.__getitems__(list(range(9)))
    loaded = list(DataLoader(cached, batch_size=4, collate_fn=collate))
    assert [len(batch.images) for batch in loaded] == [4, 4, 1]
    assert isinstance(loaded[0], TripletBatch)
    assert torch.equal(torch.cat([batch.images for batch in loaded]), whole.images)
    assert sum((batch.keys for batch in loaded), ()) == whole.keys
    assert torch.equal(collate(loaded).margin, whole.margin)


def test_pictures_of_a_triplet_are_augmented_apart_and_anew_each_epoch(table: FrameTable) -> None:
    same = TripletTable(table.images, triplets(table).rows.head(1))
    dataset = TripletDataset(same, SPEC, augment=Augment(brightness=0.9), seed=1)
    plain = TripletDataset(same, SPEC)[0].images
    first = dataset[0].images
    factors = ((first + 1).mean((0, 2, 3, 4)) / (plain + 1).mean((0, 2, 3, 4))).tolist()
    assert len({round(factor, 2) for factor in factors}) == 3
    dataset.set_epoch(1)
    assert not torch.equal(dataset[0].images, first)
    dataset.set_epoch(0)
    assert torch.equal(dataset[0].images, first)


def test_classes_come_with_their_pictures(table: FrameTable) -> None:
    rows = pd.DataFrame({"image": [3, 9, 4], "label": [0, 1, 1]})
    classes = ClassTable(table.images, rows, ("neutral", "happy"))
    dataset = ClassDataset(classes.subset(np.array([1, 2])), SPEC)
    dataset.keep(np.arange(2))
    (batch,) = dataset.__getitems__([1, 0])
    assert isinstance(batch, ClassBatch)
    assert batch.labels.tolist() == [1, 1]
    assert torch.equal(batch.images, FrameDataset(table, SPEC).__getitems__([4, 9])[0].images)
    with pytest.raises(DataError, match="labels of 0 to 1, one a class name, found 0 to 2"):
        ClassTable(table.images, rows.assign(label=[0, 1, 2]), ("neutral", "happy"))
    with pytest.raises(DataError, match="lacks the columns label"):
        ClassTable(table.images, rows[["image"]], ("neutral", "happy"))
