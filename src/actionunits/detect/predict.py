"""From paths to readings: decode, find faces, follow them, align, run the model.

    path -> Frame -> Detections -> Face -> aligned crop -> Output -> Reading

Videos stream: a few frames at a time go through the networks, some of them ahead of what is handed
on, see `ahead`, and a frame is forgotten once its reading has been handed on. A model of clips
reads a frame when the next few are known.

Videos are worked on by themselves, pictures a few at a time, see `chunks`: what is read of a source
does not depend on what was read before it. Nor does it on the faults of another, see `faults`.
"""

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits import media, weights
from actionunits.aus import AUSet
from actionunits.detect import formats, tables
from actionunits.detect.added import NOTHING, Added, added
from actionunits.detect.ahead import crew
from actionunits.detect.chunks import Given, Picture, chunks, each
from actionunits.detect.faults import Faults, Report
from actionunits.detect.found import Cropped, Cropper, looked, reads
from actionunits.detect.halves import read_apart
from actionunits.detect.network import ClipNetwork, Network, Values, joined
from actionunits.detect.neutral import Neutral, corrected
from actionunits.detect.reader import Read, reader
from actionunits.detect.readings import in_picture, reading_of
from actionunits.detect.runtime import asked_with_arrays, network, sight
from actionunits.detect.seek import SEARCH_EVERY, Seeker
from actionunits.errors import UserError, printable
from actionunits.faces import templates
from actionunits.faces.detections import Detector
from actionunits.faces.synface import SynFace
from actionunits.learn.card import read_card
from actionunits.system.machine import give_back_memory
from actionunits.types import Reading

if TYPE_CHECKING:
    from torch import device as Device  # noqa: N812
    from torch.nn import Module

_log = logging.getLogger(__name__)

_ROOM = 1 << 25  # pixels of frames that are on the way at a time: 100 MB, or one frame of 8K


class Predictor:
    """Reads AUs off pictures, folders, videos and cameras.

    Attributes:
        aus: the label axis of what it reads.
        thresholds: (A,) probability from which on an AU counts as present.
        network: reads aligned faces.
    """

    def __init__(
        self,
        network: "Network | ClipNetwork | Module",
        aus: AUSet,
        thresholds: Sequence[float] | NDArray[np.floating],
        *,
        detector: Detector | None = None,
        search_size: int | None = None,
        search_every: int = SEARCH_EVERY,
        template: str = templates.CANONICAL,
        min_confidence: float = 0.0,
    ) -> None:
        """Take what reads faces.

        Args:
            network: reads faces. An `AUModel` is run on the processor; else see `pytorch.network`.
            aus: its label axis, A AUs.
            thresholds: (A,) probability from which on an AU counts as present.
            detector: finds the faces; SynFace where not given.
            search_size: see `Seeker`; None fits most.
            search_every: frames of a video from one search to the next, between which faces are
                followed; 1 searches every frame.
            template: how the faces are placed that the model was trained on. Detectors find five
                points, so one of 49 points is approached: the five go where those of its mean face
                are.
            min_confidence: readings of less are kept and marked, with success 0. Confidence is that
                of the face search, times how much of the face the model reads where it tells.

        Raises:
            ValueError: not one threshold an AU.
            UserError: such a confidence, or size, there is not.
            DataError: there is no such template.
        """
        if not 0 <= min_confidence <= 1:
            raise UserError(f"min_confidence: expected 0 to 1, got {min_confidence:g}")
        self._min_confidence = min_confidence
        self.aus = aus
        self.thresholds = np.asarray(thresholds, dtype=np.float64)
        if self.thresholds.shape != (len(aus),):
            raise ValueError(
                f"expected {len(aus)} thresholds, one an AU; got shape {self.thresholds.shape}"
            )
        self.network = asked_with_arrays(network)
        beside = sight(self.network)
        self._cropper = Cropper(self.network.spec, templates.target(template), beside)
        self._detector = detector or SynFace(threads=1, sight=beside)
        self._search_size, self._search_every = search_size, search_every
        self._seeking(search_size)  # whether there is such a size is said now

    def predict(
        self,
        *given: Given,
        add: Sequence[str] = (),
        format: str = formats.OURS,
        neutral: str | Path = "none",
        start: float = 0.0,
        end: float | None = None,
        every: int = 1,
        fps: float | None = None,
        rate: float | None = None,
        search_size: int | None = None,
    ) -> pd.DataFrame:
        """Read all frames of these files, or pictures in memory, into one table.

        Args:
            given: as for `read`, one or several.
            add: what else is told, of `added.ADDABLE`, or ``all``: adds its columns.
            format: whose columns the table has, of `formats.FORMATS`.
            neutral: ``auto`` or a picture adds intensities above rest, see `neutral`.
            start: seconds, from which on videos are read.
            end: seconds, up to which they are; None: to their end.
            every: 2 reads every second frame of videos, and so on.
            fps: read so many frames a second at the most.
            rate: see `read`.
            search_size: see `read`.

        Returns:
            A row a face, and one for each frame without a face; see `tables.columns`. Files that
            cannot be read, or not to their end, are logged; what was read of them is there.

        Raises:
            UserError: nothing could be read, the first problem; something is no path and no
                picture; or there is no such thing to add, or part to read, or format.
        """
        span = media.Span(start, end, every, fps).checked()
        problems: list[UserError] = []
        add = formats.adding(format, add, self.network, rest=str(neutral) != "none")
        compared = self.neutral(neutral)
        rows = tables.Rows(self.aus, self.added(add), rest=compared is not None)
        things = given[0] if len(given) == 1 else given
        sources: dict[str, None] = {}
        for reading in self.readings(
            things, problems.append, add, span, rate=rate, search_size=search_size
        ):
            rows.add(reading)
            sources[reading.frame.source] = None
        if problems and not len(rows):
            raise problems[0]
        for problem in problems:
            _log.warning("%s", printable(str(problem)))
        table = rows.table()
        if compared is not None:
            table = corrected(table, self.aus, compared)
        return formats.named(format).layout(self.aus, [*sources]).table(table)

    def read(
        self,
        given: Given,
        *,
        add: Sequence[str] = (),
        start: float = 0.0,
        end: float | None = None,
        every: int = 1,
        fps: float | None = None,
        rate: float | None = None,
        search_size: int | None = None,
    ) -> Iterator[Reading]:
        """Read frame after frame, lazily and at constant memory.

        Args:
            given: a path, an address, or the number of a camera; an array (H, W, 3) or
                (N, H, W, 3) of uint8, RGB; a picture of Pillow; a tensor (3, H, W) or (N, 3, H, W)
                of uint8, or of floats from 0 to 1; or a list or iterator of these. An iterator is
                asked for a few pictures ahead, where there are cores. Pictures are copied.
            add: what else is told, of `added.ADDABLE`, or ``all``; see `Reading`.
            start: seconds, from which on videos are read.
            end: seconds, up to which they are; None: to their end.
            every: 2 reads every second frame of videos, and so on.
            fps: read so many frames a second of videos at the most.
            rate: pictures in memory, of a folder or of a pattern (``frame_%05d.png``) are frames of
                one video, so many a second. None: each is a still.
            search_size: long side at which faces are searched for, instead of the predictor's.

        Yields:
            A reading of each picture and frame, in order. Pictures in memory are called
            "picture 1" and so on as sources, or with a rate "pictures", with their frame numbers.

        Raises:
            UserError: something is no path and no picture (its kind, shape and range are said), as
                soon as it is its turn; a file could not be read, or not to its end, when all else
                has been; or there is no such thing to add, or part to read.
        """
        problems: list[UserError] = []
        span = media.Span(start, end, every, fps).checked()
        with closing(
            self.readings(given, problems.append, add, span, rate=rate, search_size=search_size)
        ) as readings:
            yield from readings
        for problem in problems[1:]:
            problems[0].add_note(str(problem))
        if problems:
            raise problems[0]

    def values(self, crops: Picture | Iterable[Picture]) -> Values:
        """What the model says of faces that are aligned already.

        Args:
            crops: F faces as `faces` gives them, (size, size, 3) each, of `network.spec.size`: an
                array, tensor, or list, of the kinds that `read` takes. A model of clips reads them
                as consecutive frames of one face.

        Returns:
            Probabilities, logits, and all else that the model tells but sides, which `read` has;
            landmarks are in pixels of the crop, and the roll of the pose is what is left of it.

        Raises:
            UserError: one has another size.
        """
        size, faces = self.network.spec.size, []
        for place, face in enumerate(each(crops), 1):
            shape = face.shape if isinstance(face, np.ndarray) else f"the path {face}"
            if not isinstance(face, np.ndarray) or shape != (size, size, 3):
                raise UserError(
                    f"crop {place}: expected ({size}, {size}, 3), found {shape}; `faces` gives them"
                )
            faces.append(face)
        if not faces:
            return joined([], len(self.aus))
        if self.network.spec.clip is None:
            return cast(Network, self.network).values(np.stack(faces))._replace(sides=None)
        clips = cast(ClipNetwork, self.network)
        kept, context = [*clips.encode(np.stack(faces))], self.network.spec.context
        return clips.read(kept[:1] * context + kept + kept[-1:] * context)

    def neutral(self, wanted: str | Path) -> Neutral | None:
        """Whose rest intensities are to be compared with.

        Args:
            wanted: ``none``; ``auto``, of each face in its film; or a picture of a face at rest.

        Raises:
            UserError: there is no face in the picture, or the model reads no intensities.
        """
        if str(wanted) == "none":
            return None
        if not self.network.intensity:
            raise UserError(
                "neutral: the model reads no intensities, which tell of rest; take another"
            )
        if str(wanted) == "auto":
            return Neutral()
        problems: list[UserError] = []
        with closing(self.readings([wanted], problems.append)) as readings:
            for reading in readings:
                if reading.faces:
                    assert reading.intensity is not None
                    return Neutral(reading.intensity[0])
        if problems:
            raise problems[0]
        raise UserError(
            f"neutral: {wanted}: expected a face at rest, found none; give another, auto or none"
        )

    def readings(
        self,
        given: Given,
        report: Report,
        add: Sequence[str] = (),
        span: media.Span = media.WHOLE,
        *,
        rate: float | None = None,
        search_size: int | None = None,
    ) -> Generator[Reading, None, None]:
        """Read frame after frame, in order, at constant memory; `read` is simpler.

        Args:
            given: as for `read`.
            report: is told of each file that cannot be read, or not to its end, whatever the
                reason, also from the thread that decodes; the others go on. A face whose values
                are not finite is left out, and told once a file.
            add: what else is told, of `added.ADDABLE`, or ``all``; see `Reading`. The embedding
                is the mean over the AUs of what the last layer reads.
            span: which frames of videos.
            rate: see `read`.
            search_size: see `read`.

        Yields:
            One reading a frame.

        Raises:
            UserError: something is no path and no picture, or there is no such thing to add.
        """
        span = span if rate is None else span._replace(rate=rate).checked()
        wanted = self.added(add)
        network = read_apart(self.network) if "sides" in wanted.kinds else self.network
        begin = partial(reader, network, len(self.aus))
        faults = Faults(report)

        def told(read: Read) -> Reading:
            reading = reading_of(read, self.thresholds, self._min_confidence, faults)
            return in_picture(wanted.kept(reading), self._cropper)

        with crew(_ROOM) as hands:
            coming = chunks(given, faults, hands.room, span)
            found = self._seeking(search_size).found(coming, faults, hands)
            see = partial(looked, begin(), self._cropper, hands.go_on)
            with closing(hands.ahead(found, see)) as parts:
                # no frame is kept while the next one comes
                yield from map(told, reads(begin, parts, faults, hands.room))

    def added(self, wanted: Sequence[str]) -> Added:
        """What is added to tables.

        Args:
            wanted: of `added.ADDABLE`, or ``all``.

        Raises:
            UserError: there is no such thing to add, or the model does not tell it.
        """
        return added(wanted, self.network.told, self.aus) if wanted else NOTHING

    def faces(self, given: Given, report: Report) -> Generator[Cropped, None, None]:
        """Find, follow and align the faces, frame by frame, at constant memory.

        Args:
            given: as for `read`.
            report: as for `readings`.
        """
        faults = Faults(report)
        with (
            crew(_ROOM) as hands,
            closing(
                self._seeking(None).found(chunks(given, faults, hands.room), faults, hands)
            ) as parts,
        ):
            for part in parts:
                yield from (
                    each for _, each in faults.each(part.frames, partial(self._cropper, part))
                )
                hands.room.give(part.pixels)

    def _seeking(self, search_size: int | None) -> Seeker:
        """What finds the faces; the predictor's size is taken where none is given."""
        return Seeker(self._detector, search_size or self._search_size, self._search_every)


def load(
    name_or_path: str | Path = "default",
    *,
    detector: Detector | None = None,
    device: "str | Device | None" = None,
    runtime: str = "auto",
    min_confidence: float = 0.0,
    search_size: int | None = None,
    search_every: int = SEARCH_EVERY,
) -> Predictor:
    """Predictor of a checkpoint, at the thresholds that were calibrated for it.

    Args:
        name_or_path: name of weights that come with the package, or the folder of a run.
        detector: finds the faces; SynFace where not given.
        device: of the model; None takes the accelerator where PyTorch computes and finds one, else
            the processor.
        runtime: what computes the model, see `network.RUNTIMES`.
        min_confidence: see `Predictor`.
        search_size: see `Predictor`.
        search_every: see `Predictor`.

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        UserError: there is no such device, runtime, confidence or size.
    """
    path = weights.locate(name_or_path)
    card = read_card(path)
    predictor = Predictor(
        network(path, card, device, runtime),
        card.au_set(),
        card.thresholds,
        detector=detector,
        template=card.template,
        min_confidence=min_confidence,
        search_size=search_size,
        search_every=search_every,
    )
    give_back_memory()
    return predictor
