"""Pictures that are missing from groups which count theirs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionunits.media.groups import Groups
from clips import collect
from media.test_missing import COUNT, write

GROUP, PICTURE = b"\0\0\1\xb8\0\x08\0\0", b"\0\0\1\0"


def picture(number: int, *, begins: bool = False) -> bytes:
    return GROUP * begins + PICTURE + (number << 6).to_bytes(2) + b"\x10\xff"


@pytest.mark.parametrize("codec", ["mpeg1video", "mpeg2video"])
@pytest.mark.parametrize("suffix", ["mpg", "ts", "mkv"])
def test_two_pictures_that_became_one_are_missed(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write(tmp_path / f"clip.{suffix}", codec, keys=12)
    assert collect(path)[1] is None
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data) - 4) if data[at : at + 4] == PICTURE]
    data[places[40] + 3] |= 1  # a slice, of the picture before
    path.write_bytes(data)
    seen, error = collect(path)
    assert len(seen) < COUNT
    assert "is damaged or breaks off" in str(error)


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    leading=st.integers(0, 3),
    data=st.data(),
)
def test_what_lacks_between_others_is_counted(
    sizes: list[int], leading: int, data: st.DataObject
) -> None:
    """Not at the ends: the first ones may have been cut off, and how many follow nobody says."""
    groups, expected = Groups(), 0
    groups.add(picture(7))  # before the first group: of one that was cut
    for size in sizes:
        numbers = list(range(leading, leading + size))
        gone = data.draw(st.sets(st.sampled_from(numbers)))
        left = [number for number in numbers if number not in gone] or numbers[:1]
        expected += sum(left[0] < number < left[-1] for number in gone)
        stored = data.draw(st.permutations(left))  # not as they are shown
        for place, number in enumerate(stored):
            groups.add(picture(number, begins=not place))
    groups.end()
    assert groups.lacking == expected


def test_a_number_that_comes_again_tells_of_a_head_that_is_missing() -> None:
    """Not where it is of the other half of a picture, nor where groups do not begin at all."""
    for head, expected in ((b"", 2), (b"\0\0\1\xb3", 0)):
        groups = Groups()
        for place, number in enumerate((2, 0, 0, 1, 1)):
            groups.add(picture(number, begins=not place))
        groups.add(head + picture(0))
        groups.add(picture(1))
        groups.end()
        assert groups.lacking == expected
