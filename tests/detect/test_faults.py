"""Whatever goes wrong with one source costs that source from there on, and no other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from actionunits import media
from actionunits.aus import AUSet
from actionunits.detect.predict import Predictor
from actionunits.errors import UserError
from actionunits.faces.given import Aligned
from actionunits.types import Frame, InputSpec, Output

AUS = AUSet.of((4, 12))
BAD = 5  # frame of bad.mp4 at which something goes wrong
SPEC = InputSpec(size=8, align=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class Gray(nn.Module):
    """Logits are the mean of the crop."""

    spec = SPEC

    def forward(self, images):
        return Output(images.mean((1, 2, 3))[:, None].expand(-1, 2))


class Clip(nn.Module):
    """The same in its time: the middle of three frames."""

    spec = SPEC._replace(clip=3, context=1)

    def encode(self, images):
        return images.mean((1, 2, 3))[:, None]

    def read(self, features):
        return Output(features[:, 1:-1].expand(-1, -1, 2))

    def forward(self, images):
        return self.read(self.encode(images.flatten(0, 1)).unflatten(0, images.shape[:2]))


def shade(name: str, number: int) -> int:
    return 250 if (Path(name).name, number) in {("bad.mp4", BAD), ("bad.png", 0)} else 100 + number


def frames(source: str, span=media.WHOLE, **_):
    """A video of 20 frames, or a picture; the frame that goes wrong is nearly white."""
    for number in range(20 if source.endswith(".mp4") else 1):
        gray = shade(source, number)
        yield Frame(np.full((8, 8, 3), gray, np.uint8), source, number, number / 10)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names = [str(tmp_path / n) for n in ("a.mp4", "a.png", "bad.png", "b.png", "bad.mp4", "c.mp4")]
    for name in names:
        Path(name).touch()
    monkeypatch.setattr(media, "frames", frames)
    return names


def white(images) -> bool:
    return bool((images > 0.95).any())


def failing(error: Exception):
    def fail(images):
        if white(images):
            raise error

    return fail


class Detector(Aligned):
    def __call__(self, frames, side):
        if any(frame.image.max() >= 250 for frame in frames):
            raise MemoryError
        return super().__call__(frames, side)


class Degenerate(Aligned):
    """All landmarks of a white face are in one place."""

    def __call__(self, frames, side):
        return [
            found._replace(landmarks=np.ones((1, 5, 2))) if frame.image.max() >= 250 else found
            for frame, found in zip(frames, super().__call__(frames, side), strict=True)
        ]


def model(kind: type[nn.Module], error: Exception) -> nn.Module:
    made = kind()
    check = failing(error)
    name = "encode" if hasattr(made, "encode") else "forward"
    inner = getattr(made, name)

    def work(images):
        check(images)
        return inner(images)

    setattr(made, name, work)
    return made


CASES = {
    "the detector runs out of memory": (Gray(), Detector(), "out of memory"),
    "landmarks coincide": (Gray(), Degenerate(), "at least two differ"),
    "the device runs out of memory": (
        model(Gray, torch.OutOfMemoryError("CUDA out of memory")),
        Aligned(),
        "out of memory",
    ),
    "the model raises": (model(Gray, ValueError("odd size")), Aligned(), "ValueError: odd size"),
    "the model of clips raises": (model(Clip, KeyError("x")), Aligned(), "KeyError"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_source_costs_itself(sources: list[str], case: str) -> None:
    made, detector, why = CASES[case]
    problems: list[UserError] = []
    read = Predictor(made, AUS, [0.5, 0.5], detector=detector)
    found = [
        (Path(r.frame.source).name, r.frame.number) for r in read.readings(sources, problems.append)
    ]
    assert found == [
        *(("a.mp4", i) for i in range(20)),
        *(("a.png", 0), ("b.png", 0)),
        *(("bad.mp4", i) for i in range(BAD)),
        *(("c.mp4", i) for i in range(20)),
    ]
    assert [p.source for p in problems] == [sources[2], sources[4]]
    assert all(why in str(problem) for problem in problems)
    assert f"bad.mp4: could not be read on at frame {BAD + 1}" in str(problems[1])


def test_any_error_of_a_decoder_costs_its_source(sources, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(source, span=None, **_):
        for frame in frames(source):
            if "bad" in source and frame.image.max() >= 250:
                raise AttributeError("31 is not a valid Type")
            yield frame

    monkeypatch.setattr(media, "frames", broken)
    problems: list[UserError] = []
    read = Predictor(Gray(), AUS, [0.5, 0.5], detector=Aligned())
    assert len(list(read.readings(sources, problems.append))) == 20 + 2 + BAD + 20
    assert [p.source for p in problems] == [sources[2], sources[4]]


def test_a_source_that_ended_is_decoded_no_further(
    sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def long(source, span=None, **_):
        for number in range(500):
            decoded.append(number)
            yield Frame(np.full((8, 8, 3), 250, np.uint8), source, number, number / 10)

    monkeypatch.setattr(media, "frames", long)
    read = Predictor(Gray(), AUS, [0.5, 0.5], detector=Detector())
    assert list(read.readings(sources[4:5], [].append)) == []
    assert len(decoded) < 100


def test_a_fault_when_the_last_frames_of_a_clip_are_read(sources: list[str]) -> None:
    made = Clip()
    calls = []
    inner = made.read

    def read(features):
        calls.append(1)
        if len(calls) == 4:  # the end of a.mp4: three chunks went well
            raise RuntimeError("no luck")
        return inner(features)

    made.read = read
    problems: list[UserError] = []
    reader = Predictor(made, AUS, [0.5, 0.5], detector=Aligned())
    found = [r.frame.source for r in reader.readings([sources[0], sources[5]], problems.append)]
    assert found.count(sources[0]) == 19
    assert found.count(sources[5]) == 20
    assert [p.source for p in problems] == [sources[0]]


def test_files_are_not_each_others_neighbours(sources: list[str]) -> None:
    read = Predictor(Clip(), AUS, [0.5, 0.5], detector=Aligned())
    together = list(read.readings(sources, pytest.fail))
    alone = [r for source in sources for r in read.readings(source, pytest.fail)]
    assert len(together) == len(alone)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.probability, other.probability, atol=1e-6)


class Infinite(Gray):
    """The intensity of a white face is not a number."""

    def forward(self, images):
        out = super().forward(images)
        white = images.mean((1, 2, 3), keepdim=True)[:, 0, 0] > 0.95
        return out._replace(intensity=out.logits.masked_fill(white, float("nan")))


def test_values_that_are_not_finite_are_no_reading(sources: list[str]) -> None:
    problems: list[UserError] = []
    reader = Predictor(Infinite(), AUS, [0.5, 0.5], detector=Aligned())
    table = reader.predict(sources[4])
    bad = table["frame"] == BAD + 1
    assert table["success"].tolist() == [int(not b) for b in bad]
    assert table.loc[bad].filter(like="AU").isna().all(axis=None)
    assert table.loc[~bad].filter(regex="_[pcr]$").notna().all(axis=None)
    assert len(list(reader.readings(sources[4], problems.append))) == 20
    assert [p.source for p in problems] == [sources[4]]
    assert f"from frame {BAD + 1} on the model gave values that are not finite" in str(problems[0])


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (None, "NoneType"),
        (1.5, "float"),
        (True, "bool"),
        (b"x.mp4", "bytes"),
        ([["a.png", "b.png"]], "list"),
    ],
)
def test_what_is_no_path_is_refused_in_one_sentence(given: object, what: str) -> None:
    reader = Predictor(Gray(), AUS, [0.5, 0.5], detector=Aligned())
    with pytest.raises(UserError, match=f"^expected paths of .* found a {what}$"):
        reader.predict(given)


@pytest.mark.parametrize("wrap", [str, Path])
def test_one_path_is_one_path(tmp_path: Path, wrap: type) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(file)
    reader = Predictor(Gray(), AUS, [0.5, 0.5], detector=Aligned())
    assert [r.frame.source for r in reader.readings(wrap(file), pytest.fail)] == [str(file)]
