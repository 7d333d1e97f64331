"""A user's CSV file: all spellings of its columns, and lines that cannot be used."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trees
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
    assert table.excluded == ()


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
        "gone.jpg,S1,2,1,2,1\n"
        "\n"
        ",S1,3,1,1,1\n"
        "a.jpg,,4,1,1,1\n"
        "a.jpg,S1,x,1,1,1\n"
        "a.jpg,S1,6,4,1,1\n"
        "a.jpg,S1,7,1,3,1\n"
        "a.jpg,S1,8,1,yes,1\n"
        "a.jpg,S1,9,1,1,-1\n"
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
    assert "found '3', the first in line 9" in said["au04"][1]
    assert "found '-1', the first in line 11" in said["au06_intensity"][1]
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
        ("", "lists no frames"),
        ("image,AU01\n", "lists no frames"),
        ("image,AU01\nx.jpg,1\n", "no frame of csv can be used: image: there is no such file"),
        ("name,AU01\na.jpg,1\n", "expected one column of paths.*found none"),
        ("image,path,AU01\na.jpg,a.jpg,1\n", "found image and path"),
        ("image,emotion\na.jpg,1\n", "expected columns such as AU04"),
        ("image,AU1,AU01_c\na.jpg,1,1\n", "two columns for AU01, one is au01_c"),
        ("image,AU01,au01\na.jpg,1,1\n", "has the column au01 twice"),
        ("image,AU01\na.jpg,1,1\n", "cannot be read as a table.*line 2"),
        ("image,AU01\nv.avi,1\n", "expected a column frame"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = csv(tmp_path, text, "a.jpg v.avi")
    with pytest.raises(DataError, match=message):
        read(file)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"list\.csv: cannot be read: No such file"):
        read(tmp_path / "list.csv")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read(tmp_path)
