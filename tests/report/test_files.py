"""What a page tells of: files, faces, cuts, which weights wrote a table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_tables import CARD, COLUMNS, nobody, table

from actionunits.errors import UserError
from actionunits.report import marks
from actionunits.report.data import AWAY, DOUBTFUL, SEEN, cuts, files, runs, track, warnings
from actionunits.report.written import written_by


def one(rows):
    (file,) = files([rows], report=pytest.fail)
    return file


def test_a_face_is_there_or_doubtful_or_away():
    rows = table(30)
    rows.loc[5:9, "confidence"] = 0.1
    rows.loc[10:14, "success"] = 0  # less than --min-confidence
    empty = nobody(30, "a.mp4").iloc[15:20]
    file = one(pd.concat([rows.iloc[:15], empty, rows.iloc[20:]]))
    seen = track(file, 0)
    states = [SEEN] * 5 + [DOUBTFUL] * 10 + [AWAY] * 5 + [SEEN] * 10
    assert seen.state.tolist() == states
    assert np.isfinite(seen.strength[:10]).all()
    assert np.isnan(seen.strength[10:20]).all()
    found = marks.spans(file, seen)
    assert np.allclose(found.away, [[15 / 30, 20 / 30]])
    assert np.allclose(found.doubtful, [[5 / 30, 15 / 30]])
    said = " ".join(warnings(file))
    assert "10 frames of 30 (33 %) without a face that was read" in said
    assert "5 readings of 20 (25 %) with a confidence below 0.2" in said


def test_faces_are_told_from_that_seen_longest_on():
    rows = pd.concat([table(20, face=3), table(50, face=1), table(30, face=7)])
    assert one(rows).faces == [1, 7, 3]


def test_a_cut_gives_all_faces_new_numbers():
    first, second = table(40), table(80).iloc[40:].assign(face_id=1)
    assert np.allclose(cuts(one(pd.concat([first, second]))), [40 / 30])
    stays = table(80, face=2)
    assert not len(cuts(one(pd.concat([first, second, stays]))))
    assert not len(cuts(one(pd.concat([first, second.iloc[5:]]))))  # somebody left, then came
    assert not len(cuts(one(nobody())))


def test_rows_that_repeat_a_face_and_time_count_once():
    rows = table(20)
    file = one(pd.concat([rows, rows.iloc[:4]]))
    assert len(file.frames.rows) == 20
    assert "4 rows of its table left out" in " ".join(warnings(file))


def test_frames_that_are_missing_are_told():
    rows = table(60)
    assert not warnings(one(rows))
    assert "Frames are missing in 1 place." in warnings(one(rows.drop(index=range(20, 30))))


def test_files_have_names_that_tell_them_apart(tmp_path: Path):
    for place in ("x", "y"):
        (tmp_path / place).mkdir()
        table(source=f"{place}/talk.mp4").to_csv(tmp_path / place / "talk.csv", index=False)
        table().drop(columns="input").to_csv(tmp_path / place / "bare.csv", index=False)
    tables = [tmp_path / p / n for n in ("talk.csv", "bare.csv") for p in ("x", "y")]
    names = [file.name for file in files(tables, report=pytest.fail)]
    assert names[:2] == ["x/talk.mp4", "y/talk.mp4"]
    assert names[2] == f"bare ({tmp_path / 'x' / 'bare.csv'})"
    assert len(set(names)) == 4
    frames = [file.name for file in files([table(), table()], report=pytest.fail)]
    assert len(set(frames)) == 2


def test_a_bad_table_costs_itself_alone(tmp_path: Path):
    good = tmp_path / "good.csv"
    table().to_csv(good, index=False)
    (tmp_path / "bad.csv").write_bytes(b"\x00\xff")
    table().iloc[:0].to_csv(tmp_path / "empty.csv", index=False)
    bad = [tmp_path / name for name in ("bad.csv", "empty.csv", "none.csv")]
    told: list[UserError] = []
    found = files([*bad, good, good], report=told.append)
    assert [file.name for file in found] == ["a.mp4"]
    said = [str(problem) for problem in told]
    assert [Path(text.partition(":")[0]).name for text in said] == [
        *("bad.csv", "empty.csv", "none.csv", "good.csv")
    ]
    assert "expected rows of frames, found none with a time" in said[1]
    assert "is given twice" in said[3]
    with pytest.raises(UserError, match=r"bad\.csv"):
        files(bad, report=pytest.fail)
    with pytest.raises(UserError, match="expected one table or more"):
        files([], report=pytest.fail)


def test_thresholds_tell_the_weights_that_wrote_a_table(tmp_path: Path):
    rows = table(200)
    found = written_by(rows)
    assert found.names == ("default",)
    assert found.experimental == {f"AU{n:02d}" for n in CARD.experimental}
    assert found.thresholds == dict(zip(COLUMNS, CARD.thresholds, strict=True))
    rows.to_csv(tmp_path / "a.csv", index=False)
    assert written_by(pd.read_csv(tmp_path / "a.csv")).names == ("default",)
    other = rows.assign(AU12_c=1 - rows["AU12_c"])
    assert written_by(other).names == ()
    assert written_by(rows.drop(columns="AU12_p")).names == ()
    several = written_by(nobody())
    assert {"default", "default-fast"} <= set(several.names)
    assert not several.thresholds
    assert written_by(nobody(), "default-fast").names == ("default-fast",)
    assert written_by(rows, "default-fast").names == ("default",)


def test_runs_are_of_what_is_true():
    flags = np.array([False, True, True, False, True])
    assert runs(flags).tolist() == [[1, 3], [4, 5]]
    assert runs(np.zeros(3, bool)).tolist() == []


def test_cells_can_be_read_on_every_colour():
    shares = np.linspace(0, 1, 201)
    light = np.array([marks.luminance(colour) for colour in marks.ramp(shares)])
    assert (np.diff(light) < 0).all()  # darker means more, whichever colours one sees
    for share, luminance in zip(shares.tolist(), light, strict=True):
        white = marks.cell(share).endswith("#fff")
        contrast = 1.05 / (luminance + 0.05) if white else (luminance + 0.05) / 0.05
        assert contrast >= 4.5, share  # WCAG 2.2, level AA
