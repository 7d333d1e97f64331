"""A user's CSV file: all spellings of its columns, and lines that cannot be used."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preparing import run
from rich.console import Console

import trees
from actionunits.data import prepared
from actionunits.datasets.check import check
from actionunits.datasets.listed import NOBODY, read
from actionunits.errors import DataError


def csv(root: Path, text: str, pictures: str = "a.jpg b.jpg c.jpg") -> Path:
    for name in pictures.split():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "list.csv").write_text(text, encoding="utf-8")
    return root / "list.csv"


def test_pictures_with_subjects(tmp_path: Path) -> None:
    file = csv(
        tmp_path,
        "Subject,IMAGE,AU1,au04_c,AU12_r,AU99,note,part\n"
        "Zoë,c.jpg,1,0,2.5,1,x,2\n"
        "anna,a.jpg,0,,4,1,y,1\n"
        "anna,b.jpg,9,1,999,1,,1\n",
    )
    table = read(file)
    assert table.label_columns() == ["AU01", "AU04", "AU12_intensity"]
    expected = pd.DataFrame(
        {
            "subject": ["Zoë", "anna", "anna"],
            "task": "T1",
            "frame": [1, 1, 2],
            "file": [str(tmp_path / name) for name in ("c.jpg", "a.jpg", "b.jpg")],
            "position": 0,
            "part": [2, 1, 1],
            "AU01": [1.0, 0.0, np.nan],
            "AU04": [0.0, np.nan, 1.0],
            "AU12_intensity": [2.5, 4.0, np.nan],
        }
    )
    pd.testing.assert_frame_equal(table.rows[list(expected)], expected, check_dtype=False)
    (au, others) = table.excluded
    assert (au.what, au.frames, au.reason[:22]) == ("au99", 0, "not read: the AUs that")
    assert (others.what, others.frames, others.reason) == ("columns", 0, "not read: note")


def test_frames_of_videos_count_from_1(tmp_path: Path) -> None:
    for name in ("one", "two"):
        trees.write_video(tmp_path / f"{name}.avi", [np.zeros((64, 64, 3), np.uint8)] * 2)
    file = csv(tmp_path, "input,frame,AU12_c\ntwo.avi,1,0\none.avi,2,1\none.avi,1,0\n")
    rows = read(file).rows
    assert rows[["subject", "task", "frame", "position"]].to_numpy().tolist() == [
        [NOBODY, "one", 1, 0],
        [NOBODY, "one", 2, 1],
        [NOBODY, "two", 1, 0],
    ]
    assert rows["AU12"].tolist() == [0, 1, 0]


def test_lines_that_cannot_be_used_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    file = csv(
        tmp_path,
        "path,subject,frame,part,AU04,AU06_intensity\n"
        "a.jpg,S1,1,1,1,5\n"
        "gone.jpg,S1,2,1,7,1\n"
        "\n"
        ",S1,3,1,1,1\n"
        "a.jpg,,4,1,1,1\n"
        "a.jpg,S1,x,1,1,1\n"
        "a.jpg,S1,6,4,1,1\n"
        "a.jpg,S1,7,1,8,1\n"
        "a.jpg,S1,8,1,yes,1\n"
        "a.jpg,S1,9,1,1,-2\n"
        "a.jpg,S1,10,1,1,5\n"
        "b.jpg,S1,10,1,0,5\n"
        "a.jpg,S1,11,1,0,\n",
    )
    table = read(file)
    assert table.rows["frame"].tolist() == [1, 11]
    said = {each.what: (each.frames, each.reason) for each in table.excluded}
    assert said["path"] == (2, "there is no such file; found 'gone.jpg', the first in line 3")
    assert said["subject"][0] == said["frame"][0] - 1 == 1
    assert said["part"] == (1, "expected 1, 2 or 3; found '4', the first in line 8")
    assert said["au04"][0] == 2
    assert "found '8', the first in line 9" in said["au04"][1]
    assert "found '-2', the first in line 11" in said["au06_intensity"][1]
    assert sum(each.frames for each in table.excluded) == 10


@given(
    codes=st.lists(st.tuples(st.sampled_from([0, 1, None]), st.floats(0, 5)), min_size=1),
)
@settings(max_examples=15, deadline=None)
def test_any_codes_arrive(
    tmp_path_factory: pytest.TempPathFactory, codes: list[tuple[int | None, float]]
) -> None:
    root = tmp_path_factory.mktemp("listed")
    frame = pd.DataFrame(codes, columns=["AU02", "AU25_intensity"], dtype=float)
    frame.insert(0, "image", "a.jpg")
    (root / "a.jpg").touch()
    frame.to_csv(root / "list.csv", index=False)
    rows = read(root / "list.csv").rows
    pd.testing.assert_frame_equal(rows[["AU02", "AU25_intensity"]], frame.iloc[:, 1:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("image,AU01\n", "lists no frames"),
        ("image,AU01\nx.jpg,1\n", "no frame of csv can be used: image: there is no such file"),
        ("name,AU01\na.jpg,1\n", "expected one column of paths.*found none"),
        ("image,path,AU01\na.jpg,a.jpg,1\n", "found image and path"),
        ("image,emotion\na.jpg,1\n", "expected columns such as AU04"),
        ("image,AU1,AU01_c\na.jpg,1,1\n", "two columns for AU01, one is au01_c"),
        ("image,AU01,au01\na.jpg,1,1\n", "has the column au01 twice"),
        ("image,AU01\na.jpg,1,1\n", "expected a table as text, such as CSV: expected 2 .*line 2"),
        ("image,AU01\nv.avi,1\n", "expected a column frame"),
        ("image,Participant,AU01\na.jpg,S1,1\n", "found the column participant; expected subject"),
        ("image,Person_ID,AU01\na.jpg,S1,1\n", "found the column person_id; expected subject"),
        ("image,Frame Number,AU01\na.jpg,1,1\n", "column frame number; expected frame"),
        ("image,AU01_presence,AU99\na.jpg,1,1\n", "found none but au01_presence, au99"),
        (
            "video,frame,AU01\nv.avi,2,1\nv.avi,1,1\nv.avi,0,1\n",
            "count from 1, and there is a frame 0, the first in line 4: .*add 1 to all of them",
        ),
        (
            "image,AU01,AU02_c\na.jpg,1,0\nb.jpg,0,1\na.jpg,0,3\n",
            "au02_c is called as a column of 0 and 1 and holds 3, the first in line 4: .*au02_int",
        ),
        ("image,AU01\na.jpg,0.25\n", "au01 is called as .* holds 0.25, the first in line 2"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = csv(tmp_path, text, "a.jpg v.avi")
    with pytest.raises(DataError, match=message):
        read(file)


def test_what_is_not_read_is_named_to_the_end(tmp_path: Path) -> None:
    file = csv(
        tmp_path,
        "image,subject,AU04,AU97,AU98_c,AU99_r,AU4_presence,timestamp,success,a,b,c,d\n"
        "a.jpg,S1,1,0,0,0,1,0.0,1,,,,\n",
    )
    (tmp_path / "a.jpg").write_bytes(b"x")
    table = read(file)
    assert table.label_columns() == ["AU04"]
    said = {each.what: each.reason for each in table.excluded}
    assert said.keys() == {"au97", "au98_c", "au99_r", "au4_presence", "columns"}
    assert said["au4_presence"].startswith("not read: expected a name such as AU04 or AU04_c")
    assert said["columns"] == "not read: timestamp, success, a, b, c and 1 more"
    console = Console(width=80)
    with console.capture() as capture:
        console.print(check(table).to_table())
    assert "au99_r" in capture.get()
    assert run(table, tmp_path / "out").excluded == table.excluded
    assert prepared.read_manifest("csv", tmp_path / "out").excluded == table.excluded


def test_minus_1_is_not_coded(tmp_path: Path) -> None:
    table = read(csv(tmp_path, "image,AU04,AU12_r\na.jpg,-1,2\nb.jpg,1,-1\nc.jpg,0,-1.0\n"))
    np.testing.assert_array_equal(table.rows["AU04"], [np.nan, 1, 0])
    np.testing.assert_array_equal(table.rows["AU12_intensity"], [2, np.nan, np.nan])
    assert not table.excluded


@pytest.mark.parametrize(
    ("separator", "encoding"),
    [(";", "utf-8"), ("\t", "utf-8"), (";", "cp1252"), (",", "utf-8-sig"), ("\t", "utf-16")],
)
def test_spreadsheets_of_all_kinds_are_read(tmp_path: Path, separator: str, encoding: str) -> None:
    lines = [
        ["Image", "Subject", "Größe", "AU04", "AU12_intensity"],
        ["a.jpg", "Zoë", "1,8", "1", "2,5" if separator != "," else '"2,5"'],
        ["b.jpg", "anna", "", "", "5"],
    ]
    file = csv(tmp_path, "")
    if separator == ",":
        lines[1][2] = "1.8"
    file.write_text("\r\n".join(separator.join(line) for line in lines), encoding, newline="")
    rows = read(file).rows
    assert rows["subject"].tolist() == ["Zoë", "anna"]
    np.testing.assert_array_equal(rows["AU04"], [1, np.nan])
    np.testing.assert_array_equal(rows["AU12_intensity"], [2.5, 5])


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"list\.csv: cannot be read: No such file"):
        read(tmp_path / "list.csv")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"image,AU01\na.jpg,9\nb.jpg,9\n",
        b"image,AU01\na.jpg,nan\nb.jpg,inf\n",
        b"image,AU01\na.jpg," + b"9" * 5000,
        b"image,AU01\n" + b"x" * 5000 + b",1\n",
        b"image,AU01\n\0\0\0,1\n",
        b"image,frame,AU01\na.jpg,1e300,1\nb.jpg,-inf,1\n",
        b"image,AU01," + b",".join(b"c%d" % n for n in range(20_000)) + b"\na.jpg,9\n",
        "image,AU01\na.jpg,9\n".encode("utf-16")[:-1],
        bytes(range(256)),
    ],
    ids=lambda content: repr(content[:24]),
)
def test_a_list_without_anything_to_use_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = csv(tmp_path, "")
    file.write_bytes(content)
    with pytest.raises(DataError) as error:
        check(read(file))
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 700
