"""Events written for coding programs: read back as they were, and built as the programs want."""

import json
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_codes import frames, together

from actionunits.errors import UserError
from actionunits.findings.codes.coded import coded
from actionunits.findings.codes.read import read
from actionunits.findings.codes.write import PROGRAMS, program, write
from actionunits.findings.events import events
from actionunits.findings.frames import Frames

LETTERS = [0.0, 0, 3, 3, 4.5, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0]
TWO = {"AU04": [0.0] * 20, "AU12": [float(v > 0) for v in LETTERS]}
GRADES = {"AU04": [0.0] * 20, "AU12": LETTERS}


def everything(table: Frames, path: Path, to: str) -> pd.DataFrame:
    """AUs, times and intensities that are read from what was written."""
    written = write(events(table), table, path, to)
    found = [read(file) for file in written]
    parts = [coded(each).rows for each in found if each is not None]
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values(["input", "face_id", "AU", "start"], ignore_index=True)


@pytest.mark.parametrize("to", PROGRAMS)
@settings(max_examples=15, deadline=None)
@given(present=st.lists(st.lists(st.booleans(), min_size=9, max_size=9), min_size=1, max_size=3))
def test_what_is_written_is_read_back(
    to: str, present: list[list[bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    shown = {f"AU{n:02d}": list(map(float, v)) for n, v in zip((1, 4, 12), present, strict=False)}
    grades = {au: [2.5 * v for v in values] for au, values in shown.items()}
    table = frames(shown, grades)
    path = tmp_path_factory.mktemp("x") / f"x{PROGRAMS[to]}"
    expected = events(table).sort_values(["AU", "onset"], ignore_index=True)
    rows = everything(table, path, to)
    assert rows["AU"].tolist() == expected["AU"].tolist()
    assert rows["start"].tolist() == pytest.approx(expected["onset"].tolist(), abs=6e-4)
    assert rows["end"].tolist() == pytest.approx(expected["offset"].tolist(), abs=6e-4)
    assert rows["intensity"].tolist() == [2.5] * len(expected)
    found = read(path)
    assert found is not None
    assert coded(found).aus == tuple(shown)  # also those that never occur


@pytest.mark.parametrize("to", PROGRAMS)
def test_faces_are_told_apart(tmp_path: Path, to: str) -> None:
    table = together(frames(TWO, GRADES), frames(TWO, GRADES, face=3))
    rows = everything(table, tmp_path / f"x{PROGRAMS[to]}", to)
    assert rows["face_id"].tolist() == [0, 0, 3, 3]


def test_elans_schema(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a b.mp4").write_bytes(b"")
    table = frames(TWO, GRADES, name=str(tmp_path / "films" / "a b.mp4"))
    write(events(table), table, tmp_path / "codes" / "x.eaf", "elan")
    root = ET.parse(tmp_path / "codes" / "x.eaf").getroot()
    assert [child.tag for child in root] == [
        *("HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"),
    ]
    assert {"AUTHOR", "DATE", "FORMAT", "VERSION"} <= root.attrib.keys()
    video = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert video is not None
    assert video.attrib == {
        "MEDIA_URL": (tmp_path / "films" / "a b.mp4").as_uri(),
        "RELATIVE_MEDIA_URL": "../films/a b.mp4",
        "MIME_TYPE": "video/mp4",
    }
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE", "-1")) for s in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    kinds = {kind.get("LINGUISTIC_TYPE_ID") for kind in root.iter("LINGUISTIC_TYPE")}
    identifiers = [one.get("ANNOTATION_ID") for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(identifiers)) == len(identifiers) == 2
    used = []
    for tier in root.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in kinds
        last = 0
        for one in tier.iter("ALIGNABLE_ANNOTATION"):
            ends = [one.get("TIME_SLOT_REF1"), one.get("TIME_SLOT_REF2")]
            used += ends
            start, end = (slots[each] for each in ends)
            assert last <= start < end  # no overlap within a tier
            last = end
    assert sorted(used) == sorted(slots)  # each end has a slot of its own


def test_praats_intervals_fill_their_tiers(tmp_path: Path) -> None:
    table = frames(TWO, GRADES)
    write(events(table), table, tmp_path / "x.TextGrid", "praat")
    lines = (tmp_path / "x.TextGrid").read_text().splitlines()
    assert "xmax = 0.8" in lines
    numbers = [float(line.split("=")[1]) for line in lines if line.startswith("            xm")]
    assert numbers[:2] == [0, 0.8]  # AU4 never occurs: one pause
    ends = list(zip(numbers[2::2], numbers[3::2], strict=True))
    assert ends[0][0] == 0
    assert ends[-1][1] == 0.8
    assert all(a[1] == b[0] for a, b in zip(ends, ends[1:], strict=False))


def test_a_project_of_boris_has_all_videos(tmp_path: Path) -> None:
    tables = (frames(TWO, GRADES), frames(TWO, GRADES, name="b/a.mp4"))
    table = together(*tables)
    (file,) = write(events(table), table, tmp_path, "boris")
    project = json.loads(file.read_text())
    assert list(project["observations"]) == ["a 1", "a 2"]
    assert {one["code"] for one in project["behaviors_conf"].values()} == {"AU04", "AU12"}
    for observation in project["observations"].values():
        times = [event[0] for event in observation["events"]]
        assert len(times) == 4
        assert times == sorted(times)
        assert observation["file"]["1"][0] in observation["media_info"]["length"]


def test_datavyus_zip(tmp_path: Path) -> None:
    table = frames(TWO, GRADES)
    write(events(table), table, tmp_path / "x.opf", "datavyu")
    with zipfile.ZipFile(tmp_path / "x.opf") as archive:
        assert archive.namelist() == ["db", "project"]
        lines = archive.read("db").decode().splitlines()
    assert lines == [
        *("#4", "AU04 (MATRIX,true,)-peak|NOMINAL", "AU12 (MATRIX,true,)-peak|NOMINAL"),
        *("00:00:00:080,00:00:00:200,(4.50)", "00:00:00:520,00:00:00:720,(1.00)"),
    ]


def test_several_videos_need_a_folder(tmp_path: Path) -> None:
    table = together(frames(TWO, GRADES), frames(TWO, GRADES, name="b.mp4"))
    with pytest.raises(UserError, match="the table has 2 videos, .* give a folder, and --to elan"):
        write(events(table), table, tmp_path / "x.eaf", "elan")
    written = write(events(table), table, tmp_path / "out", "elan")
    assert [file.name for file in written] == ["a.eaf", "b.eaf"]
    names = together(frames(TWO, GRADES), frames(TWO, GRADES, name="b/a.mp4"))
    written = write(events(names), names, tmp_path / "out", "praat")
    assert [file.name for file in written] == ["a.TextGrid", "a-2.TextGrid"]


def test_probabilities_are_no_intensities(tmp_path: Path) -> None:
    table = frames(TWO)
    assert everything(table, tmp_path / "x.eaf", "elan")["intensity"].isna().all()


def test_programs_are_known_by_suffix() -> None:
    names = ["x.eaf", "x.TextGrid", "x.textgrid", "x.opf", "x.boris", "x.csv"]
    found = [program(Path(name)) for name in names]
    assert found == ["elan", "praat", "praat", "datavyu", "boris", None]
