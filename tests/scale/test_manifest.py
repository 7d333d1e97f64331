import numpy as np
import pandas as pd
import pytest

from actionunits.errors import UserError
from actionunits.scale import manifest


@pytest.fixture
def files(tmp_path):
    for name in ("a.mp4", "b.mp4", "c.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"x" * 10)
    return tmp_path


def read(*given):
    problems = []
    table = manifest.read([str(each) for each in given], problems.append)
    return table, [str(each) for each in problems]


def listing(folder, text, name="list.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def paths(table):
    return [path.rpartition("/")[2] for path in table["path"]]


def test_a_folder_gives_what_au_detect_reads(files):
    table, problems = read(files)
    assert paths(table) == ["a.mp4", "b.mp4", "c.jpg"]
    assert (table["size"] == 10).all()
    assert table["modified"].notna().all()
    assert not problems


def test_a_pattern_gives_pictures_and_videos(files):
    assert paths(read(files / "*")[0]) == ["a.mp4", "b.mp4", "c.jpg"]
    assert paths(read(files / "**" / "*.mp4")[0]) == ["a.mp4", "b.mp4"]
    with pytest.raises(UserError, match="matches this pattern"):
        read(files / "*.mkv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_list_is_read_as_programs_write_it(files, encoding, sign):
    (files / "é.mp4").write_bytes(b"x")
    text = "Path,Start,End\na.mp4,1.5,3\né.mp4,,\n".replace(",", sign)
    table, problems = read(listing(files, text, encoding=encoding))
    assert paths(table) == ["a.mp4", "é.mp4"]
    assert table["start"].tolist() == [1.5, 0]
    assert table["end"].tolist()[0] == 3
    assert np.isnan(table["end"].tolist()[1])
    assert not problems


def test_a_parquet_list_is_read(files):
    frame = pd.DataFrame({"path": ["a.mp4", "b.mp4"], "start": [0.0, 2.0], "end": [np.nan, 4.0]})
    frame.to_parquet(files / "list.parquet")
    table, problems = read(files / "list.parquet")
    assert table["start"].tolist() == [0, 2]
    assert not problems


def test_what_is_wrong_is_told_and_costs_itself(files):
    text = (
        "path,start,end,who\na.mp4,,,x\ngone.mp4,,,x\na.mp4,,,x\nb.mp4,5,2,x\nc.jpg,soon,,x\n"
        ",,,x\nb.mp4,0,2,x\n"
    )
    table, problems = read(listing(files, text))
    assert paths(table) == ["a.mp4", "b.mp4"]
    said = "\n".join(problems)
    for expected in (
        "columns who",
        "1 input left out, there is no such file: ",
        "gone.mp4; check the paths",
        "1 input named more than once",
        "0 <= start < end: line 5",
        "start is no number of seconds: line 6",
        "the path is empty: line 7",
    ):
        assert expected in said


def test_other_peoples_paths_are_told_with_advice(files):
    text = "path\nC:\\data\\a.mp4\n/home/somebody/b.mp4\n"
    with pytest.raises(UserError, match="2 inputs left out.*somebody/b.mp4.*folder of the list"):
        read(listing(files, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "such as CSV: it is empty"), ("file\na.mp4\n", "lacks the column path"),
     ("path\n", "list.csv: lists nothing"), ("path,path\na,b\n", "twice")],
)  # fmt: skip
def test_lists_that_are_none(files, text, said):
    with pytest.raises(UserError, match=said):
        read(listing(files, text))


def test_damaged_and_missing_lists(files):
    (files / "list.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match="no table that can be read"):
        read(files / "list.parquet")
    with pytest.raises(UserError, match="gone.csv: cannot be read: No such file"):
        read(files / "gone.csv")


def test_cameras_and_nothing_are_refused(files):
    with pytest.raises(UserError, match="cameras"):
        read("0")
    with pytest.raises(UserError, match="nothing to read"):
        manifest.read([], print)


def test_two_parts_of_a_video_are_two_inputs(files):
    table, problems = read(listing(files, "path,start,end\na.mp4,0,2\na.mp4,2,4\n"))
    assert len(table) == 2
    assert not problems
    first, second = manifest.items(table)
    assert (first.start, first.end, second.start, second.end) == (0, 2, 2, 4)


def test_a_name_that_is_no_text_is_left_out(files):
    import os

    with open(os.fsencode(files) + b"/caf\xe9.jpg", "wb") as file:
        file.write(b"x")
    table, problems = read(files)
    assert len(table) == 3
    assert "is no text" in problems[0]


def test_a_store_that_there_is_not_costs_only_what_is_in_it(files):
    table, problems = read(listing(files, "path\na.mp4\nzz://bucket/b.mp4\n"))
    assert paths(table) == ["a.mp4"]
    assert "no store of the kind zz" in problems[0]
