"""Core types: plain values that flow from a file to a table row. They hold no behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:  # the processes that decode know frames, and must not wait for PyTorch
    from torch import Tensor


FOLDS = 3
"""Parts into which the people of a data set are dealt."""

Coding = Literal["occurrence", "intensity"]
"""How the AUs of a data set are coded."""


class Frame(NamedTuple):
    """One decoded picture."""

    image: np.ndarray  # (H, W, 3) RGB uint8, upright
    source: str  # path, or "camera:0"
    number: int  # 0-based position in its source; the tables count from 1
    seconds: float  # true presentation time from the start of the source; 0.0 for an image
    doubt: str = ""  # why picture or number cannot be relied on, where a video is damaged


class Face(NamedTuple):
    """One face in one frame."""

    frame: Frame
    track: int  # identity number, 0 is the largest face of the first frame with faces
    box: np.ndarray  # (4,) x, y, width, height in pixels of the frame
    landmarks: np.ndarray  # (5, 2) or (49, 2) x, y in pixels of the frame
    score: float  # detector confidence, 0..1


class Reading(NamedTuple):
    """What was read off one frame; F faces, none where the frame shows no face.

    ``frame`` has the picture and its place; ``faces`` box, five points and identity of each face;
    the arrays one entry a face in the same order, A of them being `Predictor.aus`. `predict` makes
    a table of the same.
    """

    frame: Frame
    faces: tuple[Face, ...]  # by track number
    probability: np.ndarray  # (F, A) of occurrence
    present: np.ndarray  # (F, A) bool, probability at or over the AU's calibrated threshold
    intensity: np.ndarray | None  # (F, A) 0..5, None where the model does not tell
    embedding: np.ndarray | None = None  # (F, E), None where it was not asked for
    confidence: np.ndarray | None = None  # (F,) 0..1, None: that of the face search
    sure: np.ndarray | None = None  # (F,) bool, confident enough; None: all are
    # what else the model tells and was asked for, see `detect.added`; None: it was not, or is not
    landmarks: np.ndarray | None = None  # (F, 49, 2) pixels of the frame
    pose: np.ndarray | None = None  # (F, 3) degrees: yaw to the subject's left, pitch up, roll
    gaze: np.ndarray | None = None  # (F, 2) degrees within the head: yaw, pitch
    sides: np.ndarray | None = None  # (F, A, 2) intensity 0..5, the subject's right and left
    hidden: np.ndarray | None = None  # (F, 6) share 0..1 of each of `REGIONS` that is not seen
    quality: np.ndarray | None = None  # (F,) 0..1, how far the model relies on what it read

    @property
    def doubtful(self) -> np.ndarray:
        """Faces that were not read confidently enough, (F,) bool."""
        return np.zeros(len(self.faces), bool) if self.sure is None else ~self.sure

    def bare(self) -> Reading:
        """The same without its picture, which weighs more than all else."""
        frame = self.frame._replace(image=np.zeros((0, 0, 3), np.uint8))
        return self._replace(frame=frame, faces=tuple(f._replace(frame=frame) for f in self.faces))


class LabelStats(NamedTuple):
    """Statistics of the labels of TRAINING rows; unknown labels are left out pair by pair."""

    rate: Tensor  # (A,) share of frames in which the AU occurs
    correlation: Tensor  # (A, A) Pearson correlation, diagonal 1
    agreement: Tensor  # (A, A) share of frames in which both AUs have the same label
    threshold: float | None = None  # intensity from which an AU occurs; None: coded by occurrence


REGIONS = ("right_brow", "left_brow", "nose", "right_eye", "left_eye", "mouth")
"""Of a face, of which `Besides.hidden` tells; right and left are the subject's."""


class Besides(NamedTuple):
    """What a face shows besides its AUs; of data, NaN where it is not known."""

    sides: Tensor  # (..., A, 2) intensity 0..5 on the subject's right and left
    pose: (
        Tensor  # (..., 3) degrees: yaw to the subject's left, pitch up, roll to its right shoulder
    )
    gaze: Tensor  # (..., 2) degrees within the head: yaw, pitch
    hidden: (
        Tensor  # (..., 6) share 0..1 of a region that is not seen: both brows, nose, eyes, mouth
    )


class Batch(NamedTuple):
    """What a data loader yields and a loss reads. T is there for clip models only.

    A clip's pictures have `InputSpec.context` frames more at either end than its labels: c below.
    """

    images: Tensor  # (B, [c + T + c,] 3, H, W) normalised
    labels: Tensor  # (B, [T,] A) occurrence, 0. or 1.; 0. where not known
    known: Tensor  # (B, [T,] A) bool, False where the AU was not coded
    intensity: Tensor | None  # (B, [T,] A) 0..5, None where the data set has no intensities
    landmarks: Tensor | None  # (B, [T,] 49, 2) in pixels of the crop; NaN for a frame without
    keys: tuple[str, ...]  # "F001/T1/0123"
    besides: Besides | None = None  # None where the data set knows nothing of it


class Output(NamedTuple):
    """What every model returns; whatever a loss reads of it has the batch as its first axis.

    ``aux["embeddings"]`` (B, [T,] K, E) are the features that the last layer reads: of each AU, or
    with K = 1 of the face. A model without them can be trained and read, but gives no embedding.
    """

    logits: Tensor  # (B, [T,] A) occurrence before the sigmoid
    intensity: Tensor | None = None  # (B, [T,] A) expected intensity on 0..5
    landmarks: Tensor | None = None  # (B, [T,] 49, 2) in pixels of the crop
    aux: dict[str, Tensor] | None = None  # read by the paper's own loss and by plots
    besides: Besides | None = None  # the model's reading of sides, pose, gaze and what is hidden
    quality: Tensor | None = None  # (B, [T,]) 0..1, how far the reading can be relied on


class InputSpec(NamedTuple):
    """What a model wants to be fed: an aligned face of `align` pixels, cropped to `size`."""

    size: int  # side of the crop that the model sees
    align: int  # side of the aligned face that the crop is taken from
    mean: tuple[float, float, float]  # of RGB on 0..1
    std: tuple[float, float, float]
    clip: int | None = None  # frames a clip that are read; None for an image model
    context: int = 0  # frames before and after a clip that are seen but not read
    fps: float | None = None  # frames a second of the training clips; None where it is not known


class AUModel(Protocol):
    """An ``nn.Module`` with its input specification."""

    spec: InputSpec

    def __call__(self, images: Tensor) -> Output:
        """Map (B, [c + T + c,] 3, size, size) images to an `Output`."""
        ...


@runtime_checkable
class HoldsOut(Protocol):
    """A model that never trains some of its AUs and reads them all the same.

    Their labels are for testing alone: they choose no weights and calibrate no threshold.
    """

    held_out: tuple[int, ...]  # positions on the label axis


@runtime_checkable
class ClipModel(Protocol):
    """A model of clips that looks at each frame once: ``read(encode(images))`` is its forward.

    What `read` says of a frame depends on `spec.context` frames at either side and on no others,
    so that a video can be read in chunks of any size.
    """

    spec: InputSpec

    def encode(self, images: Tensor) -> Tensor:
        """Map (N, 3, size, size) frames to what is kept of each, (N, ...)."""
        ...

    def read(self, features: Tensor) -> Output:
        """Map (B, c + T + c, ...) of consecutive frames, T from 1 on, to the `Output` of T."""
        ...


class TripletBatch(NamedTuple):
    """Three faces of which the third has the most different expression."""

    images: Tensor  # (B, 3, 3, H, W) normalised
    margin: Tensor  # (B,) by which distances should differ
    keys: tuple[str, ...]  # (3 B) names of the pictures, triplet by triplet


class Embedding(NamedTuple):
    """What a model of expression similarity returns for a `TripletBatch`."""

    vectors: Tensor  # (B, 3, D) of unit length


class ClassBatch(NamedTuple):
    """Faces with one expression class each."""

    images: Tensor  # (B, 3, H, W) normalised
    labels: Tensor  # (B,) int64
    keys: tuple[str, ...]


class Classes(NamedTuple):
    """What a classifier of expressions returns."""

    logits: Tensor  # (B, C) before the softmax


class Shape(NamedTuple):
    """What a model of landmarks returns for a `Batch`."""

    landmarks: Tensor  # (B, 49, 2) in pixels of the crop


class Loss(Protocol):
    """What a model is trained by; no trainable parameters.

    It may have an attribute ``needs``: which of ``landmarks`` and ``intensity`` of a `Batch` it
    reads. Data without them are then refused before training, and else None in the batch. Losses of
    this package also have ``terms``, the names of what they return, which their tests compare.
    """

    def __call__(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return named, unweighted scalar terms; the recipe holds their weights."""
        ...
