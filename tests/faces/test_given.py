"""Boxes that users bring: those that fit nothing are named, none is taken for what it is not."""

import logging
from pathlib import Path

import numpy as np
import pytest

from actionunits.errors import DataError
from actionunits.faces.given import BoxesFile
from actionunits.types import Frame

POINTS = [f"{axis}_{point}" for point in range(5) for axis in "xy"]
HEADING = ["source", "frame", "x", "y", "width", "height", *POINTS]


def line(source: str, frame: object, *box: object) -> list[str]:
    return [source, *map(str, (frame, *box)), *map(str, range(10))]


def write(path: Path, *lines: list[str], mark: str = ",") -> Path:
    path.write_text("".join(mark.join(each) + "\n" for each in [HEADING, *lines]), "utf-8")
    return path


def frame(source: str = "a.mp4", number: int = 0) -> Frame:
    return Frame(np.zeros((100, 200, 3), np.uint8), source, number, number / 30)


@pytest.mark.parametrize(
    ("box", "faces"),
    [
        ((150, 20, 50, 50), 1),
        ((-20, -10, 60, 60), 1),  # more than half of it is in the picture
        ((-20, -10, 41, 100), 0),  # less is
        ((199, 99, 50, 50), 0),
        ((500, 500, 50, 50), 0),
        ((-1e9, -1e9, 3e9, 3e9), 0),
        ((0, 0, 1e300, 1e300), 0),
    ],
)
def test_a_box_has_a_face_if_half_of_it_is_in_the_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, box: tuple[float, ...], faces: int
) -> None:
    path = write(tmp_path / "boxes.csv", *(line("a.mp4", number, *box) for number in (1, 2)))
    found = BoxesFile(path)([frame(number=number) for number in range(3)], 320)
    assert [len(each.boxes) for each in found] == [faces, faces, 0]
    assert [len(each.landmarks) for each in found] == [faces, faces, 0]
    assert len(caplog.messages) == 1 - faces  # once a source
    if not faces:
        assert "the first is in frame 1 of a.mp4" in caplog.messages[0]


@pytest.mark.parametrize("number", ["1.5", "0", "-1", "1e-3"])
def test_frames_are_whole_numbers_from_1(tmp_path: Path, number: str) -> None:
    path = write(tmp_path / "boxes.csv", line("a", 1, 1, 1, 9, 9), line("a", number, 1, 1, 9, 9))
    with pytest.raises(DataError, match=r"boxes\.csv:3: the number of a frame"):
        BoxesFile(path)


@pytest.mark.parametrize("value", ["nan", "inf", "", "-9", "0", "nine"])
def test_sizes_are_positive_numbers(tmp_path: Path, value: str) -> None:
    path = write(tmp_path / "boxes.csv", line("a", 1, 1, 1, 9, 9), line("a", 2, 1, 1, value, 9))
    with pytest.raises(DataError, match=r"boxes\.csv:3: .*a positive width"):
        BoxesFile(path)


def test_a_line_that_comes_twice_is_one_face(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    same = line("a.mp4", 1, 1, 1, 90, 90)
    other = line("a.mp4", 1, 2, 1, 90, 90)
    (found,) = BoxesFile(write(tmp_path / "boxes.csv", same, other, same))([frame()], 320)
    assert found.boxes[:, 0].tolist() == [1, 2]
    assert "a line repeats an earlier line word for word" in caplog.messages[0]
    assert "the first is line 4" in caplog.messages[0]


def test_what_belongs_to_nothing_is_named_at_the_end(tmp_path: Path) -> None:
    lines = [line(name, 1, 1, 1, 90, 90) for name in ("b.mp4", "a.mp4", "A.mp4", "x/c.mp4")]
    lines += [line("a.mp4", 30, 1, 1, 90, 90), line("d.mp4", 30, 1, 1, 90, 90)]
    path = write(tmp_path / "boxes.csv", *lines)
    boxes = BoxesFile(path)
    for source in ("in/a.mp4", "in/d.mp4"):
        boxes([frame(source, number) for number in range(20)], 320)
    strange, late = boxes.unused(["in/a.mp4", "in/d.mp4", "in/b.mp4"], partial=["in/d.mp4"])
    assert strange.startswith(f"{path}: has boxes of A.mp4, {Path('x/c.mp4')}, which are not among")
    assert late.startswith(f"{path}: has a box of frame 30 of in/a.mp4, which has 20 frames")


def test_all_that_is_used_is_not_worth_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    boxes = BoxesFile(write(tmp_path / "boxes.csv", line("a.mp4", 2, 1, 1, 90, 90)))
    boxes([frame("in/a.mp4", number) for number in range(3)], 320)
    assert boxes.unused(["in/a.mp4"]) == []
    assert caplog.messages == []


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_boxes_are_read_as_lists_are(tmp_path: Path, mark: str, encoding: str) -> None:
    path = write(tmp_path / "boxes.csv", line("Zoé.mp4", 1, 1, 1, 90, 90.5), mark=mark)
    text = path.read_text("utf-8").replace("source", " Source")
    path.write_bytes(text.replace("90.5", "90.5" if mark == "," else "90,5").encode(encoding))
    (found,) = BoxesFile(path)([frame("in/Zoé.mp4")], 320)
    assert found.boxes.tolist() == [[1, 1, 90, 90.5]]


def test_a_line_of_too_many_cells_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "boxes.csv", [*line("a", 1, 1, 1, 9, 9), "1"])
    with pytest.raises(
        DataError, match=r"boxes\.csv: expected a table as text, such as CSV: expected 16.*saw 17"
    ):
        BoxesFile(path)


def test_names_may_be_escaped_as_in_our_tables(tmp_path: Path) -> None:
    path = write(tmp_path / "boxes.csv", line("./=caf\\udce9.mp4", 1, 1, 1, 90, 90))
    (found,) = BoxesFile(path)([frame("=caf\udce9.mp4")], 320)
    assert len(found.boxes) == 1


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("source,frame,frame,x,y,width,height\na,1,2,1,1,9,9\n", "utf-8")
    with pytest.raises(DataError, match=r"boxes\.csv: has the column frame twice"):
        BoxesFile(path)


def test_a_file_without_a_line_has_no_faces(tmp_path: Path) -> None:
    (found,) = BoxesFile(write(tmp_path / "boxes.csv"))([frame()], 320)
    assert len(found.boxes) == 0
