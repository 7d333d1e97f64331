"""Frames and clips through a DataLoader."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from actionunits import datasets
from actionunits.data.dataset import (
    ClipDataset,
    FrameDataset,
    RandomClipDataset,
    collate,
)
from actionunits.data.faces import decode
from actionunits.data.table import FrameTable
from actionunits.data.transforms import Augment
from actionunits.errors import DataError
from actionunits.types import Besides, InputSpec
from builders import write_synfacs

SPEC = InputSpec(48, 56, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
CLIPS = SPEC._replace(clip=3)
ALL_ON = Augment(True, *([0.3] * 14))


@pytest.fixture(scope="module")
def table(synfacs_file: Path) -> FrameTable:
    return datasets.load("synfacs", synfacs_file)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> FrameTable:
    """Frames of which more is known than AUs."""
    file = tmp_path_factory.mktemp("rich") / "faces.parquet"
    return datasets.load("synfacs", write_synfacs(file, 3, 1, 4, version=2))


def same(one: tuple, two: tuple) -> bool:
    def equal(a: object, b: object) -> bool:
        if isinstance(a, torch.Tensor):
            return torch.equal(a, b)
        return same(a, b) if isinstance(a, Besides) else a == b

    return all(map(equal, one, two))


def test_a_batch_holds_what_the_table_says(table: FrameTable) -> None:
    batch = collate(FrameDataset(table, SPEC).__getitems__([3, 40]))
    assert batch.images.shape == (2, 3, 48, 48)
    assert batch.keys == ("S001/T1/4", "S006/T1/1")
    np.testing.assert_array_equal(batch.labels, table.occurrence()[[3, 40]])
    np.testing.assert_array_equal(batch.intensity, table.intensity()[[3, 40]])
    assert batch.known.all()
    expected = table.landmarks[[3, 40]] * 56 / 256 - 4
    np.testing.assert_allclose(batch.landmarks, expected, atol=1e-5)
    pixels = decode(table.images.read(40), 56, "")[4:52, 4:52]
    torch.testing.assert_close(
        batch.images[1].permute(1, 2, 0), (torch.tensor(pixels) / 255 - 0.5) / 0.2
    )


def test_what_is_not_coded_is_not_known(table: FrameTable) -> None:
    rows = table.rows.copy()
    rows.loc[2, "AU06"] = np.nan
    batch = FrameDataset(dataclasses.replace(table, rows=rows), SPEC)[2]
    assert (~batch.known).nonzero().tolist() == [[0, table.aus.index(6)]]
    assert batch.labels.isfinite().all()
    assert batch.intensity.isfinite().all()


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_and_cache_change_nothing(table: FrameTable, workers: int) -> None:
    plain = FrameDataset(table, SPEC, augment=ALL_ON, seed=5)
    other = FrameDataset(table, SPEC, augment=ALL_ON, seed=5)
    if workers == 0:
        other.keep(np.arange(len(table)))
    for dataset in (plain, other):
        dataset.set_epoch(2)
    loader = DataLoader(other, 10, shuffle=False, num_workers=workers, collate_fn=collate)
    for number, batch in enumerate(loader):
        indices = list(range(10 * number, min(10 * number + 10, len(table))))
        assert same(batch, collate(plain.__getitems__(indices)))


_ACCELERATOR = torch.accelerator.current_accelerator(check_available=True)


@pytest.mark.parametrize("device", ["cpu", "accelerator"])
def test_cached_samples_are_the_same_on_a_device(rich: FrameTable, device: str) -> None:
    if device == "accelerator" and _ACCELERATOR is None:
        pytest.skip("there is no accelerator here")
    place = torch.device("cpu") if device == "cpu" else _ACCELERATOR
    plain = FrameDataset(rich, SPEC, augment=ALL_ON, seed=5)
    assert not plain.to(place)  # its pictures are not in memory
    moved = FrameDataset(rich, SPEC, augment=ALL_ON, seed=5)
    moved.keep(np.array([1, 5, 9]))
    assert moved.to(place)
    expected = collate(plain.__getitems__([1, 5, 9]))
    batch = collate(moved.__getitems__([1, 5, 9]))
    assert batch.images.device.type == place.type
    assert expected.besides is not None
    assert batch.besides is not None
    for name in ("images", "labels", "known", "intensity", "landmarks"):
        one, other = getattr(batch, name).cpu().float(), getattr(expected, name).float()
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-4)
    for one, other in zip(batch.besides, expected.besides, strict=True):
        torch.testing.assert_close(one.cpu(), other)


def test_kept_samples_are_fed_alone(table: FrameTable) -> None:
    plain = FrameDataset(table, SPEC)
    kept = FrameDataset(table, SPEC)
    kept.keep(np.array([7, 2, 3]))
    assert torch.equal(kept[3].images, plain[3].images)
    for other in (0, 5, len(table) - 1):
        with pytest.raises(IndexError):
            kept[other]


def test_kept_clips_are_those_of_every_epoch(tmp_path: Path) -> None:
    table = datasets.load("synfacs", write_synfacs(tmp_path / "c.parquet", 4, 2, 7))
    spec = SPEC._replace(clip=2, context=1)
    plain, kept = (RandomClipDataset(table, spec, every=3) for _ in range(2))
    kept.keep(np.array([1, 4]))
    for epoch in range(9):
        for dataset in (plain, kept):
            dataset.set_epoch(epoch)
        assert same(kept.__getitems__([4, 1])[0], plain.__getitems__([4, 1])[0])


def test_workers_that_live_on_see_the_next_epoch(table: FrameTable) -> None:
    dataset = FrameDataset(table.subset(np.arange(8)), SPEC, augment=Augment(noise=0.2))
    loader = DataLoader(dataset, 8, num_workers=1, persistent_workers=True, collate_fn=collate)
    first = next(iter(loader))
    dataset.set_epoch(1)
    second = next(iter(loader))
    assert not torch.equal(first.images, second.images)
    assert torch.equal(second.images, collate(dataset.__getitems__(list(range(8)))).images)


def test_clips_cover_every_frame_once_and_repeat_only_at_ends(tmp_path: Path) -> None:
    path = write_synfacs(tmp_path / "c.parquet", subjects=2, tasks=2, frames=7)
    table = datasets.load("synfacs", path)
    dataset = ClipDataset(table, CLIPS)
    assert len(dataset) == 2 * 2 * 3
    batch = collate([dataset[i] for i in range(len(dataset))])
    assert batch.images.shape == (12, 3, 3, 48, 48)
    assert batch.known.shape == (12, 3, 18)
    known = batch.known.all(-1).flatten()
    keys = np.array(batch.keys)
    assert sorted(keys[known]) == sorted(
        f"{s}/{t}/{f}" for s in ("S001", "S002") for t in ("T1", "T2") for f in range(1, 8)
    )
    assert set(keys[~known]) == {f"{s}/{t}/7" for s in ("S001", "S002") for t in ("T1", "T2")}
    first = [keys[3 * i : 3 * i + 3].tolist() for i in range(3)]
    assert first[0] == ["S001/T1/1", "S001/T1/2", "S001/T1/3"]
    assert first[2] == ["S001/T1/7"] * 3


def test_clips_see_their_true_neighbours_and_the_end_frames_again(tmp_path: Path) -> None:
    table = datasets.load("synfacs", write_synfacs(tmp_path / "c.parquet", 1, 1, 7))
    dataset = ClipDataset(table, CLIPS._replace(context=2))
    frames = FrameDataset(table, SPEC)
    batch = collate(dataset.__getitems__([0, 1, 2]))
    seen = [[0, 0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 6], [4, 5, 6, 6, 6, 6, 6]]
    for images, rows in zip(batch.images, seen, strict=True):
        assert torch.equal(images, collate(frames.__getitems__(rows)).images)
    assert batch.labels.shape == (3, 3, 18)
    assert batch.known.all(-1).tolist() == [[True] * 3, [True] * 3, [True, False, False]]
    alone = frames[4]
    assert torch.equal(batch.labels[1, 1], alone.labels[0])
    assert batch.landmarks is not None
    assert alone.landmarks is not None
    assert torch.equal(batch.landmarks[1, 1], alone.landmarks[0])
    assert len(batch.keys) == 9


def test_clips_are_cut_where_frames_are_missing(table: FrameTable) -> None:
    gap = table.subset((table.rows["frame"] != 2).to_numpy())
    keys = ClipDataset(gap, CLIPS).__getitems__([0, 1])[0].keys
    assert keys == ("S001/T1/1",) * 3 + ("S001/T1/3", "S001/T1/4", "S001/T1/4")


def test_a_clip_moves_as_one(table: FrameTable) -> None:
    rows = table.rows.assign(image=0)
    still = dataclasses.replace(table, rows=rows)
    augment = Augment(random_crop=True, flip=0.5, rotate=20, brightness=0.3)
    clip = ClipDataset(still, CLIPS, stride=1, augment=augment)[1]
    assert torch.equal(clip.images[0, 0], clip.images[0, 1])


def test_what_is_known_besides_goes_with_its_frame(rich: FrameTable) -> None:
    known = rich.besides
    assert known is not None
    batch = collate(FrameDataset(rich, SPEC).__getitems__([3, 7]))
    assert batch.besides is not None
    assert same(batch.besides, Besides(*(values[[3, 7]] for values in known)))
    one_by_one = collate([FrameDataset(rich, SPEC)[i] for i in (3, 7)])
    assert same(one_by_one, batch)
    spec = CLIPS._replace(context=1)
    mirrored = ClipDataset(rich, spec, augment=Augment(flip=1.0))[1]  # frame 4 and its repeats
    assert mirrored.besides is not None
    assert mirrored.besides.sides.shape == (1, 3, 24, 2)
    expected = known.sides[3].flip(-1).expand(1, 3, -1, -1)
    torch.testing.assert_close(mirrored.besides.sides, expected)


def first_frames(dataset: RandomClipDataset, epoch: int) -> list[str]:
    dataset.set_epoch(epoch)
    keys = np.array(collate(dataset.__getitems__(list(range(len(dataset))))).keys)
    return keys.reshape(len(dataset), -1)[:, 0].tolist()


def test_one_clip_a_video_is_elsewhere_every_epoch_and_never_across_a_gap(tmp_path: Path) -> None:
    table = datasets.load("synfacs", write_synfacs(tmp_path / "c.parquet", 2, 2, 9))
    gap = table.subset((table.rows["frame"] != 5).to_numpy())
    dataset = RandomClipDataset(gap, CLIPS._replace(context=1), seed=3)
    assert len(dataset) == 4
    starts = [first_frames(dataset, epoch) for epoch in range(40)]
    assert first_frames(dataset, 7) == starts[7]
    for number, video in enumerate(("S001/T1", "S001/T2", "S002/T1", "S002/T2")):
        assert {epoch[number] for epoch in starts} == {f"{video}/{f}" for f in (1, 2, 6, 7)}
    batch = collate(dataset.__getitems__([0, 1, 2, 3]))
    assert batch.images.shape == (4, 5, 3, 48, 48)
    assert batch.known.all()


def test_a_long_video_counts_as_several(tmp_path: Path) -> None:
    table = datasets.load("synfacs", write_synfacs(tmp_path / "c.parquet", 1, 2, 9))
    dataset = RandomClipDataset(table, CLIPS, every=3)
    assert len(dataset) == 2 * 3  # a clip may begin with 7 frames
    starts = [first_frames(dataset, epoch) for epoch in range(40)]
    for number, frames in enumerate([(1, 2, 3), (4, 5, 6), (7,)]):
        assert {epoch[number] for epoch in starts} == {f"S001/T1/{f}" for f in frames}


def test_a_video_shorter_than_a_clip_is_filled_up(tmp_path: Path) -> None:
    table = datasets.load("synfacs", write_synfacs(tmp_path / "c.parquet", 1, 1, 2))
    batch = RandomClipDataset(table, CLIPS)[0]
    assert batch.known.all(-1).tolist() == [[True, True, False]]


def test_broken_pictures_are_named() -> None:
    with pytest.raises(DataError, match=r"here\.parquet, row 4: not a whole"):
        decode(b"no picture", 64, "here.parquet, row 4")
    buffer = io.BytesIO()
    Image.new("RGB", (256, 256)).save(buffer, "JPEG")
    with pytest.raises(DataError, match="not a whole"):
        decode(buffer.getvalue()[:500], 64, "x")


def test_grayscale_and_alpha_become_rgb() -> None:
    for mode in ("L", "RGBA", "P"):
        buffer = io.BytesIO()
        Image.new(mode, (20, 20), 0).save(buffer, "PNG")
        assert decode(buffer.getvalue(), 16, "x").shape == (16, 16, 3)
