"""Events and summaries of tables, ours and others', against a slow count by hand."""

from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits.errors import DataError, UserError
from actionunits.findings.events import COLUMNS, events
from actionunits.findings.frames import Frames, read, several
from actionunits.findings.summary import read_trials, summary, unsummed
from command import Au

RATE = 10


def frames(present: list[int], strength: list[float] | None = None, au: str = "AU12") -> Frames:
    """One face at ten frames a second; -1 is a frame in which nobody is seen."""
    count = len(present)
    rows = pd.DataFrame(
        {
            "input": "a.mp4",
            "face_id": 0,
            "timestamp": np.arange(count) / RATE,
            "success": [value >= 0 for value in present],
        }
    )
    shown = pd.DataFrame({au: [np.nan if v < 0 else float(v) for v in present]})
    values = [float(max(v, 0)) for v in present] if strength is None else strength
    return Frames(rows, shown, pd.DataFrame({au: values}), True)


def by_hand(present: list[int], gap: float, shortest: float) -> list[tuple[float, float]]:
    """Onset and offset of each event, frame by frame."""
    found: list[list[int]] = []
    for frame, value in enumerate(present):
        if value != 1:
            continue
        if found and (frame - found[-1][1]) / RATE < gap:
            found[-1][1] = frame + 1
        else:
            found.append([frame, frame + 1])
    return [(a / RATE, b / RATE) for a, b in found if (b - a) / RATE >= shortest - 1e-9]


def test_an_event_has_onset_apex_and_offset() -> None:
    found = events(frames([0, 1, 1, 1, 0, 0], [0, 2, 4, 3, 0, 0]), gap=0.05, shortest=0)
    assert list(found.columns) == COLUMNS
    (row,) = found.to_dict("records")
    assert row == pytest.approx(
        {
            **{"input": "a.mp4", "face_id": 0, "AU": "AU12", "frames": 3},
            **{"onset": 0.1, "apex": 0.2, "offset": 0.4, "duration": 0.3, "peak": 4, "mean": 3},
        }
    )


@pytest.mark.parametrize("places", [3, 6])
@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 1, 1, 1]), min_size=3, max_size=90))
def test_rounded_times_lose_no_blink_of_three_frames(places: int, present: list[int]) -> None:
    exact = frames(present)
    thirty = exact.rows["timestamp"] * (RATE / 30)
    for times in (thirty + 1.0, thirty + 100 / 3):
        found = events(exact._replace(rows=exact.rows.assign(timestamp=times.round(places))))
        runs = [[*run] for value, run in groupby(enumerate(present), lambda each: each[1]) if value]
        together: list[list[int]] = []  # first frame, and the one after the last
        for run in runs:
            if together and run[0][0] - together[-1][1] < 6:
                together[-1][1] = run[-1][0] + 1
            else:
                together.append([run[0][0], run[-1][0] + 1])
        assert len(found) == sum(end - start >= 3 for start, end in together)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([-1, 0, 1]), min_size=3, max_size=40),
    st.sampled_from([0.05, 0.15, 0.35]),
    st.sampled_from([0.0, 0.15, 0.25]),
)
def test_events_are_those_that_one_counts_by_hand(
    present: list[int], gap: float, shortest: float
) -> None:
    found = events(frames(present), gap=gap, shortest=shortest)
    times = list(zip(found["onset"], found["offset"], strict=True))
    assert np.allclose(times, by_hand(present, gap, shortest)) or not (times or present.count(1))
    assert len(times) == len(by_hand(present, gap, shortest))


def test_faces_videos_and_aus_have_events_of_their_own() -> None:
    one, two = frames([1, 1, 1]), frames([1, 1, 1], au="AU04")
    other = one.rows.assign(face_id=1)
    rows = pd.concat([one.rows, other, two.rows.assign(input="b.mp4")], ignore_index=True)
    present = pd.concat([one.present, one.present, two.present], ignore_index=True)
    found = events(Frames(rows, present, present, True), shortest=0)
    said = found[["input", "face_id", "AU"]].to_numpy().tolist()
    assert said == [["a.mp4", 0, "AU12"], ["a.mp4", 1, "AU12"], ["b.mp4", 0, "AU04"]]


def test_nobody_has_no_events_and_no_summary() -> None:
    nobody = frames([-1, -1, -1])
    assert list(events(nobody).columns) == COLUMNS
    assert events(nobody).empty
    assert summary(nobody).empty


def test_tables_of_nobody_and_of_nothing_have_none_either(tmp_path: Path) -> None:
    header = "frame,face_id,timestamp,success,AU12_p,AU12_c,AU12_r,input\n"
    for rows in ("", "1,,0.0,0,,,,a.mp4\n2,,0.1,0,,,,a.mp4\n"):
        (tmp_path / "a.csv").write_text(header + rows)
        found = read(tmp_path / "a.csv")
        assert events(found).empty
        assert summary(found).empty
    (tmp_path / "a.csv").write_text(header + "1,0,0.0,1,.1,0,.2,a.mp4\n")
    assert summary(read(tmp_path / "a.csv"))["events"].tolist() == [0]


def test_confidence_boxes_and_landmarks_are_kept(tmp_path: Path) -> None:
    header = "frame,FaceScore,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,x_0,y_0,AU12"
    (tmp_path / "feat.csv").write_text(f"{header}\n0,.9,1,2,3,4,5,6,.7\n")
    (row,) = read(tmp_path / "feat.csv", fps=25).rows.to_dict("records")
    assert row["confidence"] == 0.9
    assert [row[f"face_{name}"] for name in "xywh"] == [1, 2, 3, 4]
    assert (row["x_0"], row["y_0"]) == (5, 6)
    header = "frame, timestamp, confidence, success, eye_lmk_x_0, x_0, y_0, AU12_c"
    (tmp_path / "openface.csv").write_text(f"{header}\n1, 0, .8, 1, 7, 5, 6, 1\n")
    (row,) = read(tmp_path / "openface.csv").rows.to_dict("records")
    assert (row["confidence"], row["x_0"], row["y_0"]) == (0.8, 5, 6)
    assert "eye_lmk_x_0" not in row


def test_a_summary_is_of_the_frames_that_show_the_face() -> None:
    strength = [0.0, 1, 2, 3, 9, 0]
    (row,) = summary(frames([0, 0, 1, 1, -1, 0], strength), gap=0.05, shortest=0).to_dict("records")
    seen = np.array([0.0, 1, 2, 3, 0])
    assert row["frames"] == 5
    assert row["seconds"] == pytest.approx(0.5)
    assert row["present"] == pytest.approx(2 / 5)
    assert row["events"] == 1
    assert row["events_per_minute"] == pytest.approx(60 / 0.5)
    expected = summary(frames([0, 0, 1, 1, 0], list(seen)), gap=0.05, shortest=0).iloc[0]
    assert row["mean"] == pytest.approx(expected["mean"]) == seen.mean()
    assert row["sd"] == pytest.approx(seen.std(ddof=1))


def test_conditions_hold_from_start_to_end(tmp_path: Path) -> None:
    file = tmp_path / "trials.csv"
    file.write_text("input;start;end;condition\nx/a.mov;0;0,3;rest\na;0,3;0,6;film\nb;0;9;film\n")
    trials = read_trials(file)
    found = summary(frames([0, 0, 0, 1, 1, 0]), trials, gap=0.05, shortest=0)
    assert found["condition"].tolist() == ["film", "rest"]
    assert found["frames"].tolist() == [3, 3]
    assert found["present"].tolist() == pytest.approx([2 / 3, 0])
    assert found["events"].tolist() == [1, 0]


def test_a_condition_without_a_face_has_rows_that_say_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("start,end,condition\n0,.3,rest\n.3,.6,film\n")
    found = summary(frames([1, 1, 0, -1, -1, -1]), read_trials(tmp_path / "t.csv"))
    film, rest = found.to_dict("records")
    assert (film["condition"], film["frames"], film["seconds"], film["events"]) == ("film", 0, 0, 0)
    assert np.isnan([film["present"], film["mean"], film["events_per_minute"]]).all()
    assert (rest["condition"], rest["frames"]) == ("rest", 3)


def test_trials_and_tables_that_do_not_pair_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("input,start,end,condition\na,0,1,x\np3,0,1,x\n")
    one, two = frames([1, 1]), frames([-1, -1])
    rows = pd.concat([one.rows, two.rows.assign(input="p03.mp4")], ignore_index=True)
    values = pd.concat([one.present, two.present], ignore_index=True)
    told = unsummed(Frames(rows, values, values, True), read_trials(tmp_path / "t.csv"))
    assert told == [
        "no face was read, and there are no rows, of p03.mp4",
        "the trials name videos of which there is no table: p3",
        "left out, since the trials do not name them: p03",
    ]
    assert unsummed(one, read_trials(tmp_path / "t.csv"))[1:] == []


def test_trials_of_one_condition_that_overlap_count_once(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("start,end,condition\n0,.4,x\n.2,.6,x\n0,.6,y\n")
    found = summary(frames([1] * 6), read_trials(tmp_path / "t.csv"))
    assert found["frames"].tolist() == [6, 6]
    assert found["events"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input,start,end,condition\n,0,1,a\n", ":2: a cell is empty"),
        ("start,end,condition\n0,1,a\n1,2,\n", ":3: a cell is empty"),
        ("start,end\n0,1\n", "condition is missing; found start, end"),
        ("start,end,condition\n", "trials.csv: has no line below the names of its columns"),
        ("start,end,condition\n0,soon,a\n", ":2: expected seconds in end, got 'soon'"),
        ("start,end,condition\n0,1,a\n2,1,b\n", ":3: the end is not after the start"),
    ],
)
def test_wrong_trials_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "trials.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_trials(tmp_path / "trials.csv")


def test_openfaces_tables_are_read(tmp_path: Path) -> None:
    text = (
        "frame, face_id, timestamp, confidence, success, AU01_r, AU12_r, AU01_c, AU12_c, AU28_c\n"
        "1, 0, 0.000, 0.98, 1, 0.10, 2.50, 0.00, 1.00, 0.00\n"
        "2, 0, 0.033, 0.10, 0, 0.00, 0.00, 0.00, 0.00, 0.00\n"
    )
    (tmp_path / "talk.csv").write_text(text)
    table = read(tmp_path / "talk.csv")
    assert table.graded
    assert list(table.present) == ["AU01", "AU12", "AU28"]
    assert table.present.iloc[0].tolist() == [0, 1, 0]
    assert table.present.iloc[1].isna().all()  # nobody was seen
    assert table.strength.iloc[0].tolist()[:2] == [0.1, 2.5]
    assert table.rows["input"].unique().tolist() == ["talk"]


def test_py_feats_tables_are_read_by_the_rate_of_their_video(tmp_path: Path) -> None:
    text = "frame,input,FaceScore,AU01,AU12\n0,a.mp4,0.9,0.2,0.7\n5,a.mp4,0.9,0.6,\n"
    (tmp_path / "feat.csv").write_text(text)
    with pytest.raises(DataError, match="expected a column timestamp .* by --fps"):
        read(tmp_path / "feat.csv")
    table = read(tmp_path / "feat.csv", fps=25)
    assert not table.graded
    assert table.rows["timestamp"].tolist() == [0, 0.2]
    assert table.present["AU12"].tolist()[0] == 1
    assert table.present["AU12"].isna().tolist() == [False, True]
    assert table.strength["AU01"].tolist() == [0.2, 0.6]


def test_tables_of_occurrences_alone_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("timestamp,AU12_c\n0,1\n0.1,1\n0.2,0\n")
    table = read(tmp_path / "x.csv")
    assert not table.graded
    assert table.strength["AU12"].isna().all()
    (row,) = events(table).to_dict("records")
    assert (row["onset"], row["frames"]) == (0, 2)


def test_faces_without_numbers_are_told_apart_by_their_order(tmp_path: Path) -> None:
    text = "frame,file,input,AU12\n0,x,a.mp4,.7\n0,x,a.mp4,.1\n1,x,a.mp4,.8\n"
    (tmp_path / "feat.csv").write_text(text)
    table = read(tmp_path / "feat.csv", fps=25)
    assert table.rows["input"].unique().tolist() == ["a.mp4"]
    assert table.rows["face_id"].tolist() == [0, 0, 1]
    assert table.strength["AU12"].tolist() == [0.7, 0.8, 0.1]


def test_tables_of_two_kinds_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("timestamp,AU12_r,AU12_c\n0,1,1\n")
    (tmp_path / "two.csv").write_text("timestamp,AU12\n0,.7\n")
    with pytest.raises(UserError, match=r"two\.csv: has probabilities alone"):
        several([tmp_path / "one.csv", tmp_path / "two.csv"], report=pytest.fail)


@pytest.mark.parametrize("others", ["AU12_r,AU12_c", "AU12_p,AU12_c"])
@pytest.mark.parametrize("nobody", ["a", "z"])
def test_a_video_without_a_face_goes_with_tables_of_either_kind(
    tmp_path: Path, others: str, nobody: str
) -> None:
    (tmp_path / f"{nobody}.csv").write_text(f"face_id,timestamp,success,{others}\n,0,0,,\n")
    (tmp_path / "b.csv").write_text(f"face_id,timestamp,success,{others}\n0,0,1,.7,1\n")
    together = several([tmp_path], report=pytest.fail)
    assert together.graded == ("_r" in others)
    assert together.rows["input"].tolist() == sorted([nobody, "b"])
    assert together.strength["AU12"].dropna().tolist() == [0.7]


def test_an_au_that_a_model_does_not_tell_is_no_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp,AU12_r,AU12_c,AU45_r,AU45_c\n0,1,1,,\n1,0,0,,\n")
    assert list(read(tmp_path / "a.csv").present) == ["AU12"]


def test_tables_of_pictures_have_no_times(tmp_path: Path) -> None:
    text = "face, confidence, AU12_r, AU12_c\n0, 0.98, 2.5, 1\n1, 0.95, 0, 0\n"
    (tmp_path / "crowd.csv").write_text(text)  # of OpenFace's FaceLandmarkImg
    table = read(tmp_path / "crowd.csv")
    assert table.rows["input"].unique().tolist() == ["crowd"]
    assert table.rows["face_id"].tolist() == [0, 1]
    assert table.rows["timestamp"].tolist() == [0, 0]
    assert table.strength["AU12"].tolist() == [2.5, 0]
    text = "frame,input,AU12\n0,in/a.jpg,.7\n0,in/a.jpg,.1\n1,in/b.png,.8\n"
    (tmp_path / "feat.csv").write_text(text)
    table = read(tmp_path / "feat.csv")
    assert table.rows["face_id"].tolist() == [0, 1, 0]
    assert (table.rows["timestamp"] == 0).all()


TABLE = "input,face_id,timestamp,AU12_r,AU12_c\n"


def test_files_that_are_no_tables_cost_themselves(au: Au, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text(TABLE + "a.mp4,0,0,3,1\na.mp4,0,.1,4,1\n")
    (tmp_path / "in" / "trials.csv").write_text("start,end,condition\n0,1,rest\n")
    (tmp_path / "in" / "notes.docx").write_bytes(b"PK")  # of a folder, tables alone are looked at
    problems: list[UserError] = []
    found = several([tmp_path / "in", tmp_path / "in" / "a.csv"], report=problems.append)
    assert len(found.rows) == 2
    assert len(problems) == 1
    assert "trials.csv: expected columns of Action Units" in str(problems[0])
    for command in ("events", "summary"):
        said = au(command, tmp_path / "in", "--out", tmp_path / "out.csv")
        assert said.code == 1
        assert "trials.csv: expected columns of Action Units" in said.err
        assert (tmp_path / "out.csv").is_file()
    with pytest.raises(DataError, match="trials.csv: expected columns"):
        several([tmp_path / "in" / "trials.csv"], report=problems.append)
    with pytest.raises(ExceptionGroup, match="inputs that went wrong: 2"):
        several([tmp_path / "in" / "trials.csv", tmp_path / "none.csv"], report=problems.append)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: expected one table or more"):
        several([tmp_path / "empty"], report=problems.append)


def test_rows_of_two_tables_that_are_the_same_count_once(tmp_path: Path) -> None:
    rows = "a.mp4,0,0,3,1\na.mp4,0,.1,4,1\n"
    (tmp_path / "a.csv").write_text(TABLE + rows)
    (tmp_path / "all.csv").write_text(TABLE + rows + "b.mp4,0,0,1,1\n")
    problems: list[UserError] = []
    found = several([tmp_path / "a.csv", tmp_path / "all.csv"], report=problems.append)
    assert len(found.rows) == 3
    assert "2 rows left out, which repeat a face and time" in str(problems[0])


def test_tables_that_a_spreadsheet_saved_with_decimal_commas_are_read(tmp_path: Path) -> None:
    text = TABLE.replace(",", ";") + "a.mp4;0;0,04;2,5;1\na.mp4;0;0,08;3;0\n"
    (tmp_path / "a.csv").write_text(text)
    found = read(tmp_path / "a.csv")
    assert found.graded
    assert found.rows["timestamp"].tolist() == [0.04, 0.08]
    assert found.strength["AU12"].tolist() == [2.5, 3]


def test_a_video_that_has_lost_its_times_needs_its_rate(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frame,timestamp,AU12_c\n1,0,1\n2,0,1\n3,0,0\n")
    with pytest.raises(DataError, match="by --fps; found one time for all frames of a video"):
        read(tmp_path / "a.csv")
    assert read(tmp_path / "a.csv", fps=10).rows["timestamp"].tolist() == [0.1, 0.2, 0.3]
    (tmp_path / "photos.csv").write_text("input,frame,timestamp,AU12_c\na.jpg,1,0,1\nb.jpg,1,0,1\n")
    assert len(read(tmp_path / "photos.csv").rows) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n", "expected columns of Action Units such as AU12_c or AU12, found a, b"),
        (b"", "expected a table, CSV or Parquet: it is empty"),
        (b"\x00\x01PAR1", "expected columns of Action Units|expected a table"),
    ],
)
def test_what_is_no_table_of_frames_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read(tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read(tmp_path / "none.csv")
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(DataError, match="expected a table, CSV or Parquet"):
        read(tmp_path / "x.parquet")


def test_the_commands_read_what_detection_wrote(au: Au, tmp_path: Path) -> None:
    times = np.arange(30) / RATE
    smile = ((times >= 1) & (times < 2)).astype(int)
    table = pd.DataFrame(
        {
            **{"frame": range(1, 31), "face_id": 0, "timestamp": times, "success": 1},
            **{"AU12_p": 0.9 * smile, "AU12_c": smile, "AU12_r": 3.0 * smile, "input": "a.mp4"},
        }
    )
    table.to_parquet(tmp_path / "read.parquet")
    said = au("events", tmp_path / "read.parquet")
    assert said.code == 0, said.err
    assert "a.mp4, face 0" in said.out
    assert "1 event" in said.out
    said = au("events", tmp_path / "read.parquet", "--out", tmp_path / "events.csv")
    assert said.code == 0
    (row,) = pd.read_csv(tmp_path / "events.csv").to_dict("records")
    assert (row["onset"], row["offset"], row["peak"]) == (1.0, 2.0, 3.0)
    said = au("summary", tmp_path / "read.parquet", "--out", tmp_path / "summary.parquet")
    assert said.code == 0
    (row,) = pd.read_parquet(tmp_path / "summary.parquet").to_dict("records")
    assert row["present"] == pytest.approx(1 / 3, abs=1e-4)
    said = au("summary", tmp_path / "read.parquet")
    assert "per minute" in said.out
    for wrong in (("--gap", -1), ("--fps", 0), ("--out", tmp_path / "x.xlsx")):
        said = au("events", tmp_path / "read.parquet", *wrong)
        assert said.code == 2
        assert said.err.count("\n") == 1
