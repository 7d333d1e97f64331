"""Files of coding programs, written by hand as the programs write them."""

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits.errors import DataError
from actionunits.findings.codes.coded import coded, read_map
from actionunits.findings.codes.read import read
from actionunits.findings.codes.stretches import Stretches, conditions
from actionunits.findings.summary import read_trials

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/p01.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="500"/>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/>
    <TIME_SLOT TIME_SLOT_ID="ts2"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="1000"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="t" TIER_ID="AU12" PARTICIPANT="Nina">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE>C</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="t" TIER_ID="side" PARENT_REF="AU12">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a2" ANNOTATION_REF="a1">
      <ANNOTATION_VALUE>left</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="t" TIER_ID="FACS">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>1+2B</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="t" TIER_ID="AU4"/>
</ANNOTATION_DOCUMENT>
"""
BORIS = {
    "project_format_version": "7.0",
    "behaviors_conf": {
        "0": {"code": "AU12", "type": "State event"},
        "1": {"code": "AU45", "type": "Point event"},
    },
    "observations": {
        "session": {
            "file": {"1": ["/films/p01.mp4"]},
            "time offset": 10.0,
            "events": [
                [11.0, "Nina", "AU12", "B", ""],
                [11.5, "", "AU45", "", ""],
                [12.0, "Nina", "AU12", "B", ""],
                [13.0, "Nina", "AU12", "", ""],
            ],
        },
        "quiet": {"file": {"1": ["/films/p02.mp4"]}, "time offset": 0.0, "events": []},
    },
}
DATAVYU = """#4
AU12 (MATRIX,true,)-intensity|NOMINAL,side|NOMINAL
00:00:01:500,00:00:02:000,(C,left)
00:01:00:000,00:01:00:040,(,)
notes (MATRIX,true,)-code01|NOMINAL
00:00:00:000,00:00:09:000,(laughs\\, then speaks)
"""
TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "AU12"
        xmin = 0
        xmax = 3
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1
            text = ""
        intervals [2]:
            xmin = 1
            xmax = 1.25
            text = "say ""cheese"" loud"
        intervals [3]:
            xmin = 1.25
            xmax = 3
            text = ""
    item [2]:
        class = "TextTier"
        name = "AU45"
        xmin = 0
        xmax = 3
        points: size = 1
        points [1]:
            number = 2
            mark = "blink"
"""
SHORT = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n3\n<exists>\n1\n' + "\n".join(
    ['"IntervalTier"', '"AU12"', "0", "3", "1", "0", "3", '"C"']
)


def told(found: Stretches | None) -> list[tuple[object, ...]]:
    assert found is not None
    columns = ["input", "who", "start", "end", "label", "value"]
    return list(found.rows[columns].round(6).itertuples(index=False, name=None))


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def test_elan(tmp_path: Path) -> None:
    found = read(written(tmp_path, "x.eaf", EAF))
    assert told(found) == [
        ("p01.mp4", "Nina", 0.5, 1.0, "AU12", "C"),
        ("p01.mp4", "", 0.5, 1.0, "side", "left"),
        ("p01.mp4", "", 1.0, 1.5, "FACS", "1+2B"),
    ]
    assert found is not None
    said = coded(found)
    assert said.aus == ("AU01", "AU02", "AU04", "AU12")  # AU4 was coded, and never occurs
    assert said.rows[["AU", "intensity"]].fillna(-1).to_numpy().tolist() == [
        ["AU12", 3],
        ["AU01", -1],
        ["AU02", 2],
    ]
    assert said.strange == ("side: left",)


@pytest.mark.parametrize(
    "text",
    [
        "Tier\tParticipant\tBegin Time - ss.msec\tEnd Time - ss.msec\tAnnotation\n"
        "AU12\tNina\t1.500\t2.000\tC\n",
        '"#file:///films/p01.eaf"\nTier\tBegin Time - hh:mm:ss.ms\tBegin Time - msec\t'
        "End Time - hh:mm:ss.ms\tEnd Time - msec\tDuration - msec\tAnnotation\n"
        "AU12\t00:00:01.500\t1500\t00:00:02.000\t2000\t500\tC\n",
        "AU12\tNina\t00:00:01.500\t1.5\t00:00:02.000\t2.0\t00:00:00.500\t0.5\tC\n",
        "AU12\tNina\t1500\t2000\t500\tC\n",
        "Begin Time - ss.msec\tEnd Time - ss.msec\tAU12\tAU4\n1.500\t2.000\tC\t\n",
    ],
)
def test_elans_text_in_its_variants(tmp_path: Path, text: str) -> None:
    found = read(written(tmp_path, "x.txt", text))
    ((_, _, *rest),) = told(found)
    assert rest == [1.5, 2.0, "AU12", "C"]


def test_boris_projects(tmp_path: Path) -> None:
    found = read(written(tmp_path, "x.boris", json.dumps(BORIS)))
    assert told(found) == [
        ("p01.mp4", "Nina", 1.0, 2.0, "AU12", "B"),
        ("p01.mp4", "", 1.5, 1.5, "AU45", ""),
    ]
    assert found is not None
    assert found.notes == ("1 start without a stop left out, the first of AU12",)
    assert found.videos == ("p01.mp4", "p02.mp4")


def test_boris_aggregated_and_tabular_events(tmp_path: Path) -> None:
    heading = "Observation id,Observation date,Media file,Total length,FPS,Subject,Behavior,"
    text = heading + (
        "Modifiers,Behavior type,Start (s),Stop (s),Duration (s),Comment start,Comment stop\n"
        "s,1-1-2024,/films/p01.mp4,9,25,No focal subject,AU12,C,STATE,1.5,2,0.5,,\n"
        "s,1-1-2024,/films/p01.mp4,9,25,No focal subject,AU45,None,POINT,3,NA,NA,,\n"
    )
    assert told(read(written(tmp_path, "a.csv", text))) == [
        ("p01.mp4", "", 1.5, 2.0, "AU12", "C"),
        ("p01.mp4", "", 3.0, 3.0, "AU45", ""),
    ]
    text = (
        "Observation id\ts\n\nMedia file(s)\n\n"
        "Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\t"
        "Modifiers\tComment\tStatus\n"
        "1.500\t/films/p01.mp4\t9\t25\t\tAU12\t\tC\t\tSTART\n"
        "2.000\t/films/p01.mp4\t9\t25\t\tAU12\t\tC\t\tSTOP\n"
        "3.000\t/films/p01.mp4\t9\t25\t\tAU45\t\t\t\tPOINT\n"
    )
    assert told(read(written(tmp_path, "b.tsv", text))) == [
        ("p01.mp4", "", 1.5, 2.0, "AU12", "C"),
        ("p01.mp4", "", 3.0, 3.0, "AU45", ""),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("sep", [";", "\t", ","])
def test_the_observers_event_lists(tmp_path: Path, encoding: str, sep: str) -> None:
    comma = "." if sep == "," else ","
    rows = [
        "Date_dmy|Time_Relative_hmsf|Time_Relative_sf|Duration_sf|Observation|Event_Log|Subject|"
        "Behavior|Modifier_1|Event_Type|Comment",
        "1-1-2024|00:00:01.5|1~5|0~5|p01|Log 1|Zoë|12_Lip_Corner_Puller|C|State start|",
        "1-1-2024|00:00:02|2~0|0|p01|Log 1|Zoë|12_Lip_Corner_Puller|C|State stop|",
        "1-1-2024|00:00:03|3~0|0|p01|Log 1|Zoë|45|C|State point|",
    ]
    text = "\r\n".join(rows).replace("|", sep).replace("~", comma)
    found = read(written(tmp_path, "x.txt", text, encoding))
    assert told(found) == [
        ("p01", "Zoë", 1.5, 2.0, "12_Lip_Corner_Puller", "C"),
        ("p01", "Zoë", 3.0, 3.0, "45", "C"),
    ]
    assert found is not None
    assert coded(found).rows["AU"].tolist() == ["AU12", "AU45"]


def test_datavyu(tmp_path: Path) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("db", DATAVYU)
        archive.writestr("project", "!project\n")
    (tmp_path / "x.opf").write_bytes(memory.getvalue())
    expected = [
        (None, "", 0.0, 9.0, "notes", "laughs, then speaks"),
        (None, "", 1.5, 2.0, "AU12", "C left"),
        (None, "", 60.0, 60.04, "AU12", ""),
    ]
    assert told(read(tmp_path / "x.opf")) == expected
    assert told(read(written(tmp_path, "x.csv", DATAVYU))) == expected
    text = (
        "AU12.ordinal,AU12.onset,AU12.offset,AU12.intensity,notes.ordinal,notes.onset,notes.offset\n"
        "1,1500,2000,C,1,0,9000\n2,60000,60040,,,,\n"
    )
    assert [row[2:] for row in told(read(written(tmp_path, "y.csv", text)))] == [
        (0.0, 9.0, "notes", ""),
        (1.5, 2.0, "AU12", "C"),
        (60.0, 60.04, "AU12", ""),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_praat(tmp_path: Path, encoding: str) -> None:
    found = read(written(tmp_path, "x.TextGrid", TEXTGRID, encoding))
    assert told(found) == [
        (None, "", 1.0, 1.25, "AU12", 'say "cheese" loud'),
        (None, "", 2.0, 2.0, "AU45", "blink"),
    ]
    assert told(read(written(tmp_path, "y.TextGrid", SHORT))) == [(None, "", 0.0, 3.0, "AU12", "C")]


def test_plain_lists(tmp_path: Path) -> None:
    text = "video;start;end;code;intensity\nc:\\p01.mp4;1,5;00:00:02;AU12;C\n;;;;\n"
    assert told(read(written(tmp_path, "x.csv", text))) == [("p01.mp4", "", 1.5, 2.0, "AU12", "C")]


def test_a_map_says_what_labels_mean(tmp_path: Path) -> None:
    text = "start,end,code\n0,1,smile\n1,2,Brows up\n2,3,noise\n3,4,wave\n"
    found = read(written(tmp_path, "x.csv", text))
    known_as = read_map(
        written(tmp_path, "map.csv", "label,au\nSmile,6+12C\nbrows up,1+2\nnoise,\n")
    )
    assert found is not None
    said = coded(found, known_as)
    assert said.rows["AU"].tolist() == ["AU06", "AU12", "AU01", "AU02"]
    assert said.rows["intensity"].fillna(0).tolist() == [0, 3, 0, 0]
    assert said.strange == ("wave",)
    with pytest.raises(DataError, match=r"map\.csv:2: expected AUs such as 12 or 1\+2, got 'joy'"):
        read_map(written(tmp_path, "map.csv", "label,au\nsmile,joy\n"))


def test_what_cannot_be_seen_is_not_coded(tmp_path: Path) -> None:
    text = "start,end,code\n0,1,12\n1,2,70\n2,3,73\n"
    found = read(written(tmp_path, "x.csv", text))
    assert found is not None
    said = coded(found)
    assert said.aus == ("AU12",)
    assert said.hidden["AU"].tolist() == ["AU01", "AU02", "AU04", ""]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.eaf", "<a/>", "expected an ELAN file .* begins <a>"),
        ("x.eaf", "no", "expected an ELAN file"),
        ("x.eaf", EAF.replace("UTF-8", "UTF-9"), "expected an ELAN file"),
        ("x.eaf", EAF.replace("milliseconds", "PAL-frames"), "expected times in milliseconds"),
        ("x.boris", "{}", "expected a BORIS project"),
        ("x.boris", '{"behaviors_conf": [], "observations": 3}', "expected a BORIS project"),
        ("x.opf", "PK", "expected a Datavyu file"),
        ("x.opf", "", "expected a Datavyu file"),
        ("x.TextGrid", "x", "expected a TextGrid"),
        ("x.TextGrid", TEXTGRID[:400], "ends early"),
        ("x.odx", "", "export the event list from The Observer as text"),
        ("x.xlsx", "", "save the sheet as CSV"),
        (
            "x.csv",
            "Behavior,Time,Status\nAU12,1,BEGIN\n",
            "expected events that start, stop or are points, got begin",
        ),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(written(tmp_path, name, text))
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "none.eaf")


SAMPLES = {
    **{"x.eaf": EAF, "x.boris": json.dumps(BORIS), "y.csv": DATAVYU, "x.TextGrid": TEXTGRID},
    "x.csv": "Behavior,Time,Status,Subject\nAU12,1.5,START,\nAU12,2,STOP,\n",
    "x.txt": "Tier\tBegin Time - ss.msec\tEnd Time - ss.msec\tAnnotation\nAU12\t1.5\t2.0\tC\n",
}


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_costs_what_it_hit(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(SAMPLES[name].encode())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            del content[place : place + data.draw(st.integers(1, 200))]
        if not content:
            break
    file = tmp_path_factory.mktemp("damaged") / name
    file.write_bytes(bytes(content))
    with suppress(DataError):
        found = read(file)
        if found is not None:
            said = coded(found)
            assert (found.rows["end"] >= found.rows["start"]).all()
            assert set(said.rows["AU"]) <= set(said.aus)


def test_stretches_without_times_cost_no_others(tmp_path: Path) -> None:
    text = "start,end,code\n0,1,12\nsoon,2,12\n3,2,12\n"
    found = read(written(tmp_path, "x.csv", text))
    assert len(told(found)) == 1
    assert found is not None
    assert found.notes == (
        "1 event without times left out",
        "1 event left out, with the end before the start",
    )


def test_conditions_come_from_tiers_and_behaviours(tmp_path: Path) -> None:
    text = (
        EAF.replace("FACS", "phase")
        .replace("1+2B", "rest")
        .replace('TIER_ID="side"', 'TIER_ID="AU4L"')
    )
    found = read_trials(written(tmp_path, "x.eaf", text))
    assert found.to_dict("records") == [
        {"start": 1.0, "end": 1.5, "condition": "rest", "input": "p01.mp4"}
    ]
    assert read_trials(tmp_path / "x.eaf", "AU12")["condition"].tolist() == ["C"]
    with pytest.raises(DataError, match=r"x\.eaf: expected a tier phases, found AU12"):
        read_trials(tmp_path / "x.eaf", "phases")
    project = json.dumps(BORIS).replace("AU12", "rest")
    found = read_trials(written(tmp_path, "x.boris", project))
    assert found["condition"].tolist() == ["rest"]
    text = "Begin Time - ss.msec\tEnd Time - ss.msec\tphase\n1.500\t2.000\tfilm\n"
    found = read_trials(written(tmp_path, "x.txt", text))
    assert found.to_dict("records") == [{"start": 1.5, "end": 2.0, "condition": "film"}]


def test_several_tiers_are_told_apart() -> None:
    rows = pd.DataFrame({"start": [0, 1], "end": [1, 2], "label": ["a", "b"], "value": ["x", "x"]})
    rows = rows.assign(input=None, who="")
    assert conditions(Stretches(rows, ("a", "b"), True))["condition"].tolist() == ["a x", "b x"]
