"""From paths to readings: decode, find faces, follow them, align, run the model.

    path -> Frame -> Detections -> Face -> aligned crop -> Output -> Reading

Videos stream: a few frames at a time go through the networks, some of them ahead of what is handed
on, see `ahead`, and a frame is forgotten once its reading has been handed on. A model of clips
reads a frame when the next few are known.

Videos are worked on by themselves, pictures a few at a time, see `chunks`: what is read of a source
does not depend on what was read before it. Nor does it on the faults of another, see `faults`.
"""

import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits import media, weights
from actionunits.aus import AUSet
from actionunits.detect import tables
from actionunits.detect.added import NOTHING, Added, added
from actionunits.detect.ahead import Crew, crew
from actionunits.detect.chunks import PathLike, chunks, listed
from actionunits.detect.faults import Faults, Report
from actionunits.detect.found import Cropped, Cropper, looked, reads
from actionunits.detect.network import RUNTIMES, ClipNetwork, Network
from actionunits.detect.neutral import Neutral, corrected
from actionunits.detect.reader import Read, reader
from actionunits.detect.seek import SEARCH_EVERY, Found, Seeker
from actionunits.errors import UserError, printable
from actionunits.faces import align, templates
from actionunits.faces.centerface import CenterFace
from actionunits.faces.detections import Detector
from actionunits.learn.card import WEIGHTS, Card, folder, read_card
from actionunits.system.machine import has_accelerator, has_amx, has_vnni
from actionunits.types import Reading

if TYPE_CHECKING:
    from torch import device as Device  # noqa: N812
    from torch.nn import Module

_log = logging.getLogger(__name__)

_LARGE = 10_000_000  # bytes of weights from which on bfloat16 on AMX pays, see docs/performance.md
_ROOM = 1 << 26  # pixels of frames that are on the way at a time: 200 MB


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
            network: reads faces. An `AUModel` of PyTorch then runs on the processor; for other
                devices see `pytorch.network`.
            aus: its label axis, A AUs.
            thresholds: (A,) probability from which on an AU counts as present.
            detector: finds the faces; CenterFace where not given.
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
        self.network = _asked_with_arrays(network)
        self._cropper = Cropper(self.network.spec, templates.target(template))
        self._seeker = Seeker(detector or CenterFace(threads=1), search_size, search_every)

    def predict(
        self,
        *paths: PathLike,
        add: Sequence[str] = (),
        neutral: str | Path = "none",
        start: float = 0.0,
        end: float | None = None,
        every: int = 1,
        fps: float | None = None,
    ) -> pd.DataFrame:
        """Read all frames of these files into one table.

        Args:
            paths: pictures, videos, folders, cameras.
            add: what else is told, of `added.ADDABLE`, or ``all``: adds its columns.
            neutral: ``auto`` or a picture adds intensities above rest, see `neutral`.
            start: seconds, from which on videos are read.
            end: seconds, up to which they are; None: to their end.
            every: 2 reads every second frame of videos, and so on.
            fps: read so many frames a second at the most.

        Returns:
            A row a face, and one for each frame without a face; see `tables.columns`. Files that
            cannot be read, or not to their end, are logged; what was read of them is there.

        Raises:
            UserError: nothing could be read, the first problem; a path is none; or there is no
                such thing to add, or part to read.
        """
        span = media.Span(start, end, every, fps).checked()
        problems: list[UserError] = []
        compared = self.neutral(neutral)
        rows = tables.Rows(self.aus, self.added(add), rest=compared is not None)
        for reading in self.readings(listed(paths), problems.append, add, span):
            rows.add(reading)
        if problems and not len(rows):
            raise problems[0]
        for problem in problems:
            _log.warning("%s", printable(str(problem)))
        table = rows.table()
        return table if compared is None else corrected(table, self.aus, compared)

    def neutral(self, wanted: str | Path) -> Neutral | None:
        """Whose rest intensities are to be compared with.

        Args:
            wanted: ``none``; ``auto``, of each face in its film; or a picture of a face at rest.

        Raises:
            UserError: there is no face in the picture, or the model reads no intensities.
        """
        if str(wanted) == "none":
            return None
        if str(wanted) == "auto":
            self._check_intensity()
            return Neutral()
        problems: list[UserError] = []
        with closing(self.readings([wanted], problems.append)) as readings:
            for reading in readings:
                if reading.faces:
                    self._check_intensity()
                    assert reading.intensity is not None
                    return Neutral(reading.intensity[0])
        if problems:
            raise problems[0]
        raise UserError(
            f"neutral: {wanted}: expected a picture of a face at rest, found no face in it; give "
            "another, or auto, or none"
        )

    def _check_intensity(self) -> None:
        if not self.network.intensity:
            raise UserError(
                "neutral: the model reads no intensities, which are what rest is told by; take one "
                "that does"
            )

    def readings(
        self,
        paths: Iterable[PathLike] | PathLike,
        report: Report,
        add: Sequence[str] = (),
        span: media.Span = media.WHOLE,
    ) -> Generator[Reading, None, None]:
        """Read frame after frame, in order, at constant memory.

        Args:
            paths: pictures, videos, folders, cameras.
            report: is told of each file that cannot be read, or not to its end, whatever the
                reason, also from the thread that decodes; the other files go on. A face whose
                values are not finite is left out, and told once a file.
            add: what else is told, of `added.ADDABLE`, or ``all``; see `Reading`. The embedding
                is the mean over the AUs of what the last layer reads.
            span: which frames of videos.

        Yields:
            One reading a frame.

        Raises:
            UserError: a path is none, or there is no such thing to add.
        """
        wanted = self.added(add)
        begin = partial(reader, self.network, len(self.aus))
        faults = Faults(report)
        with crew(_ROOM) as hands:
            found = self._found(listed(paths), faults, hands, span)
            see = partial(looked, begin(), self._cropper, hands.go_on)
            with closing(hands.ahead(found, see)) as parts:
                for read in reads(begin, parts, faults, hands.room):
                    yield self._in_picture(wanted.kept(self._reading(read, faults)))

    def added(self, wanted: Sequence[str]) -> Added:
        """What is added to tables.

        Args:
            wanted: of `added.ADDABLE`, or ``all``.

        Raises:
            UserError: there is no such thing to add, or the model does not tell it.
        """
        return added(wanted, self.network.told, self.aus) if wanted else NOTHING

    def faces(
        self, paths: Iterable[PathLike] | PathLike, report: Report
    ) -> Generator[Cropped, None, None]:
        """Find, follow and align the faces, frame by frame, at constant memory.

        Args:
            paths: as for `readings`.
            report: as for `readings`.
        """
        faults = Faults(report)
        with (
            crew(_ROOM) as hands,
            closing(self._found(listed(paths), faults, hands)) as parts,
        ):
            for part in parts:
                yield from (
                    each for _, each in faults.each(part.frames, partial(self._cropper, part))
                )
                hands.room.give(part.pixels)

    def _found(
        self,
        paths: Sequence[PathLike],
        faults: Faults,
        hands: Crew,
        span: media.Span = media.WHOLE,
    ) -> Generator[Found, None, None]:
        return self._seeker.found(chunks(paths, faults, hands.room, span), faults, hands)

    def _reading(self, read: Read, faults: Faults) -> Reading:
        """Reading without the faces whose values are not finite."""
        finite = [v for v in read.values if v is not None]
        good = np.logical_and.reduce(
            [np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in finite]
        )
        if not good.all():
            faults.note(
                read.frame,
                "the model gave values that are not finite; such faces are left out, and a frame "
                "without others has success 0; check the weights",
            )
        faces = tuple(face for face, kept in zip(read.faces, good, strict=True) if kept)
        values = read.values.part(good)
        present = values.probability >= self.thresholds
        confidence = np.array([face.score for face in faces])
        if values.quality is not None:
            confidence = confidence * values.quality
        sure = confidence >= self._min_confidence
        return Reading(
            *(read.frame, faces, values.probability, present, values.intensity, values.embedding),
            *(confidence, sure, values.landmarks, values.pose),
            *(values.gaze, values.sides, values.hidden, values.quality),
        )

    def _in_picture(self, reading: Reading) -> Reading:
        """The reading with landmarks and pose, if they are wanted, not as the crops show them."""
        landmarks, pose = reading.landmarks, reading.pose
        if landmarks is None and pose is None:
            return reading
        matrices = self._cropper.placing(reading.faces)
        if landmarks is not None:
            landmarks = align.transform(landmarks, align.invert(matrices))
        if pose is not None:  # alignment has turned the face by so much
            pose = pose.copy()
            pose[:, 2] += np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
        return reading._replace(landmarks=landmarks, pose=pose)


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
        detector: finds the faces; CenterFace where not given.
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
    return Predictor(
        _network(path, card, device, runtime),
        card.au_set(),
        card.thresholds,
        detector=detector,
        template=card.template,
        min_confidence=min_confidence,
        search_size=search_size,
        search_every=search_every,
    )


def _asked_with_arrays(network: "Network | ClipNetwork | Module") -> "Network | ClipNetwork":
    if not hasattr(network, "state_dict"):
        return network
    from actionunits.detect import pytorch  # not before somebody has a model of PyTorch

    return pytorch.network(cast("Module", network))


def _fastest(path: Path, device: "str | Device | None") -> str:
    """What computes a model of this size fastest here, see docs/performance.md."""
    from actionunits.detect import onnx

    torch = find_spec("torch") is not None
    if torch and (str(device or "cpu") != "cpu" or (device is None and has_accelerator())):
        return "torch"
    if has_vnni() and onnx.has_graph(path, int8=True):
        return "int8"
    large = (folder(path) / WEIGHTS).stat().st_size > _LARGE
    return "onnx" if onnx.has_graph(path) and not (torch and has_amx() and large) else "torch"


def _network(
    path: Path, card: Card, device: "str | Device | None", runtime: str
) -> "Network | ClipNetwork":
    """What computes the model of a checkpoint."""
    from actionunits.detect import onnx

    if runtime not in RUNTIMES:
        raise UserError(f"runtime: expected {', '.join(RUNTIMES)}, found {runtime}")
    if runtime == "auto":
        runtime = _fastest(path, device)
    if runtime in {"onnx", "int8"}:
        int8 = runtime == "int8"
        if not onnx.has_graph(path, int8=int8):
            raise UserError(
                f"runtime: {path} has no graph for {runtime}; write it with au export --beside"
                f"{' --int8' if int8 else ''}, or take --runtime torch"
            )
        if device is not None and str(device) != "cpu":
            raise UserError(f"device {device}: ONNX Runtime computes on cpu; take --runtime torch")
        return onnx.network(path, card, int8=int8)
    try:
        from actionunits.detect import pytorch
        from actionunits.learn import checkpoint
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path}: is read by PyTorch, and {error.name} is not installed: pip install "
            "'actionunits[train]'"
        ) from None
    place = pytorch.accelerator(device)  # said before the model is built
    return pytorch.network(checkpoint.load(path)[0], place)
