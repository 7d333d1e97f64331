"""`au data check`: whole data sets are recognised, others are told apart in words."""

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import trees
from actionunits import aus, datasets
from actionunits.cli import main
from actionunits.data.prepared import Excluded
from actionunits.data.splits import train_test
from actionunits.data.stores import FileStore
from actionunits.data.table import FrameTable
from actionunits.datasets import bp4d, disfa
from actionunits.datasets.check import Check, check
from actionunits.datasets.facts import known
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError

# Frames with each AU in parts 1 to 3 of the full lists.
POSITIVES = {
    "bp4d": [
        [8322, 8172, 10085, 21055, 29862, 29183, 28277, 20274, 7664, 16080, 8023, 7076],
        [10223, 6568, 9870, 23312, 27651, 27954, 26187, 25762, 10024, 18379, 8657, 7867],
        [12497, 10370, 9800, 23309, 23103, 30133, 28066, 22339, 7181, 15947, 7608, 7286],
    ],
    "disfa": [
        [1839, 1125, 5119, 2360, 1218, 4503, 10850, 4902],
        [1469, 879, 6653, 3558, 1287, 6187, 13206, 4123],
        [3198, 3640, 8161, 4409, 2968, 6161, 12191, 2508],
    ],
}


@cache
def known_rows(name: str) -> pd.DataFrame:
    """Rows with the known counts of frames and positives."""
    facts = known()[name]
    part = bp4d.PART if name == "bp4d" else disfa.PART
    rows = []
    for subject, count in facts.frames.items():
        frames = np.arange(count)
        task = np.array(facts.tasks)[frames * len(facts.tasks) // count]
        rows.append(pd.DataFrame({"subject": subject, "task": task, "frame": frames}))
    table = pd.concat(rows, ignore_index=True)
    table = table.assign(file="x.jpg", position=0, part=table["subject"].map(part))
    suffix, level = ("", 1.0) if name == "bp4d" else ("_intensity", 2.0)
    columns = [f"{column}{suffix}" for column in aus.AUSet.of(facts.aus).columns()]
    within = table.groupby("part").cumcount().to_numpy()
    counts = np.array(POSITIVES[name])[table["part"] - 1]  # (N, A)
    table[columns] = np.where(within[:, None] < counts, level, level - 1)
    return table


def known_table(name: str, leave_out: dict[str, int] | None = None) -> RawTable:
    """The whole data set, less some frames of some sequences or subjects."""
    table = known_rows(name).copy()
    for what, lost in (leave_out or {}).items():
        subject, _, task = what.partition("/")
        where = table.index[
            (table["subject"] == subject) & ((task == "") | (table["task"] == task))
        ]
        table = table.drop(where[:lost])
    coded = aus.AUSet.of(known()[name].aus)
    return RawTable(
        name,
        Path("somewhere"),
        table.reset_index(drop=True),
        occurrence=coded if name == "bp4d" else None,
        intensity=None if name == "bp4d" else coded,
        threshold=1.0 if name == "bp4d" else 2.0,
    )


def printed(found: Check) -> str:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(found.to_table())
    return capture.get()


@pytest.mark.parametrize("name", ["bp4d", "disfa"])
def test_the_facts_agree_with_each_other(name: str) -> None:
    facts = known()[name]
    part = pd.Series(bp4d.PART if name == "bp4d" else disfa.PART)
    assert sorted(facts.frames) == sorted(part.index)
    assert len(part) == facts.people
    for listed, published in facts.lists.items():
        frames = pd.Series(facts.frames_of(listed))
        assert tuple(frames.groupby(part).sum()) == published.parts
    totals = {"bp4d": (146_847, 146_576), "disfa": (130_814, 126_144)}
    assert tuple(sum(p.parts) for p in facts.lists.values()) == totals[name]


@pytest.mark.parametrize("name", ["bp4d", "disfa"])
def test_a_whole_data_set_is_the_full_list(name: str) -> None:
    table = known_table(name)
    found = check(table)
    assert (found.matches, found.differences) == ("full", [])
    assert found.remarks[0].startswith("frames and class weights are those of the published full")
    facts = known()[name]
    assert found.parts == list(facts.lists["full"].parts)
    assert found.sequences == facts.people * len(facts.tasks)
    np.testing.assert_allclose(found.weights, facts.weights, atol=1e-5)


@pytest.mark.parametrize("name", ["bp4d", "disfa"])
def test_the_filtered_list_is_recognised(name: str) -> None:
    published = known()[name].lists["filtered"]
    found = check(known_table(name, published.lost))
    assert (found.matches, found.differences) == ("filtered", [])
    assert found.parts == list(published.parts)
    assert "published filtered list (JÂA-Net)" in found.remarks[0]


def test_differences_are_said_in_words() -> None:
    one = check(known_table("bp4d", {"F017/T3": 130, "M003/T7": 1, "F001/T8": 10**6}))
    assert one.matches == ""
    assert one.differences[0] == "1 sequence of these subjects is missing: F001/T8"
    assert one.differences[1].endswith(
        "are none of the published lists: 146,847 in the full one (ME-GraphAU and MDHR), "
        "146,576 in the filtered one (JÂA-Net)"
    )
    lost = known()["bp4d"].frames["F001"] // 8
    assert one.differences[2] == (
        f"against the full list 3 subjects differ: F001 -{lost}, F017 -130, M003 -1"
    )
    two = check(known_table("disfa", {"SN001": 10**6, "SN029": 10**6}))
    assert two.differences[0] == "2 of 27 subjects are missing: SN001, SN029"


def test_other_labels_on_the_same_frames_are_noticed() -> None:
    table = known_table("bp4d")
    first = table.rows.index[(table.rows["part"] == 1) & (table.rows["AU24"] == 1)][0]
    table.rows.loc[first, "AU24"] = 0.0
    found = check(table)
    assert found.matches == ""
    assert "the labels are not" in found.differences[0]
    assert "in fold 1" in found.differences[0]


def test_rates_and_weights_are_those_of_the_folds() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"subject": [f"S{n}" for n in range(6) for _ in range(20)], "task": "T1"})
    rows["frame"] = np.tile(np.arange(20), 6)
    rows = rows.assign(file="x.jpg", position=0, image=0)
    vocabulary = aus.AUSet.of((1, 4, 12))
    rows[vocabulary.columns()] = rng.integers(0, 2, (120, 3)).astype(float)
    rows.loc[rng.random(120) < 0.3, "AU04"] = np.nan
    found = check(RawTable("csv", Path("x"), rows, vocabulary, None))
    frames = FrameTable(vocabulary, rows, FileStore(["x.jpg"]), "occurrence", 1.0)
    assert found.coded == rows[vocabulary.columns()].notna().sum().tolist()
    for fold in (1, 2, 3):
        sides = [side.stats().rate.numpy() for side in train_test(frames, fold)]
        np.testing.assert_allclose(found.fold_rates[fold - 1], sides, rtol=1e-6)
        weights = 1 / sides[0] / (1 / sides[0]).sum() * 3
        np.testing.assert_allclose(found.weights[fold - 1], weights, rtol=1e-6)


def test_a_list_without_subjects_has_no_folds(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "list.csv").write_text("image,AU12\na.jpg,1\n")
    found = check(datasets.read_raw("csv", tmp_path / "list.csv"))
    assert (found.parts, found.fold_rates, found.weights) == ([], [], [])
    assert "no subject-exclusive folds" in found.remarks[0]
    assert "no published figures of csv" in found.remarks[1]


def test_what_is_left_out_is_shown_but_not_all_of_it() -> None:
    table = known_table("disfa")
    entries = tuple(Excluded(f"SN{n:03d}", 2, "no video") for n in range(30))
    found = check(RawTable("disfa", table.root, table.rows, None, table.intensity, 2.0, entries))
    assert len(found.excluded) == 30
    text = printed(found)
    assert "left out: 60 frames" in text
    assert "and 18 more" in text
    assert Check.model_validate_json(found.to_json()).excluded == found.excluded


def test_what_is_left_out_without_a_number_is_not_counted() -> None:
    table, note = known_table("disfa"), Excluded("SN001 AU04", 0, "not coded: there is no file")
    whole = RawTable("disfa", table.root, table.rows, None, table.intensity, 2.0, (note,))
    text = printed(check(whole))
    assert "left out\n" in text.replace(" ", "").replace("leftout", "left out")
    assert "0 frames" not in text


def test_one_is_not_said_in_the_plural() -> None:
    found = check(known_table("bp4d", {"F001": 1}))
    assert found.differences[-1] == "against the full list 1 subject differs: F001 -1"
    one = check(known_table("bp4d", {"F001": 10**6}))
    assert one.differences[0] == "1 of 41 subjects is missing: F001"


def video_list(root: Path) -> Path:
    """A list of three videos of two frames, with a label more for the last."""
    lines = ["video,frame,subject,AU12"]
    for number in (1, 2, 3):
        trees.write_video(root / f"{number}.avi", [np.full((64, 64, 3), 90, np.uint8)] * 2)
        lines += [f"{number}.avi,{frame},S{number},1" for frame in (1, 2)]
    (root / "list.csv").write_text("\n".join([*lines, "3.avi,3,S3,1"]))
    return root / "list.csv"


def test_videos_are_opened(tmp_path: Path) -> None:
    file = video_list(tmp_path)
    (tmp_path / "1.avi").write_bytes(b"")
    (tmp_path / "2.avi").write_bytes((tmp_path / "2.avi").read_bytes()[:100])
    found = check(datasets.read_raw("csv", file))
    assert (found.subjects, found.frames, found.coded) == (1, 2, [2])
    said = {each.what: (each.frames, each.reason) for each in found.excluded}
    assert said["S1/1"][0] == said["S2/2"][0] == 2
    assert "1.avi: the file is empty" in said["S1/1"][1]
    assert "3.avi: the video ends before these labels, it has 2 frames" in said["S3/3"][1]
    assert "left out: 5 frames" in printed(found)
    (tmp_path / "3.avi").write_bytes(b"")
    with pytest.raises(DataError, match="no frame of csv can be used.*1.avi: the file is empty"):
        check(datasets.read_raw("csv", file))


def test_empty_pictures_are_named(tmp_path: Path) -> None:
    trees.bp4d(tmp_path, ("F001",), ("T1",))
    next((tmp_path / "2D+3D/F001/T1").glob("0720.jpg")).write_bytes(b"")
    found = check(datasets.read_raw("bp4d", tmp_path))
    assert found.frames == 2
    (entry,) = found.excluded
    assert (entry.what, entry.frames) == ("F001/T1", 1)
    assert entry.reason == "the picture is an empty file"


def test_tables_fit_a_terminal() -> None:
    text = printed(check(known_table("bp4d")))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "parts 1 to 3: 50,631, 50,182, 46,034 frames" in text


def test_the_command_prints_and_writes_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = trees.bp4d(tmp_path, ("F001", "F003", "F004"), ("T1",))
    monkeypatch.setattr(sys, "argv", ["au", "data", "check", "bp4d", str(tmp_path), "--json"])
    with pytest.raises(SystemExit):
        main()
    said = json.loads(capsys.readouterr().out)
    assert said["frames"] == len(truth)
    assert said["differences"][0].startswith("38 of 41 subjects are missing: F002, F005")
    monkeypatch.setattr(sys, "argv", ["au", "data", "check", "bp4d", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert "bp4d: 3 subjects, 3 sequences, 9 frames" in capsys.readouterr().out


def test_raw_data_sets_have_names(tmp_path: Path) -> None:
    assert datasets.list_raw() == ["bp4d", "bp4d_plus", "csv", "disfa", "disfa_right", "fera2017"]
    with pytest.raises(DataError, match=r"'bp5d' \(did you mean 'bp4d'\?\); known: bp4d, "):
        datasets.read_raw("bp5d", tmp_path)
    trees.disfa(tmp_path, ("SN001", "SN003"))
    assert set(datasets.read_raw("disfa_right", tmp_path).rows["task"]) == {"right"}
